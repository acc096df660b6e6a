"""The bar on top of every page of the console: the mode, whether entries are on, and the kill switch.

A tag library: `templates/unfold/layouts/base_simple.html` and `templates/admin/base.html` put it before the page.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import get_token

from aitrapp_site.callers import scopes_of_user
from risk import halt
from risk.models import EntriesOff
from trading.core.enums import Mode, Scope
from trading.core.money import format_inr
from trading.core.session import clock_time
from trading.models import Account

register = template.Library()

#: two pages whose subject is the kill switch itself: a second click in the same place must not find it there again
OWN_PAGES = frozenset({"flatten", "flatten-run"})


@register.inclusion_tag("admin/safety_bar.html", takes_context=True)
def safety_bar(context: template.Context) -> dict[str, Any]:
    """Nothing for who is not signed in."""
    request: HttpRequest = context["request"]
    scopes = scopes_of_user(request.user)
    if not scopes:
        return {"is_shown": False}
    match = request.resolver_match
    may_operate = Scope.OPERATE in scopes
    return {
        "is_shown": True,
        **bar_state(),
        "may_operate": may_operate,
        "has_switch": may_operate and (match is None or match.url_name not in OWN_PAGES),
        "csrf_token": get_token(request) if may_operate else "",
    }


def bar_state() -> dict[str, Any]:
    """Mode and entries of the installation's account; LIVE when any account trades with real money."""
    accounts = list(Account.objects.order_by("pk"))
    own = next((one for one in accounts if one.name == settings.ACCOUNT_NAME), None)
    live = [one.name for one in accounts if one.mode == Mode.LIVE]
    off = []
    if own is not None:
        standing = EntriesOff.objects.filter(account=own, lifted_at=None).order_by("set_at", "pk")
        off = [f"{row.reason}: {row.why}" for row in standing]
        off += ["the file HALT lies in the data folder"] if halt.stands() else []
    return {
        "mode": (Mode.LIVE if live else Mode.PAPER).value,
        "account": ", ".join(live) or (own.name if own else ""),
        "has_account": own is not None,
        "entries_on": own is not None and not off,
        "off_because": " · ".join(off),
    }


@register.filter
def inr(amount: Decimal | None) -> str:
    """`₹12,34,567.50`; a dash for what is not known."""
    return "–" if amount is None else format_inr(amount)


@register.filter
def ist(moment: datetime | None) -> str:
    """`10:31:05`, in IST; a dash for what has not happened."""
    return "–" if moment is None else clock_time(moment)
