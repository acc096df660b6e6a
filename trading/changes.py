"""Modifications, cancels and the broker's book: what it accepted is done only when the book shows it."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q

from trading.core import order_states
from trading.core.enums import CommandKind, CommandOutcome, OrderStatus, OrderType
from trading.core.values import OrderReport
from trading.desk import Desk
from trading.models import Order

#: a change the broker accepted but its book still does not show after this long was refused by the exchange
CHANGE_SHOWS_WITHIN = timedelta(seconds=3)
#: a cancel that was refused is asked for again after so long
REFUSED_AGAIN = timedelta(seconds=0.5)


def settle(order: Order, report: OrderReport, now: datetime, machine_now: datetime) -> bool:
    """Compare open MODIFY commands with the book: shown → confirmed; not shown in time → refused by the exchange."""
    settled = False
    open_changes = order.commands.filter(
        Q(outcome__in=[CommandOutcome.ACCEPTED, CommandOutcome.UNKNOWN]),
        kind=CommandKind.MODIFY,
        confirmed_at=None,
    )
    if report.status is OrderStatus.PENDING_MODIFY:
        return False
    for command in open_changes:
        if _shows(report, command.arguments) or report.status in order_states.CLOSED:
            command.confirmed_at = now
        elif command.outcome_machine_at and machine_now - command.outcome_machine_at > CHANGE_SHOWS_WITHIN:
            command.outcome = CommandOutcome.REFUSED
            command.reason = (report.status_message or "the book still shows the old values")[:300]
        else:
            continue
        command.save(update_fields=["confirmed_at", "outcome", "reason"])
        settled = True
    return settled


def _shows(report: OrderReport, arguments: dict[str, str]) -> bool:
    """Whether the book's row has the values a modification asked for."""
    if "order_type" in arguments and report.order_type != arguments["order_type"]:
        return False
    if "quantity" in arguments and report.quantity != int(arguments["quantity"]):
        return False
    # A LIMIT row may keep or drop its old trigger: the trigger only says something while the order is a stop.
    prices = ("price", "trigger_price") if report.order_type == OrderType.SL else ("price",)
    return all(getattr(report, name) == Decimal(arguments[name]) for name in prices if name in arguments)


def cancel_is_open(desk: Desk, order: Order) -> bool:
    """Whether a cancel was asked for that the book may still answer, or that was refused just now.

    One that was lost or refused is asked for again, after a while.
    """
    now = desk.clocks.machine_now()
    asked = order.commands.filter(kind=CommandKind.CANCEL).exclude(outcome=CommandOutcome.EXPIRED)
    answered = Q(intent_machine_at__gt=now - CHANGE_SHOWS_WITHIN) & ~Q(outcome=CommandOutcome.REFUSED)
    return asked.filter(answered | Q(intent_machine_at__gt=now - REFUSED_AGAIN)).exists()
