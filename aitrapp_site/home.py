"""The console's home page and the picture that it and the REST API show."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.html import json_script

from aitrapp_site.callers import scopes_of_user
from aitrapp_site.ist_json import IstEncoder
from aitrapp_site.web_clocks import WebClocks, is_of
from reporting import picture as pictures
from trading import current, tick_bus
from trading.core.enums import Scope
from trading.models import Account


def current_picture(account: Account, ticks: tick_bus.TickSnapshot | None) -> dict[str, Any]:
    """What to show of an account now, with both clocks."""
    clocks = WebClocks(account, ticks)
    session = current.newest_session(account)
    fresh = ticks if session and ticks and is_of(session, ticks) else None
    market_now = clocks.market_now()
    return {
        **pictures.picture(account, session, market_now.date(), fresh),
        "market_time": market_now,
        "machine_time": clocks.machine_now(),
    }


def own_picture(ticks: tick_bus.TickSnapshot | None) -> dict[str, Any]:
    """The picture of the installation's own account. Raises current.NoAccount."""
    return current_picture(current.account_named(), ticks)


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's dashboard callback."""
    try:
        first = own_picture(tick_bus.read_newest(settings.REDIS_URL))
    except current.NoAccount as error:
        return context | {"no_account": str(error)}
    scopes = scopes_of_user(request.user)
    return context | {
        "first_picture": json_script(first, "first-picture", IstEncoder),
        "may_operate": Scope.OPERATE in scopes,
    }
