"""Answering a request that meets faults."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from trading.exchange.faults import Fault, FaultKind
from trading.exchange.rules import VenueRefusal
from trading.exchange.server.fault_routes import page_of, refusal_of

#: HTTP status, content type, body, whether the body is gzipped
Reply = tuple[int, bytes, bytes, bool]
Message = MutableMapping[str, Any]


async def answer_with(
    faults: Sequence[Fault], act: Callable[[float], Reply], refused: Callable[[VenueRefusal], Reply]
) -> Reply | None:
    """The reply, or None for a connection to be closed without one.

    `act` does what the request asks, once, and is given how old the book it shows is to be, seconds.
    """
    lag_s = sum(fault.measure for fault in faults if fault.kind is FaultKind.LAG_BOOK)
    delay_ms = sum(fault.measure for fault in faults if fault.kind is FaultKind.DELAY)
    ends = [fault for fault in faults if fault.kind not in (FaultKind.LAG_BOOK, FaultKind.DELAY)]
    reply = _ended(ends[0], act, refused) if ends else act(lag_s)
    if delay_ms:
        await asyncio.sleep(delay_ms / 1000)
    return reply


def _ended(
    fault: Fault, act: Callable[[float], Reply], refused: Callable[[VenueRefusal], Reply]
) -> Reply | None:
    if fault.kind is FaultKind.DROP_AFTER or fault.acts:
        act(0.0)
    if fault.kind in (FaultKind.ARRIVE_LATE, FaultKind.ZOMBIE):
        asyncio.get_running_loop().call_later(fault.measure, act, 0.0)
    if fault.kind is FaultKind.HTML_BODY:
        return int(fault.measure), b"text/html", page_of(fault), False
    refusal = refusal_of(fault)
    return refused(refusal) if refusal else None


async def hang_up(
    receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Close the connection without an answer."""
    # ASGI has no word for it; the object whose method `send` is holds the socket.
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("this server does not show its sockets: serve the exchange with uvicorn")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
