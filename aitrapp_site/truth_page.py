"""The three-way truth: our rows, the broker's orders and its positions side by side, each with its age.

The loops live by the same broker's read allowance (10 a second), so the page reads when it is opened or read again by
hand, and within a few seconds of the last reading shows that one.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from aitrapp_site import kite_token, wiring
from aitrapp_site.clocks import MachineClocks
from oco import witnesses
from oco.differences import Holding
from oco.models import OcoGroup
from oco.witnesses import OurOrder, Verdict
from trading import current
from trading.broker.base import BrokerError
from trading.core.enums import Loop, OrderStatus, Side
from trading.core.values import OrderReport, PositionReport
from trading.models import Account, Lease, Order, VenueSession

#: a reading serves everybody who asks within this long
READ_EVERY_S: Final = 3.0
#: our orders of a day that are listed; a day has room for fewer
ORDERS_MOST: Final = 3000


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The broker's two books, read one after the other. `at` is machine time before the first."""

    at: datetime
    took_ms: int
    orders: tuple[OrderReport, ...] = ()
    positions: tuple[PositionReport, ...] = ()
    #: why there is none; empty when there is
    problem: str = ""


_readings: dict[int, tuple[float, Reading]] = {}
_reading = Lock()


def page(request: HttpRequest) -> HttpResponse:
    """The panel; 403 for who may not see orders."""
    if not request.user.has_perm("trading.view_order"):
        raise PermissionDenied
    context = admin.site.each_context(request) | {"title": "Three-way truth"}
    try:
        account = current.account_named()
    except current.NoAccount as error:
        return render(request, "admin/truth.html", context | {"no_account": str(error)})
    session = current.newest_session(account)
    reading = read(account)
    shown = compared(account, session, reading) if session else {}
    return render(
        request,
        "admin/truth.html",
        context | {"account": account, "session": session, "reading": reading} | shown,
    )


def read(account: Account) -> Reading:
    """The broker's books now, or as they were a moment ago. One reading at a time in a process."""
    with _reading:
        read_s, known = _readings.get(account.pk, (0.0, None))
        if known is not None and time.monotonic() - read_s < READ_EVERY_S:
            return known
        fresh = _read(account)
        _readings[account.pk] = (time.monotonic(), fresh)
        return fresh


def _read(account: Account) -> Reading:
    clocks, began_s = MachineClocks(), time.monotonic()
    at, problem = clocks.machine_now(), ""
    orders: list[OrderReport] = []
    positions: list[PositionReport] = []
    try:
        where = wiring.place()
        broker = wiring.broker_with(where, kite_token.of_account(account.pk, where.name), clocks)
        orders, positions = broker.order_reports(), broker.position_reports()
    except BrokerError as error:
        problem = f"{type(error).__name__}: {error}"
    took_ms = round((time.monotonic() - began_s) * 1000)
    return Reading(at=at, took_ms=took_ms, orders=tuple(orders), positions=tuple(positions), problem=problem)


def compared(account: Account, session: VenueSession, reading: Reading) -> dict[str, Any]:
    """What the page shows of our side and of the comparison. Without a reading there is no verdict."""
    lease = Lease.objects.filter(account=account, loop=Loop.EXITS).annotate(now=Now()).first()
    of_session = Order.objects.filter(session=session)
    day = of_session.aggregate(day=Max("trading_date"))["day"]
    rows = of_session.filter(trading_date=day).order_by("-asked_at", "-pk") if day else of_session.none()
    listed = list(rows[: ORDERS_MOST + 1])
    orders = [our_order(row) for row in listed[:ORDERS_MOST]]
    ours = our_holdings(session, listed)
    context = {
        "ours_at": MachineClocks().machine_now(),
        "pass_at": lease.pass_at if lease else None,
        "is_cut": len(listed) > ORDERS_MOST,
    }
    if reading.problem:
        return context | {"ours": [(*holding, units) for holding, units in sorted(ours.items()) if units]}
    order_rows = witnesses.order_rows(orders, reading.orders)
    holding_rows = witnesses.holding_rows(ours, order_rows, reading.positions)
    verdicts = [row.verdict for row in holding_rows] + [row.verdict for row in order_rows]
    awaited = verdicts.count(Verdict.UNDER_WAY)
    differ = len(verdicts) - verdicts.count(Verdict.AGREE) - awaited
    compared = {"order_rows": order_rows, "holding_rows": holding_rows}
    return context | compared | {"differ": differ, "awaited": awaited}


def our_order(row: Order) -> OurOrder:
    return OurOrder(
        pk=row.pk,
        broker_order_id=row.broker_order_id,
        tag=row.tag,
        words=f"{row.role} {row.side} {row.quantity} {row.exchange}:{row.tradingsymbol}",
        status=OrderStatus(row.status),
        filled_quantity=row.filled_quantity,
    )


def our_holdings(session: VenueSession, orders: list[Order]) -> dict[Holding, int]:
    """Signed units of our live groups; zero for what these orders traded and nobody holds any more."""
    held: dict[Holding, int] = {
        (order.exchange, order.tradingsymbol, order.product): 0 for order in orders if order.filled_quantity
    }
    live = list(OcoGroup.objects.filter(session=session, closed_at=None).select_related("entry_order"))
    exited = units_exited(live)
    for group in live:
        entry, sign = group.entry_order, Side(group.side).sign
        holding = (entry.exchange, entry.tradingsymbol, entry.product)
        units = sign * (group.entered_quantity - group.taken_by_others_quantity)
        held[holding] = held.get(holding, 0) + units + exited.get((entry.pk, group.number), 0)
    return held


def units_exited(groups: list[OcoGroup]) -> dict[tuple[int, int | None], int]:
    """Signed units that exit orders have filled, by entry and group number: groups' own columns come after them."""
    orders = Order.objects.filter(entry__in=[group.entry_order_id for group in groups], filled_quantity__gt=0)
    found: dict[tuple[int, int | None], int] = {}
    for entry_id, number, side, filled in orders.values_list(
        "entry_id", "group_number", "side", "filled_quantity"
    ):
        key = (entry_id or 0, number)
        found[key] = found.get(key, 0) + Side(side).sign * filled
    return found
