"""The evening's look at what the broker says that the day cost."""

from decimal import Decimal

import pytest

from reporting import contract_note
from tests.days.desk import Day

pytestmark = pytest.mark.django_db


class Notes:
    """The exchange's own order book, and a contract note that says what the test lets it say."""

    def __init__(self, day: Day, *said: str) -> None:
        self.order_reports = day.broker.paper.order_reports
        self.said = [Decimal(word) for word in said]
        self.asked: list[str] = []

    def charges_inr(self, executed):
        self.asked = [f"{one.side} {one.filled_quantity} @ {one.average_price}" for one in executed]
        return self.said


@pytest.fixture
def day() -> Day:
    day = Day.opens()
    day.enters()
    day.price_goes_to("25310")
    day.run_for(6)
    assert day.net() == 0
    return day


def compare(day: Day, *said: str) -> tuple[contract_note.Compared, Notes]:
    notes = Notes(day, *said)
    return contract_note.compare(day.desk.session, day.desk.trading_date, notes), notes


# BUY 75 @ 25,000.10 = 18,75,007.50: brokerage 20, NSE 0.00183 % 34.31, SEBI 0.0001 % 1.88, stamp 0.002 % 37.50,
# GST 18 % of 56.19 10.11. SELL 75 @ 25,309.90 = 18,98,242.50: 20, 34.74, 1.90, STT 0.05 % 949.12, GST 10.19.
BOUGHT, SOLD = "103.80", "1015.95"


def test_a_note_that_says_what_we_say_leaves_nothing_to_tell(day):
    compared, notes = compare(day, BOUGHT, SOLD)
    assert notes.asked == ["BUY 75 @ 25000.1", "SELL 75 @ 25309.9"]
    assert (compared.orders, compared.differences) == (2, ())
    assert (compared.ours_inr, compared.note_inr) == (Decimal("1119.75"), Decimal("1119.75"))


def test_an_order_that_cost_otherwise_is_named_with_both_figures(day):
    compared, _ = compare(day, BOUGHT, "1016.05")
    (said,) = compared.differences
    assert said.endswith("SELL 75 NIFTY25NOVFUT: charges ₹1015.95, the broker's note says ₹1016.05")


def test_what_the_rounding_of_an_average_makes_is_no_difference(day):
    assert compare(day, "103.84", "1015.91")[0].differences == ()


def test_an_order_of_somebody_else_is_not_ours_to_compare(day):
    request = {
        "exchange": "NFO", "tradingsymbol": "NIFTY25NOVFUT", "transaction_type": "SELL", "order_type": "MARKET",
        "quantity": 75, "product": "MIS", "market_protection": -1,
    }  # fmt: skip
    day.replayed.venue.place_as_other(request, day.now, "user")
    day.run_for(3)
    compared, notes = compare(day, BOUGHT, SOLD)
    assert (compared.orders, len(notes.asked)) == (2, 2)
