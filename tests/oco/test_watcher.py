"""The inbound pass: bounded, safe to run twice, and woken when it is needed."""

from datetime import timedelta

import pytest

from oco.watcher import SOON, WatchPass
from risk import state
from tests.days.broker import Trouble
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from trading.core.enums import GroupState, OrderStatus, Role

pytestmark = pytest.mark.django_db


def test_a_pass_with_nothing_to_do_does_nothing():
    day = Day.opens()
    day.enters()
    day.run_for(30)
    assert day.watcher.run_pass() == WatchPass()


def test_a_pass_run_twice_sends_nothing_twice():
    day = Day.opens()
    signal = day.sees(stop="24920", target="25300")
    assert signal is not None
    day.decides(signal)
    for _ in range(20):
        day.watcher.wake()
        day.watcher.run_pass()
    day.run_for(6)
    assert day.broker.asked.count(("place", Role.STOP)) == 2
    assert day.broker.asked.count(("place", Role.ENTRY)) == 1


def test_a_calm_pass_asks_the_database_nothing(django_assert_num_queries):
    day = Day.opens()
    day.enters()
    day.run_for(12)
    day.watcher.run_pass()
    with django_assert_num_queries(0):
        day.watcher.run_pass()


def test_while_something_is_unsettled_the_next_pass_is_due_soon():
    day = Day.opens()
    day.broker.will(Trouble.CALL_LOST, Role.STOP)
    day.enters(within_s=1)
    due = day.watcher.next_due()
    assert due is not None
    assert due - day.now <= SOON


def test_a_rested_entry_whose_cancel_is_unanswered_does_not_spin_the_watcher():
    day = Day.opens()
    day.market.offers(0)
    day.run_for(3)
    day.broker.will(Trouble.CALL_LOST, Role.ENTRY, "cancel")
    day.enters(within_s=1)
    day.run_for(11)
    assert day.broker.asked.count(("cancel", Role.ENTRY)) == 1
    due = day.watcher.next_due()
    assert due is not None
    assert due > day.now


def test_an_entry_on_its_way_is_read_soon_without_any_update():
    day = Day.opens()
    day.broker.tells_updates = False
    day.market.offers(0)
    day.run_for(3)
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    day.decides(signal)
    day.run_for(1)
    assert day.orders(Role.ENTRY)[0].status == OrderStatus.ACCEPTED


def test_cancels_beyond_the_order_rate_wait_and_protection_goes_on():
    day = Day.opens(NIFTY, STEEL)
    limits = state.limits_in_force(day.account.pk)
    limits.pk, limits.version, limits.orders_per_s, limits.entries_per_s = None, 2, 1, 1
    limits.save(force_insert=True)
    day.market.offers(0)
    day.market.offers(0, spec=STEEL)
    day.run_for(3)
    day.enters(within_s=2)
    day.enters(spec=STEEL, stop="990", target="1030", within_s=2)
    assert len(day.working()) == 2
    day.presses_flatten()
    day.run_for(6)
    assert day.working() == []
    assert {order.status for order in day.orders(Role.ENTRY)} == {OrderStatus.CANCELED}


def test_a_trailing_stop_follows_closed_candles_and_only_one_way():
    day = Day.opens()
    day.enters(stop="24900", target="25500")
    day.price_goes_to("25150", frames=10)
    day.run_for(66)
    raised = day.groups()[0].stop_price
    assert raised > 25000
    day.price_goes_to("25145", frames=2)
    day.run_for(66)
    assert day.groups()[0].stop_price == raised
    assert day.groups()[0].state == GroupState.ARMED
    assert day.broker_orders(Role.STOP)[0].trigger_paise == int(raised * 100)
    assert len(day.broker_orders(Role.STOP)) == 1


def test_a_group_with_a_lasting_contradiction_is_broken_shown_and_still_exits():
    day = Day.opens()
    day.enters()
    (group,) = day.groups()
    group.initial_stop_price, group.stop_price = group.stop_price, group.stop_price - 100
    group.save()
    day.watcher.wake()
    day.run_for(6)
    (group,) = day.groups()
    assert group.state == GroupState.BROKEN
    assert "loosened" in group.problem
    day.presses_flatten()
    day.run_for(6)
    assert (day.net(), day.working()) == (0, [])


def test_the_next_pass_is_due_when_the_days_table_says():
    day = Day.opens()
    day.run_for(3)
    due = day.watcher.next_due()
    assert due is not None
    assert day.now < due <= day.now + timedelta(seconds=60)
