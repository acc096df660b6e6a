"""Beginning a day, or going on with the one a journal holds."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

from trading.exchange import journal
from trading.exchange.journal import BrokenJournal, Header, Journal, Kept
from trading.exchange.market_day import EMPTY, MarketDay, OtherBooks, Triggers, tell_again
from trading.exchange.markets import Market


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What the command line asked for. `days` 0 goes on for ever; `run` is the launcher's name of its run."""

    market: Market
    folder: Path
    today: date
    user_id: str
    capital_paise: int
    day: date | None = None
    begin: time | None = None
    days: int = 0
    run: str = ""
    is_fresh: bool = False

    def asked(self) -> dict[str, Any]:
        """What must be equal for a journal to be gone on with."""
        return {
            "market": self.market.name,
            "data": str(self.market.data.absolute()) if self.market.data != Path() else "",
            "seed": self.market.seed,
            "day": self.day.isoformat() if self.day else "",
            "begin": f"{self.begin:%H:%M}" if self.begin else "",
            "user_id": self.user_id,
            "capital_paise": self.capital_paise,
        }


@dataclass(kw_only=True, slots=True)
class Opened:
    """A day ready to run, its journal, and what the journal knew."""

    day: MarketDay
    journal: Journal
    header: Header
    logins: Mapping[str, Any]
    is_done: bool = False


def open_first(plan: Plan) -> Opened:
    """The day to run first. Raises ValueError (NoSuchDay, BrokenMarketData, BrokenJournal among them)."""
    found = None if plan.is_fresh else journal.read_current(plan.folder)
    if found is not None and _is_ours(plan, found[1]):
        return _go_on(plan, *found)
    trading_date = plan.day or plan.market.first_day(plan.today)
    triggers = _left_by(found[1], plan, trading_date) if found is not None else EMPTY
    return open_new(plan, trading_date, number=1, begin=plan.begin, triggers=triggers)


def _left_by(kept: Kept, plan: Plan, trading_date: date) -> Triggers:
    """What the last finished day of this market and account left waiting for a later one."""
    same = ("market", "user_id", "capital_paise")
    is_same = all(kept.header.asked.get(name) == plan.asked()[name] for name in same)
    return kept.triggers if is_same and kept.is_done and kept.header.trading_date < trading_date else EMPTY


def _is_ours(plan: Plan, kept: Kept) -> bool:
    """An unfinished day is gone on with by whoever asks the same; a finished one only by the same run."""
    is_same_run = bool(plan.run) and plan.run == kept.run
    return dict(kept.header.asked) == plan.asked() and (is_same_run or not kept.is_done)


def _go_on(plan: Plan, path: Path, kept: Kept) -> Opened:
    header = kept.header
    begin = time.fromisoformat(header.begin) if header.begin else None
    day = _day(plan, header.trading_date, header.venue_session, begin, header.triggers)
    try:
        tell_again(day, kept.entries)
    except OtherBooks as error:
        raise BrokenJournal(
            f"{path} cannot be gone on with: {error}. It was written by another version or from other data; "
            "begin a new session with --fresh (its books are lost)"
        ) from error
    if kept.is_done:
        day.advance(day.ends_at)
    opened = Opened(
        day=day, journal=Journal.go_on(path), header=header, logins=kept.logins, is_done=kept.is_done
    )
    opened.journal.keep({"run": plan.run})
    return opened


def open_new(
    plan: Plan, trading_date: date, *, number: int, begin: time | None = None, triggers: Triggers = EMPTY
) -> Opened:
    """A day with empty books and a session of its own; `triggers` wait since the day before. Raises ValueError."""
    session = f"{plan.market.name}-{trading_date}-{secrets.token_hex(3)}"
    day = _day(plan, trading_date, session, begin, triggers)
    header = Header(
        venue_session=session,
        asked=plan.asked(),
        trading_date=trading_date,
        day_number=number,
        begin=f"{begin:%H:%M}" if begin else "",
        triggers=dict(triggers),
    )
    written = Journal.begin(plan.folder, header)
    written.keep({"run": plan.run})
    return Opened(day=day, journal=written, header=header, logins={})


def _day(plan: Plan, trading_date: date, session: str, begin: time | None, triggers: Triggers) -> MarketDay:
    return MarketDay(
        plan.market.source(trading_date),
        venue_session=session,
        user_id=plan.user_id,
        capital_paise=plan.capital_paise,
        seed=plan.market.seed,
        begin=begin,
        triggers=triggers,
    )
