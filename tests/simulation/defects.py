"""What the mutants do to the program, function by function. Each takes the real thing and gives the broken one."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import transaction

from oco import books, exits, flatten, groups, plan, reconciliation, watcher
from oco.views import PlaceExit, RestStop, TakeTarget
from risk import state
from trading import account, decisions, lease, orders, sending, signals, trades
from trading.broker.base import OutcomeUnknown
from trading.core import order_ids, order_states, sizing
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


def _send_then_remember(real: Any) -> Any:
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


def _time_out_is_refusal(real: Any) -> Any:
    def carry_out(desk: Any, call: Any, **named: Any) -> Any:
        answer = real(desk, call, **named)
        unknown = answer.outcome is CommandOutcome.UNKNOWN
        return replace(answer, outcome=CommandOutcome.REFUSED) if unknown else answer

    return carry_out


def _retry(real: Any) -> Any:
    def carry_out(desk: Any, call: Any, **named: Any) -> Any:
        for _ in range(3):
            answer = real(desk, call, **named)
            if answer.outcome is not CommandOutcome.UNKNOWN:
                break
        return answer

    return carry_out


def _send_again_after_restart(real: Any) -> Any:
    def settle(desk: Any) -> int:
        hanging = orders.unresolved(desk).filter(status=OrderStatus.SUBMITTED)
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


def _second_stop(real: Any) -> Any:
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


def _doubled_children(real: Any) -> Any:
    def perform(desk: Any, group: Any, action: Any) -> None:
        real(desk, group, action)
        if isinstance(action, RestStop):
            exits._place(desk, group, Role.STOP, action.quantity, action.limit_paise, action.trigger_paise)

    return perform


def _two_legs(real: Any) -> Any:
    """A target rests beside the stop. Its manager is correct: whichever fills, the other is cancelled at once."""

    def perform(desk: Any, group: Any, action: Any) -> None:
        if isinstance(action, TakeTarget):
            return
        if isinstance(action, RestStop):
            target = to_inr(group.view.target_paise)
            real(desk, group, action)
            request = _request_of(orders.of_session(desk).filter(role=Role.STOP).latest("pk"))
            name = order_ids.order_client_id(request.client_order_id, Role.TARGET)
            desk.broker.place(
                replace(
                    request,
                    role=Role.TARGET,
                    client_order_id=name,
                    order_type=OrderType.LIMIT,
                    price=target,
                    trigger_price=Decimal(0),
                    tag=order_ids.kite_tag(Role.TARGET, name),
                )
            )
            return
        real(desk, group, action)

    return perform


def _forget_flatten(real: Any) -> Any:
    return lambda account_id: real(account_id) - {PauseReason.FLATTEN}


def _one_tag(real: Any) -> Any:
    return lambda role, client_order_id: real(Role.ENTRY, "0" * 24)


def _tags_without_role(real: Any) -> Any:
    """A cut that leaves too little to tell orders apart."""
    return lambda role, client_order_id: str(real(role, client_order_id))[:3]


def _no_date(real: Any) -> Any:
    return lambda desk, seen: replace(real(desk, seen), trading_date=date(2000, 1, 3))


def _points(real: Any) -> Any:
    """Points per unit are added up instead of rupees."""
    return lambda risks: real([replace(risk, quantity=min(risk.quantity, 1)) for risk in risks])


def _at_least_one_lot(real: Any) -> Any:
    def quantity(**named: Any) -> int:
        lot_size: int = named["lot_size"]
        return max(int(real(**named)), lot_size)

    return quantity


def _no_coming(real: Any) -> Any:
    """Only what has filled is counted against the limits."""

    def snapshot(desk: Any, quotes: Any, capital: Any) -> Any:
        found = real(desk, quotes, capital)
        held = {
            (trade.exchange, trade.tradingsymbol) for trade in trades.of_session(desk).filter(closed_at=None)
        }
        return replace(found, open_positions=len(held))

    return snapshot


def _flatten_beside_stops(real: Any) -> Any:
    """Flatten sells at once and leaves the resting stops where they are."""

    def step(group: Any, exit_order: Any, market: Any, policy: Any, now: Any) -> Any:
        if group.close_reason is ExitReason.OPERATOR:
            return plan._place(group, market, policy, ExitReason.OPERATOR)
        return real(group, exit_order, market, policy, now)

    return step


def _no_strays(real: Any) -> Any:
    def actions(group: Any, market: Any, policy: Any, now: Any) -> Any:
        return real(replace(group, exits_unknown=()), market, policy, now)

    return actions


def _nothing(real: Any) -> Any:
    return lambda *args, **named: None


def _empty(real: Any) -> Any:
    return lambda *args, **named: []


def _false(real: Any) -> Any:
    return lambda *args, **named: False


def _true(real: Any) -> Any:
    return lambda *args, **named: True


def _only_complete(real: Any) -> Any:
    def follow(desk: Any, entry: Any, policy: Any) -> Any:
        return real(desk, entry, policy) if entry.status == OrderStatus.FILLED else []

    return follow


def _forget_groups(real: Any) -> Any:
    """A process knows the groups it saw being made; those of the process before it are forgotten."""

    def live(desk: Any, policy: Any) -> Any:
        began = desk.lease.fence
        return [one for one in real(desk, policy) if _seen_by(one, began)]

    return live


_SEEN: dict[tuple[int, object], int] = {}


def _seen_by(group: Any, fence: int) -> bool:
    return _SEEN.setdefault((group.row.pk, group.row.first_filled_at), fence) == fence


def _absence_is_loss(real: Any) -> Any:
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


def _late_is_ignored(real: Any) -> Any:
    def apply(desk: Any, order_id: int, report: Any) -> bool:
        order = Order.objects.get(pk=order_id)
        if order.status in order_states.CLOSED:
            return False
        return bool(real(desk, order_id, report))

    return apply


def _by_id_only(real: Any) -> Any:
    return lambda rows: {row.broker_order_id: row.pk for row in rows if row.broker_order_id}


def _free_of_charge(real: Any) -> Any:
    return lambda trade: Decimal(0)


def _exits_held_back(real: Any) -> Any:
    return lambda desk, *, opens_risk, intent_s: real(desk, opens_risk=True, intent_s=intent_s)


def _no_rate(real: Any) -> Any:
    def claim(desk: Any, *, opens_risk: bool, uses_all: bool = False) -> None:
        return None

    return claim


def _hurry(real: Any) -> Any:
    """Whatever rests unfilled is asked to close again in each pass."""
    return lambda *args: True


def _fall_back(real: Any) -> Any:
    def apply(desk: Any, order_id: int, report: Any) -> bool:
        Order.objects.filter(pk=order_id, filled_quantity__gt=report.filled_quantity).update(
            filled_quantity=report.filled_quantity
        )
        return bool(real(desk, order_id, report))

    return apply


ALL: tuple[tuple[str, str, tuple[tuple[Any, str, Any], ...]], ...] = (
    ("sent before it is written", "1.2", ((orders, "submit", _send_then_remember),)),
    ("a time-out is a refusal", "1.1", ((sending, "carry_out", _time_out_is_refusal),)),
    ("a time-out is tried again", "1.1", ((sending, "carry_out", _retry),)),
    (
        "an interrupted intent is sent again",
        "1.2",
        ((orders, "settle_interrupted", _send_again_after_restart),),
    ),
    (
        "a second resting stop",
        "1.7",
        ((plan, "_step_on_its_way", _second_stop), (plan, "next_actions", _no_strays)),
    ),
    (
        "two owners make exits",
        "1.7",
        ((exits, "perform", _doubled_children), (plan, "next_actions", _no_strays)),
    ),
    ("two resting legs", "1.7", ((exits, "perform", _two_legs),)),
    ("the kill state is in memory", "1.10", ((state, "reasons_off", _forget_flatten),)),
    (
        "the fence is not checked",
        "1.11",
        ((lease, "is_current", _true), (sending, "DEADLINE_S", lambda _: 1e9)),
    ),
    ("all orders share a tag", "2", ((decisions, "kite_tag", _one_tag), (exits, "kite_tag", _one_tag))),
    (
        "the tag is cut short",
        "2",
        ((decisions, "kite_tag", _tags_without_role), (exits, "kite_tag", _tags_without_role)),
    ),
    ("the date is left out of the id", "2", ((signals, "plan_of", _no_date),)),
    ("heat in points", "3", ((account, "heat_inr", _points),)),
    ("at least one lot", "3", ((sizing, "quantity_for_risk", _at_least_one_lot),)),
    ("charges are left out", "3", ((trades, "charges_of_fills", _free_of_charge),)),
    (
        "orders in flight are not counted",
        "1.2",
        ((account, "snapshot", _no_coming), (account, "_entry_risks", _empty)),
    ),
    (
        "flatten leaves the stops",
        "1.9",
        ((plan, "_step_of_resting_stop", _flatten_beside_stops), (plan, "next_actions", _no_strays)),
    ),
    ("a pause holds exits back", "1.5", ((sending, "_held_back", _exits_held_back),)),
    ("the stop is never placed", "1.4", ((plan, "_first_exit", _nothing),)),
    (
        "a failed stop is only logged",
        "1.4",
        ((plan, "_exit_for_the_rest", _nothing), (plan, "_step_on_its_way", _nothing)),
    ),
    ("a remainder hangs", "1.3", ((plan, "_reprice_when_hanging", _nothing), (plan, "_is_jumped", _false))),
    ("partial fills are not seen", "1.13", ((groups, "follow_entry", _only_complete),)),
    ("a restart forgets its groups", "1.10", ((groups, "live", _forget_groups),)),
    ("one absence is a loss", "1.13", ((orders, "note_absence", _absence_is_loss),)),
    ("a late fill is ignored", "1.2", ((orders, "apply_report", _late_is_ignored),)),
    ("orders are known by id alone", "2", ((books, "_ours", _by_id_only),)),
    ("nobody reconciles", "1.14", ((reconciliation.Reconciler, "look", _false),)),
    ("every pass closes again", "1.8", ((plan, "_is_hanging", _hurry), (sending, "claim", _no_rate))),
    ("filled quantities fall", "1.13", ((orders, "apply_report", _fall_back),)),
    ("the day's tasks are gone", "1.3", ((watcher.OrderWatcher, "_protect", _nothing),)),
    ("flatten forgets entries", "1.9", ((flatten, "_entries_coming", lambda real: lambda desk, row: []),)),
)
