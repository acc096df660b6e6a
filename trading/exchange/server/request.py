"""A request to the exchange as its routes read it, and the answers that are not JSON."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from trading.exchange.rules import bad_input
from trading.exchange.server.floor import Floor

VERSION: Final = "3"


class Csv(str):
    """A text that leaves as gzipped CSV instead of JSON."""


class Page(str):
    """A text that leaves as HTML instead of JSON."""


class Redirect(str):
    """An address that a browser is sent on to, with 302."""


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
    #: the address it came from
    client: str = ""
    #: how old the order book is that it is shown, machine seconds
    lag_s: float = 0.0

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
        except (ValueError, RecursionError):
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


def route(
    method: str, path: str, handler: Handler, kind: str | None = "other", *, is_open: bool = False
) -> Route:
    """The route of a path such as /orders/{order_id}; a part may say its pattern: {token:\\d+}."""
    named = re.sub(r"\{(\w+)(?::([^}]+))?\}", lambda m: f"(?P<{m[1]}>{m[2] or '[^/]+'})", path)
    return Route(method, re.compile(named), handler, kind, is_open)


def check_version(request: Request) -> None:
    """Kite Connect 3 is spoken here. Raises VenueRefusal for a client that says it speaks another."""
    version = request.headers.get("x-kite-version", VERSION)
    if version != VERSION:
        raise bad_input(f"Invalid `X-Kite-Version` {version}. Version {VERSION} is served here.")
