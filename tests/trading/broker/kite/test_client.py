import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.trading.broker.kite import scripted_server
from tests.trading.broker.kite.samples import data
from tests.trading.broker.kite.scripted_server import Script
from trading.broker.base import Broker, BrokerRefused, BrokerUnavailable, OutcomeUnknown, SessionExpired
from trading.broker.kite.client import KiteBroker, venue_state
from trading.broker.kite.environment import EXCHANGE, PRODUCTION, SANDBOX, KiteEnvironment
from trading.core.clocks import VirtualClocks
from trading.core.enums import Exchange, OrderStatus, OrderType, Product, Role, Side
from trading.core.values import OrderChange, OrderRequest

CLOCKS = VirtualClocks(datetime(2026, 11, 23, 9, 45, tzinfo=ZoneInfo("Asia/Kolkata")))
TIMED_OUT = "Order request timed out. Please check the order book and confirm before placing again."
MARGIN = (
    "Insufficient funds. Required margin is 95417.84 but available margin is 74251.80. "
    "Check the orderbook for open orders."
)
STOP = OrderRequest(
    client_order_id="s" * 24,
    role=Role.STOP,
    exchange=Exchange.NFO,
    tradingsymbol="NIFTY26NOVFUT",
    side=Side.SELL,
    quantity=65,
    product=Product.MIS,
    order_type=OrderType.SL,
    price=Decimal("25900.00"),
    trigger_price=Decimal("25950.10"),
    tag="Sssssssssssssssssss",
)


@pytest.fixture
def kite() -> Iterator[Script]:
    with scripted_server.running() as script:
        yield script


def broker_at(root_url: str, environment: KiteEnvironment = EXCHANGE, **options) -> KiteBroker:
    place = replace(environment, root_url=root_url, is_real_money=False)
    return KiteBroker(
        place, api_key="key", access_token="token", clocks=CLOCKS, timeouts_s=(0.5, 0.4), **options
    )


@pytest.fixture
def broker(kite) -> KiteBroker:
    return broker_at(kite.root_url)


def test_a_stop_goes_out_as_kites_form_signed_and_tagged(kite, broker):
    kite.will_say({"order_id": "151220000000000"})
    assert broker.place(STOP) == "151220000000000"
    (asked,) = kite.asked
    assert (asked.method, asked.path) == ("POST", "/orders/regular")
    assert asked.form == {
        "variety": "regular",
        "exchange": "NFO",
        "tradingsymbol": "NIFTY26NOVFUT",
        "transaction_type": "SELL",
        "quantity": "65",
        "product": "MIS",
        "order_type": "SL",
        "price": "25900.00",
        "trigger_price": "25950.10",
        "validity": "DAY",
        "tag": "Sssssssssssssssssss",
    }
    assert (asked.headers["authorization"], asked.headers["x-kite-version"]) == ("token key:token", "3")


def test_a_modify_and_a_cancel_name_the_order_in_the_path(kite, broker):
    kite.will_say({"order_id": "77"})
    broker.modify("77", OrderChange(order_type=OrderType.LIMIT, price=Decimal("25900.00")))
    broker.cancel("77")
    changed, cancelled = kite.asked
    assert (changed.method, changed.path) == ("PUT", "/orders/regular/77")
    assert (changed.form["order_type"], changed.form["price"]) == ("LIMIT", "25900.00")
    assert "quantity" not in changed.form
    assert (cancelled.method, cancelled.path) == ("DELETE", "/orders/regular/77")


def test_the_sandbox_has_its_prefix_and_takes_limit_orders_only(kite):
    broker = broker_at(kite.root_url, SANDBOX)
    kite.will_say({"order_id": "1"})
    broker.place(replace(STOP, order_type=OrderType.LIMIT))
    assert kite.asked[0].path == "/oms/orders/regular"
    with pytest.raises(BrokerRefused, match="sandbox takes no SL orders, only LIMIT"):
        broker.place(STOP)
    with pytest.raises(BrokerRefused, match="takes no MARKET"):
        broker.modify("1", OrderChange(order_type=OrderType.MARKET))
    assert len(kite.asked) == 1


REFUSALS = [
    (400, "InputException", "Invalid `quantity`.", BrokerRefused),
    (400, "MarginException", MARGIN, BrokerRefused),
    (400, "OrderException", TIMED_OUT, OutcomeUnknown),
    (403, "TokenException", "Incorrect `api_key` or `access_token`.", SessionExpired),
    (403, "PermissionException", "Insufficient permission for that call.", BrokerRefused),
    (429, "NetworkException", "Too many requests", BrokerUnavailable),
    (500, "", "no error_type: the official client dies of a TypeError here", OutcomeUnknown),
    (503, "NetworkException", "OMS is down", OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "error_type", "message", "expected"), REFUSALS)
def test_a_write_ends_as_the_answer_says_and_is_sent_once(
    kite, broker, status, error_type, message, expected
):
    kite.will_refuse(status, error_type, message)
    for write in (
        lambda: broker.place(STOP),
        lambda: broker.modify("77", OrderChange(quantity=65)),
        lambda: broker.cancel("77"),
    ):
        with pytest.raises(expected) as raised:
            write()
        assert str(raised.value).startswith(message)
        assert (raised.value.http_status, raised.value.error_type) == (status, error_type)
    assert len(kite.asked) == 3


def test_a_forbidden_order_names_the_static_ip(kite, broker):
    kite.will_refuse(403, "PermissionException", "Insufficient permission for that call.")
    with pytest.raises(BrokerRefused, match="whitelisted static IP"):
        broker.place(STOP)


def test_a_time_out_after_acceptance_is_unknown_and_its_late_answer_is_not_taken_for_the_next(kite, broker):
    kite.will_hang()
    kite.will_say({"order_id": "2"})
    with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
        broker.place(STOP)
    assert broker.place(STOP) == "2"
    assert len(kite.asked) == 2


def test_a_dropped_connection_is_unknown(kite, broker):
    kite.will_drop()
    with pytest.raises(OutcomeUnknown):
        broker.place(STOP)
    assert len(kite.asked) == 1


def test_a_keep_alive_dropped_under_a_write_is_unknown_and_not_repeated(kite, broker):
    kite.will_say([])
    kite.will_drop()
    broker.order_reports()
    with pytest.raises(OutcomeUnknown):
        broker.place(STOP)
    assert [asked.method for asked in kite.asked] == ["GET", "POST"]


@pytest.mark.parametrize(
    ("status", "content_type", "body", "expected"),
    [
        (502, "text/html", "<html>Bad gateway</html>", OutcomeUnknown),
        (504, "", "", OutcomeUnknown),
        (200, "text/html", "<html>Kite is being updated</html>", OutcomeUnknown),
        (200, "application/json", "{half", OutcomeUnknown),
        (200, "application/json", '{"status": "success"}', OutcomeUnknown),
        (200, "application/json", '{"status": "success", "data": {}}', OutcomeUnknown),
        (200, "application/json", '{"status": "success", "data": null}', OutcomeUnknown),
        (302, "text/html", "", OutcomeUnknown),
        (403, "text/html", "<html>Blocked</html>", OutcomeUnknown),
        (429, "text/html", "<html>Slow down</html>", BrokerUnavailable),
    ],
)
def test_an_answer_that_is_not_kites_json_leaves_a_write_unknown(
    kite, broker, status, content_type, body, expected
):
    kite.will_send(status, content_type, body)
    with pytest.raises(expected) as raised:
        broker.place(STOP)
    assert type(raised.value) is expected


def test_a_redirect_is_not_followed_into_a_second_request(kite, broker):
    kite.answers.append((302, "text/html", "", {"Location": "/elsewhere"}))
    with pytest.raises(OutcomeUnknown, match="HTTP 302"):
        broker.place(STOP)
    assert len(kite.asked) == 1


def test_a_refused_connection_placed_nothing():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(BrokerUnavailable, match="ConnectionError"):
        broker_at(f"http://127.0.0.1:{port}").place(STOP)


def test_a_name_that_does_not_resolve_placed_nothing():
    with pytest.raises(BrokerUnavailable):
        broker_at("http://kite.invalid").place(STOP)


def test_a_failed_tls_handshake_placed_nothing(kite):
    kite.will_say({"order_id": "1"})
    with pytest.raises(BrokerUnavailable):
        broker_at(kite.root_url.replace("http:", "https:"), PRODUCTION).place(STOP)
    assert kite.asked == []


def test_a_peer_that_closes_during_the_handshake_placed_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        with pytest.raises(BrokerUnavailable):
            broker_at(f"https://127.0.0.1:{listener.getsockname()[1]}", PRODUCTION).place(STOP)


@pytest.mark.parametrize(
    ("status", "error_type", "expected"),
    [
        (403, "TokenException", SessionExpired),
        (403, "PermissionException", BrokerUnavailable),
        (429, "NetworkException", BrokerUnavailable),
        (400, "InputException", BrokerUnavailable),
        (500, "", BrokerUnavailable),
    ],
)
def test_a_failed_read_did_nothing(kite, broker, status, error_type, expected):
    kite.will_refuse(status, error_type, "no")
    for read in (
        broker.order_reports,
        broker.fill_reports,
        broker.position_reports,
        broker.funds,
        broker.user_id,
        lambda: broker.order_history("77"),
        lambda: broker.margin_required_inr([STOP]),
        lambda: broker.quotes(["NSE:INFY"]),
        lambda: list(broker.instrument_lines(Exchange.NSE)),
    ):
        with pytest.raises(expected) as raised:
            read()
        assert type(raised.value) is expected


@pytest.mark.parametrize("trouble", ["hang", "drop", "html", "other json"])
def test_a_read_without_a_believable_answer_is_unavailable(kite, broker, trouble):
    {
        "hang": kite.will_hang,
        "drop": kite.will_drop,
        "html": lambda: kite.will_send(502, "text/html", "<html>"),
        "other json": lambda: kite.will_say("surprise"),
    }[trouble]()
    with pytest.raises(BrokerUnavailable):
        broker.order_reports()


def test_the_books_are_read(kite, broker):
    kite.will_say(data("orders_odd.json"))
    assert [report.status for report in broker.order_reports()] == [
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.ACCEPTED,
        OrderStatus.UNKNOWN,
    ]
    kite.will_say(data("trades_odd.json"))
    kite.next_answer()
    assert [fill.broker_trade_id for fill in broker.fill_reports()] == ["10001", "10002", "10003", "10005"]


def test_an_empty_book_may_be_null(kite, broker):
    kite.will_say(None)
    assert broker.order_reports() == []
    kite.will_say({"net": None, "day": None})
    kite.next_answer()
    assert broker.position_reports() == []


def test_margins_are_asked_as_json_and_summed(kite, broker):
    kite.will_say([{"total": 1498}, {"total": 2.5}])
    assert broker.margin_required_inr([STOP, STOP]) == Decimal("1500.50")
    (asked,) = kite.asked
    assert (asked.method, asked.path) == ("POST", "/margins/orders")
    assert json.loads(asked.body)[0]["price"] == 25900.0


def test_a_margin_answer_for_fewer_orders_is_not_believed(kite, broker):
    kite.will_say([{"total": 1498}])
    with pytest.raises(BrokerUnavailable, match="1 of 2"):
        broker.margin_required_inr([STOP, STOP])


def test_quotes_are_asked_by_name_and_absent_ones_stay_absent(kite, broker):
    kite.will_say({"NSE:INFY": {"last_price": 1412.95, "upper_circuit_limit": 1528.6}})
    quotes = broker.quotes(["NSE:INFY", "NSE:GONE"])
    assert kite.asked[0].query == {"i": ["NSE:INFY", "NSE:GONE"]}
    assert list(quotes) == ["NSE:INFY"]
    assert (quotes["NSE:INFY"].last_price_paise, quotes["NSE:INFY"].upper_circuit_paise) == (141295, 152860)
    with pytest.raises(ValueError, match="501 quotes"):
        broker.quotes(["NSE:X"] * 501)


def test_minute_bars_are_asked_in_indian_time_and_leave_out_the_forming_one(kite, broker):
    minute = "2026-11-23T09:4{}:00+0530"
    kite.will_say(
        {"candles": [[minute.format(4), 1, 2, 0.5, 1.5, 10], [minute.format(5), 1, 2, 0.5, 1.5, 10]]}
    )
    begin = datetime(2026, 11, 23, 3, 45, tzinfo=ZoneInfo("UTC"))
    bars = broker.minute_bars(408065, begin, CLOCKS.market_now() + timedelta(hours=1))
    (asked,) = kite.asked
    assert asked.path == "/instruments/historical/408065/minute"
    assert (asked.query["from"], asked.query["to"]) == (["2026-11-23 09:15:00"], ["2026-11-23 10:45:00"])
    assert (bars.close.tolist(), len(bars)) == ([150], 1)
    kite.will_say({"candles": None})
    kite.next_answer()
    with pytest.raises(BrokerUnavailable, match="candles"):
        broker.minute_bars(408065, begin, CLOCKS.market_now())


def test_the_instrument_file_is_streamed_without_the_sandboxs_prefix(kite):
    kite.will_send(200, "text/csv", "instrument_token,name\r\n1,A & B\r\n")
    assert list(broker_at(kite.root_url, SANDBOX).instrument_lines(Exchange.NFO)) == [
        "instrument_token,name",
        "1,A & B",
    ]
    assert kite.asked[0].path == "/instruments/NFO"


def test_the_token_is_probed_by_the_profile(kite, broker):
    kite.will_say({"user_id": "AB1234"})
    assert broker.user_id() == "AB1234"
    assert kite.asked[0].path == "/user/profile"


def test_the_venue_session_follows_the_answers(kite):
    broker = broker_at(kite.root_url, venue_session="paper-1")
    assert broker.venue_session == "paper-1"
    kite.will_say([])
    broker.order_reports()
    assert broker.venue_session == "paper-1"
    kite.will_say([], X_Venue_Session="paper-2")
    kite.next_answer()
    broker.order_reports()
    assert broker.venue_session == "paper-2"


def test_the_paper_exchange_tells_its_session_and_time(kite):
    state = {
        "venue_session": "paper-1",
        "market_time": "2026-11-23T09:45:00+05:30",
        "speed": 10.0,
        "trading_date": "2026-11-23",
        "market": "synthetic",
    }
    kite.will_send(200, "application/json", json.dumps(state))
    told = venue_state(EXCHANGE.at(kite.root_url, "ws://127.0.0.1:1"))
    assert kite.asked[0].path == "/_exchange/state"
    assert (told.venue_session, told.trading_date) == ("paper-1", date(2026, 11, 23))
    assert told.market_at == datetime(2026, 11, 23, 9, 45, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert (told.speed, told.market) == (10.0, "synthetic")


@pytest.mark.parametrize("body", ["{}", "[]", "nonsense", '{"venue_session": 1, "market_time": "noon"}'])
def test_a_paper_exchange_that_talks_otherwise_is_unavailable(kite, body):
    kite.will_send(200, "application/json", body)
    with pytest.raises(BrokerUnavailable, match="/_exchange/state"):
        venue_state(EXCHANGE.at(kite.root_url, "ws://127.0.0.1:1"))


def test_no_message_of_a_failure_shows_the_token(kite):
    broker: Broker = KiteBroker(
        EXCHANGE.at(kite.root_url, "ws://127.0.0.1:1"), api_key="k3y", access_token="s3cret", clocks=CLOCKS
    )
    kite.will_drop()
    with pytest.raises(OutcomeUnknown) as raised:
        broker.place(STOP)
    shown: BaseException | None = raised.value
    while shown:
        assert "s3cret" not in f"{shown!r}"
        shown = shown.__cause__ or shown.__context__
