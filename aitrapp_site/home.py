"""The console's home page and the picture that it and the REST API show."""

from datetime import date
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.html import json_script

from aitrapp_site import kite_login
from aitrapp_site.callers import scopes_of_user
from aitrapp_site.ist_json import IstEncoder
from aitrapp_site.web_clocks import REAL_TIME, WebClocks, is_of
from reporting import picture as pictures
from trading import current, tick_bus
from trading.core.enums import Scope
from trading.core.session import MissingCalendarYear
from trading.market import calendar
from trading.models import Account, VenueSession


def current_picture(account: Account, ticks: tick_bus.TickSnapshot | None) -> dict[str, Any]:
    """What to show of an account now, with both clocks."""
    session = current.newest_session(account)
    clocks = WebClocks(account, ticks, session)
    fresh = ticks if session and ticks and is_of(session, ticks) else None
    market_now = clocks.market_now()
    found = pictures.picture(account, session, market_now, fresh)
    if found["feed"]["is_expected"] and not _trades_on(session, market_now.date()):
        found["feed"]["is_expected"] = False
    login = kite_login.state_of(account, market_now)
    return {
        **found,
        "login": {
            "place": login.place,
            "is_alive": login.is_alive,
            "logged_in_at": login.login.logged_in_at if login.login else None,
            "dies_at": login.login.dies_at if login.login else None,
            "needs": login.needs,
        },
        "market_time": market_now,
        "machine_time": clocks.machine_now(),
    }


def live_picture(ticks: tick_bus.TickSnapshot | None) -> dict[str, Any]:
    """What a browser is sent of the installation's own account beside the prices. Raises current.NoAccount."""
    return pictures.unpriced(current_picture(current.account_named(), ticks))


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's dashboard callback."""
    ticks = tick_bus.read_newest(settings.REDIS_URL)
    try:
        first = current_picture(current.account_named(), ticks)
    except current.NoAccount as error:
        return context | {"no_account": str(error)}
    first["ticks"] = ticks.rows if ticks and first["feed"]["ticks_at"] else {}
    scopes = scopes_of_user(request.user)
    return context | {
        "first_picture": json_script(first, "first-picture", IstEncoder),
        "first": first,
        "may_operate": Scope.OPERATE in scopes,
    }


def _trades_on(session: VenueSession | None, day: date) -> bool:
    """Whether prices can come on a day: a market that is made up or replayed knows no holiday."""
    if session is None or session.market not in REAL_TIME:
        return session is not None
    try:
        return calendar.load().is_trading_day(day)
    except MissingCalendarYear:
        return day.weekday() < 5
