"""Lessons section 6, 4 to 8 and 13: what is held is always covered once, and leaves once."""

from datetime import timedelta
from decimal import Decimal

import pytest

from risk import state
from tests.days.broker import SimulatedCrash, Trouble
from tests.days.desk import Day
from trading.core.enums import ExitReason, GroupState, LegState, OrderStatus, PauseReason, Role, Side
from trading.core.values import PositionReport
from trading.models import Order

pytestmark = pytest.mark.django_db

CLOSED = GroupState.CLOSED


def reasons(day: Day) -> list[str]:
    return [group.exit_reason for group in day.groups()]


def assert_never_turned_round(day: Day) -> None:
    assert min(net for _, net, _ in day.tape) >= 0
    assert (day.net(), day.working()) == (0, [])
    (trade,) = day.trades()
    assert trade.closed_at is not None
    assert trade.entered_quantity == trade.exited_quantity


def test_4_after_the_first_target_the_rest_is_covered_and_its_stop_is_at_break_even():
    day = Day.opens()
    day.enters(stop="24920", first_target="25060", target="25200")
    assert [(group.entered_quantity, group.target_price) for group in day.groups()] == [
        (75, Decimal("25060.00")),
        (75, Decimal("25200.00")),
    ]
    day.price_goes_to("25065", frames=5)
    day.run_for(3)
    first, second = day.groups()
    assert (first.state, first.exit_reason) == (CLOSED, ExitReason.TARGET)
    assert (second.state, second.stop_price) == (GroupState.ARMED, Decimal("25000.10"))
    assert day.working() == [("SELL", 75)]
    day.price_goes_to("24990", frames=5)
    day.run_for(3)
    assert reasons(day) == [ExitReason.TARGET, ExitReason.TRAIL]
    held = [(net, covering) for _, net, covering in day.tape if net]
    assert held
    assert all(covering == net for net, covering in held)
    assert_never_turned_round(day)


def test_4_each_group_has_one_exit_order_from_the_beginning_to_the_end():
    day = Day.opens()
    day.enters(stop="24920", first_target="25060", target="25200")
    day.price_goes_to("25210", frames=20)
    day.run_for(3)
    assert reasons(day) == [ExitReason.TARGET, ExitReason.TARGET]
    assert day.broker.asked.count(("place", Role.STOP)) == 2
    assert day.broker_orders(Role.EXIT) == []
    legs = {leg.kind: leg.state for leg in day.groups()[1].legs.all()}
    assert legs == {"STOP": LegState.CANCELED, "TARGET": LegState.FILLED}


def test_5_stop_and_target_in_the_same_sweep_exit_once():
    day = Day.opens()
    day.enters()
    day.market.offers(0)
    day.price_goes_to("25310")
    assert day.groups()[0].close_reason == ExitReason.TARGET
    day.market.offers(750, 750)
    day.price_goes_to("24880")
    day.run_for(6)
    assert [order.filled for order in day.broker_orders(Role.STOP)] == [75]
    assert day.broker_orders(Role.EXIT) == []
    assert_never_turned_round(day)


def test_a_stop_that_is_hit_closes_at_the_market_and_books_the_loss():
    day = Day.opens()
    day.enters()
    day.price_goes_to("24899", frames=10)
    day.run_for(3)
    (trade,) = day.trades()
    assert reasons(day) == [ExitReason.STOP]
    assert trade.gross_inr == Decimal("-7590.00")
    assert trade.net_inr == trade.gross_inr - trade.charges_inr
    assert_never_turned_round(day)


def test_a_stop_jumped_by_a_gap_is_repriced_until_flat():
    day = Day.opens()
    day.enters()
    day.price_goes_to("24600")
    jumped_at = day.now
    day.run_for(9)
    (trade,) = day.trades()
    assert trade.closed_at is not None
    assert trade.closed_at - jumped_at < timedelta(seconds=5)
    assert [(order.filled, order.modifications > 0) for order in day.broker_orders(Role.STOP)] == [(75, True)]
    assert_never_turned_round(day)


def test_7_a_refused_stop_closes_the_position_within_five_seconds():
    day = Day.opens()
    day.broker.will(Trouble.REFUSED, Role.STOP)
    day.enters()
    (trade,) = day.trades()
    assert trade.closed_at is not None
    assert trade.closed_at - trade.opened_at < timedelta(seconds=5)
    assert reasons(day) == [ExitReason.UNPROTECTED]
    assert day.broker.asked.count(("place", Role.STOP)) == 1
    assert_never_turned_round(day)


def test_7_a_closing_order_that_is_refused_too_is_placed_again_until_flat():
    day = Day.opens()
    day.broker.will(Trouble.REFUSED, Role.STOP)
    day.broker.will(Trouble.REFUSED, Role.EXIT, times=2)
    day.enters(within_s=21)
    assert [order.status for order in day.orders(Role.EXIT)] == [
        OrderStatus.REJECTED,
        OrderStatus.REJECTED,
        OrderStatus.FILLED,
    ]
    assert_never_turned_round(day)


def test_7_a_stop_nobody_has_seen_after_five_seconds_is_not_replaced_by_a_stop():
    day = Day.opens()
    day.broker.will(Trouble.CALL_LATE, Role.STOP)
    day.enters(within_s=15)
    assert day.broker.asked.count(("place", Role.STOP)) == 1
    assert [order.filled for order in day.broker_orders(Role.EXIT)] == [75]
    assert day.net() == 0
    day.broker.late_calls_arrive()
    day.run_for(6)
    assert [order.status for order in day.orders(Role.STOP)] == [OrderStatus.CANCELED]
    assert_never_turned_round(day)


def test_7_a_stop_whose_reply_was_lost_is_found_by_its_tag_and_stays_the_only_one():
    day = Day.opens()
    day.broker.will(Trouble.REPLY_LOST, Role.STOP)
    day.enters()
    assert len(day.broker_orders(Role.STOP)) == 1
    assert day.groups()[0].state == GroupState.ARMED
    assert day.working() == [("SELL", 75)]


def test_8_a_restart_in_the_middle_goes_on_without_a_second_stop():
    day = Day.opens()
    day.enters(stop="24920", first_target="25060", target="25200")
    day.price_goes_to("25065", frames=5)
    day.run_for(3)
    before = [(group.state, group.stop_price) for group in day.groups()]
    assert day.restarts() == 0
    day.run_for(12)
    assert [(group.state, group.stop_price) for group in day.groups()] == before
    assert len(day.broker_orders(Role.STOP)) == 2
    day.price_goes_to("25210", frames=10)
    day.run_for(3)
    assert reasons(day) == [ExitReason.TARGET, ExitReason.TARGET]
    assert_never_turned_round(day)


@pytest.mark.parametrize("seam", [Trouble.CRASH_BEFORE, Trouble.CRASH_AFTER])
def test_8_a_crash_around_the_stops_placement_leaves_one_stop_or_a_closed_position(seam):
    day = Day.opens()
    day.broker.will(seam, Role.STOP)
    with pytest.raises(SimulatedCrash):
        day.enters()
    assert day.restarts() == 1
    day.run_for(15)
    stops, exits = day.broker_orders(Role.STOP), day.broker_orders(Role.EXIT)
    expected = (0, [75], 0) if seam is Trouble.CRASH_BEFORE else (1, [], 75)
    assert (len(stops), [order.filled for order in exits], day.net()) == expected
    assert sum(units for _, units in day.working()) == day.net()


@pytest.mark.parametrize("seam", [Trouble.CRASH_BEFORE, Trouble.CRASH_AFTER])
def test_8_a_crash_while_the_target_is_taken_still_exits_once(seam):
    day = Day.opens()
    day.enters()
    day.broker.will(seam, Role.STOP, "modify")
    with pytest.raises(SimulatedCrash):
        day.price_goes_to("25310", frames=5)
    assert day.restarts() == 1
    day.run_for(12)
    assert reasons(day) == [ExitReason.TARGET]
    assert [order.filled for order in day.broker_orders(Role.STOP)] == [75]
    assert_never_turned_round(day)


def test_13_a_stale_feed_allows_no_entry():
    day = Day.opens()
    day.market.falls_silent()
    day.run_for(9)
    decision = day.enters()
    assert [one["reason"] for one in decision.reasons] == ["STALE_PRICE"]
    assert day.broker.asked == []


def test_13_a_feed_that_falls_silent_after_the_entry_still_gets_the_position_its_stop():
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    day.market.falls_silent()
    day.decides(signal)
    day.run_for(30)
    (group,) = day.groups()
    assert group.unprotected_ms < 5000
    assert (day.net(), day.working()) == (75, [("SELL", 75)])


def test_13_an_armed_group_is_closed_without_a_feed():
    day = Day.opens()
    day.enters()
    day.market.falls_silent()
    day.run_for(30)
    day.presses_flatten()
    day.run_for(6)
    assert reasons(day) == [ExitReason.OPERATOR]
    assert_never_turned_round(day)


def test_stops_beyond_the_order_rate_wait_for_the_next_second():
    day = Day.opens()
    limits = state.limits_in_force(day.account.pk)
    limits.pk, limits.version, limits.orders_per_s, limits.entries_per_s = None, 2, 2, 1
    limits.save(force_insert=True)
    day.enters(stop="24920", target="25300")
    entry, first, second = Order.objects.filter(session=day.desk.session).order_by("pk")
    assert second.asked_at - entry.asked_at >= timedelta(seconds=1)
    assert first.asked_at - entry.asked_at < timedelta(seconds=1)
    assert [group.unprotected_ms < 5000 for group in day.groups()] == [True, True]
    assert day.working() == [("SELL", 75), ("SELL", 75)]


HAND = {
    "exchange": "NFO",
    "tradingsymbol": "NIFTY25NOVFUT",
    "order_type": "LIMIT",
    "product": "MIS",
    "validity": "DAY",
}


def by_hand(day: Day, side: Side, quantity: int, price: int) -> str:
    request = HAND | {"transaction_type": side.value, "quantity": quantity, "price": price}
    return day.replayed.venue.place_as_other(request, day.now, "AB1234-WEB")


def test_somebody_elses_resting_order_is_never_touched():
    day = Day.opens()
    hand = by_hand(day, Side.SELL, 75, 25900)
    day.enters()
    day.presses_flatten()
    day.run_for(6)
    assert day.net() == 0
    assert day.replayed.venue.orders[hand].pending == 75
    assert not day.replayed.venue.orders[hand].is_closed


def test_a_position_closed_by_hand_takes_its_stop_with_it_and_pauses_entries():
    day = Day.opens()
    day.enters()
    by_hand(day, Side.SELL, 75, 24950)
    day.run_for(24)
    assert (day.net(), day.working()) == (0, [])
    assert reasons(day) == [ExitReason.OTHERS]
    day.price_goes_to("24800", frames=3)
    assert day.net() == 0


def lags_behind(day: Day, positions: list[PositionReport], seconds: float) -> None:
    """The broker's positions show these instead of what is, for so long, and they are looked at."""
    day.broker.old_positions = positions
    day.watcher.reads.read_all_now(day.desk.clocks.machine_now())
    day.run_for(seconds)
    day.broker.old_positions = None


def test_a_difference_seen_once_counts_anew_when_it_comes_again():
    day = Day.opens()
    day.enters()
    lags_behind(day, [], 4)
    day.run_for(60)
    lags_behind(day, [], 4)
    day.run_for(9)
    assert day.groups()[0].taken_by_others_quantity == 0
    assert (day.net(), day.working()) == (75, [("SELL", 75)])


def test_what_was_booked_as_taken_and_nobody_took_is_protected_again_and_closed():
    day = Day.opens()
    day.enters()
    lags_behind(day, [], 60)
    assert day.groups()[0].taken_by_others_quantity == 75
    day.run_for(90)
    (group,) = day.groups()
    assert (group.taken_by_others_quantity, group.state) == (0, GroupState.CLOSED)
    assert (day.net(), day.working()) == (0, [])
    assert_never_turned_round(day)


def test_a_hand_that_undoes_what_it_did_is_forgotten_within_half_a_minute():
    day = Day.opens()
    day.enters()
    by_hand(day, Side.BUY, 75, 25100)
    day.run_for(24)
    day.presses_flatten()
    day.run_for(12)
    assert PauseReason.RECONCILIATION in state.reasons_off(day.account.pk)
    day.broker.tells_updates = False
    by_hand(day, Side.SELL, 75, 24900)
    day.run_for(33)
    assert day.net() == 0
    assert PauseReason.RECONCILIATION not in state.reasons_off(day.account.pk)


def test_the_same_news_again_and_again_changes_nothing():
    day = Day.opens()
    day.enters()
    placed = [order.order_id for role in (Role.ENTRY, Role.STOP) for order in day.broker_orders(role)]
    events = sum(order.events.count() for order in Order.objects.all())
    for _ in range(5):
        day.watcher.wake([*placed, *placed])
        day.watcher.run_pass()
    assert sum(order.events.count() for order in Order.objects.all()) == events
    assert (len(day.groups()), day.trades()[0].entered_quantity) == (1, 75)


def test_6_a_book_that_lags_changes_nothing_and_calls_nobody():
    day = Day.opens()
    day.market.offers(0)
    day.run_for(3)
    signal = day.sees(stop="24900", target="25300")
    day.decides(signal)
    day.run_for(1)
    day.broker.book_stands_still()
    day.market.offers(750)
    day.price_goes_to("25000")
    day.run_for(15)
    assert day.orders(Role.ENTRY)[0].status == OrderStatus.FILLED
    assert (day.net(), day.working()) == (75, [("SELL", 75)])
    day.broker.book_goes_on()
    day.run_for(18)
    assert PauseReason.RECONCILIATION not in state.reasons_off(day.account.pk)


def test_6_without_a_single_update_the_position_is_protected_within_two_seconds_and_leaves():
    day = Day.opens()
    day.broker.tells_updates = False
    day.enters()
    (trade,) = day.trades()
    (group,) = day.groups()
    assert group.state == GroupState.ARMED
    assert group.armed_at - trade.opened_at < timedelta(seconds=2)
    day.price_goes_to("25310", frames=3)
    day.run_for(9)
    assert reasons(day) == [ExitReason.TARGET]
    assert_never_turned_round(day)
