"""Order updates posted to the address that the app registered (Kite's postbacks): fire and forget, in order."""

import asyncio
import http.client
import json
import logging
import urllib.request
from collections import deque
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

#: what Kite posts; the ticker also tells interim statuses
POSTED: Final = ("COMPLETE", "CANCELLED", "REJECTED", "UPDATE")
#: the exchange never waits longer for the app's answer
TIMEOUT_S: Final = 3.0
#: beyond so many waiting ones the oldest are lost
HELD: Final = 1000


def check_address(url: str) -> str:
    """The address again. Raises ValueError for what is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no address for postbacks: give one like http://127.0.0.1:8000/postback")
    return url


class PostOffice:
    """A postman for each address that an account's app registered. One event loop's."""

    def __init__(self) -> None:
        self._postmen: dict[str, Postman] = {}
        self._rounds: list[asyncio.Task[None]] = []

    def post(self, url: str, update: Mapping[str, Any]) -> None:
        """Have a signed order update brought to an app's address."""
        postman = self._postmen.get(url)
        if postman is None:
            postman = self._postmen[url] = Postman(url)
            self._rounds.append(asyncio.create_task(postman.run()))
        postman.post(update)

    def close(self) -> None:
        """What was not delivered yet is lost."""
        for each in self._rounds:
            each.cancel()


class Postman:
    """Brings one app its order updates."""

    def __init__(self, url: str) -> None:
        """Raises ValueError for what is no address."""
        self._url = check_address(url)
        self._waiting: deque[Mapping[str, Any]] = deque(maxlen=HELD)
        self._filled = asyncio.Event()

    def post(self, update: Mapping[str, Any]) -> None:
        """Take a signed order update along, if it is one that Kite posts."""
        if update["status"] not in POSTED:
            return
        if len(self._waiting) == HELD:
            log.warning(
                "postback of order %s is lost: %s does not keep up", self._waiting[0]["order_id"], self._url
            )
        self._waiting.append(update)
        self._filled.set()

    async def run(self) -> None:
        """Deliver until cancelled. What the app does not take is lost, as at Kite."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                await asyncio.to_thread(self._deliver, self._waiting.popleft())

    def _deliver(self, update: Mapping[str, Any]) -> None:
        headers = {"Content-Type": "application/json", "X-Kite-Version": "3"}
        request = urllib.request.Request(self._url, json.dumps(update).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                answer.read()
        except (OSError, http.client.HTTPException) as error:
            log.warning("postback of order %s was not taken: %s", update["order_id"], error)
