"""The one way out: rate, fence, latch and deadline are asked before anything is written."""

from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models.signals import post_save

from risk import state
from tests.days.broker import Trouble
from tests.days.desk import Day
from trading import lease, sending
from trading.broker.base import BrokerRefused, BrokerUnavailable, OutcomeUnknown, SessionExpired
from trading.core.enums import CommandKind, CommandOutcome, Loop, Mode, OrderStatus, PauseReason, Role
from trading.lease import FenceLost
from trading.models import Account, Command, Decision, Order
from trading.sending import BudgetSpent

pytestmark = pytest.mark.django_db


def claim(day: Day, **more: bool) -> None:
    with transaction.atomic():
        sending.claim(day.loop.desk, **{"opens_risk": True} | more)


def sent(
    day: Day,
    count: int,
    seconds_ago: float,
    role: Role = Role.STOP,
    kind: CommandKind = CommandKind.MODIFY,
) -> None:
    """So many commands at the same moment, of one order that was entered before."""
    order = Order.objects.filter(role=role).first()
    assert order is not None
    number, today = order.commands.count(), Command.objects.count()
    moment = day.now - timedelta(seconds=seconds_ago)
    Command.objects.bulk_create(
        Command(
            order=order,
            session_id=order.session_id,
            trading_date=order.trading_date,
            day_number=today + one + 1,
            number=number + one + 1,
            kind=kind,
            purpose="trail",
            fence=1,
            intent_at=moment,
            intent_machine_at=moment,
        )
        for one in range(count)
    )


def several_entries(day: Day, count: int, seconds_ago: float) -> None:
    """So many placements of entries at the same moment, each an order of its own."""
    command = (
        Command.objects.filter(order__role=Role.ENTRY, kind=CommandKind.PLACE).select_related("order").get()
    )
    order, moment, today = command.order, day.now - timedelta(seconds=seconds_ago), Command.objects.count()
    for number in range(count):
        order.pk, order.client_order_id, order.tag = None, f"entry-{number}", f"E-{number}"
        order.broker_order_id, order.slice = f"other-{number}", number + 1
        order.save(force_insert=True)
        command.pk, command.order, command.day_number = None, order, today + number + 1
        command.intent_at = command.intent_machine_at = command.outcome_machine_at = moment
        command.save(force_insert=True)


@contextmanager
def between_intent_and_call(happens: Callable[[], object]):
    """Something comes up after the intent was written and before the call."""

    def hear(instance: Command, created: bool, **_: object) -> None:
        if created:
            happens()

    post_save.connect(hear, sender=Command)
    try:
        yield
    finally:
        post_save.disconnect(hear, sender=Command)


def test_the_eleventh_order_in_a_second_waits():
    day = Day.opens()
    day.enters()
    sent(day, 9, 0.5)
    claim(day, opens_risk=False)
    sent(day, 1, 0.5)
    with pytest.raises(BudgetSpent, match="10 orders in the last second"):
        claim(day, opens_risk=False)
    day.run_for(0.6)
    claim(day, opens_risk=False)


def test_a_full_second_says_when_it_has_room_again():
    day = Day.opens()
    day.enters()
    sent(day, 9, 0.25)
    sent(day, 1, 0.75)
    now = day.now
    with pytest.raises(BudgetSpent) as spent:
        claim(day, opens_risk=False)
    assert spent.value.again_at == now + timedelta(milliseconds=300)


def test_an_order_counts_from_its_answer_on_for_the_next_may_be_quicker_on_its_way():
    day = Day.opens()
    day.enters()
    sent(day, 10, 1.06)
    claim(day, opens_risk=False)
    slow = Command.objects.order_by("-pk")[:10]
    Command.objects.filter(pk__in=[one.pk for one in slow]).update(
        outcome=CommandOutcome.ACCEPTED,
        outcome_machine_at=slow[0].intent_machine_at + timedelta(seconds=0.05),
    )
    with pytest.raises(BudgetSpent) as spent:
        claim(day, opens_risk=False)
    assert spent.value.again_at == day.now + timedelta(milliseconds=40)


@pytest.mark.parametrize("jumps", [True, False])
def test_where_market_time_comes_in_words_a_jump_of_it_does_not_shorten_the_second(jumps):
    day = Day.opens()
    day.enters()
    day.replayed.clocks.market_time_jumps = jumps
    sent(day, 10, 0.5)
    Command.objects.filter(purpose="trail").update(intent_at=day.now - timedelta(seconds=2))
    if not jumps:
        return claim(day, opens_risk=False)
    with pytest.raises(BudgetSpent) as spent:
        claim(day, opens_risk=False)
    assert spent.value.again_at == day.now + timedelta(milliseconds=550)
    return None


def test_the_fifth_entry_in_a_second_waits_and_an_exit_does_not():
    day = Day.opens()
    day.enters()
    sent(day, 4, 0.2, Role.ENTRY, CommandKind.CANCEL)
    claim(day)
    Command.objects.filter(kind=CommandKind.CANCEL).delete()
    several_entries(day, 4, 0.2)
    with pytest.raises(BudgetSpent, match="4 entries in the last second"):
        claim(day)
    claim(day, opens_risk=False)


def test_a_flatten_may_use_the_reserve_of_the_minute():
    day = Day.opens()
    day.enters()
    sent(day, 358, 30)
    with pytest.raises(BudgetSpent, match="360 orders in the last minute"):
        claim(day, opens_risk=False)
    claim(day, opens_risk=False, uses_all=True)


def test_the_days_limit_stops_entries_and_keeps_the_rest_for_exits():
    day = Day.opens()
    day.enters()
    sent(day, 4498, 120)
    with pytest.raises(BudgetSpent, match="4500 orders today"):
        claim(day)
    claim(day, opens_risk=False)


def test_9_a_loop_whose_lease_was_taken_writes_nothing():
    day = Day.opens()
    lease.release(day.loop.desk.lease)
    assert lease.take(day.account.pk, Loop.ENTRIES, "another host") is not None
    signal = day.sees(stop="24900", target="25300")
    with pytest.raises(FenceLost, match="no longer leads ENTRIES"):
        day.decides(signal)
    assert (Decision.objects.count(), Order.objects.count(), Command.objects.count()) == (0, 0, 0)
    assert day.broker.asked == []


def test_commands_are_numbered_through_the_day_and_the_database_keeps_them_apart():
    day = Day.opens()
    day.enters()
    day.run_for(60)
    told = list(Command.objects.order_by("pk").values_list("day_number", flat=True))
    assert told == list(range(1, len(told) + 1))
    assert len(told) >= 2
    with pytest.raises(IntegrityError, match="command_numbered_once"), transaction.atomic():
        Command.objects.filter(day_number=2).update(day_number=1)


def test_an_entry_decided_in_a_mode_since_left_is_not_sent_and_an_exit_is():
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    Account.objects.filter(pk=day.account.pk).update(mode=Mode.LIVE)
    with pytest.raises(FenceLost, match="began as PAPER and the account is LIVE"):
        day.decides(signal)
    assert (Order.objects.count(), Command.objects.count(), day.broker.asked) == (0, 0, [])
    claim(day, opens_risk=False)
    Account.objects.filter(pk=day.account.pk).update(mode=Mode.PAPER)
    claim(day)


def test_9_a_lease_lost_between_intent_and_call_leaves_the_order_denied_and_unsent():
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")

    def another_takes_over() -> None:
        lease.release(day.loop.desk.lease)
        assert lease.take(day.account.pk, Loop.ENTRIES, "another host") is not None

    with between_intent_and_call(another_takes_over):
        day.decides(signal)
    (order,) = day.orders(Role.ENTRY)
    assert (order.status, order.commands.get().outcome) == (OrderStatus.DENIED, CommandOutcome.EXPIRED)
    assert day.broker.asked == []


def test_9_a_latch_between_intent_and_call_holds_an_entry_back():
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    pressed = {"by": "operator", "why": "stop", "now": day.now}
    with between_intent_and_call(lambda: state.turn_off(day.account.pk, PauseReason.FLATTEN, **pressed)):
        day.decides(signal)
    (order,) = day.orders(Role.ENTRY)
    assert order.status == OrderStatus.DENIED
    assert order.commands.get().reason == "entries are off: flatten"
    assert day.broker.asked == []


def test_9_a_latch_holds_no_exit_back():
    day = Day.opens()
    state.pause(day.account.pk, by="operator", why="lunch", now=day.now)
    day.enters()
    assert day.broker.asked == []
    state.resume(day.account.pk, by="operator", now=day.now)
    day.run_for(60)
    signal = day.sees(stop="24900", target="25300")
    day.decides(signal)
    state.pause(day.account.pk, by="operator", why="lunch", now=day.now)
    day.run_for(6)
    assert day.working() == [("SELL", 75)]


def test_9_a_process_that_was_stopped_after_its_intent_never_writes_it():
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    with between_intent_and_call(lambda: day.replayed.clocks.move_by_ms(600)):
        day.decides(signal)
    (order,) = day.orders(Role.ENTRY)
    assert order.status == OrderStatus.DENIED
    assert order.commands.get().reason.endswith("the deadline is 500 ms")
    assert day.broker.asked == []
    assert Decision.objects.get().approved


def test_9_a_pause_set_while_the_lease_was_lost_stays():
    day = Day.opens()
    state.pause(day.account.pk, by="operator", why="kill", now=day.now)
    lease.release(day.loop.desk.lease)
    day.restarts()
    day.run_for(3)
    assert state.reasons_off(day.account.pk) == {PauseReason.OPERATOR}
    assert [one["reason"] for one in day.enters().reasons] == ["ENTRIES_OFF"]


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (BrokerRefused("no"), CommandOutcome.REFUSED, "no"),
        (BrokerUnavailable("429"), CommandOutcome.REFUSED, "not sent: 429"),
        (SessionExpired("log in"), CommandOutcome.REFUSED, "not sent: log in"),
        (OutcomeUnknown("time-out"), CommandOutcome.UNKNOWN, "time-out"),
    ],
)
def test_a_call_ends_accepted_refused_or_unknown(error, outcome, reason):
    day = Day.opens()

    def call() -> str:
        raise error

    answer = sending.carry_out(day.desk, call, opens_risk=False, intent_s=day.desk.clocks.monotonic_s())
    assert (answer.outcome, answer.reason) == (outcome, reason)


def test_an_error_nobody_foresaw_is_no_refusal():
    day = Day.opens()

    def call() -> str:
        raise TypeError("string indices must be integers")

    with pytest.raises(TypeError):
        sending.carry_out(day.desk, call, opens_risk=True, intent_s=day.desk.clocks.monotonic_s())


def test_a_429_on_an_entry_is_final_and_the_signal_is_spent():
    day = Day.opens()
    day.broker.will(Trouble.UNAVAILABLE, Role.ENTRY)
    day.enters(within_s=30)
    assert [order.status for order in day.orders(Role.ENTRY)] == [OrderStatus.REJECTED]
    assert day.broker.asked == [("place", Role.ENTRY)]


def test_a_latency_is_kept_with_its_command():
    day = Day.opens()
    day.enters()
    latency = Command.objects.get(order__role=Role.ENTRY).latency_ms
    assert latency is not None
    assert 16 <= latency <= 400
