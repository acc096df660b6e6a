"""The ticker's binary frames, both ways: Kite's bytes to arrays, and arrays to Kite's bytes for the paper
exchange.

`trading.core.kite_packets` has the layout and every field; a `TickFrame` is what the program trades by.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from trading.core import kite_packets
from trading.core.kite_packets import DEPTH, DIVISORS, BrokenFrame
from trading.core.ticks import Ints, TickFrame

__all__ = ["BrokenFrame", "TickMode", "decode", "encode", "select"]

LENGTH = np.dtype(">u2")
#: the low byte of a token is its segment
INDEX_SEGMENT = 9

_PRICE = [("token", ">u4"), ("last", ">u4")]
_INDEX = [*_PRICE, *((name, ">u4") for name in ("high", "low", "open", "close", "change"))]
_QUOTE = [
    *_PRICE,
    *((name, ">u4") for name in ("last_quantity", "average", "volume", "total_bid", "total_ask")),
    *((name, ">u4") for name in ("open", "high", "low", "close")),
]
_LEVEL = np.dtype([("quantity", ">u4"), ("price", ">u4"), ("orders", ">u2"), ("unused", ">u2")])
_FULL = [
    *_QUOTE,
    *((name, ">u4") for name in ("last_trade_time", "oi", "oi_high", "oi_low", "time")),
    ("bids", _LEVEL, (DEPTH,)),
    ("asks", _LEVEL, (DEPTH,)),
]

PACKETS: dict[int, np.dtype[np.void]] = {
    8: np.dtype(_PRICE),
    28: np.dtype(_INDEX),
    32: np.dtype([*_INDEX, ("time", ">u4")]),
    44: np.dtype(_QUOTE),
    184: np.dtype(_FULL),
}

#: our name of a one-dimensional field, by Kite's
_COLUMNS = {
    "tokens": "token",
    "last_price_paise": "last",
    "volume": "volume",
    "average_price_paise": "average",
    "open_interest": "oi",
    "exchange_time_s": "time",
}
_DEPTH_COLUMNS = {
    "bid_price_paise": ("bids", "price"),
    "bid_quantity": ("bids", "quantity"),
    "ask_price_paise": ("asks", "price"),
    "ask_quantity": ("asks", "quantity"),
}


class TickMode(StrEnum):
    """How much of an instrument a subscriber gets."""

    LTP = "ltp"
    QUOTE = "quote"
    FULL = "full"


_LENGTHS = {TickMode.LTP: (8, 8), TickMode.QUOTE: (44, 28), TickMode.FULL: (184, 32)}


def decode(message: bytes, received_at: datetime) -> TickFrame:
    """Read one binary message. A heartbeat gives a frame of no rows; what a packet does not carry is 0.

    Packets of a kind unknown here, and of segments priced finer than a paisa, are left out. Raises
    BrokenFrame.
    """
    packets = kite_packets.read(message)
    frame = TickFrame(
        received_at=received_at,
        # Next to each other in memory, for they are looked at many times.
        tokens=packets.tokens.copy(),
        last_price_paise=packets.last_price.copy(),
        volume=packets.volume.copy(),
        average_price_paise=packets.average_price.copy(),
        open_interest=packets.open_interest.copy(),
        exchange_time_s=packets.exchange_time_s.copy(),
        bid_price_paise=packets.bid_price,
        bid_quantity=packets.bid_quantity,
        ask_price_paise=packets.ask_price,
        ask_quantity=packets.ask_quantity,
    )
    is_fine = np.isin(frame.tokens & 0xFF, list(DIVISORS))
    return select(frame, np.flatnonzero(~is_fine)) if is_fine.any() else frame


def encode(frame: TickFrame, mode: TickMode, day_prices: Ints | None = None) -> bytes:
    """Write a frame as one binary message, index packets for index tokens.

    `day_prices` are open, high, low and previous close of each row, n by 4 in paise. What is known to neither
    (these without it, last quantity, orders per level) is written as 0. Rows with a packet of their own are
    written as that, as far as the mode goes.
    """
    if frame.packets:
        return _as_they_came(frame, mode, day_prices)
    length, index_length = _LENGTHS[mode]
    is_index = (frame.tokens & 0xFF) == INDEX_SEGMENT
    head = len(frame).to_bytes(2, "big")
    if not is_index.any():
        return head + _packed(frame, length, day_prices).tobytes()
    if is_index.all():
        return head + _packed(frame, index_length, day_prices).tobytes()
    tradables, indices = _packed(frame, length, day_prices), _packed(frame, index_length, day_prices)
    rows = (indices[row] if is_index[row] else tradables[row] for row in range(len(frame)))
    return head + b"".join(row.tobytes() for row in rows)


def select(frame: TickFrame, rows: NDArray[np.intp]) -> TickFrame:
    """The frame with only these rows, in this order."""
    columns = {name: getattr(frame, name)[rows] for name in (*_COLUMNS, *_DEPTH_COLUMNS)}
    packets = tuple(frame.packets[row] for row in rows.tolist()) if frame.packets else ()
    return TickFrame(received_at=frame.received_at, packets=packets, **columns)


def _as_they_came(frame: TickFrame, mode: TickMode, day_prices: Ints | None) -> bytes:
    """A shorter mode's packet is the beginning of a longer one's."""
    length, index_length = _LENGTHS[mode]
    is_index = ((frame.tokens & 0xFF) == INDEX_SEGMENT).tolist()
    bare = np.array([row for row, packet in enumerate(frame.packets) if not packet], np.intp)
    rest = replace(select(frame, bare), packets=())
    made = kite_packets.packets_of(encode(rest, mode, None if day_prices is None else day_prices[bare]))
    packets = [
        packet[: index_length if is_index[row] else length] or next(made)
        for row, packet in enumerate(frame.packets)
    ]
    return len(frame).to_bytes(2, "big") + b"".join(len(one).to_bytes(2, "big") + one for one in packets)


def _packed(frame: TickFrame, length: int, day_prices: Ints | None) -> NDArray[np.void]:
    """One packet of this length per row, each behind its length."""
    records = np.zeros(len(frame), _with_length(length))
    records["length"] = length
    packets = records["packet"]
    names = packets.dtype.names or ()
    for ours, kites in _COLUMNS.items():
        if kites in names:
            packets[kites] = getattr(frame, ours)
    if day_prices is not None and "open" in names:
        for column, name in enumerate(("open", "high", "low", "close")):
            packets[name] = day_prices[:, column]
    if "total_bid" in names:
        packets["total_bid"] = frame.bid_quantity.sum(axis=1)
        packets["total_ask"] = frame.ask_quantity.sum(axis=1)
    if "last_trade_time" in names:
        packets["last_trade_time"] = frame.exchange_time_s
    if "bids" in names:
        for ours, (side, field) in _DEPTH_COLUMNS.items():
            packets[side][field] = getattr(frame, ours)
    return records


def _with_length(length: int) -> np.dtype[np.void]:
    return np.dtype([("length", LENGTH), ("packet", PACKETS[length])])
