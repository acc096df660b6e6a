"""Which markets the paper exchange offers, and which day follows which."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from trading.core.session import Calendar, MissingCalendarYear, next_weekday
from trading.exchange.followed import FollowedSource
from trading.exchange.gfdl import find_days
from trading.exchange.recorded import RecordedSource
from trading.exchange.replay import NoSuchDay, ReplaySource
from trading.exchange.sources import MarketSource
from trading.exchange.synthetic import SyntheticSource

SYNTHETIC, REPLAY, RECORD, KITE = "synthetic", "replay", "record", "kite"
#: markets that are one day in one file
ONE_DAY = (RECORD, KITE)
HISTORY_DAYS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """`data` is the folder of recorded minutes, for a replay; for a record, the file of one recorded day; for live
    prices of Kite, the file they are recorded in.
    """

    name: str
    calendar: Calendar
    seed: int = 1
    data: Path = field(default_factory=Path)

    def first_day(self, today: date) -> date:
        """The day to begin with where none was asked for.

        A synthetic market begins today, or on the next trading day; a replay on the first day that has three
        days before it; a record is of one day. Raises NoSuchDay, BrokenMarketData or BrokenRecording.
        """
        if self.name == SYNTHETIC:
            return self._trading_day_after(today - timedelta(days=1))
        if self.name in ONE_DAY:
            return self._one_day().trading_date
        dates = find_days(self.data).dates
        if not dates:
            raise NoSuchDay(f"{self.data} holds no day of recorded minutes")
        return dates[min(HISTORY_DAYS, len(dates) - 1)]

    def day_after(self, day: date) -> date | None:
        """The next trading day; None after the last one recorded."""
        if self.name == SYNTHETIC:
            return self._trading_day_after(day)
        if self.name in ONE_DAY:
            return None
        return next((later for later in find_days(self.data).dates if later > day), None)

    def source(self, day: date) -> MarketSource:
        """Raises ValueError for a day that is none of this market's."""
        if self.name == SYNTHETIC:
            return SyntheticSource(day, seed=self.seed, holidays=self._holidays)
        if self.name in ONE_DAY:
            return self._recorded(day)
        return ReplaySource(self.data, day, seed=self.seed)

    def _recorded(self, day: date) -> RecordedSource:
        source = self._one_day()
        if source.trading_date != day:
            raise NoSuchDay(f"{self.data} is a recording of {source.trading_date}, not of {day}")
        return source

    def _one_day(self) -> RecordedSource:
        return FollowedSource(self.data) if self.name == KITE else RecordedSource(self.data)

    @property
    def _holidays(self) -> Mapping[date, str]:
        return self.calendar.holidays

    def _trading_day_after(self, day: date) -> date:
        try:
            return self.calendar.next_trading_day(day)
        except MissingCalendarYear:
            return next_weekday(day)
