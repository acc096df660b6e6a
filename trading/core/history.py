"""Closed candles and their indicators, kept for every slot, and the view of one instrument that strategies
are given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.core.candles import CLOSE, HIGH, LOW, OPENED_AT_S, Bars, Ints
from trading.core.indicators import Floats, Indicator
from trading.core.session import Session
from trading.core.values import InstrumentSpec

#: of fifteen minutes; a range over fewer was not the opening range (the feed came late, or hardly anyone
#: traded)
OPENING_RANGE_MIN_CANDLES = 10


class CandleRing:
    """The last closed candles of one interval for every slot, with the indicator values after each."""

    def __init__(self, size: int, *, candles: int, values: int) -> None:
        """`candles` and `values`: how many of each are kept. Memory is claimed here, touched as it fills."""
        self.depth = candles
        self.value_depth = values
        self.count = np.zeros(size, np.int64)
        self._rows = np.zeros((size, candles, 6), np.int64)
        self._values = np.zeros((size, values, len(Indicator)))

    def append(self, slots: Ints, rows: Ints, values: Floats) -> None:
        """One candle for each of `slots` (no slot twice)."""
        count = self.count[slots]
        self._rows[slots, count % self.depth] = rows
        self._values[slots, count % self.value_depth] = values
        self.count[slots] = count + 1

    def bars(self, slot: int, count: int | None = None) -> Bars:
        """The last `count` candles (None: all kept) of a slot, oldest first, as a copy."""
        return Bars.from_rows(self._rows[slot, self._places(slot, self.depth, count)])

    def values(self, slot: int, count: int | None = None) -> Floats:
        """Indicator rows after the last `count` candles (None: all): n by 14, oldest first, as a copy."""
        rows: Floats = self._values[slot, self._places(slot, self.value_depth, count)]
        return rows

    def value(self, slot: int, indicator: Indicator) -> float:
        """An indicator after the last candle; NaN when not yet known."""
        count = int(self.count[slot])
        return float(self._values[slot, (count - 1) % self.value_depth, indicator]) if count else float("nan")

    def latest(self, indicator: Indicator) -> Floats:
        """An indicator after each slot's last candle, for all slots; NaN when not yet known."""
        slots = np.arange(len(self.count))
        found = self._values[slots, (self.count - 1) % self.value_depth, indicator]
        return np.where(self.count > 0, found, np.nan)

    def _places(self, slot: int, depth: int, count: int | None) -> Ints:
        total = int(self.count[slot])
        kept = min(total, depth) if count is None else min(total, depth, count)
        return np.arange(total - kept, total) % depth


@dataclass(frozen=True, kw_only=True, slots=True)
class OpeningRange:
    """Highest and lowest price between the open and the start of entries, paise."""

    high_paise: int
    low_paise: int
    #: minutes since then that closed beyond it
    closes_above: int
    closes_below: int


class OpeningRanges:
    """Every slot's range between the open and the start of entries, and how often minutes since closed beyond
    it.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._opens_s = np.array([int(each.opens_at.timestamp()) for each in sessions], np.int64)
        self._ends_s = np.array([int(each.entries_from.timestamp()) for each in sessions], np.int64)
        size = len(sessions)
        self._high, self._low = np.zeros(size, np.int64), np.full(size, 2**62, np.int64)
        self._candles, self._above, self._below = (np.zeros(size, np.int64) for _ in range(3))

    def update(self, slots: Ints, rows: Ints) -> None:
        """Take one closed minute for each of `slots`; those of earlier days change nothing."""
        labels, closes = rows[:, OPENED_AT_S], rows[:, CLOSE]
        is_after = labels >= self._ends_s[slots]
        inside = ~is_after & (labels >= self._opens_s[slots])
        if inside.any():
            mine = slots[inside]
            self._high[mine] = np.maximum(self._high[mine], rows[inside, HIGH])
            self._low[mine] = np.minimum(self._low[mine], rows[inside, LOW])
            self._candles[mine] += 1
        if is_after.any():
            self._above[slots] += is_after & (closes > self._high[slots])
            self._below[slots] += is_after & (closes < self._low[slots])

    def of(self, slot: int) -> OpeningRange | None:
        """None while too few minutes of it traded."""
        if self._candles[slot] < OPENING_RANGE_MIN_CANDLES:
            return None
        return OpeningRange(
            high_paise=int(self._high[slot]),
            low_paise=int(self._low[slot]),
            closes_above=int(self._above[slot]),
            closes_below=int(self._below[slot]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What a strategy may know of one instrument: its closed candles, newest last, and their indicators."""

    spec: InstrumentSpec
    session: Session
    slot: int
    rings: dict[int, CandleRing]
    opening_ranges: OpeningRanges

    def count(self, interval_min: int) -> int:
        """Closed candles ever taken, warm-up included."""
        return int(self.rings[interval_min].count[self.slot])

    def bars(self, interval_min: int, count: int | None = None) -> Bars:
        """The last closed candles, oldest first; warm-up days included."""
        return self.rings[interval_min].bars(self.slot, count)

    def today(self, interval_min: int) -> Bars:
        """Closed candles of this session alone."""
        span_s = int((self.session.closes_at - self.session.opens_at).total_seconds())
        bars = self.bars(interval_min, span_s // (60 * interval_min) + 1)
        return bars[int(np.searchsorted(bars.opened_at_s, int(self.session.opens_at.timestamp()))) :]

    def value(self, indicator: Indicator, interval_min: int) -> float:
        """After the last closed candle, paise (RSI and ADX 0..100); NaN when not yet known."""
        return self.rings[interval_min].value(self.slot, indicator)

    def values(self, interval_min: int, count: int) -> Floats:
        """Rows of all indicators (columns by `Indicator`) after the last `count` closed candles, oldest
        first.
        """
        return self.rings[interval_min].values(self.slot, count)

    def opening_range(self) -> OpeningRange | None:
        """The range of today's first minutes as far as they closed; None when too few of them traded."""
        return self.opening_ranges.of(self.slot)
