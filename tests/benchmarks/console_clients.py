"""Browsers as `bench console` sees them: what each hears over `/ws/console`, and how old its figures are.

A figure is as old as the machine time since its tick was due. It is looked at twice: when it comes, and in the
moment before the next one takes its place, which is as old as the operator ever sees it.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import time

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from tests.benchmarks.console_feed import FIRST_PAISE, PACE_S

NUMBER = re.compile(r'"n":(\d+)')
PRICE = re.compile(r'"NSE:SHARE1":\[(\d+)')
#: the first figures of a connection: its snapshot, and whatever waited for it
SETTLE_S = 1.0


@dataclass(slots=True)
class Heard:
    """What one client heard. Ages are in ms."""

    came_ms: list[float] = field(default_factory=list)
    replaced_ms: list[float] = field(default_factory=list)
    messages: int = 0
    bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where to connect, as whom, and when the market began (seconds since 1970)."""

    port: int
    cookie: str
    began_s: float


async def listen(place: Place, clients: int, seconds: float, *, stuck: int = 0) -> list[Heard]:
    """Connect so many clients that read, and some that never do; returns what the readers heard."""
    async with AsyncExitStack() as stack:
        for _ in range(stuck):
            await stack.enter_async_context(_stuck(place))
        readers = [await stack.enter_async_context(_opened(place)) for _ in range(clients)]
        return list(await asyncio.gather(*(_hear(place, one, seconds) for one in readers)))


def _opened(place: Place) -> connect:
    return connect(
        f"ws://127.0.0.1:{place.port}/ws/console", origin=Origin(f"http://127.0.0.1:{place.port}"),
        additional_headers={"Cookie": place.cookie}, max_size=None, compression=None,
    )  # fmt: skip


@asynccontextmanager
async def _stuck(place: Place) -> AsyncIterator[None]:
    """A socket that is open and from which nothing is read ever: its buffers fill up."""
    words = (
        f"GET /ws/console HTTP/1.1\r\nHost: 127.0.0.1:{place.port}\r\nOrigin: http://127.0.0.1:{place.port}\r\n"
        f"Cookie: {place.cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    # A limit of one byte: the stream stops reading from its socket as soon as anything has come.
    _, writer = await asyncio.open_connection("127.0.0.1", place.port, limit=1)
    writer.write(words.encode())
    await writer.drain()
    try:
        yield
    finally:
        writer.transport.abort()


async def _hear(place: Place, socket: ClientConnection, seconds: float) -> Heard:
    heard, shown, counts_from_s = Heard(), None, time() + SETTLE_S
    while (now_s := time()) < counts_from_s + seconds:
        message = str(await asyncio.wait_for(socket.recv(), 30))
        now_s = time()
        if number := NUMBER.search(message):
            await socket.send(f'{{"seen":{number[1]}}}')
        if now_s < counts_from_s:
            continue
        heard.messages += 1
        heard.bytes += len(message)
        if price := PRICE.search(message):
            due_s = place.began_s + (int(price[1]) - FIRST_PAISE) * PACE_S
            heard.came_ms.append((now_s - due_s) * 1000)
            if shown is not None:
                heard.replaced_ms.append((now_s - shown) * 1000)
            shown = due_s
    return heard


def p99_ms(ages: Sequence[float]) -> float:
    """Of all of them together. Raises ValueError when nothing was heard."""
    if not ages:
        raise ValueError("no figure came to the client: see whether the feed and /ws/console still speak")
    ordered = sorted(ages)
    return round(ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)], 1)
