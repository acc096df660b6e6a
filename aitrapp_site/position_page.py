"""One open position: close it, or move a stop of it nearer. What happened, or why not, is said on the same page."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from aitrapp_site import levers
from aitrapp_site.operator_page import may, name_of, show
from aitrapp_site.web_clocks import WebClocks
from oco import groups
from oco.models import OcoGroup, StopMove
from oco.stop_moves import CannotBeMoved
from oco.views import ExitPolicy
from trading import tick_bus
from trading.core.enums import MoveState, Scope, Side
from trading.core.money import format_inr, to_inr
from trading.models import Account, Trade

MOVES_SHOWN = 8


def page(request: HttpRequest, account: Account, number: int) -> HttpResponse:
    """`number` is the trade's."""
    if not may(request, Scope.OPERATE):
        raise PermissionDenied(f"{name_of(request)} lacks the right: {Scope.OPERATE}.")
    trade = get_object_or_404(Trade.objects.select_related("account", "session"), pk=number)
    if request.method == "POST":
        return _close(request, trade) if "close" in request.POST else _move(request, trade)
    ticks = tick_bus.read_newest(settings.REDIS_URL)
    live = trade.groups.filter(closed_at=None).select_related("entry_order", "account", "session")
    live = live.none() if trade.closed_at else live
    moves = StopMove.objects.filter(group__trade=trade).select_related("group")[:MOVES_SHOWN]
    context = {
        "title": f"{trade.tradingsymbol} {trade.side}",
        "at": WebClocks(trade.account, ticks).market_now(),
        "trade": trade,
        "held": trade.entered_quantity - trade.exited_quantity,
        "groups": [_group(group, ticks) for group in live.order_by("number")],
        "moves": moves,
    }
    return show(request, "admin/position.html", context)


def _group(row: OcoGroup, ticks: tick_bus.TickSnapshot | None) -> dict[str, Any]:
    view, market = groups.view_of(row), levers.market_view(ticks, row)
    fresh = market.is_fresh(ExitPolicy())
    last = format_inr(to_inr(market.last_paise)) if fresh else "the last price"
    above, below = (view.stop_paise, market.last_paise), (market.last_paise, view.stop_paise)
    low, high = above if view.side is Side.BUY else below
    tick = view.tick_size_paise
    stop = format_inr(to_inr(view.stop_paise))
    order = ("above", "below") if view.side is Side.BUY else ("below", "above")
    used = (view.exit.trails, ExitPolicy().trail_budget) if view.exit else (0, ExitPolicy().trail_budget)
    return {
        "row": row,
        "quantity": max(view.position_quantity, 0),
        "last": to_inr(market.last_paise) if fresh else None,
        "shown": to_inr(view.exit.trigger_price_paise) if view.exit else None,
        "range": f"{order[0]} {stop} and {order[1]} {last}, in steps of {format_inr(to_inr(tick))}",
        "least": to_inr(low + tick) if low else None,
        "most": to_inr(high - tick) if high else None,
        "step": to_inr(tick),
        "moves_left": max(used[1] - used[0], 0),
    }


def _close(request: HttpRequest, trade: Trade) -> HttpResponse:
    try:
        row = levers.close_position(trade, by=name_of(request))
    except levers.NothingToFlatten as error:
        messages.error(request, f"Not closed: {error}")
        return redirect("position", number=trade.pk)
    return redirect("flatten-run", number=row.pk)


def _move(request: HttpRequest, trade: Trade) -> HttpResponse:
    group = get_object_or_404(
        OcoGroup.objects.select_related("entry_order", "account", "session"),
        pk=request.POST.get("group", "0"), trade=trade,
    )  # fmt: skip
    typed = request.POST.get("price", "").strip().replace(",", "").removeprefix("₹")
    try:
        price = Decimal(typed)
        if not price.is_finite():
            raise InvalidOperation
        row = levers.move_stop(group, price, by=name_of(request))
    except InvalidOperation:
        messages.error(request, f"Not moved: {typed!r} is no price. Write it like 24500.50.")
    except CannotBeMoved as error:
        messages.error(request, f"Not moved: {error}")
    else:
        _say(request, row)
    return redirect("position", number=trade.pk)


def _say(request: HttpRequest, row: StopMove) -> None:
    where = f"{format_inr(row.from_price)} → {format_inr(row.price)}"
    if row.state == MoveState.MOVED:
        messages.success(request, f"Moved {where} after {row.took_ms} ms. {row.why}")
    elif row.finished_at is None:
        messages.warning(
            request,
            f"{where} was asked for and has no answer yet. Not taken up within 10 s it is not done any more.",
        )
    else:
        messages.error(request, f"Not moved ({row.state.lower()}): {row.why}")
