"""Groups and their exit orders as rows have them, shown to the plan as views."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from oco.models import OcoGroup
from oco.views import ExitView, GroupView
from trading.core import order_states
from trading.core.enums import (
    CommandKind,
    CommandOutcome,
    ExitReason,
    GroupState,
    OrderStatus,
    OrderType,
    Role,
    Side,
)
from trading.core.money import to_paise
from trading.core.values import InstrumentSpec
from trading.models import Command, Order

#: a command that ended so may still be answered by the book
UNANSWERED = frozenset({CommandOutcome.PENDING, CommandOutcome.ACCEPTED, CommandOutcome.UNKNOWN})


@dataclass(slots=True)
class Changes:
    """What the plan must know of an order's modify and cancel commands."""

    trails: int = 0
    resizes: int = 0
    closings: int = 0
    changed_at: datetime | None = None
    is_open: bool = False

    def add(self, kind: str, purpose: str, outcome: str, confirmed_at: datetime | None, at: datetime) -> None:
        if kind == CommandKind.MODIFY:
            self.trails += purpose == "trail"
            self.resizes += purpose == "resize"
            self.closings += purpose == "close"
        self.changed_at = at if self.changed_at is None else max(self.changed_at, at)
        self.is_open |= confirmed_at is None and outcome in UNANSWERED


def exit_orders(entry_ids: list[int]) -> list[tuple[Order, Changes]]:
    """All exit orders of these entries, oldest first, with their changes. Two plain queries: they run all day."""
    found = list(Order.objects.filter(entry_id__in=entry_ids).order_by("pk"))
    changes = {order.pk: Changes() for order in found}
    commands = Command.objects.filter(order_id__in=changes).exclude(kind=CommandKind.PLACE).order_by()
    columns = ("order_id", "kind", "purpose", "outcome", "confirmed_at", "intent_machine_at")
    for order_id, *facts in commands.values_list(*columns) if found else ():
        changes[order_id].add(*facts)
    return [(order, changes[order.pk]) for order in found]


def _exit_view(order: Order, changes: Changes, attempt: int, side: str) -> ExitView:
    return ExitView(
        client_order_id=order.client_order_id,
        role=Role(order.role),
        status=OrderStatus(order.status),
        order_type=OrderType(order.order_type),
        quantity=order.quantity,
        filled_quantity=order.filled_quantity,
        price_paise=to_paise(order.price),
        trigger_price_paise=to_paise(order.trigger_price),
        has_unconfirmed_change=changes.is_open and order.status not in order_states.CLOSED,
        trails=changes.trails,
        resizes=changes.resizes,
        closings=changes.closings,
        attempt=attempt,
        submitted_at=order.asked_machine_at,
        first_seen_at=order.first_seen_machine_at,
        changed_at=changes.changed_at,
        triggered_at=order.triggered_machine_at,
        books_without=order.books_without,
        is_return=order.side == side,
    )


def group_view(
    row: OcoGroup, mine: list[tuple[Order, Changes]], spec: InstrumentSpec, *, sibling_target_filled: bool
) -> GroupView:
    exits = [_exit_view(order, changes, attempt, row.side) for attempt, (order, changes) in enumerate(mine)]
    entry = row.entry_order
    average = entry.average_price.quantize(Decimal("0.01"))
    return GroupView(
        group_id=str(row.pk),
        state=GroupState(row.state),
        side=Side(row.side),
        planned_quantity=row.planned_quantity,
        entered_quantity=row.entered_quantity,
        exited_quantity=sum(-one.filled_quantity if one.is_return else one.filled_quantity for one in exits),
        taken_by_others_quantity=row.taken_by_others_quantity,
        entry_is_working=entry.status not in order_states.CLOSED,
        entry_price_paise=to_paise(average),
        first_filled_at=row.first_filled_at,
        initial_stop_paise=to_paise(row.initial_stop_price),
        stop_paise=to_paise(row.stop_price),
        target_paise=to_paise(row.target_price),
        tick_size_paise=spec.tick_size_paise,
        entry_atr_paise=to_paise(row.entry_atr),
        exit=exits[-1] if exits else None,
        close_reason=ExitReason(row.close_reason) if row.close_reason else None,
        time_stop_at=row.time_stop_at,
        sibling_target_filled=sibling_target_filled,
        best_close_paise=to_paise(row.best_close) if row.best_close else 0,
        exits_unknown=tuple(one for one in exits[:-1] if not one.is_closed),
    )
