"""What the mutants do to orders, exits and identity. Each function takes the real thing and gives the broken one."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q

from oco import exits, flatten, plan
from oco.views import CancelExit, PlaceExit, RestStop, TakeTarget
from risk import state
from risk.check import Approved
from trading import changes, orders, sending
from trading.broker.base import OutcomeUnknown
from trading.core import order_ids, order_states
from trading.core.enums import (
    CommandOutcome,
    Exchange,
    ExitReason,
    GroupState,
    OrderStatus,
    OrderType,
    PauseReason,
    Product,
    Role,
    Side,
)
from trading.core.money import to_inr
from trading.core.values import OrderRequest
from trading.models import Order


def send_then_remember(real: Any) -> Any:
    def submit(desk: Any, approved: Any, **named: Any) -> Any:
        request = approved.request
        answer = sending.carry_out(
            desk,
            lambda: desk.broker.place(request),
            opens_risk=request.role is Role.ENTRY,
            intent_s=desk.clocks.monotonic_s(),
        )
        kept = replace(desk, broker=_Answered(answer))
        return real(kept, approved, **named)

    return submit


class _Answered:
    """A broker whose one placement was answered before."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def place(self, request: Any) -> str:
        if self._answer.outcome is CommandOutcome.ACCEPTED:
            return str(self._answer.value)
        raise OutcomeUnknown(self._answer.reason)


def time_out_is_refusal(real: Any) -> Any:
    def carry_out(desk: Any, call: Any, **named: Any) -> Any:
        answer = real(desk, call, **named)
        unknown = answer.outcome is CommandOutcome.UNKNOWN
        return replace(answer, outcome=CommandOutcome.REFUSED) if unknown else answer

    return carry_out


def retry(real: Any) -> Any:
    def carry_out(desk: Any, call: Any, **named: Any) -> Any:
        for _ in range(3):
            answer = real(desk, call, **named)
            if answer.outcome is not CommandOutcome.UNKNOWN:
                break
            named["intent_s"] = desk.clocks.monotonic_s()
        return answer

    return carry_out


def send_again_after_restart(real: Any) -> Any:
    def settle(desk: Any) -> int:
        hanging = orders.of_session(desk).filter(status=OrderStatus.SUBMITTED)
        for order in hanging:
            request = _request_of(order)
            sending.carry_out(
                desk,
                partial(desk.broker.place, request),
                opens_risk=False,
                intent_s=desk.clocks.monotonic_s(),
            )
        return int(real(desk))

    return settle


def _request_of(order: Any) -> Any:
    return OrderRequest(
        client_order_id=order.client_order_id,
        role=Role(order.role),
        exchange=Exchange(order.exchange),
        tradingsymbol=order.tradingsymbol,
        side=Side(order.side),
        quantity=order.quantity,
        product=Product(order.product),
        order_type=OrderType(order.order_type),
        price=order.price,
        trigger_price=order.trigger_price,
        tag=order.tag,
    )


def second_stop(real: Any) -> Any:
    def step(group: Any, exit_order: Any, market: Any, policy: Any, now: Any) -> Any:
        found = real(group, exit_order, market, policy, now)
        if isinstance(found, PlaceExit) and exit_order.attempt < 3:
            return plan._first_exit(
                replace(group, exit=None, state=GroupState.OPENING, close_reason=None, exits_unknown=()),
                market,
                policy,
            )
        return found

    return step


def doubled_children(real: Any) -> Any:
    def perform(desk: Any, group: Any, action: Any) -> None:
        real(desk, group, action)
        if isinstance(action, RestStop):
            exits._place(desk, group, Role.STOP, action.quantity, action.limit_paise, action.trigger_paise)

    return perform


def two_legs(real: Any) -> Any:
    """A target rests beside each stop. Its manager is correct: once one fills, or we close, the other is cancelled."""

    def perform(desk: Any, group: Any, action: Any) -> None:
        if isinstance(action, TakeTarget):
            return
        if not isinstance(action, RestStop):
            _cancel_target(desk, group.row.entry_order_id, group.row.number)
            real(desk, group, action)
            return
        target = to_inr(group.view.target_paise)
        real(desk, group, action)
        request = _request_of(orders.of_session(desk).filter(role=Role.STOP).latest("pk"))
        name = order_ids.order_client_id(request.client_order_id, Role.TARGET)
        leg = replace(
            request,
            role=Role.TARGET,
            client_order_id=name,
            order_type=OrderType.LIMIT,
            price=target,
            trigger_price=Decimal(0),
            tag=order_ids.kite_tag(Role.TARGET, name),
        )
        orders.submit(desk, Approved(leg), entry=group.row.entry_order, group_number=group.row.number)

    return perform


def _targets(desk: Any) -> Any:
    """Those that the books have shown and that may still fill."""
    found = orders.of_session(desk).filter(role=Role.TARGET).exclude(broker_order_id="")
    return found.exclude(status__in=order_states.CLOSED)


def _cancel_target(desk: Any, entry_id: int, number: int) -> None:
    for order in _targets(desk).filter(entry=entry_id, group_number=number):
        if not changes.cancel_is_open(desk, order):
            orders.cancel(desk, order)


def targets_apart(real: Any) -> Any:
    """The plan sees the stop alone, and what the target has filled."""

    def view(row: Any, mine: Any, spec: Any, **named: Any) -> Any:
        filled = sum(order.filled_quantity for order, _ in mine if order.role == Role.TARGET)
        found = real(row, [one for one in mine if one[0].role != Role.TARGET], spec, **named)
        return replace(found, exited_quantity=found.exited_quantity + filled)

    return view


def stops_alone(real: Any) -> Any:
    def live(desk: Any, policy: Any) -> Any:
        found, held = list(real(desk, policy)), set()
        for group in found:
            row = group.row
            mine = Order.objects.filter(entry=row.entry_order_id, group_number=row.number).order_by("pk")
            group.exit_order = mine.exclude(role=Role.TARGET).last()
            if group.view.position_quantity > 0:
                held.add((row.entry_order_id, row.number))
        for leg in set(_targets(desk).values_list("entry", "group_number")) - held:
            _cancel_target(desk, *leg)
        return found

    return live


def forget_flatten(real: Any) -> Any:
    return lambda account_id: real(account_id) - {PauseReason.FLATTEN}


def one_tag(real: Any) -> Any:
    return lambda role, client_order_id: real(Role.ENTRY, "0" * 24)


def tags_without_role(real: Any) -> Any:
    """A cut that leaves too little to tell orders apart."""
    return lambda role, client_order_id: str(real(role, client_order_id))[:3]


def no_date(real: Any) -> Any:
    return lambda desk, seen: replace(real(desk, seen), trading_date=date(2000, 1, 3))


def flatten_beside_stops(real: Any) -> Any:
    """Flatten sells at once and leaves the resting stops where they are."""

    def step(group: Any, exit_order: Any, market: Any, policy: Any, now: Any) -> Any:
        if group.close_reason is ExitReason.OPERATOR:
            return plan._place(group, market, policy, ExitReason.OPERATOR)
        return real(group, exit_order, market, policy, now)

    return step


def no_strays(real: Any) -> Any:
    def actions(group: Any, market: Any, policy: Any, now: Any) -> Any:
        return real(replace(group, exits_unknown=()), market, policy, now)

    return actions


def nothing(real: Any) -> Any:
    return lambda *args, **named: None


def empty(real: Any) -> Any:
    return lambda *args, **named: []


def false(real: Any) -> Any:
    return lambda *args, **named: False


def true(real: Any) -> Any:
    return lambda *args, **named: True


def never(real: Any) -> Any:
    return 1e9


def only_complete(real: Any) -> Any:
    def follow(desk: Any, entry: Any, policy: Any) -> Any:
        return real(desk, entry, policy) if entry.status == OrderStatus.FILLED else []

    return follow


def forget_groups(real: Any) -> Any:
    """A process knows the groups it saw being made; those of the process before it are forgotten."""

    def live(desk: Any, policy: Any) -> Any:
        began = desk.lease.fence
        return [one for one in real(desk, policy) if _seen_by(one, began)]

    return live


_SEEN: dict[tuple[int, object], int] = {}


def _seen_by(group: Any, fence: int) -> bool:
    return _SEEN.setdefault((group.row.pk, group.row.first_filled_at), fence) == fence


def everybody_leads(real: Any) -> Any:
    return lambda held: Q()


def absence_is_loss(real: Any) -> Any:
    def note(desk: Any, order: Any) -> Any:
        with transaction.atomic():
            order = Order.objects.select_for_update(of=("self",)).get(pk=order.pk)
            if order.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
                orders._move(
                    order, OrderStatus.LOST, who="watcher", why="not there", now=desk.clocks.market_now()
                )
                order.save()
            return OrderStatus(order.status)

    return note


def late_is_ignored(real: Any) -> Any:
    def apply(desk: Any, order_id: int, report: Any) -> bool:
        order = Order.objects.get(pk=order_id)
        if order.status in order_states.CLOSED:
            return False
        return bool(real(desk, order_id, report))

    return apply


def by_id_only(real: Any) -> Any:
    return lambda rows: {row.broker_order_id: row.pk for row in rows if row.broker_order_id}


def exits_held_back(real: Any) -> Any:
    return lambda desk, *, opens_risk, intent_s: real(desk, opens_risk=True, intent_s=intent_s)


def closes_beside(real: Any) -> Any:
    """A closing order is at work, and the next pass sends another: who presses twice sells twice."""

    def step(group: Any, exit_order: Any, market: Any, policy: Any, now: Any) -> Any:
        if exit_order.is_return:
            return real(group, exit_order, market, policy, now)
        return plan._place(group, market, policy, ExitReason.OPERATOR)

    return step


def older_fills_count(real: Any) -> Any:
    """A book that lags is believed where it shows less filled than is known."""

    def is_older(order: Any, report: Any) -> bool:
        return order.filled_quantity == report.filled_quantity and bool(real(order, report))

    return is_older


def target_cancels_the_other(real: Any) -> Any:
    """When the first half has taken its target, the other half's stop is cancelled."""

    def step(group: Any, exit_order: Any, market: Any, policy: Any, now: Any) -> Any:
        if group.sibling_target_filled and plan._may_cancel(exit_order, policy, now):
            return CancelExit(client_order_id=exit_order.client_order_id)
        return real(group, exit_order, market, policy, now)

    return step


def other_half_is_done(real: Any) -> Any:
    def exit_for_the_rest(group: Any, *rest: Any) -> Any:
        return None if group.sibling_target_filled else real(group, *rest)

    return exit_for_the_rest


def lift_the_kill(real: Any) -> Any:
    """Whoever leads anew begins with entries on."""

    def recover(watcher: Any) -> int:
        desk = watcher.desk
        state.lift(desk.account.pk, PauseReason.FLATTEN, by="exits loop", now=desk.clocks.market_now())
        return int(real(watcher))

    return recover


def close_everything(real: Any) -> Any:
    """A process that goes, and so each that follows it, closes the book."""

    def recover(watcher: Any) -> int:
        desk = watcher.desk
        flatten.request(
            desk.account, desk.session, ExitReason.OPERATOR, asked_by="shutdown", clocks=desk.clocks
        )
        return int(real(watcher))

    return recover


def one_poisons_all(real: Any) -> Any:
    """A report that the state table refuses ends the whole pass, and the next."""

    def apply(desk: Any, report: Any, pk: int | None) -> list[int]:
        if pk is None:
            return list(real(desk, report, pk))
        return [pk] if orders.apply_report(desk, pk, report) else []

    return apply


def one_plan(real: Any) -> Any:
    return lambda plan: "0" * 24
