"""What the chart on a trade's page is drawn from, asked for again every few seconds while the trade is open."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from aitrapp_site.ist_json import to_json
from aitrapp_site.web_clocks import WebClocks, is_of
from reporting import trade_chart
from trading import current, tick_bus
from trading.core.money import to_inr
from trading.models import Trade


def chart(request: HttpRequest, pk: int) -> HttpResponse:
    """The chart of one trade as JSON; 403 for who may not see trades."""
    if not request.user.has_perm("trading.view_trade"):
        raise PermissionDenied
    trade = get_object_or_404(Trade.objects.select_related("account", "session"), pk=pk)
    ticks = tick_bus.read_newest(settings.REDIS_URL)
    now = WebClocks(trade.account, ticks).market_now()
    body = trade_chart.chart(trade, now) | {"last": _last(trade, ticks)}
    return HttpResponse(to_json(body), content_type="application/json", headers={"Cache-Control": "no-store"})


def _last(trade: Trade, ticks: tick_bus.TickSnapshot | None) -> dict[str, Any] | None:
    """The live price of an open trade; None once it is closed, or where no price of these books is known."""
    session = current.newest_session(trade.account)
    if trade.closed_at or ticks is None or session != trade.session or not is_of(trade.session, ticks):
        return None
    row = ticks.rows.get(f"{trade.exchange}:{trade.tradingsymbol}")
    return {"price": to_inr(row[0]), "age_ms": row[3], "at": ticks.at} if row and row[0] else None
