"""Where a market comes from: what every source offers, and the volume and depth that made and replayed ones
share.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Bars
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
#: a whole day's depth is the largest thing a market holds
SmallInts = NDArray[np.int32]
#: asked at each bar, by instrument token: which extreme comes first, "LOW" or "HIGH"; None leaves it to the
#: source
FirstExtreme = Callable[[int], str | None]

LEVELS = 5
#: distance between best bid and best ask, in parts of the price; at least one tick
SPREAD = 0.00005
#: what usually stands at the best level: so many lots, or so much money where a lot is a single share
TYPICAL_LOTS = 4
TYPICAL_LEVEL_PAISE = 5_00_000_00


class MarketSource(Protocol):
    """One trading day of some market."""

    @property
    def instruments(self) -> tuple[InstrumentSpec, ...]: ...

    @property
    def trading_date(self) -> date: ...

    def frames(self, first_extreme: FirstExtreme, after: datetime | None = None) -> Iterator[TickFrame]:
        """The day's frames in time order, only those later than `after` where it is given."""
        ...

    def warm_up(self, days: int) -> Mapping[int, Bars]:
        """One-minute bars of the `days` trading days before, by instrument token; fewer where there are
        fewer.
        """
        ...

    def describe(self) -> str:
        """One line for the operator: what is real in it and what was made up."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DepthShape:
    """Depth around a last price yet to come: t frames by n instruments by five levels, paise and units."""

    below_paise: SmallInts
    above_paise: SmallInts
    bid_quantity: SmallInts
    ask_quantity: SmallInts


def stream(seed: int | str, name: str) -> np.random.Generator:
    """A stream of its own for each name: one number more in one place shifts nothing elsewhere."""
    return np.random.default_rng(int.from_bytes(sha256(f"{seed}/{name}".encode()).digest()[:8]))


def draw_depth(
    price_paise: Ints, tick_paise: Ints, lot_size: Ints, frames: int, numbers: np.random.Generator
) -> DepthShape:
    """Five levels a side for n instruments: the last trade was at the best bid or at the best ask.

    `price_paise` is each instrument's price of the day roughly; the spread follows from it.
    """
    count = len(price_paise)
    spread = np.maximum(np.rint(price_paise * SPREAD / tick_paise), 1).astype(np.int64) * tick_paise
    step = np.maximum(spread // (2 * tick_paise), 1) * tick_paise
    at_ask = numbers.integers(0, 2, (frames, count, 1))
    deeper = np.arange(LEVELS) * step[:, None]
    typical = np.maximum(TYPICAL_LOTS * lot_size, TYPICAL_LEVEL_PAISE // price_paise)[:, None] * (
        1 + np.arange(LEVELS)
    )
    sizes = numbers.exponential(1.0, (2, frames, count, LEVELS)) * typical
    lots = lot_size[:, None]
    quantity = (np.maximum(np.rint(sizes / lots), 1) * lots).astype(np.int32)
    return DepthShape(
        below_paise=(at_ask * spread[:, None] + deeper).astype(np.int32),
        above_paise=((1 - at_ask) * spread[:, None] + deeper).astype(np.int32),
        bid_quantity=quantity[0],
        ask_quantity=quantity[1],
    )


def draw_volume(
    minute_units: Ints, lot_size: Ints, minutes: int, frames_a_minute: int, numbers: np.random.Generator
) -> Ints:
    """Units traded in each frame, (minutes x frames_a_minute) by n, in whole lots; more at open and close."""
    place = np.linspace(-1, 1, minutes)
    busy = np.repeat(0.6 + 1.2 * place**2, frames_a_minute)[:, None]
    frames = minutes * frames_a_minute
    drawn = numbers.exponential(1.0, (frames, len(lot_size))) * busy * minute_units / frames_a_minute
    return np.rint(drawn / lot_size).astype(np.int64) * lot_size
