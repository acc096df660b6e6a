"""What the campaign once found, each as a plain scenario: kept for good, whatever later seeds draw."""

from typing import Any

import pytest

from risk import state
from tests.days.broker import Trouble
from tests.days.desk import Day
from tests.days.market import NIFTY
from trading.core.enums import GroupState, OrderStatus, OrderType, Product, RiskReason, Role, Side
from trading.core.order_states import next_status

pytestmark = pytest.mark.django_db


def by_hand(day: Day, quantity: int) -> None:
    """The user sells on the broker's own terminal."""
    request: dict[str, Any] = {
        "exchange": NIFTY.exchange,
        "tradingsymbol": NIFTY.tradingsymbol,
        "transaction_type": Side.SELL,
        "order_type": OrderType.MARKET,
        "quantity": quantity,
        "product": Product.MIS,
        "market_protection": -1,
    }
    day.replayed.venue.place_as_other(request, day.now, "user")


def test_a_stop_guards_the_position_while_nobody_knows_whether_its_closing_order_exists():
    """Seed 4: the stop's call was lost, then the closing order's; 169 s passed without any order that could fill."""
    day = Day.opens()
    day.broker.will(Trouble.CALL_LOST, Role.STOP)
    day.broker.will(Trouble.CALL_LOST, Role.EXIT)
    day.enters(within_s=45)
    assert day.net() == 75
    assert day.working() == [("SELL", 75)]
    (guard,) = day.broker_orders(Role.STOP)
    assert guard.is_stop
    assert day.broker.asked.count(("place", Role.EXIT)) == 1
    day.run_for(150)
    assert (day.net(), day.working()) == (0, [])
    assert day.broker_orders(Role.EXIT) == []


def test_a_closing_order_that_arrives_beside_its_guard_leaves_nothing_behind():
    """Seed 5: an accepted closing order reached the exchange a minute later."""
    day = Day.opens()
    day.broker.will(Trouble.CALL_LOST, Role.STOP)
    day.broker.will(Trouble.CALL_LATE, Role.EXIT)
    day.enters(within_s=45)
    assert day.working() == [("SELL", 75)]
    day.broker.late_calls_arrive()
    day.run_for(6)
    assert (day.net(), day.working()) == (0, [])
    # The group waits for the stop that nobody has seen; then it is done.
    day.run_for(130)
    assert day.groups()[0].state == GroupState.CLOSED


def test_a_refusal_read_twice_of_an_order_lost_sight_of_needs_no_operator():
    """Seed 1: the book said REJECTED of an order we had closed as CANCELED, and entries stayed off for the day."""
    assert next_status(OrderStatus.UNKNOWN, OrderStatus.REJECTED) is OrderStatus.CANCELED
    assert next_status(OrderStatus.CANCELED, OrderStatus.REJECTED) is OrderStatus.CANCELED


def test_a_trade_that_the_users_hand_closed_is_closed_here_too():
    """Seed 7: the trade stayed open and kept its instrument busy for the rest of the day."""
    day = Day.opens()
    day.enters()
    by_hand(day, 75)
    day.run_for(30)
    assert (day.net(), day.working()) == (0, [])
    (trade,) = day.trades()
    assert trade.closed_at is not None
    assert (trade.entered_quantity, trade.exited_quantity) == (75, 0)
    assert (trade.gross_inr, trade.net_inr) == (0, -trade.charges_inr)
    day.run_for(60)
    assert state.reasons_off(day.account.pk) == frozenset()
    # Charges made it a small loss, which its instrument rests from; it is not busy any more.
    assert [one["reason"] for one in day.enters().reasons] == [RiskReason.COOLDOWN]


def test_no_exit_follows_a_square_off_by_the_broker():
    """Seed 5: the broker cancelled the stop and closed the position; our closing order turned it round."""
    day = Day.opens()
    day.enters()
    day.replayed.venue.square_off_mis(day.now)
    day.run_for(20)
    assert (day.net(), day.working()) == (0, [])
    assert day.broker.asked.count(("place", Role.EXIT)) == 0
    assert day.groups()[0].taken_by_others_quantity == 75
