"""Candles: what a minute of trading looked like. Prices are paise, labels are the opening second of the
interval.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

IST = ZoneInfo("Asia/Kolkata")

#: columns of a candle row, in this order, wherever candles are kept as one integer matrix
OPENED_AT_S, OPEN, HIGH, LOW, CLOSE, VOLUME = range(6)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candle:
    """One closed candle of one instrument. `opened_at` is aware IST, prices are paise, volume is units."""

    opened_at: datetime
    interval_min: int
    open_paise: int
    high_paise: int
    low_paise: int
    close_paise: int
    volume: int

    @property
    def closed_at_s(self) -> int:
        """First second after the candle, since the epoch."""
        return int(self.opened_at.timestamp()) + 60 * self.interval_min


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """Closed candles of one instrument, oldest first: six int64 arrays of the same length n.

    `opened_at_s` are seconds since the epoch and strictly increasing; prices are paise, volume units. A
    minute in which nothing traded has no row. Raises ValueError where lengths differ or times do not
    increase.
    """

    opened_at_s: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints

    def __post_init__(self) -> None:
        if len({len(column) for column in self.columns}) != 1:
            raise ValueError(
                f"bars need columns of one length, got {[len(column) for column in self.columns]}"
            )
        if len(self.opened_at_s) > 1 and not (self.opened_at_s[1:] > self.opened_at_s[:-1]).all():
            raise ValueError(
                "bars must be in time order without repeats: sort them and drop duplicates first"
            )

    @property
    def columns(self) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
        return (self.opened_at_s, self.open, self.high, self.low, self.close, self.volume)

    def __len__(self) -> int:
        return len(self.opened_at_s)

    def __getitem__(self, rows: slice) -> "Bars":
        return type(self).from_columns(*(column[rows] for column in self.columns))

    @classmethod
    def from_columns(
        cls, opened_at_s: Ints, open_: Ints, high: Ints, low: Ints, close: Ints, volume: Ints
    ) -> Self:
        return cls(opened_at_s=opened_at_s, open=open_, high=high, low=low, close=close, volume=volume)

    @classmethod
    def from_rows(cls, rows: Ints) -> Self:
        """Bars over a matrix of n by 6 (see the column numbers above); the columns are views of it."""
        return cls.from_columns(*(rows[:, column] for column in range(6)))

    @classmethod
    def empty(cls) -> Self:
        return cls.from_rows(np.zeros((0, 6), np.int64))

    def to_rows(self) -> Ints:
        """A fresh matrix of n by 6."""
        return np.column_stack(self.columns)

    def candle(self, row: int, interval_min: int) -> Candle:
        """Row `row` (negative from the end) as a value."""
        return candle_of_row([int(column[row]) for column in self.columns], interval_min)


def candle_of_row(row: list[int], interval_min: int) -> Candle:
    """A candle row (six plain ints) as a value."""
    return Candle(
        opened_at=datetime.fromtimestamp(row[OPENED_AT_S], IST),
        interval_min=interval_min,
        open_paise=row[OPEN],
        high_paise=row[HIGH],
        low_paise=row[LOW],
        close_paise=row[CLOSE],
        volume=row[VOLUME],
    )


def join_minutes(bars: Bars, interval_min: int) -> Bars:
    """One-minute bars as bars of a longer interval that divides the hour; a part interval at the end is kept.

    India's half-hour offset is a multiple of every interval up to 30 minutes, so epoch seconds may be
    divided.
    """
    if not len(bars):
        return bars
    labels = bars.opened_at_s // (60 * interval_min) * (60 * interval_min)
    starts = np.flatnonzero(np.concatenate(([True], labels[1:] != labels[:-1])))
    ends = np.concatenate((starts[1:], [len(bars)])) - 1
    return Bars(
        opened_at_s=labels[starts],
        open=bars.open[starts],
        high=np.maximum.reduceat(bars.high, starts),
        low=np.minimum.reduceat(bars.low, starts),
        close=bars.close[ends],
        volume=np.add.reduceat(bars.volume, starts),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedCandles:
    """Candles of one interval that one call closed: row i belongs to instrument slot `slots[i]`.

    `rows` is a matrix of n by 6 in the column order above.
    """

    interval_min: int
    slots: Ints
    rows: Ints

    def __len__(self) -> int:
        return len(self.slots)

    def __iter__(self) -> Iterator[tuple[int, Candle]]:
        """(slot, candle) of each."""
        rows: list[list[int]] = self.rows.tolist()
        slots: list[int] = self.slots.tolist()
        for slot, row in zip(slots, rows, strict=True):
            yield slot, candle_of_row(row, self.interval_min)
