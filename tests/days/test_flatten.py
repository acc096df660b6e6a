"""Lessons section 6, 11: the kill switch works once, always, and says only what it has read at the broker."""

from datetime import timedelta

import pytest

from oco import flatten
from oco.models import Flatten
from risk import state
from tests.days.broker import SimulatedCrash, Trouble
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from trading.core.enums import ExitReason, FlattenState, OrderStatus, PauseReason, Role

pytestmark = pytest.mark.django_db


def verdict(day: Day) -> Flatten:
    return Flatten.objects.filter(session=day.desk.session).latest("pk")


def test_11_flatten_pressed_twice_is_one_exit_and_leaves_nothing_resting():
    day = Day.opens()
    day.enters(stop="24920", first_target="25060", target="25200")
    first = day.presses_flatten()
    second = day.presses_flatten()
    day.run_for(6)
    day.presses_flatten()
    day.run_for(6)
    assert first.pk == second.pk
    assert (day.net(), day.working()) == (0, [])
    assert sum(order.filled for order in day.broker_orders(Role.STOP)) == 150
    assert day.broker_orders(Role.EXIT) == []
    assert min(net for _, net, _ in day.tape) >= 0
    assert {group.exit_reason for group in day.groups()} == {ExitReason.OPERATOR}


def test_11_with_a_healthy_broker_the_verdict_comes_within_two_seconds():
    day = Day.opens(NIFTY, STEEL)
    day.enters()
    day.enters(spec=STEEL, stop="990", target="1030")
    day.presses_flatten()
    day.run_for(6)
    row = verdict(day)
    assert (row.state, row.positions_at_start) == (FlattenState.FLAT, 2)
    assert row.took_ms is not None
    assert row.took_ms <= 2000


def test_11_flatten_latches_entries_until_the_operator_resumes():
    day = Day.opens()
    day.presses_flatten()
    refused = day.enters()
    assert [one["reason"] for one in refused.reasons] == ["ENTRIES_OFF"]
    assert state.resume(day.account.pk, by="operator", now=day.now) == frozenset()
    day.run_for(60)
    assert day.enters().approved


def test_11_flatten_cancels_entries_that_still_work():
    day = Day.opens()
    day.market.offers(0)
    day.run_for(3)
    signal = day.sees(stop="24900", target="25300")
    day.decides(signal)
    day.run_for(1)
    assert day.working() == [("BUY", 75)]
    day.presses_flatten()
    day.run_for(3)
    assert day.working() == []
    assert verdict(day).state == FlattenState.FLAT
    assert day.orders(Role.ENTRY)[0].status == OrderStatus.CANCELED


def test_11_an_unknown_entry_makes_the_verdict_flat_but_watching_and_its_late_fill_is_closed():
    day = Day.opens()
    day.broker.will(Trouble.CALL_LATE, Role.ENTRY)
    day.enters(within_s=1)
    day.presses_flatten()
    day.run_for(3)
    row = verdict(day)
    assert row.state == FlattenState.FLAT_BUT_WATCHING
    assert row.verdict["unknown_entries"] == [day.orders(Role.ENTRY)[0].client_order_id]
    day.broker.late_calls_arrive()
    day.run_for(9)
    assert [order.filled for order in day.broker_orders(Role.ENTRY)] == [75]
    assert (day.net(), day.working()) == (0, [])
    assert [group.exit_reason for group in day.groups()] == [ExitReason.OPERATOR]


def test_11_a_flatten_that_a_crash_interrupted_goes_on_after_the_restart():
    day = Day.opens()
    day.enters()
    day.broker.will(Trouble.CRASH_BEFORE, Role.STOP, "modify")
    with pytest.raises(SimulatedCrash):
        day.presses_flatten()
    day.restarts()
    day.run_for(12)
    assert verdict(day).state == FlattenState.FLAT
    assert [order.filled for order in day.broker_orders(Role.STOP)] == [75]
    assert (day.net(), day.working()) == (0, [])


def test_11_flatten_works_while_entries_are_paused_and_a_closing_change_is_refused_once():
    day = Day.opens()
    day.enters()
    state.pause(day.account.pk, by="operator", why="lunch", now=day.now)
    day.broker.will(Trouble.REFUSED, Role.STOP, "modify")
    day.presses_flatten()
    day.run_for(9)
    assert verdict(day).state == FlattenState.FLAT
    assert day.net() == 0
    assert state.reasons_off(day.account.pk) == {PauseReason.OPERATOR, PauseReason.FLATTEN}


def test_a_flatten_of_one_instrument_leaves_the_other_protected():
    day = Day.opens(NIFTY, STEEL)
    day.enters()
    shares = day.enters(spec=STEEL, stop="990", target="1030").quantity
    flatten.request(
        day.account,
        day.desk.session,
        ExitReason.SQUARE_OFF,
        asked_by="test",
        clocks=day.desk.clocks,
        tradingsymbols=["STEEL"],
    )
    day.watcher.wake()
    day.run_for(6)
    assert shares > 0
    assert (day.net(STEEL), day.net(NIFTY)) == (0, 75)
    assert day.working() == [("SELL", 75)]
    assert state.reasons_off(day.account.pk) == frozenset()


def test_the_daily_loss_closes_everything_and_keeps_entries_off():
    day = Day.opens()
    limits = state.limits_in_force(day.account.pk)
    limits.pk, limits.version, limits.cooldown_min = None, 2, 0
    limits.daily_loss_pct = limits.risk_per_trade_pct
    limits.save(force_insert=True)
    day.enters(stop="24940", target="25300")
    day.price_goes_to("24939", frames=5)
    day.run_for(3)
    (lost,) = day.trades()
    assert lost.net_inr < -9000
    day.run_for(60)
    day.enters(stop="24839", target="25300")
    assert day.net() == 75
    day.price_goes_to("24890", frames=5)
    day.run_for(3)
    assert [group.exit_reason for group in day.groups()][-1] == ExitReason.DAILY_LOSS
    assert day.net() == 0
    assert state.reasons_off(day.account.pk) == {PauseReason.RISK}
    day.run_for(timedelta(minutes=1).total_seconds())
    day.restarts()
    day.run_for(3)
    found = {one["reason"] for one in day.enters(stop="24790", target="25300").reasons}
    assert found == {"ENTRIES_OFF", "DAILY_LOSS_REACHED"}
