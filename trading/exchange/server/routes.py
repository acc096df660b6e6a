"""Kite's HTTP routes over the floor: each a function of floor and request that answers the `data` of Kite's
body, or raises VenueRefusal.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs

from trading.core.enums import Exchange
from trading.exchange import answers
from trading.exchange.day_prices import INTERVALS_MIN, join_days, join_interval
from trading.exchange.kite_rows import IST
from trading.exchange.market_day import CANCEL, MODIFY, PLACE
from trading.exchange.rules import VenueRefusal, bad_input
from trading.exchange.server.floor import Floor

#: longest span of one historical request, days
LONGEST_DAYS: Final = {
    "minute": 60,
    "3minute": 100,
    "5minute": 100,
    "10minute": 100,
    "15minute": 200,
    "30minute": 200,
    "60minute": 400,
    "day": 2000,
}
VERSION: Final = "3"


class Csv(str):
    """A text that leaves as gzipped CSV instead of JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One HTTP request, read."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: bytes = b""
    #: the named parts of the path
    parts: Mapping[str, str] = field(default_factory=dict)

    def first(self, name: str) -> str:
        """A query field, empty where it is absent."""
        return self.query.get(name, [""])[0]

    def form(self) -> dict[str, str]:
        """The body's form fields, the first of each name. Raises VenueRefusal."""
        try:
            pairs = parse_qs(self.body.decode(), keep_blank_values=True)
        except UnicodeDecodeError:
            raise bad_input("The body is no form in UTF-8.") from None
        return {name: values[0] for name, values in pairs.items()}

    def json_rows(self) -> list[Mapping[str, Any]]:
        """The body's JSON list of objects. Raises VenueRefusal."""
        try:
            rows = json.loads(self.body)
        except ValueError:
            rows = None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise bad_input("The body must be a JSON list of orders.")
        return rows


Handler = Callable[[Floor, Request], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """`kind` names the rate limit it counts against; None: none."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    kind: str | None = "other"
    is_open: bool = False


def login(floor: Floor, request: Request) -> Any:
    token = floor.logins.login(request.form())
    floor.keep_logins()
    return answers.session_row(floor.logins.user_id, floor.logins.api_key, token, floor.now())


def logout(floor: Floor, request: Request) -> Any:
    floor.logins.logout(request.first("api_key"), request.first("access_token"))
    floor.keep_logins()
    return True


def login_page(floor: Floor, request: Request) -> Any:
    """Where a browser would log in: here it is handed the request token as it comes."""
    if request.first("api_key") != floor.logins.api_key:
        raise bad_input("Invalid `api_key`.")
    token = floor.logins.request_token()
    floor.keep_logins()
    return {"request_token": token, "action": "login", "status": "success"}


def profile(floor: Floor, request: Request) -> Any:
    return answers.profile_row(floor.logins.user_id)


def margins(floor: Floor, request: Request) -> Any:
    rows = floor.settle().venue.margin_rows()
    segment = request.parts.get("segment")
    if segment is None:
        return rows
    if segment not in rows:
        raise bad_input("Invalid segment. Should be equity or commodity.")
    return rows[segment]


def instruments(floor: Floor, request: Request) -> Any:
    exchange = request.parts.get("exchange")
    if exchange is not None and exchange not in tuple(Exchange):
        raise bad_input(f"Invalid exchange. Should be one of {', '.join(Exchange)}.")
    specs = floor.day.source.instruments
    return Csv(answers.instruments_csv(spec for spec in specs if exchange in (None, spec.exchange)))


def orders(floor: Floor, request: Request) -> Any:
    return floor.settle().venue.order_rows()


def order_history(floor: Floor, request: Request) -> Any:
    return floor.settle().venue.order_history_rows(request.parts["order_id"])


def trades(floor: Floor, request: Request) -> Any:
    return floor.settle().venue.trade_rows(request.parts.get("order_id"))


def positions(floor: Floor, request: Request) -> Any:
    return floor.settle().venue.position_rows()


def holdings(floor: Floor, request: Request) -> Any:
    """Nothing is carried overnight here."""
    return []


def place(floor: Floor, request: Request) -> Any:
    fields = request.form() | {"variety": request.parts["variety"]}
    return {"order_id": floor.write(PLACE, "", fields)}


def modify(floor: Floor, request: Request) -> Any:
    _check_variety(request)
    return {"order_id": floor.write(MODIFY, request.parts["order_id"], request.form())}


def cancel(floor: Floor, request: Request) -> Any:
    _check_variety(request)
    return {"order_id": floor.write(CANCEL, request.parts["order_id"], {})}


def _check_variety(request: Request) -> None:
    if request.parts["variety"] != "regular":
        raise bad_input("Only `variety` regular is served here.")


def order_margins(floor: Floor, request: Request) -> Any:
    return floor.settle().venue.order_margin_rows(request.json_rows(), floor.now())


def basket_margins(floor: Floor, request: Request) -> Any:
    return answers.basket_row(order_margins(floor, request))


def contract_note(floor: Floor, request: Request) -> Any:
    return answers.contract_note_rows(request.json_rows(), floor.day.source.trading_date)


def quote(floor: Floor, request: Request) -> Any:
    day = floor.settle()
    what = request.parts.get("what") or answers.QUOTE
    return answers.quote_rows(request.query.get("i", []), what, day.venue.specs, day.prices, day.venue.rules)


def historical(floor: Floor, request: Request) -> Any:
    interval, token = request.parts["interval"], int(request.parts["token"])
    if interval not in INTERVALS_MIN:
        raise bad_input(f"Invalid interval. Should be one of {', '.join(INTERVALS_MIN)}.")
    begin, end = _moment(request, "from"), _moment(request, "to")
    if end - begin > timedelta(days=LONGEST_DAYS[interval]):
        raise bad_input(f"interval exceeds max limit: {LONGEST_DAYS[interval]} days")
    day = floor.settle()
    if token not in day.history:
        raise bad_input("invalid token")
    bars = join_interval(join_days(day.history[token], day.prices.minutes(token)), interval)
    return {"candles": answers.candle_rows(bars, begin, end, with_oi=request.first("oi") == "1")}


def _moment(request: Request, name: str) -> datetime:
    text = request.first(name)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=IST)
        except ValueError:
            continue
    raise bad_input(f"Invalid `{name}`. Should be a time such as 2026-11-23 09:15:00.")


def state(floor: Floor, request: Request) -> Any:
    return floor.state()


def _route(
    method: str, path: str, handler: Handler, kind: str | None = "other", *, is_open: bool = False
) -> Route:
    named = re.sub(r"\{(\w+)(?::([^}]+))?\}", lambda m: f"(?P<{m[1]}>{m[2] or '[^/]+'})", path)
    return Route(method, re.compile(named), handler, kind, is_open)


STATE_PATH: Final = "/_exchange/state"
#: orders are counted by the venue itself, on market time
ROUTES: Final = (
    _route("POST", "/session/token", login, is_open=True),
    _route("DELETE", "/session/token", logout, is_open=True),
    _route("GET", "/connect/login", login_page, is_open=True),
    _route("GET", STATE_PATH, state, None, is_open=True),
    _route("GET", "/user/profile", profile),
    _route("GET", "/user/margins", margins),
    _route("GET", "/user/margins/{segment}", margins),
    _route("GET", "/instruments", instruments),
    _route("GET", "/instruments/{exchange:[A-Z]+}", instruments),
    _route("GET", r"/instruments/historical/{token:\d+}/{interval}", historical, "historical"),
    _route("GET", "/orders", orders),
    _route("GET", "/trades", trades),
    _route("GET", "/orders/{order_id}", order_history),
    _route("GET", "/orders/{order_id}/trades", trades),
    _route("POST", "/orders/{variety}", place, None),
    _route("PUT", "/orders/{variety}/{order_id}", modify, None),
    _route("DELETE", "/orders/{variety}/{order_id}", cancel, None),
    _route("GET", "/portfolio/positions", positions),
    _route("GET", "/portfolio/holdings", holdings),
    _route("POST", "/margins/orders", order_margins),
    _route("POST", "/margins/basket", basket_margins),
    _route("POST", "/charges/orders", contract_note),
    _route("GET", "/quote", quote, "quote"),
    _route("GET", "/quote/{what:ohlc|ltp}", quote, "quote"),
)


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request and the named parts of its path. Raises VenueRefusal 404 or 405."""
    others = []
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match and route.method == method:
            return route, match.groupdict()
        if match:
            others.append(route.method)
    if others:
        taken = ", ".join(sorted(set(others)))
        raise VenueRefusal(405, "GeneralException", f"{method} is not served at {path}; {taken} is.")
    raise VenueRefusal(
        404, "GeneralException", f"Route not found: the paper exchange does not serve {method} {path}."
    )


def check_version(request: Request) -> None:
    """Kite Connect 3 is spoken here. Raises VenueRefusal for a client that says it speaks another."""
    version = request.headers.get("x-kite-version", VERSION)
    if version != VERSION:
        raise bad_input(f"Invalid `X-Kite-Version` {version}. Version {VERSION} is served here.")
