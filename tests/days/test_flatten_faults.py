"""Lessons section 6, 11: a flatten of several positions is right under every single fault, at every call."""

from collections import Counter
from dataclasses import replace
from itertools import cycle
from typing import Any, cast

import pytest

from oco.models import Flatten
from tests.days import wire
from tests.days.broker import SimulatedCrash
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from tests.days.wire import Fault, Wire
from trading.broker.base import SessionExpired
from trading.broker.kite.errors import write_error
from trading.core.enums import FlattenState, GroupState, Role, Side
from trading.core.order_ids import role_of_tag
from trading.exchange.rules import BEING_PROCESSED

pytestmark = pytest.mark.django_db

COAL = replace(STEEL, tradingsymbol="COAL", instrument_token=2003 << 8 | 1, name="COAL")
#: calls of an undisturbed flatten: one cancel, then four exits that close
WRITES = 5
#: the cancel, the first exit and the last
AT = (1, 2, WRITES)


def busy_day() -> tuple[Day, Wire]:
    """NIFTY long and STEEL short, two groups each, every group with its stop; an entry in COAL that nobody fills."""
    day = Day.opens(NIFTY, STEEL, COAL)
    day.enters(stop="24920", target="25300", within_s=3)
    day.enters(spec=STEEL, side=Side.SELL, stop="1012", target="960")
    day.market.offers(0, spec=COAL)
    day.run_for(3)
    signal = day.sees(spec=COAL, stop="988", target="1040")
    assert signal is not None
    day.decides(signal, COAL)
    day.run_for(1)
    assert (day.net(), day.net(STEEL) < 0, day.net(COAL)) == (150, True, 0)
    assert [group.state for group in day.groups()] == [GroupState.ARMED] * 4
    assert [order.status for order in day.broker_orders(Role.ENTRY)][-1] == "OPEN"
    line = Wire(day.broker.paper)
    day.broker.paper = cast(Any, line)
    return day, line


def goes_on(day: Day, within_s: int = 60) -> None:
    """Until there is a verdict and every trade is closed, and a little longer: late orders show themselves then."""
    for _ in range(within_s // 3):
        day.run_for(3)
        finished = Flatten.objects.filter(session=day.desk.session, finished_at=None).count() == 0
        if finished and all(trade.closed_at for trade in day.trades()):
            break
    day.run_for(6)


def assert_closed_once(day: Day) -> None:
    """Flat and nothing resting, as the exchange has it; no tag twice; never on the other side."""
    assert [day.net(spec) for spec in (NIFTY, STEEL, COAL)] == [0, 0, 0]
    assert day.working() == []
    tags = Counter(order.tag for order in day.replayed.venue.orders.values() if role_of_tag(order.tag))
    assert set(tags.values()) == {1}
    held: Counter[str] = Counter()
    wrong_sign = {"NIFTY25NOVFUT": -1, "STEEL": 1, "COAL": -1}
    for one in day.replayed.venue.ledger.executions:
        held[one.spec.tradingsymbol] += one.side.sign * one.quantity
        assert held[one.spec.tradingsymbol] * wrong_sign[one.spec.tradingsymbol] <= 0, one
    row = Flatten.objects.filter(session=day.desk.session).latest("pk")
    assert row.state == FlattenState.FLAT
    assert all(trade.closed_at for trade in day.trades())


def test_11_undisturbed_it_is_one_cancel_and_one_change_for_each_exit():
    day, line = busy_day()
    day.presses_flatten()
    goes_on(day)
    assert line.writes == WRITES
    assert_closed_once(day)


ANSWERS: dict[str, Fault] = {
    "reply lost": wire.lost(done=True),
    "call lost": wire.lost(done=False),
    "502 after it was done": wire.lost(502, done=True),
    "a page of HTML after it was done": wire.lost(200, done=True),
    "too many requests": wire.refused(429, "NetworkException", "Too many requests"),
    "no route to the order system": wire.refused(503, "GeneralException", "Kitetrade-oms is not reachable"),
    "being processed": wire.refused(400, "OrderException", BEING_PROCESSED),
    "refused": wire.refused(400, "InputException", "the broker says no"),
}


@pytest.mark.parametrize(("name", "number"), list(zip(ANSWERS, cycle(AT), strict=False)))
def test_11_flatten_is_right_when_one_call_is_answered_with(name, number):
    day, line = busy_day()
    line.will(number, ANSWERS[name])
    day.presses_flatten()
    goes_on(day)
    assert_closed_once(day)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", AT)
def test_11_flatten_goes_on_after_a_crash_around_each_call(number, done):
    day, line = busy_day()
    line.will(number, wire.crash(done=done))
    with pytest.raises(SimulatedCrash):
        day.presses_flatten()
    assert day.restarts() == 1
    goes_on(day)
    assert_closed_once(day)


@pytest.mark.parametrize("number", AT[1:2])
def test_11_a_token_that_dies_in_mid_flatten_and_comes_back_ends_flat(number):
    day, line = busy_day()

    def dies(call: wire.Call) -> None:
        line.token_is_dead = True
        raise write_error(wire.DEAD_TOKEN)

    line.will(number, dies)
    with pytest.raises(SessionExpired):
        day.presses_flatten()
        day.run_for(30)
    line.token_is_dead = False
    day.restarts()
    goes_on(day)
    assert_closed_once(day)


@pytest.mark.parametrize(("spec", "number"), [(NIFTY, 2), (STEEL, 1), (NIFTY, WRITES)])
def test_11_a_stop_that_is_hit_in_the_moment_of_its_change_exits_once(number, spec):
    day, line = busy_day()
    price = {"NIFTY25NOVFUT": "24915", "STEEL": "1013"}[spec.tradingsymbol]

    def is_hit() -> None:
        day.market.goes_to(price, spec=spec)
        day.replayed.venue.apply_frame(day.market.frame_at(day.now))

    line.will(number, wire.after(is_hit))
    day.presses_flatten()
    goes_on(day)
    assert_closed_once(day)


def test_11_an_entry_that_fills_while_it_is_cancelled_is_closed():
    day, line = busy_day()

    def fills() -> None:
        day.market.offers(750, 750, 750, spec=COAL)
        day.replayed.venue.apply_frame(day.market.frame_at(day.now))

    line.will(1, wire.after(fills))
    day.presses_flatten()
    day.run_for(30)
    assert [order.filled > 0 for order in day.broker_orders(Role.ENTRY)][-1]
    assert_closed_once(day)


def test_11_a_market_that_takes_only_a_part_is_asked_until_everything_is_gone():
    day, _ = busy_day()
    day.market.offers(50, spec=NIFTY)
    day.market.offers(7, spec=STEEL)
    day.run_for(3)
    day.presses_flatten()
    day.run_for(6)
    day.market.offers(750, 750, 750, spec=NIFTY)
    day.market.offers(5000, spec=STEEL)
    goes_on(day)
    assert_closed_once(day)


def test_11_an_order_book_that_lags_five_seconds_delays_the_verdict_and_nothing_else():
    day, _ = busy_day()
    day.broker.book_stands_still()
    day.presses_flatten()
    day.run_for(5)
    day.broker.book_goes_on()
    goes_on(day)
    assert_closed_once(day)


def test_11_without_a_single_order_update_it_is_flat_all_the_same():
    day, _ = busy_day()
    day.broker.tells_updates = False
    day.presses_flatten()
    goes_on(day)
    assert_closed_once(day)
