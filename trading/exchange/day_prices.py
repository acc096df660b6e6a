"""What a day's frames have shown so far: each instrument's last packet, its day's prices, its minute candles."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Bars, join_minutes
from trading.core.ticks import Ints, TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange.indices import bars_of, indices_of, widen

Rows = NDArray[np.intp]

LEVELS = 5
MINUTES = 400
#: seconds from a UTC midnight to 09:15 and to midnight in India: where intraday candles and day candles begin
OPENS_S, INDIAN_MIDNIGHT_S = 3 * 3600 + 45 * 60, -(5 * 3600 + 30 * 60)
#: Kite's words for an interval, and its minutes
INTERVALS_MIN = {
    "minute": 1,
    "3minute": 3,
    "5minute": 5,
    "10minute": 10,
    "15minute": 15,
    "30minute": 30,
    "60minute": 60,
    "day": 24 * 60,
}

_FLAT = ("last_price_paise", "volume", "average_price_paise", "open_interest", "exchange_time_s")
_DEEP = ("bid_price_paise", "bid_quantity", "ask_price_paise", "ask_quantity")


class DayPrices:
    """One trading day of n instruments and of the indices behind them. Prices are paise; what was not seen yet
    is 0.
    """

    def __init__(self, instruments: Sequence[InstrumentSpec], opening: datetime) -> None:
        """`opening` is the day's first minute, aware."""
        self.indices = indices_of(instruments, opening.date())
        instruments = [*instruments, *(index.spec for index in self.indices)]
        count = len(instruments)
        #: everything that has a price here, by exchange and symbol
        self.specs = {(str(spec.exchange), spec.tradingsymbol): spec for spec in instruments}
        self._tokens = np.array([spec.instrument_token for spec in instruments], np.int64)
        self._row_of = {token: row for row, token in enumerate(self._tokens.tolist())}
        self._opening_s = int(opening.timestamp())
        self._now = opening
        self._last = {name: np.zeros(count, np.int64) for name in _FLAT}
        self._last |= {name: np.zeros((count, LEVELS), np.int64) for name in _DEEP}
        self._open, self._high, self._low = (np.zeros(count, np.int64) for _ in range(3))
        self._previous_close = np.array([spec.previous_close_paise for spec in instruments], np.int64)
        #: open, high, low, close and cumulative volume of each minute; open 0 where nothing was seen
        self._minutes = np.zeros((5, MINUTES, count), np.int64)

    def note(self, frame: TickFrame) -> None:
        """Take over one frame. Raises KeyError for a token that is not of this day."""
        frame = self.widen(frame)
        rows = np.array([self._row_of[token] for token in frame.tokens.tolist()], np.intp)
        for name, column in self._last.items():
            column[rows] = getattr(frame, name)
        self._now = frame.received_at
        last = frame.last_price_paise
        self._open[rows] = np.where(self._open[rows] > 0, self._open[rows], last)
        self._high[rows] = np.maximum(self._high[rows], last)
        self._low[rows] = np.where(self._low[rows] > 0, np.minimum(self._low[rows], last), last)
        minute = (int(frame.received_at.timestamp()) - self._opening_s) // 60
        if 0 <= minute < MINUTES:
            self._note_minute(minute, rows, last, frame.volume)

    def widen(self, frame: TickFrame) -> TickFrame:
        """A frame of the market with the indices that move with it."""
        return widen(frame, self.indices)

    def candles(self, token: int, history: Mapping[int, Bars], interval: str) -> Bars:
        """Candles of earlier days and of today so far. Raises KeyError for an unknown token or interval."""
        bars = history.get(token, Bars.empty())
        for index in self.indices:
            if index.spec.instrument_token == token:
                bars = bars_of(index, history[index.future_token])
        return join_interval(join_days(bars, self.minutes(token)), interval)

    def _note_minute(self, minute: int, rows: Rows, last: Ints, volume: Ints) -> None:
        opened, high, low, close, cumulative = self._minutes[:, minute]
        is_new = opened[rows] == 0
        opened[rows] = np.where(is_new, last, opened[rows])
        high[rows] = np.maximum(high[rows], last)
        low[rows] = np.where(is_new, last, np.minimum(low[rows], last))
        close[rows] = last
        cumulative[rows] = volume

    def snapshot(self, tokens: Sequence[int]) -> TickFrame:
        """The last packet of each of these instruments that has been seen; others are left out."""
        known = [self._row_of[token] for token in tokens if token in self._row_of]
        rows = np.array([row for row in known if self._open[row]], np.intp)
        columns = {name: column[rows] for name, column in self._last.items()}
        return TickFrame(received_at=self._now, tokens=self._tokens[rows], packets=(), **columns)

    def has(self, token: int) -> bool:
        """Whether it is an instrument of this day, or an index behind one."""
        return token in self._row_of

    def day_prices(self, tokens: Ints) -> Ints:
        """Open, high, low and previous close of each token, n by 4. Raises KeyError for an unknown one."""
        rows = np.array([self._row_of[token] for token in tokens.tolist()], np.intp)
        columns = (self._open, self._high, self._low, self._previous_close)
        return np.column_stack([column[rows] for column in columns])

    def minutes(self, token: int) -> Bars:
        """Today's one-minute bars so far; the last one may still be forming. Raises KeyError."""
        opened, high, low, close, cumulative = self._minutes[:, :, self._row_of[token]]
        there = np.flatnonzero(opened)
        volume = np.diff(cumulative[there], prepend=0)
        times = self._opening_s + 60 * there
        return Bars.from_columns(times, opened[there], high[there], low[there], close[there], volume)


def join_days(first: Bars, second: Bars) -> Bars:
    """Bars of earlier days and of today as one row of bars."""
    return Bars.from_rows(np.concatenate((first.to_rows(), second.to_rows())))


def join_interval(bars: Bars, interval: str) -> Bars:
    """One-minute bars as Kite's interval, counted from 09:15 (day candles from midnight), IST.

    Raises KeyError for an interval that Kite has not.
    """
    minutes = INTERVALS_MIN[interval]
    if minutes == 1 or not len(bars):
        return bars
    base_s = INDIAN_MIDNIGHT_S if interval == "day" else OPENS_S
    shifted = Bars.from_columns(bars.opened_at_s - base_s, *bars.columns[1:])
    joined = join_minutes(shifted, minutes)
    return Bars.from_columns(joined.opened_at_s + base_s, *joined.columns[1:])
