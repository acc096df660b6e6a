"""Every field of the ticker's packets as native int64 arrays, a row a packet.

A frame is u16 count, then per packet u16 length and the packet: big-endian unsigned words. The length tells the
kind: 8 last price, 28 and 32 index quote and full, 44 and 184 quote and full. Every kind begins as the full one
does, but for the index's day prices, so all fit one table: sixteen words, then thirty of depth.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

DEPTH = 5
WORDS = 16
DEPTH_WORDS = 2 * DEPTH * 3
FULL_LENGTH = 4 * (WORDS + DEPTH_WORDS)
#: An index has high, low, open and close elsewhere than a share (their words, ours), and a price change, which is
#: nothing but last minus close.
INDEX_WORDS = {
    28: ([0, 1, 2, 3, 4, 5], [0, 1, 8, 9, 7, 10]),
    32: ([0, 1, 2, 3, 4, 5, 7], [0, 1, 8, 9, 7, 10, 15]),
}
LENGTHS = (8, 28, 32, 44, FULL_LENGTH)
_HEAD_BYTES = 2

PAISE_A_RUPEE = 100
#: parts of a rupee in which a segment, a token's low byte, is priced; any other is priced in paise
DIVISORS = {3: 10_000_000, 6: 10_000, 12: 10_000}
_DIVISOR_OF = np.full(256, PAISE_A_RUPEE, np.int64)
_DIVISOR_OF[list(DIVISORS)] = list(DIVISORS.values())


class BrokenFrame(ValueError):
    """The bytes end before what they announce. Drop the frame; the next one is whole again."""


@dataclass(frozen=True, slots=True)
class Packets:
    """n packets in the order they came; what a kind does not carry is 0.

    Flat arrays have n rows, depth arrays n by 5, best price first. They are views of one table: copy what is kept.
    Prices are whole numbers in the segment's own unit (see `price_divisors`), times seconds since the epoch.
    """

    #: bytes of each packet, which is its kind
    lengths: Ints
    tokens: Ints
    last_price: Ints
    last_quantity: Ints
    average_price: Ints
    volume: Ints
    total_buy_quantity: Ints
    total_sell_quantity: Ints
    open: Ints
    high: Ints
    low: Ints
    #: of the previous day
    close: Ints
    last_trade_time_s: Ints
    open_interest: Ints
    open_interest_high: Ints
    open_interest_low: Ints
    exchange_time_s: Ints
    bid_quantity: Ints
    bid_price: Ints
    bid_orders: Ints
    ask_quantity: Ints
    ask_price: Ints
    ask_orders: Ints

    def __len__(self) -> int:
        return len(self.tokens)

    def price_divisors(self) -> Ints:
        """By what each row's prices are divided to be rupees: 100, finer for currency and commodity segments."""
        divisors: Ints = _DIVISOR_OF[self.tokens & 0xFF]
        return divisors


def read(message: bytes) -> Packets:
    """Every packet of one binary message; a heartbeat has none. Packets of a kind unknown here are left out.

    Raises BrokenFrame.
    """
    if len(message) < 2 * _HEAD_BYTES:
        return _read_kinds(message, np.zeros(0, np.int64), {})
    count, length = int.from_bytes(message[:2], "big"), int.from_bytes(message[2:4], "big")
    step = _HEAD_BYTES + length
    if length in LENGTHS and len(message) == _HEAD_BYTES + count * step:
        heads = np.ndarray((count,), ">u2", message, _HEAD_BYTES, (step,))
        if (heads == length).all():
            everywhere = (slice(None), slice(2 * _HEAD_BYTES, None, step))
            return _read_kinds(message, np.full(count, length, np.int64), {length: everywhere})
    offsets, lengths = _walk(message, count)
    rows_of = {length: np.flatnonzero(lengths == length) for length in LENGTHS}
    if sum(map(len, rows_of.values())) < count:
        known = np.isin(lengths, LENGTHS)
        offsets, lengths = offsets[known], lengths[known]
        rows_of = {length: np.flatnonzero(lengths == length) for length in LENGTHS}
    found = {length: (rows, offsets[rows]) for length, rows in rows_of.items() if len(rows)}
    return _read_kinds(message, lengths, found)


def packets_of(message: bytes) -> Iterator[bytes]:
    """The bare packets of a message, unknown kinds too. Raises BrokenFrame."""
    if len(message) < 2 * _HEAD_BYTES:
        return
    offsets, lengths = _walk(message, int.from_bytes(message[:2], "big"))
    for offset, length in zip(offsets.tolist(), lengths.tolist(), strict=True):
        yield message[offset : offset + length]


def _read_kinds(
    message: bytes, lengths: Ints, kinds: Mapping[int, tuple[slice | Ints, slice | Ints]]
) -> Packets:
    """Packets of these lengths; `kinds` has, for each length there is, its rows and where they begin."""
    # One piece of memory: of several large ones the allocator gives some back each time, and fetching them anew
    # takes longer than everything else here.
    rows_count = len(lengths)
    make = np.empty if kinds.keys() == {FULL_LENGTH} else np.zeros
    memory = make(rows_count * (WORDS + DEPTH_WORDS), np.int64)
    flat, depth = memory[: rows_count * WORDS].reshape(-1, WORDS), memory[rows_count * WORDS :]
    depth = depth.reshape(-1, DEPTH_WORDS)
    for length, (rows, begins) in kinds.items():
        count = min(length // 4, WORDS)
        words = _gather(message, begins, 0, count)
        if length in INDEX_WORDS:
            theirs, ours = INDEX_WORDS[length]
            placed = np.zeros((len(words), WORDS), np.int64)
            placed[:, ours] = words[:, theirs]
            flat[rows] = placed
        else:
            flat[rows, :count] = words
        if length == FULL_LENGTH:
            depth[rows] = _gather(message, begins, WORDS, DEPTH_WORDS)
    if FULL_LENGTH in kinds:
        # The number of orders is the upper half of its word.
        depth.reshape(-1)[2::3] >>= 16
    sides = depth.reshape(rows_count, 2, DEPTH, 3)
    return Packets(lengths, *flat.T, *(sides[:, side, :, field] for side in range(2) for field in range(3)))


def _gather(message: bytes, begins: slice | Ints, first: int, count: int) -> NDArray[np.uint32]:
    """`count` words of each packet from its word `first` on, a row a packet, big-endian.

    A window at every byte: picking windows copies whole rows at once, and a copy is read three times as fast as words
    that stand apart.
    """
    size = 4 * count
    windows = np.ndarray((len(message) - 4 * first - size + 1,), f"V{size}", message, 4 * first, (1,))
    return np.ascontiguousarray(windows[begins]).view(">u4").reshape(-1, count)


def _walk(message: bytes, count: int) -> tuple[Ints, Ints]:
    """Where each packet begins, behind its length, and the lengths. Raises BrokenFrame."""
    found: list[int] = []
    # Every known kind is shorter than 256 bytes, so a length is its low byte, until a high byte says otherwise.
    offset = _HEAD_BYTES + 1
    try:
        for _ in range(count):
            found.append(offset)
            offset += message[offset] + 2
    except IndexError:
        return _walk_with_care(message, count)
    places = np.fromiter(found, np.int64, count)
    raw = np.frombuffer(message, np.uint8)
    lengths = raw[places].astype(np.int64)
    if offset - 1 > len(message) or raw[places - 1].any() or not lengths.all():
        return _walk_with_care(message, count)
    return places + 1, lengths


def _walk_with_care(message: bytes, count: int) -> tuple[Ints, Ints]:
    offset = _HEAD_BYTES
    offsets, lengths = [], []
    for number in range(count):
        length = int.from_bytes(message[offset : offset + 2], "big")
        offset += 2
        if not length or offset + length > len(message):
            raise BrokenFrame(
                f"packet {number + 1} of {count} announces {length} bytes at {offset} of {len(message)}"
            )
        offsets.append(offset)
        lengths.append(length)
        offset += length
    return np.array(offsets, np.int64), np.array(lengths, np.int64)
