from dataclasses import replace
from datetime import date, time

import pytest

from tests.trading.exchange.market_builders import order
from trading.core.holidays import default_calendar
from trading.exchange.accounts import PLACE
from trading.exchange.gtt import GttBook
from trading.exchange.journal import BrokenJournal, read_current
from trading.exchange.market_day import FRAME, WRITE, Entry
from trading.exchange.markets import Market
from trading.exchange.server.opening import Plan, open_first, open_new

MONDAY = date(2026, 11, 23)


@pytest.fixture
def plan(tmp_path):
    return Plan(
        market=Market(name="synthetic", calendar=default_calendar()),
        folder=tmp_path,
        today=date(2026, 11, 22),
        user_id="AB1234",
        capital_paise=25_00_000_00,
        begin=time(9, 30),
    )


def test_a_first_session_begins_on_the_next_trading_day_and_is_never_named_twice(plan):
    first, second = open_first(plan), open_new(plan, MONDAY, number=1)
    assert first.header.trading_date == MONDAY
    assert first.header.venue_session.startswith("synthetic-2026-11-23-")
    assert first.header.venue_session != second.header.venue_session


def test_an_unfinished_day_is_gone_on_with_whoever_asks_the_same(plan):
    first = open_first(plan)
    first.day.apply_pending()
    frame = first.day.fetch()
    assert frame is not None
    first.journal.note(FRAME, frame.received_at)
    again = open_first(replace(plan, run="another", days=3))
    assert again.header.venue_session == first.header.venue_session
    assert again.day.market_at == frame.received_at


@pytest.mark.parametrize(
    "other", [{"begin": None}, {"day": date(2026, 11, 25)}, {"is_fresh": True}, {"user_id": "X"}]
)
def test_other_wishes_begin_another_session(plan, other):
    first = open_first(plan)
    assert open_first(replace(plan, **other)).header.venue_session != first.header.venue_session


def test_a_finished_day_is_reopened_by_the_run_that_ended_it_only(plan):
    first = open_first(replace(plan, run="one"))
    first.journal.keep({"done": True})
    same = open_first(replace(plan, run="one"))
    assert (same.header.venue_session, same.is_done) == (first.header.venue_session, True)
    assert open_first(replace(plan, run="two")).header.venue_session != first.header.venue_session


def test_a_finished_day_of_a_nameless_run_is_not_reopened(plan):
    first = open_first(plan)
    first.journal.keep({"done": True})
    assert open_first(plan).header.venue_session != first.header.venue_session


def left_waiting(plan):
    """A finished Monday on which two accounts left a trigger each."""
    first = open_first(plan)
    events = [{"user": "AB1234"}]
    first.journal.keep({"done": True, "triggers": {"AB1234": events}})
    return events


def test_a_later_day_begins_with_what_the_finished_one_left_waiting(plan, monkeypatch):
    restored = []
    monkeypatch.setattr(GttBook, "restore", lambda self, events, now: restored.append((list(events), now)))
    events = left_waiting(plan)
    later = replace(plan, day=date(2026, 11, 25))
    assert open_first(later).header.trading_date == date(2026, 11, 25)
    assert restored[-1] == (events, later_begins := restored[-1][1])
    assert later_begins.date() == date(2026, 11, 25)
    # Gone on with after a kill, the day has them again.
    assert open_first(later).header.triggers == {"AB1234": events}
    assert restored[-1] == (events, later_begins)


@pytest.mark.parametrize("other", [{"day": MONDAY}, {"day": date(2026, 11, 25), "capital_paise": 1_00}])
def test_the_same_day_again_or_another_account_begins_with_none(plan, other):
    left_waiting(plan)
    assert open_first(replace(plan, **other)).header.triggers == {}


def test_the_day_after_keeps_no_begin_and_is_found_again(plan):
    open_first(plan)
    second = open_new(plan, date(2026, 11, 25), number=2)
    again = open_first(plan)
    assert again.header == second.header
    assert again.day.market_at.time() == time(9, 14)


def test_a_journal_of_other_books_is_refused_with_the_remedy(plan):
    first = open_first(plan)
    wrong = Entry(
        kind=WRITE, at=first.day.market_at, verb=PLACE, fields=order("BUY", 10, product="NRML"), answer="1"
    )
    first.journal.write(wrong)
    with pytest.raises(BrokenJournal, match="cannot be gone on with: .* --fresh"):
        open_first(plan)
    assert read_current(plan.folder) is not None
