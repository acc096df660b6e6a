"""A flatten as it goes: position by position, from the rows that its leader writes."""

from typing import Any

from django.db.models import Q

from oco.models import Flatten, OcoGroup
from trading.core import order_states
from trading.core.enums import FlattenState, GroupState, Role
from trading.core.money import format_inr
from trading.core.session import IST, clock_time
from trading.models import Order, Trade

Part = dict[str, Any]


def of_flatten(row: Flatten) -> Part:
    """State, verdict in words, and a line for each position that was open when it was asked for."""
    return {
        "id": row.pk,
        "is_over": row.finished_at is not None,
        "state": row.state,
        "words": verdict_words(row),
        "lines": [_line(trade, groups) for trade, groups in _groups_of(row).items()],
        "entries": [_entry_words(order) for order in _entries_of(row)],
    }


def verdict_words(row: Flatten) -> str:
    """The run in one sentence, with its time once it has a verdict."""
    scope = ", ".join(row.tradingsymbols) or "everything of ours"
    asked = f"asked by {row.asked_by} at {clock_time(row.asked_at)}"
    if row.finished_at is None:
        return f"Closing {scope}, {asked}: {row.state.lower()}."
    words = f"{row.state} after {row.took_ms} ms: {scope}, {asked}."
    if row.state == FlattenState.FLAT_BUT_WATCHING:
        count = len(row.verdict.get("unknown_entries", []))
        words += f" {count} entries that nobody has seen may still fill: what they fill is closed at once."
    if others := row.verdict.get("not_ours"):
        told = ", ".join(f"{name} {units:+d}" for name, units in others.items())
        words += f" The broker also holds what is not ours and was left alone: {told}."
    return words


def _groups_of(row: Flatten) -> dict[Trade, list[OcoGroup]]:
    """Groups that were open when it was asked for, by trade, oldest first."""
    was_open = Q(closed_at=None) | Q(closed_at__gte=row.asked_at)
    until = Q(first_filled_at__lte=row.finished_at) if row.finished_at else Q()
    rows = OcoGroup.objects.filter(was_open, until, session=row.session).select_related(
        "trade", "entry_order"
    )
    # It is asked for again and again while the flatten runs, on the database that the exits need.
    rows = rows.prefetch_related("entry_order__exits")
    found: dict[Trade, list[OcoGroup]] = {}
    for group in rows.order_by("pk"):
        if not row.tradingsymbols or group.trade.tradingsymbol in row.tradingsymbols:
            found.setdefault(group.trade, []).append(group)
    return found


def _line(trade: Trade, groups: list[OcoGroup]) -> Part:
    entered = sum(group.entered_quantity for group in groups)
    left = sum(_left(group) for group in groups)
    return {
        "tradingsymbol": trade.tradingsymbol,
        "side": trade.side,
        "quantity": entered,
        "left": left,
        "words": "; ".join(_words(group) for group in groups),
    }


def _left(group: OcoGroup) -> int:
    return max(group.entered_quantity - group.exited_quantity - group.taken_by_others_quantity, 0)


def _words(group: OcoGroup) -> str:
    """What of one group is closed, by its newest exit order."""
    exits = [order for order in group.entry_order.exits.all() if order.group_number == group.number]
    order = max(exits, key=lambda one: one.pk, default=None)
    if group.state == GroupState.CLOSED or _left(group) == 0:
        at = f" at {format_inr(order.average_price)}" if order and order.filled_quantity else ""
        return f"{group.entered_quantity} out{at}"
    if order is None:
        return f"{_left(group)} held, no exit order yet"
    if group.state == GroupState.CLOSING and order.status not in order_states.CLOSED:
        return f"{order.filled_quantity} of {order.quantity} out, limit {format_inr(order.price)}"
    if group.close_reason:
        return f"{_left(group)} held, marked to close; its stop is {order.status.lower()}"
    return f"{_left(group)} held, waits for the exits' leader"


def _entries_of(row: Flatten) -> list[Order]:
    """Entries that were on their way when it was asked for."""
    day = row.asked_at.astimezone(IST).date()
    rows = Order.objects.filter(session=row.session, trading_date=day, role=Role.ENTRY)
    rows = rows.filter(asked_at__lte=row.asked_at)
    rows = rows.filter(Q(closed_at=None) | Q(closed_at__gte=row.asked_at)).order_by("pk")
    return [one for one in rows if not row.tradingsymbols or one.tradingsymbol in row.tradingsymbols]


def _entry_words(order: Order) -> str:
    filled = f", {order.filled_quantity} filled" if order.filled_quantity else ""
    return f"{order.side} {order.quantity} {order.tradingsymbol}: {order.status.lower()}{filled}"
