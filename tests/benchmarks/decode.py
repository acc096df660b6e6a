"""How fast frames become arrays, beside the official client's parser on the same bytes: `manage.py bench decode`.

Ours: every field and ten levels of depth as int64 arrays, with the market's slot of each row. The client's: its
dicts. Both are timed in turn, five times, and the medians are compared.
"""

import argparse
import gc
import struct
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tests.trading.core.official_packets import OFFICIAL, differences
from tests.trading.market_builders import market_of, share
from trading.core import kite_packets
from trading.core.market_state import MarketState

HELP = "frames to arrays, against the official client's parser"
PACKETS = 3000
ROUNDS = 5
#: one of ours is over before the machine's caches and timers have settled; so many are timed together
AT_ONCE = 25
#: times faster than the client
LEAST = {"full": 300, "mixed": 40}
LENGTHS = {"ltp": 8, "quote": 44, "full": 184, "index": 32}
#: a mixed frame: the shares of each kind, in any order
MIXED = {8: 0.25, 28: 0.05, 32: 0.05, 44: 0.3, 184: 0.35}
NOON_S = 1_795_501_800


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--packets", type=int, default=PACKETS, help=f"packets a frame ({PACKETS})")


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """Ticks a second by kind of frame, how many times faster, and whether every value was the same."""
    count = options["packets"]
    market = market_of(
        *(share(number) for number in range(1, count + 1)), candles_kept={1: 8, 5: 8}, values_kept=8
    )
    numbers = np.random.default_rng(1)
    frames = {name: _frame([length] * count, numbers) for name, length in LENGTHS.items()}
    frames["mixed"] = _frame(numbers.choice(list(MIXED), count, p=list(MIXED.values())).tolist(), numbers)
    found: dict[str, Any] = {"packets": count, "ours": {}, "client": {}, "ratio": {}}
    # What else the process holds is not the client's fault: its many dicts make the collector look at all of it.
    gc.freeze()
    for name, message in frames.items():
        ours_s, client_s = _race(message, market)
        found["ours"][name] = round(count / ours_s)
        found["client"][name] = round(count / client_s)
        found["ratio"][name] = round(client_s / ours_s, 1)
    gc.unfreeze()
    found["least"] = LEAST
    found["identical"] = not any(
        differences(kite_packets.read(message), OFFICIAL._parse_binary(message))
        for message in frames.values()
    )
    found["passed"] = found["identical"] and all(found["ratio"][name] >= LEAST[name] for name in LEAST)
    return found


def told(found: dict[str, Any]) -> str:
    """For a person."""
    lines = [f"frames of {found['packets']} packets    ours, ticks/s    client, ticks/s    times"]
    for name, ratio in found["ratio"].items():
        least = f"  (at least {LEAST[name]})" if name in LEAST else ""
        lines.append(f"{name:>8} {found['ours'][name]:31,} {found['client'][name]:18,} {ratio:8,.1f}{least}")
    lines.append(f"every value the same: {'yes' if found['identical'] else 'NO'}")
    return "\n".join(lines)


def _race(message: bytes, market: MarketState) -> tuple[float, float]:
    """Seconds a frame, ours and the client's."""

    def ours() -> None:
        market.slots_of(kite_packets.read(message).tokens)

    rounds = [
        (_seconds(ours, AT_ONCE), _seconds(lambda: OFFICIAL._parse_binary(message), 1)) for _ in range(ROUNDS)
    ]
    return median(one[0] for one in rounds), median(one[1] for one in rounds)


def _seconds(work: Callable[[], object], times: int) -> float:
    began = perf_counter()
    for _ in range(times):
        work()
    return (perf_counter() - began) / times


def _frame(lengths: list[int], numbers: np.random.Generator) -> bytes:
    """Packets of these lengths, each of another token; an index is one by its token."""
    parts = [len(lengths).to_bytes(2, "big")]
    for number, length in enumerate(lengths, 1):
        words = numbers.integers(1, 1 << 31, length // 4, dtype=np.int64)
        words[0] = number << 8 | 1
        for time_word in (7, 11, 15):
            if time_word < len(words):
                words[time_word] = NOON_S
        parts.append(struct.pack(">H", length) + words.astype(">u4").tobytes())
    return b"".join(parts)
