"""The paper exchange over real sockets, by the official client and by a bare WebSocket."""

import json
from datetime import date, datetime, time
from hashlib import sha256

import pytest
import requests
from kiteconnect import KiteTicker
from kiteconnect.exceptions import InputException, NetworkException, TokenException
from websockets.exceptions import InvalidStatus

from tests.trading.exchange.exchange_process import (
    NIFTY,
    RELIANCE,
    ExchangeProcess,
    next_frame,
    next_text,
    say,
)
from trading.core.kite_frames import decode
from trading.core.session import IST, at


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange")
    with ExchangeProcess(folder, ("--from", "10:00", "--speed", "20")) as running:
        yield running


@pytest.fixture
def client(exchange):
    return exchange.client()


def share_order(client, side="BUY", kind="MARKET", **more):
    fields = {
        "variety": "regular",
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "transaction_type": side,
        "quantity": 10,
        "product": "MIS",
        "order_type": kind,
    }
    if kind == "MARKET":
        fields["market_protection"] = -1
    return client.place_order(**fields | more)


def test_the_first_line_names_the_addresses_and_a_ready_login(exchange, client):
    assert exchange.first["url"].startswith("http://127.0.0.1:")
    assert exchange.first["ticker_url"].startswith("ws://127.0.0.1:")
    assert client.profile()["user_id"] == "AB1234"


def test_the_state_says_session_time_speed_and_phase(exchange):
    state = exchange.state()
    assert state["venue_session"] == exchange.first["venue_session"]
    assert datetime.fromisoformat(state["market_time"]) >= at(date(2026, 11, 23), time(10, 0))
    assert (state["speed"], state["trading_date"], state["market"]) == (20, "2026-11-23", "synthetic")
    assert (state["phase"], state["acknowledges"], state["is_last_day"]) == ("open", True, False)


def test_every_answer_names_the_venue_session(exchange):
    answer = requests.get(f"{exchange.first['url']}/orders", timeout=5)
    assert answer.headers["X-Venue-Session"] == exchange.first["venue_session"]


def test_a_market_order_fills_and_is_told_to_the_ticker(exchange, client):
    with exchange.ticker() as ticker:
        order_id = share_order(client, tag="ENTRYONE")
        told = next_text(ticker, "order")
        while told["order_id"] != order_id or told["status"] != "COMPLETE":
            told = next_text(ticker, "order")
    assert told["filled_quantity"] == 10
    assert told["checksum"] == sha256(f"{order_id}{told['order_timestamp']}secret".encode()).hexdigest()
    assert [row["status"] for row in client.orders() if row["tag"] == "ENTRYONE"] == ["COMPLETE"]
    assert sum(row["quantity"] for row in client._get("order.trades", url_args={"order_id": order_id})) == 10
    net = client.positions()["net"]
    assert [row["quantity"] for row in net if row["tradingsymbol"] == "RELIANCE"] == [10]


def test_an_order_can_be_modified_and_cancelled(client):
    last = client.ltp("NSE:ITC")["NSE:ITC"]["last_price"]
    order_id = share_order(client, kind="LIMIT", price=round(last * 0.97), tradingsymbol="ITC")
    wait_for_status(client, order_id, "OPEN")
    client.modify_order(variety="regular", order_id=order_id, price=round(last * 0.96))
    history = wait_for_status(client, order_id, "MODIFIED")
    wait_for_status(client, order_id, "OPEN")
    client.cancel_order(variety="regular", order_id=order_id)
    history = wait_for_status(client, order_id, "CANCELLED")
    assert history[-1]["price"] == round(last * 0.96)
    assert history[-1]["cancelled_quantity"] == 10


def wait_for_status(client, order_id, status):
    for _ in range(400):
        history = client.order_history(order_id)
        if any(row["status"] == status for row in history[-2:]):
            return history
    raise AssertionError(f"{order_id} never became {status}: {[row['status'] for row in history]}")


def test_a_market_order_without_protection_is_refused_in_kites_words(client):
    with pytest.raises(InputException, match="without market protection are not allowed") as refusal:
        share_order(client, market_protection=None)
    assert refusal.value.code == 400


def test_a_variety_that_is_none_is_refused_and_an_order_within_the_freeze_quantity_is_one_slice(client):
    with pytest.raises(InputException, match="Should be one of regular, amo, co, iceberg"):
        share_order(client, variety="auction")
    data = client.place_autoslice_order(
        variety="regular",
        exchange="NSE",
        tradingsymbol="RELIANCE",
        transaction_type="BUY",
        quantity=1,
        product="MIS",
        order_type="MARKET",
        market_protection=-1,
    )
    (child,) = data["children"]
    assert [row["quantity"] for row in client.orders() if row["order_id"] == child["order_id"]] == [1]


@pytest.mark.parametrize("header", ["", "token key:wrong", "token other:token", "Bearer token", "key:token"])
def test_a_wrong_login_gets_403_and_a_token_error(exchange, header):
    answer = requests.get(f"{exchange.first['url']}/orders", headers={"Authorization": header}, timeout=5)
    assert answer.status_code == 403
    assert answer.json()["error_type"] == "TokenException"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/gtt", 404),
        ("GET", "/nowhere", 404),
        ("POST", "/trades", 405),
        ("PUT", "/orders", 405),
    ],
)
def test_what_is_not_served_is_refused_in_kites_body(exchange, method, path, status):
    answer = requests.request(method, exchange.first["url"] + path, timeout=5)
    assert answer.status_code == status
    assert (answer.json()["status"], answer.json()["error_type"]) == ("error", "GeneralException")
    assert path in answer.json()["message"]


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'{"exchange": "NSE"}', b"\xff\xfe"])
def test_a_body_that_is_no_list_of_orders_is_refused(exchange, body):
    headers = {"Authorization": "token key:token"}
    answer = requests.post(f"{exchange.first['url']}/margins/orders", data=body, headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")


def test_another_api_version_and_a_huge_body_are_refused(exchange):
    headers = {"Authorization": "token key:token", "X-Kite-Version": "2"}
    assert requests.get(f"{exchange.first['url']}/orders", headers=headers, timeout=5).status_code == 400
    big = requests.post(f"{exchange.first['url']}/orders/regular", data=b"x" * (1 << 20) + b"x", timeout=5)
    assert (big.status_code, big.json()["error_type"]) == (413, "InputException")


def test_the_instrument_file_is_a_gzipped_csv_by_exchange(exchange, client):
    nfo = client.instruments("NFO")
    assert [row["tradingsymbol"] for row in nfo] == ["NIFTY26NOVFUT", "BANKNIFTY26NOVFUT", "FINNIFTY26NOVFUT"]
    assert (nfo[0]["instrument_token"], nfo[0]["exchange_token"]) == (NIFTY, "1001")
    assert (nfo[0]["lot_size"], nfo[0]["tick_size"], nfo[0]["expiry"]) == (65, 0.1, date(2026, 11, 23))
    everything = client.instruments()
    assert len(everything) == 26
    indices = [row["tradingsymbol"] for row in everything if row["segment"] == "INDICES"]
    assert indices == ["NIFTY 50", "NIFTY BANK", "NIFTY FIN SERVICE"]
    answer = requests.get(
        f"{exchange.first['url']}/instruments", headers={"Authorization": "token key:token"}, timeout=5
    )
    assert answer.headers["Content-Encoding"] == "gzip"


def test_candles_hold_three_days_of_history_and_today_so_far(client):
    rows = client.historical_data(RELIANCE, "2026-11-17 00:00:00", "2026-11-23 23:59:59", "minute")
    days = sorted({row["date"].date().isoformat() for row in rows})
    assert days == ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-23"]
    today = [row for row in rows if row["date"].date() == date(2026, 11, 23)]
    assert today[0]["date"].astimezone(IST).time() == time(9, 15)
    assert len(today) > 45
    assert all(row["low"] <= min(row["open"], row["close"]) for row in rows)
    assert all(row["high"] >= max(row["open"], row["close"]) for row in rows)


def test_longer_candles_are_counted_from_the_opening(client):
    begin, end = "2026-11-23 09:15:00", "2026-11-23 09:59:59"
    minutes = client.historical_data(RELIANCE, begin, end, "minute")
    tens = client.historical_data(RELIANCE, begin, end, "10minute")
    assert [row["date"].astimezone(IST).strftime("%H:%M") for row in tens[:3]] == ["09:15", "09:25", "09:35"]
    assert tens[0]["open"] == minutes[0]["open"]
    assert tens[0]["volume"] == sum(row["volume"] for row in minutes[:10])
    assert tens[0]["high"] == max(row["high"] for row in minutes[:10])
    day = client.historical_data(RELIANCE, "2026-11-20 00:00:00", end, "day", oi=True)
    assert [row["date"].astimezone(IST).isoformat() for row in day] == [
        "2026-11-20T00:00:00+05:30",
        "2026-11-23T00:00:00+05:30",
    ]
    assert day[0]["oi"] == 0


@pytest.mark.parametrize(
    ("token", "begin", "interval", "words"),
    [
        (1, "2026-11-23 09:15:00", "minute", "invalid token"),
        (RELIANCE, "2026-11-23 09:15:00", "2minute", "Invalid interval"),
        (RELIANCE, "2026-01-01 09:15:00", "minute", "exceeds max limit: 60 days"),
        (RELIANCE, "yesterday", "minute", "Invalid `from`"),
    ],
)
def test_candles_that_cannot_be_are_refused(client, token, begin, interval, words):
    with pytest.raises(InputException, match=words):
        client.historical_data(token, begin, "2026-11-23 10:00:00", interval)


def test_quotes_show_depth_and_circuits_and_leave_out_the_unknown(client):
    quotes = client.quote("NSE:RELIANCE", "NSE:NOBODY")
    assert list(quotes) == ["NSE:RELIANCE"]
    quote = quotes["NSE:RELIANCE"]
    bid, ask = quote["depth"]["buy"][0]["price"], quote["depth"]["sell"][0]["price"]
    assert bid < ask
    assert bid <= quote["last_price"] <= ask
    assert (
        quote["lower_circuit_limit"]
        < quote["ohlc"]["low"]
        <= quote["ohlc"]["high"]
        < quote["upper_circuit_limit"]
    )
    assert set(client.ohlc("NSE:RELIANCE")["NSE:RELIANCE"]) == {"instrument_token", "last_price", "ohlc"}


def test_margins_charges_and_the_account_are_answered(client):
    order = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "variety": "regular",
        "product": "MIS",
        "order_type": "LIMIT",
        "quantity": 10,
        "price": 1600,
        "trigger_price": 0,
    }
    # a fifth of ten shares at about 1,590
    assert 3000 < client.order_margins([order])[0]["total"] < 3400
    assert 6000 < client.basket_order_margins([order, order])["final"]["total"] < 6800
    # 0.03 % of 16,000 is 4.80; no STT on a purchase.
    note = client.get_virtual_contract_note([order | {"order_id": "1", "average_price": 1600}])[0]
    assert (note["charges"]["brokerage"], note["charges"]["transaction_tax"]) == (4.8, 0)
    with pytest.raises(InputException):
        client.get_virtual_contract_note([order])
    assert client.margins()["equity"]["available"]["opening_balance"] == 2_500_000
    assert client.margins("equity")["enabled"] is True
    assert client.holdings() == []


def test_the_ticker_sends_frames_that_the_official_client_reads_alike(exchange):
    with exchange.ticker() as ticker:
        say(ticker, "subscribe", [NIFTY, RELIANCE])
        say(ticker, "mode", ["full", [NIFTY, RELIANCE]])
        message = next_frame(ticker)
    ours = decode(message, datetime.now(IST))
    theirs = KiteTicker("key", "token")._parse_binary(message)
    assert [tick["instrument_token"] for tick in theirs] == ours.tokens.tolist()
    assert [round(tick["last_price"] * 100) for tick in theirs] == ours.last_price_paise.tolist()
    assert [tick["volume_traded"] for tick in theirs] == ours.volume.tolist()
    for row, tick in enumerate(theirs):
        assert [round(level["price"] * 100) for level in tick["depth"]["buy"]] == ours.bid_price_paise[
            row
        ].tolist()
        assert [level["quantity"] for level in tick["depth"]["sell"]] == ours.ask_quantity[row].tolist()
        assert tick["ohlc"]["low"] <= tick["last_price"] <= tick["ohlc"]["high"]
        assert tick["exchange_timestamp"].timestamp() == ours.exchange_time_s[row]


def test_each_subscriber_gets_his_own_instruments_in_his_own_modes(exchange):
    with exchange.ticker() as ticker:
        say(ticker, "subscribe", [NIFTY, RELIANCE, 408065])
        say(ticker, "mode", ["ltp", [NIFTY]])
        say(ticker, "unsubscribe", [408065])
        kinds: dict[int, str] = {}
        while len(kinds) < 2:
            for tick in KiteTicker("key", "token")._parse_binary(next_frame(ticker)):
                kinds[tick["instrument_token"]] = tick["mode"]
    assert kinds == {NIFTY: "ltp", RELIANCE: "quote"}


def test_silence_is_broken_by_heartbeats(exchange):
    with exchange.ticker() as ticker:
        assert ticker.recv(timeout=3) == b"\x00"


def test_the_ticker_refuses_a_wrong_token_and_a_fourth_connection(exchange):
    with pytest.raises(InvalidStatus) as refusal, exchange.ticker(token="wrong"):
        pass
    assert refusal.value.response.status_code == 403
    three = exchange.ticker(), exchange.ticker(), exchange.ticker()
    with three[0], three[1], three[2], pytest.raises(InvalidStatus) as refusal, exchange.ticker():
        pass
    assert refusal.value.response.status_code == 429


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("nonsense", "Not understood"),
        ('{"a": "dance", "v": 1}', "no such action as dance"),
        ('{"a": "mode", "v": ["loud", [1]]}', "Not understood"),
        ('{"a": "hello", "v": "nobody"}', "say hello as strategy or watcher"),
        (json.dumps({"a": "subscribe", "v": list(range(3001))}), "At most 3000 instruments"),
    ],
)
def test_what_a_client_says_wrongly_is_answered_and_the_connection_lives(exchange, said, answer):
    with exchange.ticker() as ticker:
        ticker.send(said)
        assert answer in next_text(ticker, "error")
        say(ticker, "subscribe", [NIFTY])
        assert next_frame(ticker)


def test_the_eleventh_order_of_a_second_gets_429_and_reading_has_limits_too(tmp_path):
    with ExchangeProcess(tmp_path, ("--from", "10:00", "--speed", "0.2")) as exchange:
        client = exchange.client()
        for _ in range(10):
            share_order(client, kind="LIMIT", price=1000)
        with pytest.raises(NetworkException, match="Too many requests") as refusal:
            share_order(client, kind="LIMIT", price=1000)
        assert refusal.value.code == 429
        assert len(client.orders()) == 10
        client.ltp("NSE:INFY")
        with pytest.raises(NetworkException, match="Too many requests"):
            client.ltp("NSE:INFY")


def test_a_login_ends_the_token_before_it_and_a_logout_ends_the_login(tmp_path):
    with ExchangeProcess(tmp_path) as exchange:
        client = exchange.client()
        page = f"{exchange.first['url']}/connect/login?api_key=key&v=3"
        token = requests.get(page, timeout=5).json()["data"]["request_token"]
        with pytest.raises(TokenException, match="checksum"):
            client.generate_session(token, api_secret="guess")
        session = client.generate_session(token, api_secret="secret")
        assert session["user_id"] == "AB1234"
        assert session["login_time"].replace(second=0) == datetime(2026, 11, 23, 9, 14)
        with pytest.raises(TokenException):
            exchange.client().orders()
        with pytest.raises(TokenException, match="invalid or has expired"):
            client.generate_session(token, api_secret="secret")
        client.set_access_token(session["access_token"])
        assert client.orders() == []
        client.invalidate_access_token()
        with pytest.raises(TokenException):
            client.orders()
