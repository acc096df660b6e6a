"""Lessons section 6, 1 to 3, 14, 16, 17 and 19: an entry is sent once, found again, and sized to what is allowed."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from risk import state
from risk.models import EntriesOff
from tests.days.broker import SimulatedCrash, Trouble
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL, ScriptedMarket
from trading.broker.base import BrokerRefused
from trading.core.enums import GroupState, Mode, OrderStatus, PauseReason, Role, Side
from trading.models import Command, Fill, Signal

pytestmark = pytest.mark.django_db


def assert_protected(day: Day, quantity: int) -> None:
    assert day.net() == quantity
    assert sum(units for side, units in day.working() if side == "SELL") == quantity
    assert {group.state for group in day.groups()} == {GroupState.ARMED}


def test_1_a_time_out_after_acceptance_leaves_exactly_one_broker_order_found_by_its_tag_and_protected():
    day = Day.opens()
    day.broker.will(Trouble.REPLY_LOST, Role.ENTRY)
    day.enters()
    (order,) = day.orders(Role.ENTRY)
    (at_broker,) = day.broker_orders(Role.ENTRY)
    assert order.commands.get().outcome == "UNKNOWN"
    assert (order.status, order.broker_order_id) == (OrderStatus.FILLED, at_broker.order_id)
    assert at_broker.tag == order.tag
    assert day.broker.asked.count(("place", Role.ENTRY)) == 1
    assert_protected(day, 75)


def test_1_a_call_that_never_arrived_is_not_sent_again_and_is_lost_after_two_minutes():
    day = Day.opens()
    day.broker.will(Trouble.CALL_LOST, Role.ENTRY)
    day.enters(within_s=110)
    (order,) = day.orders(Role.ENTRY)
    assert order.status == OrderStatus.UNKNOWN
    day.run_for(20)
    order.refresh_from_db()
    assert order.status == OrderStatus.LOST
    assert day.broker.asked == [("place", Role.ENTRY)]
    assert day.net() == 0


def test_1_while_an_entry_is_unknown_its_slot_stays_taken():
    day = Day.opens()
    day.broker.will(Trouble.CALL_LOST, Role.ENTRY)
    day.enters(within_s=60)
    second = day.enters()
    assert [one["reason"] for one in second.reasons] == ["INSTRUMENT_BUSY"]
    day.run_for(130)
    third = day.enters()
    assert third.approved


def test_1_an_order_that_arrives_after_it_was_given_up_is_cancelled_in_the_pass_that_sees_it():
    day = Day.opens()
    day.broker.will(Trouble.CALL_LATE, Role.ENTRY)
    day.enters(within_s=130)
    assert day.orders(Role.ENTRY)[0].status == OrderStatus.LOST
    day.price_goes_to("25050")
    day.broker.late_calls_arrive()
    day.run_for(70)
    (order,) = day.orders(Role.ENTRY)
    assert order.status == OrderStatus.CANCELED
    assert order.closed_at - order.accepted_at < timedelta(seconds=1)
    assert day.broker.asked == [("place", Role.ENTRY), ("cancel", Role.ENTRY)]
    assert (day.net(), day.working()) == (0, [])


def test_2_a_crash_between_intent_and_send_is_never_sent_after_the_restart():
    day = Day.opens()
    day.broker.will(Trouble.CRASH_BEFORE, Role.ENTRY)
    with pytest.raises(SimulatedCrash):
        day.enters()
    assert day.orders(Role.ENTRY)[0].status == OrderStatus.SUBMITTED
    assert day.restarts() == 1
    day.run_for(130)
    assert day.orders(Role.ENTRY)[0].status == OrderStatus.LOST
    assert day.broker_orders(Role.ENTRY) == []
    assert day.broker.asked == [("place", Role.ENTRY)]


def test_2_a_crash_between_send_and_acknowledgement_is_found_after_the_restart_and_protected():
    day = Day.opens()
    day.broker.will(Trouble.CRASH_AFTER, Role.ENTRY)
    with pytest.raises(SimulatedCrash):
        day.enters()
    assert day.restarts() == 1
    day.run_for(6)
    (order,) = day.orders(Role.ENTRY)
    (at_broker,) = day.broker_orders(Role.ENTRY)
    assert (order.status, order.broker_order_id) == (OrderStatus.FILLED, at_broker.order_id)
    assert Command.objects.get(order=order).outcome == "UNKNOWN"
    assert_protected(day, 75)


def test_3_a_partial_entry_that_is_cancelled_is_protected_for_exactly_what_filled():
    day = Day.opens()
    day.market.offers(25, 25, 25)
    day.run_for(3)
    day.market.goes_to("25020")
    day.enters(stop="24920", target="25300")
    (order,) = day.orders(Role.ENTRY)
    assert (order.quantity, order.filled_quantity) == (150, 75)
    day.run_for(12)
    order.refresh_from_db()
    assert order.status == OrderStatus.CANCELED
    assert [(group.planned_quantity, group.entered_quantity) for group in day.groups()] == [(75, 75)]
    assert_protected(day, 75)


def test_the_rest_of_an_entry_is_cancelled_as_soon_as_its_position_is_being_closed():
    """Each further fill would be without a stop until its own closing order is there."""
    day = Day.opens()
    day.market.offers(25, 25, 25)
    day.run_for(3)
    day.market.goes_to("25020")
    day.enters(stop="24920", target="25300", within_s=4)
    (order,) = day.orders(Role.ENTRY)
    assert (order.quantity, order.filled_quantity) == (150, 75)
    day.price_goes_to("25310")
    day.run_for(2)
    order.refresh_from_db()
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELED, 75)
    assert order.closed_at - order.accepted_at < timedelta(seconds=9)
    assert (day.net(), day.working()) == (0, [])


def test_3_an_entry_that_nobody_fills_is_cancelled_after_ten_seconds():
    day = Day.opens()
    day.market.offers(0)
    day.run_for(3)
    signal = day.sees(stop="24900", target="25300")
    day.market.goes_to("25050", frames=1)
    day.decides(signal)
    day.run_for(9)
    assert day.working() == [("BUY", 75)]
    day.run_for(6)
    assert (day.working(), day.net(), day.groups()) == ([], 0, [])
    assert day.orders(Role.ENTRY)[0].status == OrderStatus.CANCELED


def test_3_a_cancel_that_was_lost_is_asked_for_again():
    day = Day.opens()
    day.market.offers(0)
    day.run_for(3)
    day.broker.will(Trouble.CALL_LOST, Role.ENTRY, "cancel")
    day.enters(within_s=20)
    assert day.broker.asked == [("place", Role.ENTRY), ("cancel", Role.ENTRY), ("cancel", Role.ENTRY)]
    assert day.working() == []


def test_a_cancel_that_is_refused_is_asked_for_twice_a_second_at_most():
    day = Day.opens()
    day.market.offers(0)
    day.run_for(3)
    day.broker.will(Trouble.REFUSED, Role.ENTRY, "cancel", times=4)
    day.enters(within_s=20)
    cancels = list(Command.objects.filter(kind="CANCEL").order_by("pk").values_list("intent_at", flat=True))
    assert len(cancels) == 5
    assert all(later - earlier >= timedelta(seconds=0.5) for earlier, later in pairwise(cancels))
    assert day.working() == []


def test_14_below_one_lot_there_is_no_trade():
    day = Day.opens()
    decision = day.enters(stop="24800", target="25600")
    assert not decision.approved
    assert [one["reason"] for one in decision.reasons] == ["BELOW_ONE_LOT"]
    assert day.broker.asked == []


def test_14_above_the_freeze_quantity_an_entry_is_sent_in_slices_with_ids_and_exits_of_their_own():
    day = Day.opens(capital_inr="8000000")
    decision = day.enters(stop="24980", target="25100")
    assert decision.quantity == 1950
    entries = day.broker_orders(Role.ENTRY)
    assert [order.quantity for order in entries] == [1800, 150]
    assert len({order.tag for order in entries}) == 2
    shape = [(group.entry_order.slice, group.number, group.entered_quantity) for group in day.groups()]
    assert shape == [(0, 1, 900), (0, 2, 900), (1, 1, 75), (1, 2, 75)]
    assert sorted(order.quantity for order in day.broker_orders(Role.STOP)) == [75, 75, 900, 900]
    assert len({order.tag for order in day.broker_orders(Role.STOP)}) == 4
    stops = {order.client_order_id for order in day.orders(Role.STOP)}
    legs = {leg.client_order_id for group in day.groups() for leg in group.legs.filter(kind="STOP")}
    assert legs == stops
    assert_protected(day, 1950)
    assert len(day.trades()) == 1


def test_14_slices_beyond_the_order_rate_are_not_sent_and_what_was_sent_is_protected():
    day = Day.opens(capital_inr="40000000")
    decision = day.enters(stop="24980", target="25100", within_s=9)
    assert decision.quantity == 9825
    assert [order.quantity for order in day.orders(Role.ENTRY)] == [1800, 1800, 1800, 1800]
    held = day.net()
    assert held > 0
    day.run_for(6)
    assert sum(units for side, units in day.working() if side == "SELL") == day.net()


def test_16_paper_fills_by_the_quote_not_at_the_signals_price():
    day = Day.opens()
    day.market.goes_to("25012")
    day.run_for(3)
    signal = day.sees(stop="24900", target="25300", entry="25000")
    day.decides(signal)
    day.run_for(3)
    assert [fill.price for fill in Fill.objects.filter(side="BUY")] == [Decimal("25012.10")]


def test_16_a_quantity_larger_than_the_best_level_pays_the_next_ones():
    day = Day.opens()
    day.market.offers(75, 75)
    day.run_for(3)
    day.enters(stop="24920", target="25300")
    fills = [(fill.quantity, fill.price) for fill in Fill.objects.filter(side="BUY").order_by("pk")]
    assert fills == [(75, Decimal("25000.10")), (75, Decimal("25000.20"))]
    assert day.trades()[0].entry_value_inr == Decimal("3750022.5000")


def test_17_the_mode_is_stamped_on_each_decision_and_order():
    day = Day.opens()
    decision = day.enters()
    stamped = {decision.mode, day.orders(Role.ENTRY)[0].mode, day.orders(Role.STOP)[0].mode}
    assert stamped == {Mode.PAPER}


def test_17_a_live_account_sends_nothing_to_a_paper_broker():
    day = Day.opens()
    day.loop.desk.account.mode = Mode.LIVE
    decision = day.enters()
    assert [one["reason"] for one in decision.reasons] == ["MODE_NOT_ALLOWED"]
    assert day.broker.asked == []


def test_19_the_same_signal_twice_is_one_trade():
    day = Day.opens()
    candle_at = day.now.replace(second=0) - timedelta(minutes=1)
    first = day.sees(stop="24900", target="25300", candle_at=candle_at)
    day.decides(first)
    day.run_for(6)
    assert day.sees(stop="24900", target="25300", candle_at=candle_at) is None
    assert day.sees(stop="24890", target="25290", candle_at=candle_at) is None
    assert (Signal.objects.count(), len(day.trades()), day.net()) == (1, 1, 75)


def test_19_the_same_prices_on_the_next_day_are_a_new_trade():
    day = Day.opens()
    day.enters()
    day.ends()
    market = ScriptedMarket(NIFTY, trading_date=date(2025, 11, 4))
    next_day = Day.opens(account=day.account, market=market)
    next_day.enters()
    first, second = day.broker_orders(Role.ENTRY), next_day.broker_orders(Role.ENTRY)
    assert [len(first), len(second)] == [1, 1]
    assert first[0].tag != second[0].tag
    assert (next_day.net(), len(next_day.trades())) == (75, 1)


def test_a_share_is_sold_short_and_its_stop_buys():
    day = Day.opens(STEEL)
    decision = day.enters(stop="1005", target="985", side=Side.SELL, spec=STEEL)
    assert decision.approved
    assert day.net(STEEL) == -decision.quantity
    assert {side for side, _ in day.working()} == {"BUY"}


def test_an_order_refused_for_want_of_a_right_keeps_entries_off_until_somebody_logs_in():
    """A static address that is not whitelisted, or an app without orders: the token lives, yet nothing is taken."""
    day = Day.opens()

    def refused(request):
        raise BrokerRefused("Insufficient permission", error_type="PermissionException", http_status=403)

    day.broker.paper.place = refused
    day.enters()
    (order,) = day.orders(Role.ENTRY)
    assert order.status == OrderStatus.REJECTED
    off = EntriesOff.objects.get(lifted_at=None)
    assert (off.reason, off.set_by) == (PauseReason.LOGIN, "orders")
    assert (
        off.why
        == "The broker takes no order of ours: Insufficient permission. Put it right, then log in again."
    )
    state.resume(day.account.pk, by="operator", now=day.now)
    assert state.reasons_off(day.account.pk) == {PauseReason.LOGIN}
