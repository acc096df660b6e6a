"""The login page as a browser meets it, and what the ticker says of indices and dead logins."""

import pytest
import requests
from kiteconnect import KiteTicker
from kiteconnect.exceptions import TokenException
from websockets.exceptions import InvalidStatus

from tests.trading.exchange.exchange_process import NIFTY, ExchangeProcess, next_frame, next_text, say

HTML = {"Accept": "text/html,application/xhtml+xml"}
NIFTY_50 = 256265


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    options = ("--from", "10:00", "--speed", "20", "--redirect", "http://127.0.0.1:9/kite")
    with ExchangeProcess(tmp_path_factory.mktemp("login"), options) as running:
        yield running


def page_of(exchange, **query):
    address = f"{exchange.first['url']}/connect/login"
    return requests.get(address, {"api_key": "key", "v": "3"} | query, headers=HTML, timeout=5)


def press(exchange, **fields):
    address = f"{exchange.first['url']}/connect/login"
    return requests.post(address, {"api_key": "key"} | fields, allow_redirects=False, timeout=5)


def test_a_browser_gets_a_page_with_a_button(exchange):
    page = page_of(exchange, redirect_params="state=abc")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "AB1234" in page.text
    assert '<form method="post" action="/connect/login">' in page.text
    assert 'name="redirect_params" value="state=abc"' in page.text


def test_what_the_address_carries_is_shown_and_never_run(exchange):
    page = page_of(exchange, redirect_params='"><script>alert(1)</script>')
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


def test_a_page_for_an_unknown_app_is_refused(exchange):
    for answer in (page_of(exchange, api_key="other"), press(exchange, api_key="other")):
        assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")
        assert "api_key" in answer.json()["message"]


def test_the_button_sends_the_browser_on_with_a_token_that_logs_in(exchange):
    answer = press(exchange, redirect_params="state=a%2Bb&x=1")
    assert answer.status_code == 302
    address = answer.headers["Location"]
    assert address.startswith("http://127.0.0.1:9/kite?action=login&type=login&status=success&request_token=")
    assert address.endswith("&state=a%2Bb&x=1")
    token = address.split("request_token=")[1].split("&")[0]
    client = exchange.client()
    session = client.generate_session(token, api_secret="secret")
    assert exchange.first["access_token"] != session["access_token"]
    exchange.first["access_token"] = session["access_token"]
    assert client.profile()["user_id"] == "AB1234"


def test_a_line_break_in_what_is_echoed_stays_in_the_address(exchange):
    answer = press(exchange, redirect_params="state=a\r\nSet-Cookie: x=1")
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Location"].endswith("&state=a%0D%0ASet-Cookie%3A+x%3D1")


def test_without_an_address_the_page_shows_the_token(tmp_path):
    with ExchangeProcess(tmp_path) as bare:
        answer = press(bare)
        assert (answer.status_code, "--redirect" in answer.text) == (200, True)


def test_a_renewal_is_refused_and_the_login_lives(exchange):
    address = f"{exchange.first['url']}/session/"
    renewed = requests.post(f"{address}refresh_token", {"api_key": "key", "refresh_token": "x"}, timeout=5)
    ended = requests.delete(f"{address}token", params={"api_key": "key", "refresh_token": "x"}, timeout=5)
    assert [(each.status_code, each.json()["error_type"]) for each in (renewed, ended)] == [
        (403, "TokenException")
    ] * 2
    assert exchange.client().profile()["user_id"] == "AB1234"


def test_what_the_owner_says_comes_on_every_ticker(exchange):
    address = f"{exchange.first['url']}/_exchange/messages"
    with exchange.ticker() as one, exchange.ticker() as other:
        assert requests.post(address, json={"text": "Orders are delayed."}, timeout=5).status_code == 200
        assert [next_text(ticker, "message") for ticker in (one, other)] == ["Orders are delayed."] * 2
    for body in (b"", b"[]", b"{}", b'{"text": ""}', b'{"text": 1}', b"[" * 50_000):
        assert requests.post(address, body, timeout=5).status_code == 400


def test_a_token_that_the_owner_ends_is_dead_until_the_next_login(tmp_path):
    with ExchangeProcess(tmp_path) as other:
        client = other.client()
        assert client.orders() == []
        assert requests.delete(f"{other.first['url']}/_exchange/token", timeout=5).status_code == 200
        with pytest.raises(TokenException):
            client.orders()
        page = f"{other.first['url']}/connect/login?api_key=key"
        client.generate_session(requests.get(page, timeout=5).json()["data"]["request_token"], "secret")
        assert client.orders() == []


def test_an_index_comes_in_packets_of_its_own_size(exchange):
    parse = KiteTicker("key", "token")._parse_binary
    with exchange.ticker() as ticker:
        say(ticker, "subscribe", [NIFTY_50])
        quote = next_frame(ticker)
        say(ticker, "mode", ["full", [NIFTY_50]])
        while len(full := next_frame(ticker)) != 2 + 2 + 32:
            pass
        while (later := next_frame(ticker)) == full:
            pass
        say(ticker, "mode", ["ltp", [NIFTY_50]])
        while len(last := next_frame(ticker)) != 2 + 2 + 8:
            pass
    assert len(quote) == 2 + 2 + 28
    assert [tick["tradable"] for frame in (quote, full, last) for tick in parse(frame)] == [False] * 3
    (tick,) = parse(full)
    assert tick["ohlc"]["low"] <= tick["last_price"] <= tick["ohlc"]["high"]
    # It goes on with the market: the last known packet is not all that comes.
    assert parse(later)[0]["exchange_timestamp"] > tick["exchange_timestamp"]
    assert tick["exchange_timestamp"].date().isoformat() == "2026-11-23"


def test_an_index_and_its_future_come_in_one_frame(exchange):
    parse = KiteTicker("key", "token")._parse_binary
    with exchange.ticker() as ticker:
        say(ticker, "subscribe", [NIFTY, NIFTY_50])
        ticks = parse(next_frame(ticker))
    assert {tick["instrument_token"]: tick["tradable"] for tick in ticks} == {NIFTY: True, NIFTY_50: False}


def test_a_token_that_a_second_login_ended_opens_no_ticker(exchange):
    old = exchange.first["access_token"]
    token = press(exchange).headers["Location"].split("request_token=")[1]
    exchange.first["access_token"] = exchange.client().generate_session(token, "secret")["access_token"]
    with pytest.raises(InvalidStatus) as refusal, exchange.ticker(token=old):
        pass
    assert refusal.value.response.status_code == 403
    with exchange.ticker() as ticker:
        assert ticker.recv(timeout=3) == b"\x00"


def test_an_index_has_quotes_and_candles_and_takes_no_order(exchange):
    client = exchange.client()
    quote = client.quote("NSE:NIFTY 50")["NSE:NIFTY 50"]
    assert (quote["volume"], quote["lower_circuit_limit"]) == (0, 0)
    bars = client.historical_data(NIFTY_50, "2026-11-20 00:00:00", "2026-11-23 15:30:00", "day")
    assert [bar["date"].date().isoformat() for bar in bars] == ["2026-11-20", "2026-11-23"]
    assert bars[-1]["low"] <= quote["last_price"] <= bars[-1]["high"]
    answer = requests.post(
        f"{exchange.first['url']}/orders/regular",
        {
            "exchange": "NSE",
            "tradingsymbol": "NIFTY 50",
            "transaction_type": "BUY",
            "order_type": "LIMIT",
            "price": 1,
            "quantity": 1,
            "product": "MIS",
        },
        headers={"Authorization": f"token key:{exchange.first['access_token']}"},
        timeout=5,
    )
    assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")
