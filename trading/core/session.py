"""The trading calendar: which days trade, and at what times an instrument opens, may be entered, must be
left.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from trading.core.values import InstrumentSpec

IST = ZoneInfo("Asia/Kolkata")


class MissingCalendarYear(Exception):
    """The calendar has no holidays for a year, so nobody can say which of its days trade."""

    def __init__(self, year: int) -> None:
        super().__init__(
            f"the trading calendar has no holidays for {year}: enter NSE's list for {year} in the console's "
            "calendar before trading on it"
        )
        self.year = year


@dataclass(frozen=True, kw_only=True, slots=True)
class DayTimes:
    """The ordinary day, IST wall time. Defaults are NSE's since 2026-08-03; every one is a setting."""

    housekeeping: time = time(8, 30)
    opens: time = time(9, 15)
    entries_from: time = time(9, 30)  # the opening range forms until here
    entries_until: time = time(14, 30)
    #: shares that have F&O: a closing auction, which takes no stops, begins at `auction_closes`
    auction_square_off: time = time(15, 0)
    auction_square_off_done: time = time(15, 10)
    auction_closes: time = time(15, 15)
    square_off: time = time(15, 10)
    square_off_done: time = time(15, 20)
    closes: time = time(15, 30)
    derivative_closes: time = time(15, 40)
    report: time = time(15, 45)

    def problems(self) -> list[str]:
        """Sentences for the operator, one for each pair of times in the wrong order; empty when well."""
        ordered = (
            ("housekeeping", "opens", "entries_from", "entries_until", "auction_square_off"),
            ("auction_square_off", "auction_square_off_done", "auction_closes"),
            ("entries_until", "square_off", "square_off_done", "closes", "report"),
            ("square_off_done", "derivative_closes", "report"),
        )
        return [
            f"{later} ({getattr(self, later):%H:%M}) must come after {earlier} "
            f"({getattr(self, earlier):%H:%M})"
            for names in ordered
            for earlier, later in pairwise(names)
            if getattr(self, earlier) >= getattr(self, later)
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecialSession:
    """Trading on a weekend or a holiday, or at unusual hours. Without times the ordinary day's hold."""

    day: date
    name: str
    opens: time | None = None
    closes: time | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One instrument's trading day. All times aware IST; an empty entry window has `entries_until` =
    `entries_from`.
    """

    trading_date: date
    opens_at: datetime
    entries_from: datetime
    entries_until: datetime
    square_off_at: datetime
    square_off_done_by: datetime
    closes_at: datetime

    def is_open(self, now: datetime) -> bool:
        return self.opens_at <= now < self.closes_at

    def takes_entries(self, now: datetime) -> bool:
        return self.entries_from <= now < self.entries_until


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """NSE's days as one value: build it from rows with `Calendar.of` (the database's or `DEFAULT_HOLIDAYS`).

    `years` are those whose holidays are known; any question about another year raises MissingCalendarYear.
    """

    holidays: Mapping[date, str]
    special_sessions: Mapping[date, SpecialSession]
    years: frozenset[int]
    provisional_years: frozenset[int] = frozenset()
    times: DayTimes = field(default_factory=DayTimes)

    @classmethod
    def of(
        cls,
        holidays: Iterable[tuple[date, str]],
        special_sessions: Iterable[SpecialSession] = (),
        *,
        provisional_years: Iterable[int] = (),
        times: DayTimes | None = None,
    ) -> "Calendar":
        """A calendar over rows. A year counts as known when it has at least one holiday row."""
        by_day = dict(holidays)
        return cls(
            holidays=by_day,
            special_sessions={session.day: session for session in special_sessions},
            years=frozenset(day.year for day in by_day),
            provisional_years=frozenset(provisional_years),
            times=times or DayTimes(),
        )

    def is_provisional(self, day: date) -> bool:
        """Whether the day's year still waits for NSE's own list."""
        return day.year in self.provisional_years

    def is_trading_day(self, day: date) -> bool:
        """Whether NSE trades that day, special sessions included. Raises MissingCalendarYear."""
        if day.year not in self.years:
            raise MissingCalendarYear(day.year)
        return day in self.special_sessions or (day.weekday() < 5 and day not in self.holidays)

    def is_ordinary_day(self, day: date) -> bool:
        """A trading day with the usual hours: what a burn-in or a synthetic day wants."""
        special = self.special_sessions.get(day)
        return self.is_trading_day(day) and (special is None or special.opens is None)

    def next_trading_day(self, day: date) -> date:
        """The first ordinary trading day after `day`. Raises MissingCalendarYear."""
        day += timedelta(days=1)
        while not self.is_ordinary_day(day):
            day += timedelta(days=1)
        return day

    def previous_trading_days(self, day: date, count: int) -> list[date]:
        """The `count` ordinary trading days before `day`, oldest first. Raises MissingCalendarYear."""
        found: list[date] = []
        while len(found) < count:
            day -= timedelta(days=1)
            if self.is_ordinary_day(day):
                found.append(day)
        return found[::-1]

    def session(self, day: date, spec: InstrumentSpec) -> Session | None:
        """One instrument's times on `day`; None when the exchange is closed. Raises MissingCalendarYear."""
        if not self.is_trading_day(day):
            return None
        special = self.special_sessions.get(day)
        if special is not None and special.opens is not None and special.closes is not None:
            return _special_times(day, special.opens, special.closes, self.times)
        return ordinary_session(day, spec, self.times)


def ordinary_session(day: date, spec: InstrumentSpec, times: DayTimes | None = None) -> Session:
    """The usual times of one instrument on `day`, asking no calendar: for synthetic days too.

    A share with F&O ends when its closing auction begins: a resting stop protects nothing from then on.
    """
    times = times or DayTimes()
    if spec.is_derivative:
        square_off, done, closes = times.square_off, times.square_off_done, times.derivative_closes
    elif spec.has_derivatives:
        square_off, done, closes = (
            times.auction_square_off,
            times.auction_square_off_done,
            times.auction_closes,
        )
    else:
        square_off, done, closes = times.square_off, times.square_off_done, times.closes
    return Session(
        trading_date=day,
        opens_at=at(day, times.opens),
        entries_from=at(day, times.entries_from),
        entries_until=at(day, times.entries_until),
        square_off_at=at(day, square_off),
        square_off_done_by=at(day, done),
        closes_at=at(day, closes),
    )


def next_weekday(day: date) -> date:
    """The first Monday-to-Friday after `day`: a synthetic day where the calendar has no such year."""
    day += timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day


def clock_time(moment: datetime) -> str:
    """A moment as the exchange's clock shows it, HH:MM:SS; rows come back from the database in UTC."""
    return f"{moment.astimezone(IST):%H:%M:%S}"


def at(day: date, wall: time) -> datetime:
    """That wall time of the day, aware IST."""
    return datetime.combine(day, wall, IST)


def _special_times(day: date, opens: time, closes: time, times: DayTimes) -> Session:
    """Keeps the ordinary day's distances to open and close: a session of an hour then has no room for
    entries.
    """
    opens_at, closes_at = at(day, opens), at(day, closes)
    usual_close = at(day, times.closes)
    entries_from = opens_at + (at(day, times.entries_from) - at(day, times.opens))
    entries_until = closes_at - (usual_close - at(day, times.entries_until))
    return Session(
        trading_date=day,
        opens_at=opens_at,
        entries_from=entries_from,
        entries_until=max(entries_from, entries_until),
        square_off_at=closes_at - (usual_close - at(day, times.square_off)),
        square_off_done_by=closes_at - (usual_close - at(day, times.square_off_done)),
        closes_at=closes_at,
    )
