"""The ticker's binary frames, both ways: Kite's bytes to arrays, and arrays to Kite's bytes for the paper
exchange.

A frame is u16 count, then per packet u16 length and the packet, all big-endian. The length tells the kind: 8
last price, 28 and 32 index quote and full, 44 and 184 quote and full. Prices arrive as whole paise.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from trading.core.ticks import Ints, TickFrame

DEPTH = 5
LENGTH = np.dtype(">u2")
#: the low byte of a token is its segment
INDEX_SEGMENT = 9
#: currency and commodity segments whose prices are finer than a paisa; not traded here
FINE_PRICED_SEGMENTS = (3, 6, 12)

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


class BrokenFrame(ValueError):
    """The bytes end before what they announce. Drop the frame; the next one is whole again."""


def decode(message: bytes, received_at: datetime) -> TickFrame:
    """Read one binary message. A heartbeat gives a frame of no rows; what a packet does not carry is 0.

    Packets of a kind unknown here, and of segments priced finer than a paisa, are left out. Raises
    BrokenFrame.
    """
    if len(message) < 4:
        return _frame(received_at, _empty(0))
    count = int.from_bytes(message[:2], "big")
    length = int.from_bytes(message[2:4], "big")
    columns = _decode_one_kind(message, count, length)
    if columns is None:
        columns = _decode_walk(message, count)
    frame = _frame(received_at, columns)
    is_fine = np.isin(frame.tokens & 0xFF, FINE_PRICED_SEGMENTS)
    return select(frame, np.flatnonzero(~is_fine)) if is_fine.any() else frame


def encode(frame: TickFrame, mode: TickMode, day_prices: Ints | None = None) -> bytes:
    """Write a frame as one binary message, index packets for index tokens.

    `day_prices` are open, high, low and previous close of each row, n by 4 in paise. What is known to neither
    (these without it, last quantity, orders per level) is written as 0.
    """
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
    return _frame(
        frame.received_at, {name: getattr(frame, name)[rows] for name in (*_COLUMNS, *_DEPTH_COLUMNS)}
    )


def _decode_one_kind(message: bytes, count: int, length: int) -> dict[str, Ints] | None:
    """All packets as one strided view, or None when they are not all of this length."""
    if length not in PACKETS or len(message) != 2 + count * (2 + length):
        return None
    view = np.frombuffer(message, _with_length(length), count, offset=2)
    if (view["length"] != length).any():
        return None
    columns = _empty(count)
    _fill(columns, slice(None), view["packet"])
    return columns


def _decode_walk(message: bytes, count: int) -> dict[str, Ints]:
    """Packets of several kinds: the offsets of a kind are gathered, then read together."""
    places: dict[int, list[tuple[int, int]]] = {}
    kept = 0
    for offset, length in _walk(message, count):
        if length in PACKETS:
            places.setdefault(length, []).append((kept, offset))
            kept += 1
    columns = _empty(kept)
    raw = np.frombuffer(message, np.uint8)
    for length, pairs in places.items():
        rows, offsets = np.array(pairs, np.int64).T
        packets = raw[offsets[:, None] + np.arange(length)].view(PACKETS[length])[:, 0]
        _fill(columns, rows, packets)
    return columns


def _walk(message: bytes, count: int) -> Iterator[tuple[int, int]]:
    """Offset and length of each packet."""
    offset = 2
    for number in range(count):
        length = int.from_bytes(message[offset : offset + 2], "big")
        offset += 2
        if not length or offset + length > len(message):
            raise BrokenFrame(
                f"packet {number + 1} of {count} announces {length} bytes at {offset} of {len(message)}"
            )
        yield offset, length
        offset += length


def _fill(columns: dict[str, Ints], rows: "slice | Ints", packets: NDArray[np.void]) -> None:
    names = packets.dtype.names or ()
    for ours, kites in _COLUMNS.items():
        if kites in names:
            columns[ours][rows] = packets[kites]
    if "bids" in names:
        for ours, (side, field) in _DEPTH_COLUMNS.items():
            columns[ours][rows] = packets[side][field]


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


def _empty(count: int) -> dict[str, Ints]:
    flat = {name: np.zeros(count, np.int64) for name in _COLUMNS}
    return flat | {name: np.zeros((count, DEPTH), np.int64) for name in _DEPTH_COLUMNS}


def _frame(received_at: datetime, columns: dict[str, Ints]) -> TickFrame:
    return TickFrame(received_at=received_at, **columns)
