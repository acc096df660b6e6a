"""The judge of a run, fed with the journal of an exchange that does wrong."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.books import OtherBooks
from tests.chaos.judge import Judge
from tests.chaos.troubles import Kind, Trouble, Troubles
from trading.core.holidays import default_calendar
from trading.core.session import IST
from trading.exchange.accounts import PLACE
from trading.exchange.journal import Header, Journal
from trading.exchange.market_day import FRAME, WRITE, Entry, MarketDay, answer_of, books_of
from trading.exchange.markets import Market

DAY = date(2026, 11, 23)
BEGAN = datetime(2026, 1, 5, 12, 0, tzinfo=IST)
ASKED = {"market": "synthetic", "data": "", "seed": 1, "user_id": "PAPER1", "capital_paise": 250_000_000}
ENTRY_TAG, STOP_TAG = "E" + "1" * 19, "S" + "2" * 19


class WrittenDay:
    """An exchange that journals what is asked of it, and a judge beside it whose clock is set by hand."""

    def __init__(self, folder: Path) -> None:
        market = Market(name="synthetic", calendar=default_calendar(), seed=1)
        self.day = MarketDay(
            market.source(DAY),
            venue_session="synthetic-one",
            user_id="PAPER1",
            capital_paise=250_000_000,
            seed=1,
            begin=time(10, 0),
        )
        header = Header(
            venue_session="synthetic-one", asked=ASKED, trading_date=DAY, day_number=1, begin="10:00"
        )
        self.journal = Journal.begin(folder, header)
        self.now = BEGAN
        self.troubles = Troubles()
        self.judge = Judge(folder, self.troubles, 2, now=lambda: self.now)

    def frames(self, count: int) -> None:
        """So many frames pass, a machine second each, and are judged."""
        for _ in range(count):
            if self.day.pending is not None:
                self.day.apply_pending()
            frame = self.day.fetch()
            assert frame is not None
            self.journal.note(FRAME, frame.received_at)
            self.now += timedelta(seconds=1)
            self.judge.look()

    def place(self, tag: str, side: str, quantity: int, **fields: Any) -> str:
        """A market order for SBIN, or what `fields` make of it."""
        asked = {
            "exchange": "NSE",
            "tradingsymbol": "SBIN",
            "transaction_type": side,
            "order_type": "MARKET",
            "market_protection": "-1",
            "quantity": str(quantity),
            "product": "MIS",
            "validity": "DAY",
            "variety": "regular",
            "tag": tag,
        } | fields
        now = self.day.market_at
        answer = answer_of(self.day, PLACE, "", asked, now)
        self.journal.write(
            Entry(kind=WRITE, at=now, verb=PLACE, fields=asked, answer=answer, books=books_of(self.day))
        )
        return answer

    def rest_a_stop(self, quantity: int) -> str:
        last = self.day.venue._last_paise(self.day.venue.specs["NSE", "SBIN"]) // 100
        return self.place(
            STOP_TAG,
            "SELL",
            quantity,
            order_type="SL",
            price=str(last * 94 // 100),
            trigger_price=str(last * 95 // 100),
        )

    def told(self) -> list[tuple[str, str]]:
        return [(one.invariant, one.what) for one in self.judge.violations]


@pytest.fixture
def written(tmp_path):
    day = WrittenDay(tmp_path)
    day.frames(2)
    return day


def test_a_protected_position_is_no_violation(written):
    assert written.place(ENTRY_TAG, "BUY", 100).isdigit()
    assert written.rest_a_stop(100).isdigit()
    written.frames(40)
    assert written.told() == []
    assert (written.judge.entries, written.judge.open_positions) == (1, 1)


def test_a_tag_that_reaches_the_exchange_twice_breaks_the_first_invariant(written):
    written.place(ENTRY_TAG, "BUY", 100)
    written.place(ENTRY_TAG, "BUY", 100)
    written.frames(2)
    assert ("I1", f"tag {ENTRY_TAG} (ENTRY) is at the broker twice") in written.told()


def test_a_position_that_stays_bare_breaks_the_fourth_invariant(written):
    written.place(ENTRY_TAG, "BUY", 100)
    written.frames(30)
    assert written.told() == []
    written.frames(3)
    assert [name for name, _ in written.told()] == ["I4"]


def test_time_in_which_the_broker_is_out_of_reach_does_not_count_as_bare(written):
    written.troubles.all.append(
        Trouble(kind=Kind.REFUSED, target="wire", at=BEGAN, at_s=0.0, open_positions=1)
    )
    written.place(ENTRY_TAG, "BUY", 100)
    written.frames(80)
    assert written.told() == []
    written.troubles.all[0].over = written.now
    written.frames(33)
    assert [name for name, _ in written.told()] == ["I4"]


def test_an_exit_beyond_the_position_breaks_the_second_invariant(written):
    written.place(ENTRY_TAG, "BUY", 100)
    written.frames(2)
    written.place(STOP_TAG, "SELL", 150)
    written.frames(2)
    assert {name for name, _ in written.told()} == {"I2"}


def test_a_stop_that_outlives_its_position_breaks_the_third_invariant(written):
    written.rest_a_stop(100)
    written.frames(65)
    assert [name for name, _ in written.told()] == ["I3"]


def test_an_entry_after_the_flattens_answer_breaks_the_sixth_invariant(written):
    written.judge.press()
    written.judge.latch()
    written.place(ENTRY_TAG, "BUY", 100)
    written.frames(1)
    assert "I6" in [name for name, _ in written.told()]


def test_the_time_to_flat_is_measured_from_the_press_on(written):
    written.place(ENTRY_TAG, "BUY", 100)
    written.frames(3)
    written.judge.press()
    written.place(STOP_TAG, "SELL", 100)
    written.frames(3)
    assert not written.judge.is_flattening
    assert written.judge.flatten_s == [1.0]


def test_books_that_do_not_follow_from_the_journal_are_not_judged(written):
    wrong = Entry(kind=WRITE, at=written.day.market_at, verb=PLACE, answer="1", books="0" * 12)
    written.journal.write(wrong)
    with pytest.raises(OtherBooks, match="told again"):
        written.judge.look()
