"""The trading calendar as the operator keeps it: rows, read as one value."""

from collections.abc import Sequence
from datetime import date

from trading.core.session import (
    Calendar,
    DayTimes,
    MissingCalendarYear,
    Session,
    SpecialSession,
    ordinary_session,
)
from trading.core.values import InstrumentSpec
from trading.models import MarketDay


def load(times: DayTimes | None = None) -> Calendar:
    """All rows as a calendar. A year without a holiday row is unknown to it (MissingCalendarYear when asked)."""
    rows = list(MarketDay.objects.all())
    return Calendar.of(
        [(row.day, row.name) for row in rows if row.is_holiday],
        [
            SpecialSession(day=row.day, name=row.name, opens=row.opens, closes=row.closes)
            for row in rows
            if not row.is_holiday
        ],
        provisional_years={row.day.year for row in rows if row.is_provisional},
        times=times,
    )


def sessions_of(specs: Sequence[InstrumentSpec], trading_date: date) -> tuple[Session, ...]:
    """Each instrument's day at a venue that trades on it, whatever the calendar says: a holiday there, or a year
    it does not know, is an ordinary day then. Whether real money may trade a year is the LIVE gate's to ask.
    """
    calendar = load()

    def session(spec: InstrumentSpec) -> Session:
        try:
            found = calendar.session(trading_date, spec)
        except MissingCalendarYear:
            found = None
        return found or ordinary_session(trading_date, spec)

    return tuple(session(spec) for spec in specs)
