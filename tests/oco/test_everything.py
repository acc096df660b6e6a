"""Closing the whole account: everything of everybody's, each position once, never the other way round."""

import pytest

from oco.everything import WholeAccount, open_positions
from tests.days import wire
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from tests.days.wire import Wire
from trading.core.enums import Side

pytestmark = pytest.mark.django_db


def by_hand(day: Day, spec, side: Side, quantity: int, price: int, **more: object) -> str:
    words = {
        "exchange": spec.exchange.value, "tradingsymbol": spec.tradingsymbol, "transaction_type": side.value,
        "quantity": quantity, "product": "NRML" if spec is NIFTY else "MIS", "order_type": "LIMIT",
        "price": price, "validity": "DAY",
    }  # fmt: skip
    return day.replayed.venue.place_as_other(words | more, day.now, "hand")


def others_day() -> tuple[Day, Wire]:
    """Somebody else is long 150 NIFTY with a resting target, and short 40 STEEL with a resting stop."""
    day = Day.opens(NIFTY, STEEL)
    by_hand(day, NIFTY, Side.BUY, 150, 25050)
    by_hand(day, NIFTY, Side.SELL, 150, 25900)
    by_hand(day, STEEL, Side.SELL, 40, 990)
    by_hand(day, STEEL, Side.BUY, 40, 1030, order_type="SL", trigger_price=1025)
    day.run_for(3)
    assert (day.net(), day.net(STEEL)) == (150, -40)
    line = Wire(day.replayed.broker.paper)  # type: ignore[attr-defined]  # a day's broker is the troubled one
    return day, line


def run(day: Day, line: Wire, within_s: float = 30.0) -> tuple[WholeAccount, list[str]]:
    def wait(seconds: float) -> None:
        day.replayed.clocks.move_by_ms(seconds * 1000)
        day.replayed.venue.advance(day.now)

    whole = WholeAccount(line, day.replayed.clocks, wait)
    left = whole.run(open_positions(line), within_s)
    return whole, [one.tradingsymbol for one in left]


def assert_nothing_left(day: Day) -> None:
    assert (day.net(), day.net(STEEL)) == (0, 0)
    assert day.replayed.venue.working_orders() == []
    for spec, sign in ((NIFTY, 1), (STEEL, -1)):
        held = 0
        for one in day.replayed.venue.ledger.executions:
            held += one.side.sign * one.quantity * (one.spec is spec)
            assert held * sign >= 0


def test_what_works_is_cancelled_and_every_position_is_closed_once():
    day, line = others_day()
    whole, left = run(day, line)
    assert (left, whole.refused) == ([], {})
    assert line.writes == 4
    assert_nothing_left(day)


@pytest.mark.parametrize("number", [1, 3, 4])
@pytest.mark.parametrize("done", [False, True], ids=["lost", "done"])
def test_a_call_without_an_answer_never_leads_to_a_second_closing_order(number, done):
    day, line = others_day()
    line.will(number, wire.lost(done=done))
    _, left = run(day, line)
    assert left == []
    assert_nothing_left(day)


def test_a_closing_order_that_hangs_is_priced_again_until_it_is_gone():
    day, line = others_day()
    day.price_goes_to("24000")
    day.market.offers(50)
    day.run_for(3)
    _, left = run(day, line, within_s=3)
    assert left == ["NIFTY25NOVFUT"]
    day.market.offers(750)
    day.run_for(3)
    _, left = run(day, line)
    assert left == []
    assert_nothing_left(day)


def test_a_refusal_is_named_and_the_others_are_closed():
    day, line = others_day()
    line.will(3, wire.refused(400, "InputException", "freeze quantity exceeded"))
    whole, left = run(day, line, within_s=3)
    assert left == ["NIFTY25NOVFUT"]
    assert whole.refused == {("NFO", "NIFTY25NOVFUT", "NRML"): "freeze quantity exceeded"}
    assert day.net(STEEL) == 0
