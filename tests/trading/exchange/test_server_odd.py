"""No request, however odd, is answered by a 500: each route with what no client of Kite's would send."""

import json
import re
from http.client import HTTPConnection
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.trading.exchange.exchange_process import ExchangeProcess
from trading.exchange.server.routes import ROUTES

ORDER = {
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "transaction_type": "BUY",
    "order_type": "LIMIT",
    "product": "MIS",
    "quantity": 1,
    "price": 1400,
    "average_price": 1400,
}
#: beside each field of an order: what it is not
WRONG: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    "9" * 400,
    "NaN",
    "Infinity",
    "1e999999",
    "é",
    "",
    [],
    {},
    [[1]],
    "٣",
)
GTT = {
    "type": "single",
    "condition": {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "trigger_values": [1400],
        "last_price": 1500,
    },
    "orders": [ORDER | {"product": "CNC"}],
}
WORDS = (
    "regular",
    "co",
    "1",
    "9" * 5000,
    "é",
    "%00",
    "minute",
    "day",
    "equity",
    "buy",
    "NSE",
    "738561",
    "mf",
)


def paths(pattern):
    """The route's path with each of the words in its named places, and the path itself where it has none."""
    named = re.sub(r"\(\?P<\w+>.*?\)(?=/|$)", "*", pattern)
    plain = [[]]
    for part in named.split("/"):
        options = (part,) if re.fullmatch(r"\w*", part) else WORDS
        plain = [[*path, option] for path in plain for option in options]
    return ["/".join(quote(part, safe="%") for part in path) for path in plain]


def bodies():
    yield b""
    yield b"\xff\xfe"
    yield b"[" * 50_000
    yield b'{"a":' * 50_000
    yield b"[NaN]"
    for name in ORDER:
        for wrong in WRONG:
            yield json.dumps([ORDER | {name: wrong}]).encode()
            yield urlencode(ORDER | {name: wrong if isinstance(wrong, str) else json.dumps(wrong)}).encode()
    for wrong in WRONG:
        for part in ("exchange", "tradingsymbol", "trigger_values", "last_price"):
            condition = json.dumps(GTT["condition"] | {part: wrong})
            yield urlencode(
                {"type": "single", "condition": condition, "orders": json.dumps(GTT["orders"])}
            ).encode()
        for name in ORDER:
            orders = json.dumps([GTT["orders"][0] | {name: wrong}])
            yield urlencode(
                {"type": "single", "condition": json.dumps(GTT["condition"]), "orders": orders}
            ).encode()


QUERIES = (
    "",
    "i=NSE:RELIANCE&i=NSE:NIFTY+50&i=:&i=%FF",
    "from=2026-11-23+09:15:00&to=9999-12-31+23:59:59",
    "from=0001-01-01&to=0001-01-01&oi=1",
    "api_key=key&redirect_params=%3Cscript%3E",
    "mode=compact&consider_positions=x",
)


class Line:
    """One kept connection."""

    def __init__(self, exchange):
        self.connection = HTTPConnection(urlsplit(exchange.first["url"]).netloc, timeout=5)
        self.failed = []
        self.count = 0

    def ask(self, method, path, body=b""):
        headers = {"Authorization": "token key:token", "Accept": "text/html"}
        self.connection.request(method, path, body, headers)
        try:
            answer = self.connection.getresponse()
            answer.read()
        except TimeoutError:
            raise AssertionError(f"no answer to {method} {path[:80]} {body[:200]!r}") from None
        self.count += 1
        if answer.status >= 500:
            self.failed.append((answer.status, method, path[:80], body[:200]))
        # Many tracebacks would fill the pipe that the exchange writes them to.
        assert len(self.failed) < 5, self.failed


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    # At this speed the limits on reading and ordering are out of the way.
    with ExchangeProcess(tmp_path_factory.mktemp("odd"), ("--from", "10:00", "--speed", "300")) as running:
        yield running


def test_no_path_and_no_query_brings_a_500(exchange):
    line = Line(exchange)
    for known in ROUTES:
        if known.method == "DELETE" and "token" in known.pattern.pattern:
            continue
        for path in paths(known.pattern.pattern):
            for query in QUERIES if known.method == "GET" else QUERIES[:1]:
                line.ask(known.method, f"{path}?{query}")
    assert line.failed == []
    assert line.count > 500


def test_no_body_brings_a_500(exchange):
    line = Line(exchange)
    targets = [
        ("POST", "/orders/regular"),
        ("PUT", "/orders/regular/1"),
        ("PUT", "/portfolio/positions"),
        ("POST", "/gtt/triggers"),
        ("POST", "/margins/orders"),
        ("POST", "/margins/basket"),
        ("POST", "/charges/orders"),
        ("POST", "/session/token"),
        ("POST", "/connect/login"),
    ]
    for body in bodies():
        for method, path in targets:
            is_json = body[:1] == b"["
            if is_json != path.startswith(("/margins", "/charges")) and len(body) > 8:
                continue
            line.ask(method, path, body)
    assert line.failed == []
    assert line.count > 500
