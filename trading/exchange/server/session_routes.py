"""Who one is: the login page, tokens, the profile, the account's funds."""

import time
from html import escape
from typing import Any, Final

from trading.exchange import answers
from trading.exchange.logins import bad_token
from trading.exchange.rules import bad_input
from trading.exchange.server.floor import Floor
from trading.exchange.server.request import Page, Redirect, Request, route

NO_REFRESH_TOKENS: Final = "Invalid `refresh_token`: refresh tokens are for approved platforms. Log in again."
_HEAD: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Paper exchange</title>
<style>
body {{ font: 16px system-ui, sans-serif; max-width: 26rem; margin: 15vh auto; padding: 0 1rem; }}
button {{ font: inherit; padding: .6rem 1.4rem; }}
code {{ overflow-wrap: anywhere; }}
</style>
<h1>Paper exchange</h1>
"""
LOGIN_PAGE: Final = (
    _HEAD
    + """<p>An app with the key <code>{api_key}</code> asks to trade for <b>{user_id}</b>. No real money is here.</p>
<form method="post" action="/connect/login">
<input type="hidden" name="api_key" value="{api_key}">
<input type="hidden" name="redirect_params" value="{redirect_params}">
<button>Log in</button>
</form>
"""
)
TOKEN_PAGE: Final = (
    _HEAD
    + """<p>Logged in. The exchange knows no address to send you on to (option <code>--redirect</code>); this
request token is good for one login within five minutes:</p>
<p><code>{request_token}</code></p>
"""
)


def login(floor: Floor, request: Request) -> Any:
    now = floor.now()
    token = floor.logins.login(request.form(), now, time.monotonic())
    floor.keep_logins()
    return answers.session_row(floor.logins.user_id, floor.logins.api_key, token, now)


def logout(floor: Floor, request: Request) -> Any:
    if request.first("refresh_token"):
        raise bad_token(NO_REFRESH_TOKENS)
    floor.logins.logout(request.first("api_key"), request.first("access_token"), floor.now())
    floor.keep_logins()
    return True


def refresh(floor: Floor, request: Request) -> Any:
    """Kite grants refresh tokens to approved platforms only; nobody is one here."""
    raise bad_token(NO_REFRESH_TOKENS)


def login_page(floor: Floor, request: Request) -> Any:
    """A browser gets a page with a button; who does not ask for HTML is handed the request token at once."""
    _check_api_key(floor, request.first("api_key"))
    if "text/html" not in request.headers.get("accept", ""):
        return _granted(floor)
    return Page(
        LOGIN_PAGE.format(
            user_id=escape(floor.logins.user_id),
            api_key=escape(floor.logins.api_key),
            redirect_params=escape(request.first("redirect_params")),
        )
    )


def log_in(floor: Floor, request: Request) -> Any:
    """The page's button: on to the app's own address, with the request token."""
    form = request.form()
    _check_api_key(floor, form.get("api_key", ""))
    granted = _granted(floor)
    if not floor.logins.redirect_url:
        return Page(TOKEN_PAGE.format(request_token=escape(granted["request_token"])))
    return Redirect(floor.logins.redirect_to(granted["request_token"], form.get("redirect_params", "")))


def _check_api_key(floor: Floor, api_key: str) -> None:
    if api_key != floor.logins.api_key:
        raise bad_input("Invalid `api_key`.")


def _granted(floor: Floor) -> dict[str, str]:
    token = floor.logins.request_token(time.monotonic())
    floor.keep_logins()
    return {"request_token": token, "action": "login", "status": "success"}


def profile(floor: Floor, request: Request) -> Any:
    return answers.profile_row(floor.logins.user_id)


def full_profile(floor: Floor, request: Request) -> Any:
    return answers.full_profile_row(floor.logins.user_id)


def margins(floor: Floor, request: Request) -> Any:
    rows = floor.settle().venue.margin_rows()
    segment = request.parts.get("segment")
    if segment is None:
        return rows
    if segment not in rows:
        raise bad_input("Invalid segment. Should be equity or commodity.")
    return rows[segment]


SESSION_ROUTES: Final = (
    route("POST", "/session/token", login, is_open=True),
    route("DELETE", "/session/token", logout, is_open=True),
    route("GET", "/connect/login", login_page, is_open=True),
    route("POST", "/connect/login", log_in, is_open=True),
    route("POST", "/session/refresh_token", refresh, is_open=True),
    route("GET", "/user/profile", profile),
    route("GET", "/user/profile/full", full_profile),
    route("GET", "/user/margins", margins),
    route("GET", "/user/margins/{segment}", margins),
)
