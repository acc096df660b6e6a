"""What the campaign once found, each as a plain scenario: kept for good, whatever later seeds draw."""

from decimal import Decimal
from typing import Any

import pytest

from oco import books, groups
from oco.reconciliation import Reconciler
from oco.views import ExitPolicy
from risk import state
from tests.days.broker import SimulatedCrash, Trouble
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from trading import account
from trading.broker.base import BrokerUnavailable
from trading.core.enums import (
    ExitReason,
    GroupState,
    OrderStatus,
    OrderType,
    PauseReason,
    Product,
    RiskReason,
    Role,
    Side,
)
from trading.core.order_states import next_status
from trading.lease import FenceLost
from trading.models import Order

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


def test_a_stop_given_up_that_executes_after_all_is_taken_back_at_once_and_booked():
    """Seed 24: the position had been closed; the stop filled then, the books refused it, and 75 stayed short."""
    day = Day.opens()
    day.broker.will(Trouble.CALL_LATE, Role.STOP)
    day.enters(within_s=15)
    assert (day.net(), day.groups()[0].state) == (0, GroupState.CLOSING)
    day.price_goes_to("24905")
    day.broker.tells_updates = False
    day.broker.book_stands_still()
    day.broker.late_calls_arrive()
    day.run_for(3)
    day.price_goes_to("24880")
    day.broker.book_goes_on()
    assert [order.filled for order in day.broker_orders(Role.STOP)] == [75]
    day.run_for(9)
    assert (day.net(), day.working()) == (0, [])
    closing, back = day.broker_orders(Role.EXIT)
    assert (closing.side, back.side, back.filled) == (Side.SELL, Side.BUY, 75)
    (group,) = day.groups()
    assert group.state == GroupState.CLOSED
    (trade,) = day.trades()
    assert trade.closed_at is not None
    assert (trade.entered_quantity, trade.exited_quantity) == (75, 75)
    assert trade.gross_inr == sum(
        -Side(fill.side).sign * fill.quantity * fill.price for fill in trade.fills.all()
    )


def test_a_closed_group_opens_again_when_its_cancelled_exit_executes_after_all():
    day = Day.opens()
    day.enters()
    day.price_goes_to("25310")
    day.run_for(3)
    (group,) = day.groups()
    assert group.state == GroupState.CLOSED
    (stop,) = day.orders(Role.STOP)
    Order.objects.filter(pk=stop.pk).update(quantity=150, filled_quantity=150)
    groups.follow_exit(day.desk, Order.objects.get(pk=stop.pk))
    group.refresh_from_db()
    assert (group.state, group.closed_at, group.close_reason) == (GroupState.CLOSING, None, ExitReason.TARGET)


def test_positions_that_lag_do_not_make_somebody_else_close_ours():
    """Seed 8: two looks within two seconds saw an old book; both stops were cancelled and the long stayed bare."""
    day = Day.opens()
    flat = day.broker.paper.position_reports()
    day.broker.old_positions = flat
    day.enters(within_s=5)
    day.run_for(1)
    day.broker.old_positions = None
    day.run_for(9)
    assert (day.net(), day.working()) == (75, [("SELL", 75)])
    (group,) = day.groups()
    assert (group.taken_by_others_quantity, group.state) == (0, GroupState.ARMED)
    assert state.reasons_off(day.account.pk) == frozenset()


def test_a_history_that_does_not_know_the_order_yet_leaves_the_pass_whole():
    """Seed 24: the read was given up, and with it everything else that pass had to do."""
    day = Day.opens()
    day.broker.histories_missing = 2
    day.enters()
    assert day.groups()[0].state == GroupState.ARMED
    assert day.working() == [("SELL", 75)]
    assert day.broker.histories_missing == 0


def test_what_the_trade_book_has_not_told_counts_as_risk_already():
    """Seed 24: an entry's heat was nothing from its fill in the order book to its row in the trade book."""
    day = Day.opens()
    day.broker.trades_are_held_back = True
    day.enters()
    (trade,) = day.trades()
    assert (trade.entered_quantity, trade.closed_at) == (0, None)
    taken = account.snapshot(day.desk, day.loop.quote, Decimal(2_500_000))
    # Bought at 25,000.10 with the stop at 24,900: 100.10 on 75.
    assert taken.open_heat_inr == Decimal("7507.50")
    assert taken.open_positions == 1


def test_a_trade_book_that_cannot_be_read_leaves_no_position_without_its_stop():
    """Seed 9: the entry was known to be filled, then its trades could not be read: bare for a minute."""
    day = Day.opens()
    day.broker.trade_books_that_fail = 1
    with pytest.raises(BrokerUnavailable):
        day.enters()
    day.run_for(3)
    assert day.working() == [("SELL", 75)]
    assert [fill.quantity for fill in day.trades()[0].fills.all()] == [75]


def test_an_exit_that_fills_beside_the_brokers_square_off_is_taken_back():
    """Seed 5: the stop filled in the moment in which the broker squared off; what it turned round stayed so."""
    day = Day.opens()
    day.enters()
    day.broker.tells_updates = False
    day.broker.book_stands_still()
    by_hand(day, 75)
    day.price_goes_to("24890")
    assert day.net() == -75
    day.broker.book_goes_on()
    day.run_for(20)
    assert (day.net(), day.working()) == (0, [])
    (back,) = day.broker_orders(Role.EXIT)
    assert (back.side, back.filled) == (Side.BUY, 75)
    (trade,) = day.trades()
    assert (trade.entered_quantity, trade.exited_quantity, trade.closed_at is None) == (75, 0, False)


def test_a_take_back_that_may_have_been_sent_is_waited_for_and_sent_once():
    """Seed 816: the process died before the call; whether the order exists nobody knows for two minutes."""
    day = Day.opens()
    day.enters()
    day.broker.tells_updates = False
    day.broker.book_stands_still()
    by_hand(day, 75)
    day.price_goes_to("24890")
    day.broker.book_goes_on()
    day.broker.will(Trouble.CRASH_BEFORE, Role.EXIT)
    with pytest.raises(SimulatedCrash):
        day.run_for(20)
    day.restarts()
    day.run_for(110)
    assert (day.net(), day.broker.asked.count(("place", Role.EXIT))) == (-75, 1)
    day.run_for(20)
    assert (day.net(), day.working(), len(day.broker_orders(Role.EXIT))) == (0, [], 1)


def test_a_process_that_was_stopped_books_nothing_when_it_wakes_up():
    """Seed 13: it had seen what a hand had sold, and booked it again after its successor had; 329 stayed bare."""
    day = Day.opens()
    day.enters()
    stopped, seen = day.desk, groups.live(day.desk, ExitPolicy())
    by_hand(day, 75)
    day.restarts()
    day.run_for(9)
    assert (day.groups()[0].taken_by_others_quantity, day.working()) == (75, [])
    book = books.read_all(stopped, frozenset())
    with pytest.raises(FenceLost, match="no longer leads"):
        Reconciler().look(stopped, seen, account.holdings(stopped), book, is_calm=True)
    with pytest.raises(FenceLost, match="no longer leads"):
        groups.break_group(stopped, seen[0].row, "nothing")
    assert (day.groups()[0].taken_by_others_quantity, day.groups()[0].problem) == (75, "")


def test_a_position_that_is_gone_is_looked_at_again_before_its_stop_can_fill():
    """Seed 552: one look saw it gone, the next came fifteen seconds later, and the stop had turned the account."""
    day = Day.opens()
    day.enters()
    day.broker.tells_updates = False
    day.broker.book_stands_still()
    by_hand(day, 75)
    day.run_for(3)
    assert day.net() == 0
    day.watcher.reads.read_all_now(day.desk.clocks.machine_now())
    day.run_for(12)
    assert day.working() == []
    assert day.groups()[0].taken_by_others_quantity == 75


def test_what_a_square_off_turned_beside_our_closing_order_waits_for_no_lost_stop():
    """Seed 513: the group held nothing and waited two minutes for a stop that nobody had seen; so did the short."""
    day = Day.opens()
    day.broker.will(Trouble.CALL_LOST, Role.STOP)
    day.enters(within_s=3)
    assert day.net() == 75
    day.broker.old_positions = day.broker.paper.position_reports()
    day.broker.tells_updates = False
    day.broker.book_stands_still()
    by_hand(day, 75)
    day.run_for(12)
    assert day.net() == -75
    day.broker.old_positions = None
    day.broker.book_goes_on()
    day.run_for(12)
    assert (day.net(), day.working()) == (0, [])
    assert day.groups()[0].state == GroupState.CLOSING
    day.run_for(120)
    assert day.groups()[0].state == GroupState.CLOSED


def test_news_of_somebody_elses_trade_stay_news_until_our_groups_agree():
    """Seed 710: the same, and an entry elsewhere that nobody had heard of: the one look at it came too early."""
    day = Day.opens(NIFTY, STEEL)
    day.enters()
    day.broker.tells_updates = False
    day.broker.will(Trouble.CALL_LOST, Role.ENTRY)
    day.enters(spec=STEEL, stop="990", target="1030", within_s=3)
    day.broker.book_stands_still()
    by_hand(day, 75)
    day.price_goes_to("24890")
    assert day.net() == -75
    day.broker.book_goes_on()
    day.run_for(20)
    assert (day.net(), day.working()) == (0, [])


def test_what_both_closed_is_taken_back_once_and_never_what_a_hand_sold_beyond_it():
    """Seed 774: one group took back what two had exited and what a hand had oversold; its trade could not be booked."""
    day = Day.opens()
    day.enters(stop="24920", target="25300")
    assert (day.net(), sorted(day.working())) == (150, [("SELL", 75), ("SELL", 75)])
    day.broker.tells_updates = False
    day.broker.book_stands_still()
    by_hand(day, 150)
    by_hand(day, 75)
    day.price_goes_to("24910")
    assert day.net() == -225
    day.broker.book_goes_on()
    # The call that takes back the first group's units applies, its answer is lost: the row lags the order.
    day.broker.will(Trouble.REPLY_LOST, Role.EXIT)
    day.run_for(40)
    back = day.broker_orders(Role.EXIT)
    assert [(order.side, order.filled) for order in back] == [(Side.BUY, 75), (Side.BUY, 75)]
    # What the hand sold beyond our position is the hand's.
    assert (day.net(), day.working()) == (-75, [])
    assert [group.state for group in day.groups()] == [GroupState.CLOSED] * 2
    assert [group.taken_by_others_quantity for group in day.groups()] == [75, 75]
    (trade,) = day.trades()
    assert (trade.entered_quantity, trade.exited_quantity, trade.closed_at is None) == (150, 0, False)
    assert state.reasons_off(day.account.pk) == {PauseReason.RECONCILIATION}
