"""The account's results over a range of days: equity curve, drawdown, R multiples, gross and net."""

from datetime import date, timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import json_script

from aitrapp_site.ist_json import IstEncoder
from aitrapp_site.web_clocks import WebClocks
from reporting import results
from reporting.results import ZERO, ClosedTrade
from trading import current
from trading.core.enums import Mode
from trading.core.money import format_inr
from trading.models import Account, Trade

SPAN: Final = timedelta(days=90)
#: more are not drawn: the newest are
TRADES_MOST: Final = 20_000
COLUMNS: Final = (
    "trading_date", "opened_at", "closed_at", "risk_inr", "gross_inr", "charges_inr", "net_inr",
)  # fmt: skip


class RangeForm(forms.Form):
    """Which trades are meant. Nothing chosen: the last days up to the newest."""

    first = forms.DateField(required=False, label="From", widget=forms.DateInput({"type": "date"}))
    last = forms.DateField(required=False, label="To", widget=forms.DateInput({"type": "date"}))
    mode = forms.ChoiceField(
        required=False, choices=[("", "paper and live"), *((one.value, one.value) for one in Mode)]
    )
    strategy = forms.CharField(required=False, max_length=30)

    def clean(self) -> dict[str, Any] | None:
        found = super().clean() or self.cleaned_data
        if found.get("first") and found.get("last") and found["first"] > found["last"]:
            raise forms.ValidationError("The first day is after the last: exchange them.")
        return found


def page(request: HttpRequest) -> HttpResponse:
    """The page; 403 for who may not see trades."""
    if not request.user.has_perm("trading.view_trade"):
        raise PermissionDenied
    context = admin.site.each_context(request) | {"title": "Results"}
    try:
        account = current.account_named()
    except current.NoAccount as error:
        return render(request, "admin/results.html", context | {"no_account": str(error)})
    form = RangeForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    last = asked.get("last") or WebClocks(account).market_now().date()
    first = asked.get("first") or last - SPAN
    found = trades_of(account, first, last, mode=asked.get("mode", ""), strategy=asked.get("strategy", ""))
    shown = {"form": form, "account": account, "first": first, "last": last}
    return render(request, "admin/results.html", context | shown | figures(found))


def trades_of(account: Account, first: date, last: date, *, mode: str, strategy: str) -> list[ClosedTrade]:
    """Closed trades of the range, of the last run of each day: a day that was run again counts once."""
    days: QuerySet[Trade] = Trade.objects.filter(account=account, trading_date__range=(first, last))
    newest = days.order_by().values("trading_date").annotate(newest=Max("session")).values("newest")
    rows = days.filter(session__in=newest).exclude(closed_at=None).order_by("-closed_at", "-pk")
    if mode:
        rows = rows.filter(decision__mode=mode)
    if strategy:
        rows = rows.filter(strategy__iexact=strategy)
    return [ClosedTrade(**row) for row in rows.values(*COLUMNS)[:TRADES_MOST]]


def figures(trades: list[ClosedTrade]) -> dict[str, Any]:
    """What the page shows of these trades."""
    whole = results.summary(trades)
    points = [
        {
            "time": int(point.at.timestamp()),
            "gross": point.gross_inr,
            "net": point.net_inr,
            "drawdown": point.drawdown_inr,
        }
        for point in results.equity(trades)
    ]
    if trades:
        # The curve begins at nothing.
        began = min(trade.opened_at for trade in trades)
        ended = min(trade.closed_at for trade in trades)
        begin_s = min(int(began.timestamp()), int(ended.timestamp()) - 1)
        points.insert(0, {"time": begin_s, "gross": ZERO, "net": ZERO, "drawdown": ZERO})
    steps = [{"r": step.from_r, "gross": step.gross, "net": step.net} for step in results.r_steps(trades)]
    drawn = {"points": points, "steps": steps, "step_r": results.STEP_R}
    return {
        "summary": whole,
        "money": {
            name: format_inr(getattr(whole, f"{name}_inr"))
            for name in ("gross", "charges", "net", "drawdown")
        },
        "days": [
            {"day": row.trading_date, "trades": row.trades}
            | {name: format_inr(getattr(row, f"{name}_inr")) for name in ("gross", "charges", "net")}
            for row in results.days(trades)
        ],
        "steps": [
            (step.from_r, step.from_r + results.STEP_R, step.gross, step.net)
            for step in results.r_steps(trades)
        ],
        "is_cut": len(trades) == TRADES_MOST,
        "drawn": json_script(drawn, "results-drawn", IstEncoder),
    }
