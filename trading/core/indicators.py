"""Indicators for every instrument slot at once, one closed candle at a time. Values are floats in paise (not
money).

One implementation serves live candles and whole arrays (`batch`), so both give the same numbers. Definitions
are TA-Lib's: an EMA starts as the mean of its first candles, Wilder's averages likewise. A value not yet
known is NaN.

A minute without trades has no candle and moves no indicator: filling it with flat candles would make an
outage look like a calm market (after forty of them ATR is a twentieth, and so is every stop distance), and
the broker's history leaves such minutes out too, so skipping gives the same numbers after a restart.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import CLOSE, HIGH, LOW, OPENED_AT_S, VOLUME, Bars, Ints

Floats = NDArray[np.float64]

WILDER_BARS = 14
FAST_BARS, SLOW_BARS = 34, 89
SUPERTREND_BARS, SUPERTREND_ATRS = 10, 3.0
BAND_BARS, BAND_DEVIATIONS = 20, 2.0
CHANNEL_BARS = 20

_IST_OFFSET_S = 19_800
_DAY_S = 86_400


class Indicator(IntEnum):
    """Columns of a row of values."""

    ATR = 0
    RSI = 1
    ADX = 2
    EMA_FAST = 3
    EMA_SLOW = 4
    SUPERTREND = 5
    SUPERTREND_SIDE = 6  # +1 the line is support, -1 resistance
    VWAP = 7  # of the session; NaN until something traded
    VWAP_DEVIATION = 8  # volume-weighted standard deviation from it
    BAND_MIDDLE = 9
    BAND_UPPER = 10
    BAND_LOWER = 11
    CHANNEL_HIGH = 12
    CHANNEL_LOW = 13


class Averages:
    """Running averages, one row each, for every slot: Wilder's and exponential ones differ only in their
    numbers.

    The first `seed` inputs are summed over `divisor`; each later one moves the average by `weight`. `late` is
    how many candles pass before a row's first input.
    """

    def __init__(self, size: int, rows: Sequence[tuple[int, float, int, int]]) -> None:
        """`rows` are (seed, weight, divisor, late)."""
        seeds, weights, divisors, late = zip(*rows, strict=True)
        self.value = np.zeros((len(rows), size))
        self._seed = np.array(seeds, np.int64)[:, None]
        self._weight = np.array(weights)[:, None]
        self._divisor = np.array(divisors, np.float64)[:, None]
        self._late = np.array(late, np.int64)[:, None]
        self._seeded_after = int((self._seed + self._late).max())

    def update(self, slots: Ints, count: Ints, inputs: Floats) -> Floats:
        """`count` is each slot's candles with this one. Inputs before a first must be 0. NaN: too few."""
        old = self.value[:, slots]
        new = old + self._weight * (inputs - old)
        if count.min() > self._seeded_after:
            self.value[:, slots] = new
            return new
        seen = count - self._late
        new = np.where(seen <= self._seed, old + inputs, new)
        new = np.where(seen == self._seed, new / self._divisor, new)
        self.value[:, slots] = new
        return np.where(seen < self._seed, np.nan, new)


def _wilder(bars: int) -> tuple[int, float, int, int]:
    """An average of what changed between two candles, hence one late."""
    return (bars, 1 / bars, bars, 1)


def _exponential(bars: int) -> tuple[int, float, int, int]:
    return (bars, 2 / (bars + 1), bars, 0)


#: the first bars - 1 movements seed ADX's sums, as a sum over `bars`: the n-th already smooths
_MOVEMENT = (WILDER_BARS - 1, 1 / WILDER_BARS, WILDER_BARS, 1)
#: in the order in which `Indicators.update` stacks their inputs
_AVERAGES = (
    _wilder(WILDER_BARS),
    _wilder(SUPERTREND_BARS),
    _wilder(WILDER_BARS),
    _wilder(WILDER_BARS),
    _MOVEMENT,
    _MOVEMENT,
    _MOVEMENT,
    _exponential(FAST_BARS),
    _exponential(SLOW_BARS),
)
_ADX_LATE = WILDER_BARS


def _strength(gain: Floats, loss: Floats) -> Floats:
    """Wilder's RSI, 0..100. A market that did not move at all is 50: neither side is strong."""
    both = gain + loss
    still = both == 0
    return np.where(still, 50.0, 100.0 * gain / np.where(still, 1.0, both))


class DirectionalIndex:
    """Wilder's ADX, 0..100: how one-sided the range's growth is, whichever side."""

    def __init__(self, size: int) -> None:
        self._average = Averages(size, [(WILDER_BARS, 1 / WILDER_BARS, WILDER_BARS, _ADX_LATE)])

    def update(self, slots: Ints, count: Ints, up: Floats, down: Floats, span: Floats) -> Floats:
        """Smoothed movements up and down and true range. Where they say nothing the index stays as it is."""
        both = up + down
        seen = count - _ADX_LATE
        known = (span > 0) & (both > 0) & (seen > 0)
        if known.all():
            index = 100.0 * np.abs(up - down) / both
        else:
            unmoved = np.where(seen > WILDER_BARS, self._average.value[0, slots], 0.0)
            index = np.where(known, 100.0 * np.abs(up - down) / np.where(known, both, 1.0), unmoved)
        value: Floats = self._average.update(slots, count, index[None, :])[0]
        return value


class Supertrend:
    """Bands of some ATRs around the middle that only tighten; the side flips when a close crosses them."""

    def __init__(self, size: int) -> None:
        self._bands = np.array([[np.inf], [-np.inf]]).repeat(size, axis=1)
        self._side = np.ones(size)

    def update(self, slots: Ints, atr: Floats, bar: Floats, last_close: Floats) -> tuple[Floats, Floats]:
        """(line, side); `bar` is the candle's columns as floats. Both NaN while ATR is; it starts up."""
        reach = SUPERTREND_ATRS * atr
        known = ~np.isnan(reach)
        middle = (bar[HIGH] + bar[LOW]) / 2
        upper, lower = self._bands[:, slots]
        side = self._side[slots]
        new_upper, new_lower = middle + reach, middle - reach
        new_upper = np.where((new_upper < upper) | (last_close > upper), new_upper, upper)
        new_lower = np.where((new_lower > lower) | (last_close < lower), new_lower, lower)
        falls = (side > 0) & (bar[CLOSE] < new_lower)
        rises = (side < 0) & (bar[CLOSE] > new_upper)
        side = np.where(falls | rises, -side, side)
        self._bands[:, slots] = np.where(known, (new_upper, new_lower), (upper, lower))
        self._side[slots] = side
        return np.where(side > 0, new_lower, new_upper) + 0 * reach, np.where(known, side, np.nan)


class SessionAverage:
    """Volume-weighted average of each candle's (high + low + close) / 3 since the day's first candle, and its
    spread.
    """

    def __init__(self, size: int) -> None:
        self.day = np.full(size, -1, np.int64)
        self.sums = np.zeros((3, size))  # of volume, volume x price, volume x price squared

    def update(self, slots: Ints, opened_at_s: Ints, bar: Floats) -> tuple[Floats, Floats]:
        """(average, standard deviation), NaN until something traded that day."""
        day = (opened_at_s + _IST_OFFSET_S) // _DAY_S
        sums = np.where(self.day[slots] == day, self.sums[:, slots], 0.0)
        price = (bar[HIGH] + bar[LOW] + bar[CLOSE]) / 3
        weighted = bar[VOLUME] * price
        sums += np.stack((bar[VOLUME], weighted, weighted * price))
        self.day[slots] = day
        self.sums[:, slots] = sums
        volume = np.where(sums[0] > 0, sums[0], np.nan)
        average = sums[1] / volume
        return average, np.sqrt(np.maximum(sums[2] / volume - average * average, 0.0))


class Bands:
    """Bollinger's mean and deviation of the last closes. Integer sums: exact for any number of candles."""

    def __init__(self, size: int, bars: int) -> None:
        self.bars = bars
        self.closes = np.zeros((bars, size), np.int64)
        self.sums = np.zeros((2, size), np.int64)

    def update(self, slots: Ints, count: Ints, close: Ints) -> tuple[Floats, Floats]:
        """(mean, population standard deviation); NaN below `bars` candles."""
        row = count % self.bars
        left = self.closes[row, slots]
        self.closes[row, slots] = close
        total = self.sums[0, slots] + close - left
        squares = self.sums[1, slots] + close * close - left * left
        self.sums[0, slots] = total
        self.sums[1, slots] = squares
        spread = np.sqrt((self.bars * squares - total * total).astype(np.float64)) / self.bars
        known = count >= self.bars
        return np.where(known, total / self.bars, np.nan), np.where(known, spread, np.nan)


class Channel:
    """Donchian: the highest high and lowest low of the last candles, this one included."""

    def __init__(self, size: int, bars: int) -> None:
        self.bars = bars
        self.highs = np.zeros((bars, size), np.int64)
        self.lows = np.zeros((bars, size), np.int64)

    def update(self, slots: Ints, count: Ints, bar: Ints) -> tuple[Floats, Floats]:
        row = count % self.bars
        self.highs[row, slots] = bar[HIGH]
        self.lows[row, slots] = bar[LOW]
        known = count >= self.bars
        high = self.highs[:, slots].max(axis=0)
        low = self.lows[:, slots].min(axis=0)
        return np.where(known, high, np.nan), np.where(known, low, np.nan)


class Indicators:
    """All indicators of one interval for `size` slots."""

    def __init__(self, size: int) -> None:
        self.count = np.zeros(size, np.int64)
        self.last = np.zeros((3, size))  # high, low, close of the candle before
        self.averages = Averages(size, _AVERAGES)
        self.direction = DirectionalIndex(size)
        self.supertrend = Supertrend(size)
        self.average = SessionAverage(size)
        self.bands = Bands(size, BAND_BARS)
        self.channel = Channel(size, CHANNEL_BARS)

    def update(self, slots: Ints, rows: Ints) -> Floats:
        """Take one closed candle for each of `slots` (no slot twice); `rows` is n by 6. Returns values, n by
        14.
        """
        candle = np.ascontiguousarray(rows.T)
        bar = candle.astype(np.float64)
        count = self.count[slots] + 1
        self.count[slots] = count
        prices = bar[[HIGH, LOW, CLOSE]]
        # The very first candle has no true range and no change: nothing came before it to measure from.
        first = count == 1
        high, low, close = np.where(first, prices, self.last[:, slots])
        true_range = np.maximum(bar[HIGH], close) - np.minimum(bar[LOW], close)
        true_range[first] = 0.0
        self.last[:, slots] = prices
        change, up, down = bar[CLOSE] - close, bar[HIGH] - high, low - bar[LOW]
        grew_up, grew_down = np.where(up > down, up, 0.0), np.where(down > up, down, 0.0)
        inputs = (
            true_range,
            true_range,
            change,
            -change,
            grew_up,
            grew_down,
            true_range,
            bar[CLOSE],
            bar[CLOSE],
        )
        stacked = np.stack(inputs)
        np.maximum(stacked, 0.0, out=stacked)
        atr, short_atr, gain, loss, grown_up, grown_down, span, fast, slow = self.averages.update(
            slots, count, stacked
        )

        values = np.empty((len(Indicator), len(slots)))
        values[Indicator.ATR] = atr
        values[Indicator.RSI] = _strength(gain, loss)
        values[Indicator.ADX] = self.direction.update(slots, count, grown_up, grown_down, span)
        values[Indicator.EMA_FAST], values[Indicator.EMA_SLOW] = fast, slow
        line, side = self.supertrend.update(slots, short_atr, bar, close)
        values[Indicator.SUPERTREND], values[Indicator.SUPERTREND_SIDE] = line, side
        average, deviation = self.average.update(slots, candle[OPENED_AT_S], bar)
        values[Indicator.VWAP], values[Indicator.VWAP_DEVIATION] = average, deviation
        middle, spread = self.bands.update(slots, count, candle[CLOSE])
        values[Indicator.BAND_MIDDLE] = middle
        values[Indicator.BAND_UPPER] = middle + BAND_DEVIATIONS * spread
        values[Indicator.BAND_LOWER] = middle - BAND_DEVIATIONS * spread
        channel = self.channel.update(slots, count, candle)
        values[Indicator.CHANNEL_HIGH], values[Indicator.CHANNEL_LOW] = channel
        return values.T


def batch(bars: Bars) -> Floats:
    """Values of all indicators over one instrument's bars: a matrix of n by 14, NaN where not yet known."""
    state = Indicators(1)
    slot = np.zeros(1, np.int64)
    rows = bars.to_rows()
    if not len(rows):
        return np.zeros((0, len(Indicator)))
    return np.concatenate([state.update(slot, rows[i : i + 1]) for i in range(len(rows))])
