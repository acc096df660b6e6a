"""From one Redis subscription to every browser of this web process, each at the pace it reads.

A client has a mailbox that keeps only the newest of each thing it was not sent yet: it is bounded by the number of
instruments, and a client that stops reading delays nobody. The hub runs while it has clients.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio
from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError
from redis.exceptions import RedisError

from trading import current, tick_bus
from trading.tick_bus import Row, TickSnapshot

log = logging.getLogger(__name__)

#: rows are looked at this often while anybody watches
LOOK_EVERY_S = 0.5
#: a look that takes longer is waited for aloud
LATE_S = 1.0
#: how long a Redis in trouble is let alone
REST_S = 1.0

Part = dict[str, Any]
Look = Callable[[TickSnapshot | None], Part]


@dataclass(slots=True, eq=False)
class Mailbox:
    """What one client was not sent yet."""

    rows: dict[str, Row] = field(default_factory=dict)
    parts: Part = field(default_factory=dict)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, *, rows: dict[str, Row] | None = None, parts: Part | None = None) -> None:
        """Add what is new; older news of the same name is dropped."""
        self.rows.update(rows or {})
        self.parts.update(parts or {})
        self._filled.set()

    async def take(self) -> tuple[dict[str, Row], Part]:
        """Wait until there is something, and empty the box."""
        await self._filled.wait()
        self._filled.clear()
        rows, parts, self.rows, self.parts = self.rows, self.parts, {}, {}
        return rows, parts


class TickHub:
    """One per web process. Used by the event loop's thread alone."""

    def __init__(self, redis_url: str, look: Look) -> None:
        """`look` makes the picture of the rows; it is called in a thread."""
        self._redis_url = redis_url
        self._look = look
        self._clients: set[Mailbox] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._newest: TickSnapshot | None = None
        self._parts: Part = {}

    def join(self) -> Mailbox:
        """A mailbox that holds everything known now; the first one starts the hub."""
        mailbox = Mailbox()
        self._clients.add(mailbox)
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._look_again())]
        if self._newest or self._parts:
            mailbox.put(rows=self._newest.rows if self._newest else {}, parts=self._known())
        return mailbox

    async def leave(self, mailbox: Mailbox) -> None:
        """Forget a client; the last one stops the hub."""
        self._clients.discard(mailbox)
        if self._clients:
            return
        tasks, self._tasks, self._parts, self._newest = self._tasks, [], {}, None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        """Hear the channel for ever; a Redis that goes away comes back some day."""
        newest = await asyncio.to_thread(tick_bus.read_newest, self._redis_url)
        if newest is not None:
            self._take(newest)
        while True:
            try:
                await self._hear_one_connection()
            except (RedisError, OSError) as error:
                log.warning("live ticks cannot be heard: %s", error)
                await asyncio.sleep(REST_S)

    async def _hear_one_connection(self) -> None:
        client = redis.asyncio.Redis.from_url(self._redis_url, socket_connect_timeout=tick_bus.TIMEOUT_S)
        async with client, client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(tick_bus.CHANNEL)
            async for message in channel.listen():
                self._spread(message["data"])

    def _spread(self, message: bytes) -> None:
        try:
            snapshot = tick_bus.decode(message)
        except ValueError as error:
            log.warning("%s", error)
            return
        self._take(snapshot)

    def _take(self, snapshot: TickSnapshot) -> None:
        known = self._newest.rows if self._newest else {}
        changed = {name: row for name, row in snapshot.rows.items() if known.get(name) != row}
        self._newest = snapshot
        self._tell(rows=changed, parts={"ticks_at": snapshot.at, "sent_at": snapshot.sent_at})

    async def _look_again(self) -> None:
        while True:
            parts = await self._picture_in_time()
            changed = {name: part for name, part in parts.items() if self._parts.get(name, self) != part}
            self._parts = parts
            self._tell(parts=changed)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _picture_in_time(self) -> Part:
        """The picture. While it is waited for, browsers hear that we are there: it is the rows that are late."""
        looking = asyncio.ensure_future(self._picture())
        try:
            while not (await asyncio.wait({looking}, timeout=LATE_S))[0]:
                self._tell()
            return looking.result()
        finally:
            looking.cancel()

    async def _picture(self) -> Part:
        """The picture, or, while the rows cannot be read, the old one with what is wrong."""
        try:
            return {**await database_sync_to_async(self._look)(self._newest), "problem": ""}
        except (DatabaseError, InterfaceError) as error:
            log.warning("the console cannot read its rows: %s", error)
            problem = "The database does not answer: what you see is old."
        except current.NoAccount as error:
            problem = str(error)
        except Exception as error:
            # Without this the prices would go on moving over rows that nobody reads any more.
            log.exception("the console's picture cannot be made")
            problem = f"The picture cannot be made: {type(error).__name__}. What you see is old; see the log."
        return {**self._parts, "problem": problem}

    def _known(self) -> Part:
        newest = self._newest
        prices = {"ticks_at": newest.at, "sent_at": newest.sent_at} if newest else {}
        return {**self._parts, **prices}

    def _tell(self, *, rows: dict[str, Row] | None = None, parts: Part | None = None) -> None:
        for mailbox in self._clients:
            mailbox.put(rows=rows, parts=parts)
