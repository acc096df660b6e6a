import json
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from tests.trading.exchange.market_builders import order
from trading.core.session import at
from trading.exchange.accounts import CANCEL, CONVERT, MODIFY, PLACE, SET_RULE
from trading.exchange.market_day import (
    FRAME,
    OPEN_ACCOUNT,
    TIME,
    WRITE,
    Entry,
    MarketDay,
    OtherBooks,
    answer_of,
    books_of,
    tell_again,
)
from trading.exchange.replay import ReplaySource
from trading.exchange.synthetic import SyntheticSource

MONDAY = date(2026, 11, 23)
MARKET_DATA = Path(__file__).resolve().parents[4] / "shared" / "market-data"
STEP = timedelta(seconds=1)
CONVERSION = {
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "transaction_type": "BUY",
    "position_type": "day",
    "quantity": 7,
    "old_product": "MIS",
    "new_product": "CNC",
}


def synthetic_day(begin=None, seed=1):
    source = SyntheticSource(MONDAY, seed=seed, symbols=("NIFTY", "RELIANCE"))
    return MarketDay(
        source, venue_session="s", user_id="AB1234", capital_paise=25_00_000_00, seed=1, begin=begin
    )


class Recorder:
    """Runs a day by hand and writes its journal."""

    def __init__(self, day):
        self.day = day
        self.entries = []

    def frames(self, count):
        if self.day.pending is not None:
            self.day.apply_pending()
        for _ in range(count):
            frame = self.day.fetch()
            self.entries.append(Entry(kind=FRAME, at=frame.received_at))
            self.day.apply_pending()

    def write(self, verb, order_id="", account="", **fields):
        now = self.day.market_at + STEP
        answer = answer_of(self.day, verb, order_id, fields, now, account)
        self.entries.append(
            Entry(
                kind=WRITE,
                at=now,
                verb=verb,
                order_id=order_id,
                fields=fields,
                answer=answer,
                books=books_of(self.day, account),
                user_id=account,
            )
        )
        return answer


def recorded(begin=time(10, 0)):
    recorder = Recorder(synthetic_day(begin))
    recorder.frames(3)
    recorder.write(PLACE, **order("BUY", 10))
    recorder.frames(2)
    low = recorder.day.prices.snapshot([738561]).last_price_paise[0] // 100 - 40
    stop = recorder.write(
        PLACE, **order("SELL", 10, "SL", price=str(low - 10), trigger_price=str(low), tag="STOP")
    )
    recorder.write(PLACE, **order("BUY", 0))
    recorder.frames(2)
    recorder.write(MODIFY, stop, price=str(low - 12))
    recorder.frames(40)
    recorder.write(CANCEL, stop)
    recorder.frames(1)
    now = recorder.day.market_at + STEP
    recorder.day.advance(now)
    recorder.entries.append(Entry(kind=TIME, at=now))
    return recorder


def test_a_day_told_again_has_the_same_books_times_and_prices():
    recorder = recorded()
    again = synthetic_day(time(10, 0))
    tell_again(again, recorder.entries)
    day = recorder.day
    assert [row["status"] for row in day.venue.order_rows()] == ["COMPLETE", "CANCELLED"]
    assert again.venue.digest() == day.venue.digest()
    assert again.venue.order_rows() == day.venue.order_rows()
    assert again.venue.position_rows() == day.venue.position_rows()
    assert again.market_at == day.market_at
    assert again.prices.minutes(738561).to_rows().tolist() == day.prices.minutes(738561).to_rows().tolist()


def test_further_accounts_rules_slices_and_conversions_are_told_again_too():
    recorder = Recorder(synthetic_day(time(10, 0)))
    recorder.frames(2)
    recorder.write(OPEN_ACCOUNT, user_id="CD1")
    recorder.write(PLACE, account="CD1", **order("BUY", 10))
    recorder.write(SET_RULE, modified_quantity="pending")
    recorder.frames(1)
    recorder.write(CONVERT, account="CD1", **CONVERSION)
    recorder.write(PLACE, account="CD1", **order("BUY", 5, autoslice="true"))
    recorder.frames(2)
    again = synthetic_day(time(10, 0))
    tell_again(again, recorder.entries)
    held = {row["product"]: row["quantity"] for row in again.accounts["CD1"].venue.position_rows()["net"]}
    assert held == {"MIS": 8, "CNC": 7}
    assert again.accounts["CD1"].venue.digest() == recorder.day.accounts["CD1"].venue.digest()
    assert again.venue.order_rows() == []
    assert again.accounts["CD1"].venue.rules.modified_quantity == "pending"


def test_both_go_on_alike_after_the_telling():
    recorder = recorded()
    again = Recorder(synthetic_day(time(10, 0)))
    tell_again(again.day, recorder.entries)
    for one in (recorder, again):
        one.write(PLACE, **order("SELL", 10))
        one.frames(5)
    assert again.day.venue.digest() == recorder.day.venue.digest()


def test_a_refused_request_is_part_of_the_story():
    recorder = recorded()
    refused = [entry.answer for entry in recorder.entries if entry.answer.startswith("400 ")]
    assert refused == ["400 Invalid `quantity`. Should be a whole number above 0."]


def test_updates_told_before_the_kill_are_not_told_again():
    recorder = recorded()
    assert recorder.day.venue.drain_updates()
    again = synthetic_day(time(10, 0))
    tell_again(again, recorder.entries)
    assert again.venue.drain_updates() == []


def test_another_seed_is_noticed_at_the_first_answer_that_differs():
    with pytest.raises(OtherBooks, match="was answered"):
        tell_again(synthetic_day(time(10, 0), seed=2), recorded().entries)


def test_another_frame_time_is_noticed():
    entry = Entry(kind=FRAME, at=at(MONDAY, time(12, 0)))
    with pytest.raises(OtherBooks, match="was expected"):
        tell_again(synthetic_day(), [entry])


def test_a_fetched_frame_is_held_until_its_time_and_a_request_before_it_comes_first():
    day = synthetic_day()
    day.fetch()
    day.apply_pending()
    opening = Entry(kind=FRAME, at=day.market_at)
    frame = day.fetch()
    before = frame.received_at - STEP
    answer = answer_of(day, PLACE, "", order("BUY", 10), before)
    entries = [
        opening,
        Entry(kind=FRAME, at=frame.received_at),
        Entry(kind=WRITE, at=before, verb=PLACE, fields=order("BUY", 10), answer=answer, books=books_of(day)),
    ]
    with pytest.raises(ValueError, match="has not come yet"):
        day.fetch()
    day.apply_pending()
    again = synthetic_day()
    tell_again(again, entries)
    assert again.pending is None
    assert again.venue.digest() == day.venue.digest()


def test_a_day_begun_in_its_middle_has_the_minutes_before_and_no_orders():
    day = synthetic_day(time(10, 0))
    minutes = day.prices.minutes(256258)
    assert day.market_at == at(MONDAY, time(10, 0))
    assert len(minutes) == 46
    assert minutes.opened_at_s[0] == int(at(MONDAY, time(9, 15)).timestamp())
    assert day.venue.order_rows() == []


def test_the_phases_follow_the_instruments_that_close_last():
    day = synthetic_day()
    phases = [
        day.phase(at(MONDAY, clock)) for clock in (time(9, 14), time(9, 15), time(15, 39), time(15, 40))
    ]
    assert phases == ["pre-open", "open", "open", "closed"]


def test_the_next_frame_is_asked_for_when_the_usual_step_has_passed():
    day = synthetic_day()
    assert day.fetch_at() == at(MONDAY, time(9, 15))
    for _ in range(2):
        day.fetch()
        day.apply_pending()
    assert day.fetch_at() == at(MONDAY, time(9, 15, 6))


def test_an_order_to_be_sliced_answers_its_parent_and_its_children():
    day = synthetic_day(time(10, 0))
    names = {"exchange": "NFO", "tradingsymbol": "NIFTY26NOVFUT", "product": "NRML"}
    # The freeze quantity is 1800, and 27 lots of 65 are 1755.
    fields = order("BUY", 1820, autoslice="true", **names)
    data = json.loads(answer_of(day, PLACE, "", fields, day.market_at))
    rows = {row["order_id"]: row for row in day.venue.order_rows()}
    children = [rows[child["order_id"]] for child in data["children"]]
    assert [child["quantity"] for child in children] == [1755, 65]
    assert data["order_id"] not in rows
    assert children[0]["tags"] == ["autoslice", f"autoslice:{data['order_id']}"]


@pytest.mark.skipif(not MARKET_DATA.is_dir(), reason="no recorded market data beside the project")
def test_a_replayed_day_told_again_walks_its_bars_alike():
    def replayed_day():
        source = ReplaySource(MARKET_DATA, date(2022, 3, 15), seed=1)
        return MarketDay(
            source, venue_session="s", user_id="U", capital_paise=10**9, seed=1, begin=time(10, 0)
        )

    recorder = Recorder(replayed_day())
    names = {"exchange": "NFO", "tradingsymbol": "NIFTY22MARFUT"}
    recorder.frames(10)
    last = int(recorder.day.prices.snapshot([256258]).last_price_paise[0]) // 100
    recorder.write(PLACE, **order("BUY", 50, **names))
    recorder.write(
        PLACE, **order("SELL", 50, "SL", price=str(last - 30), trigger_price=str(last - 20), **names)
    )
    recorder.frames(400)
    again = replayed_day()
    tell_again(again, recorder.entries)
    assert again.venue.digest() == recorder.day.venue.digest()
    without = [replace(entry) for entry in recorder.entries if entry.kind == FRAME]
    quiet = replayed_day()
    tell_again(quiet, without)
    assert quiet.venue.order_rows() == []
