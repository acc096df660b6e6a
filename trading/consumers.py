"""`/ws/console`: the console's live picture. A snapshot, then numbered deltas, each acknowledged by the browser."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from aitrapp_site.ist_json import to_json
from trading.tick_hub import Look, Mailbox, TickHub

#: so many messages may be under way unread; beyond them news is conflated in the mailbox
UNSEEN_MAX = 4
#: a browser that has read nothing for this long is let go
READ_WITHIN_S = 30.0
SIGN_IN, WRONG_ORIGIN, TOO_SLOW = 4401, 4403, 4408

_hubs: dict[Look, TickHub] = {}


def hub_of(look: Look) -> TickHub:
    """This process's one hub for a picture. Made late: a WebSocket application hears of no start-up."""
    return _hubs.setdefault(look, TickHub(settings.REDIS_URL, look))


class ConsoleConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels ships no types
    """One browser. `look` makes the picture: this app may not know the apps above it."""

    # A name without a layer: its subscription per browser would be one more thing that Redis can break.
    channel_layer_alias = "none"
    look: Look

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.hub = hub_of(look)
        self.mailbox: Mailbox | None = None
        self.sender: asyncio.Task[None] | None = None
        self.sent = self.seen = 0
        self.read = asyncio.Event()

    async def connect(self) -> None:
        user = self.scope.get("user")
        if not is_same_origin(self.scope):
            await self.close(WRONG_ORIGIN)
        elif user is None or not (user.is_active and user.is_staff):
            await self.close(SIGN_IN)
        else:
            await self.accept()
            self.mailbox = self.hub.join()
            self.sender = asyncio.create_task(self._send_all(self.mailbox))

    async def disconnect(self, code: int) -> None:
        if self.sender is not None:
            self.sender.cancel()
            await asyncio.gather(self.sender, return_exceptions=True)
        if self.mailbox is not None:
            await self.hub.leave(self.mailbox)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """{"seen": n}: the browser has worked through message n. Anything else is not for us."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            self.seen = min(max(self.seen, int(json.loads(text_data or "")["seen"])), self.sent)
            self.read.set()

    async def _send_all(self, mailbox: Mailbox) -> None:
        with contextlib.suppress(OSError):
            while await self._has_read():
                rows, parts = await mailbox.take()
                self.sent += 1
                await self.send(text_data=to_json({"n": self.sent, "ticks": rows, "parts": parts}))
            await self.close(TOO_SLOW)

    async def _has_read(self) -> bool:
        """Wait until few enough messages are unread; False when that takes too long."""
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                while self.sent - self.seen >= UNSEEN_MAX:
                    self.read.clear()
                    await self.read.wait()
        except TimeoutError:
            return False
        return True


def is_same_origin(scope: Mapping[str, Any]) -> bool:
    """Whether the page that opened this socket came from this very host and port.

    The session cookie alone proves nothing: a browser sends it with sockets that other sites' pages open.
    """
    headers = dict(scope.get("headers", ()))
    origin = urlsplit(headers.get(b"origin", b"").decode("latin-1"))
    return bool(origin.netloc) and origin.netloc.encode("latin-1") == headers.get(b"host", b"")
