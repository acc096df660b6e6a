"""The kill switch's row is request, progress and verdict in one."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from oco import flatten, groups
from oco.models import Flatten
from oco.views import ExitPolicy
from risk import state
from tests.days.broker import Trouble
from tests.days.desk import Day
from trading.core.enums import ExitReason, FlattenState, OrderStatus, PauseReason, Role
from trading.models import Order

pytestmark = pytest.mark.django_db


def ask(day: Day, reason: ExitReason = ExitReason.OPERATOR, symbols: tuple[str, ...] = ()) -> Flatten:
    return flatten.request(
        day.account,
        day.desk.session,
        reason,
        asked_by="test",
        clocks=day.desk.clocks,
        tradingsymbols=symbols,
    )


@pytest.mark.parametrize(
    ("reason", "latched"),
    [
        (ExitReason.OPERATOR, {PauseReason.FLATTEN}),
        (ExitReason.DEAD_MAN, {PauseReason.FLATTEN}),
        (ExitReason.DAILY_LOSS, {PauseReason.RISK}),
        (ExitReason.SQUARE_OFF, set()),
    ],
)
def test_each_reason_leaves_its_own_latch(reason, latched):
    day = Day.opens()
    ask(day, reason)
    assert state.reasons_off(day.account.pk) == latched


def test_11_asked_twice_it_is_one_row_and_the_second_reason_latches_too():
    day = Day.opens()
    first = ask(day, ExitReason.SQUARE_OFF)
    second = ask(day, ExitReason.OPERATOR)
    assert first.pk == second.pk
    assert state.reasons_off(day.account.pk) == {PauseReason.FLATTEN}


def test_the_database_refuses_two_whole_flattens_at_a_time():
    day = Day.opens()
    row = ask(day)
    row.pk = None
    with pytest.raises(IntegrityError, match="one_flatten_at_a_time"), transaction.atomic():
        row.save(force_insert=True)


def test_beginning_again_marks_nothing_new_and_sends_nothing_twice():
    day = Day.opens()
    day.market.offers(0)
    day.run_for(3)
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    day.decides(signal)
    day.run_for(1)
    row = ask(day)
    live = groups.live(day.desk, ExitPolicy())
    flatten.begin(day.desk, row, live)
    flatten.begin(day.desk, row, live)
    assert day.broker.asked == [("place", Role.ENTRY), ("cancel", Role.ENTRY)]
    assert (row.state, row.positions_at_start) == (FlattenState.RUNNING, 0)


def test_there_is_no_verdict_while_a_position_is_left_at_the_broker():
    day = Day.opens()
    day.enters()
    row = ask(day)
    assert not flatten.conclude(day.desk, row, [])
    assert Flatten.objects.get().finished_at is None


def test_nothing_open_is_flat_at_once():
    day = Day.opens()
    row = day.presses_flatten()
    row.refresh_from_db()
    assert (row.state, row.positions_at_start) == (FlattenState.FLAT, 0)
    assert row.took_ms is not None
    assert row.took_ms < 1000


def test_what_somebody_else_holds_is_named_and_not_waited_for():
    day = Day.opens()
    request = {
        "exchange": "NFO",
        "tradingsymbol": "NIFTY25NOVFUT",
        "transaction_type": "BUY",
        "order_type": "LIMIT",
        "product": "NRML",
        "validity": "DAY",
        "quantity": 75,
        "price": 25010,
    }
    day.replayed.venue.place_as_other(request, day.now, "AB1234-WEB")
    day.enters()
    day.presses_flatten()
    day.run_for(6)
    row = Flatten.objects.get()
    assert row.state == FlattenState.FLAT
    assert row.verdict["not_ours"] == {"NIFTY25NOVFUT NRML": 75}
    assert day.net() == 75


def test_a_cancel_that_is_not_answered_yet_is_waited_for_but_not_for_ever():
    day = Day.opens()
    day.market.offers(0)
    day.run_for(3)
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    day.decides(signal)
    day.run_for(1)
    row = ask(day)
    Order.objects.filter(role=Role.ENTRY).update(status=OrderStatus.PENDING_CANCEL)
    assert not flatten.conclude(day.desk, row, [])
    day.replayed.clocks.move_by_ms(1600)
    assert flatten.conclude(day.desk, row, [])
    assert row.state == FlattenState.FLAT_BUT_WATCHING


def test_an_unknown_entry_is_remembered_with_the_flattens_reason():
    day = Day.opens()
    day.broker.will(Trouble.CALL_LOST, Role.ENTRY)
    day.enters(within_s=1)
    day.presses_flatten()
    day.run_for(3)
    (entry,) = day.orders(Role.ENTRY)
    assert Flatten.objects.get().state == FlattenState.FLAT_BUT_WATCHING
    assert flatten.standing(day.desk)[1] == {entry.client_order_id: ExitReason.OPERATOR}


def test_a_flatten_asked_for_by_a_computer_whose_clock_runs_ahead_comes_to_its_verdict():
    day = Day.opens()
    day.enters()
    row = ask(day)
    Flatten.objects.update(asked_machine_at=day.desk.clocks.machine_now() + timedelta(minutes=3))
    day.watcher.wake()
    day.run_for(6)
    row.refresh_from_db()
    assert (row.state, row.took_ms) == (FlattenState.FLAT, 0)
    assert (day.net(), day.working()) == (0, [])
