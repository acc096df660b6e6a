"""The fault switches over real sockets, as the official client meets them."""

import threading
import time

import pytest
import requests
from kiteconnect.exceptions import DataException, InputException, NetworkException, OrderException

from tests.trading.exchange.exchange_process import RELIANCE, ExchangeProcess, next_frame, say


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with ExchangeProcess(tmp_path_factory.mktemp("faults"), ("--from", "10:00")) as running:
        yield running


@pytest.fixture(scope="module")
def price(exchange):
    """So far below the market that an order rests."""
    last = exchange.client().ltp("NSE:ITC")["NSE:ITC"]["last_price"]
    return round(last * 0.95)


@pytest.fixture
def client(exchange):
    yield exchange.client()
    assert requests.delete(address(exchange), timeout=5).json() == {"modify_quantity": "total"}


@pytest.fixture
def place(client, price):
    def place_tagged(tag):
        return client.place_order(
            variety="regular",
            exchange="NSE",
            tradingsymbol="ITC",
            transaction_type="BUY",
            quantity=1,
            product="MIS",
            order_type="LIMIT",
            price=price,
            tag=tag,
        )

    return place_tagged


def address(exchange):
    return f"{exchange.first['url']}/_exchange/faults"


def set_fault(exchange, **faults):
    answer = requests.post(address(exchange), json=faults, timeout=5)
    assert answer.status_code == 200, answer.text
    return answer.json()


def tags(client):
    return [row["tag"] for row in client.orders()]


def wait_for_tag(client, tag, seconds=8.0):
    """Until the book shows it; answers after how many seconds."""
    begin = time.monotonic()
    while tag not in tags(client):
        assert time.monotonic() < begin + seconds, f"{tag} never came into the book"
        threading.Event().wait(0.25)
    return time.monotonic() - begin


def test_a_connection_dropped_before_leaves_no_order_and_one_dropped_after_does(exchange, client, place):
    set_fault(exchange, drop_before={"next": 1, "routes": "orders"})
    with pytest.raises(requests.exceptions.ConnectionError):
        place("BEFORE")
    assert "BEFORE" not in tags(client)
    set_fault(exchange, drop_after={"next": 1, "routes": "orders"})
    with pytest.raises(requests.exceptions.ConnectionError):
        place("AFTER")
    assert tags(client).count("AFTER") == 1


def test_a_late_order_is_a_504_first_and_in_the_book_afterwards(exchange, client, place):
    set_fault(exchange, arrive_late={"seconds": 1, "next": 1})
    with pytest.raises(NetworkException) as failure:
        place("LATE")
    assert failure.value.code == 504
    assert "LATE" not in tags(client)
    assert wait_for_tag(client, "LATE") < 5


def test_a_zombie_is_said_to_have_timed_out_and_comes_all_the_same(exchange, client, place):
    set_fault(exchange, zombie={"seconds": 1, "next": 1})
    with pytest.raises(OrderException, match="Order request timed out") as failure:
        place("ZOMBIE")
    assert failure.value.code == 400
    assert "ZOMBIE" not in tags(client)
    assert wait_for_tag(client, "ZOMBIE") < 5


def test_an_error_of_the_servers_does_nothing_unless_it_acts(exchange, client, place):
    set_fault(exchange, status={"status": 503, "next": 1})
    with pytest.raises(NetworkException) as failure:
        place("NOTHING")
    assert failure.value.code == 503
    set_fault(exchange, status={"status": 502, "next": 1, "acts": True, "routes": "place"})
    with pytest.raises(NetworkException):
        place("ACTED")
    assert ("NOTHING" in tags(client), "ACTED" in tags(client)) == (False, True)


def test_a_proxys_page_reaches_the_client_as_no_json(exchange, client):
    set_fault(exchange, html_body={"status": 504, "next": 2})
    raw = requests.get(f"{exchange.first['url']}/orders", timeout=5)
    assert (raw.status_code, raw.headers["Content-Type"]) == (504, "text/html")
    with pytest.raises(DataException):
        client.orders()
    assert isinstance(client.orders(), list)


def test_too_many_is_kites_429(exchange, client, place):
    set_fault(exchange, too_many={"next": 1, "routes": "orders"})
    with pytest.raises(NetworkException, match="Too many requests") as failure:
        place("FLOOD")
    assert failure.value.code == 429
    assert "FLOOD" not in tags(client)


def test_a_delayed_answer_comes_after_the_act(exchange, client, place):
    set_fault(exchange, delay={"ms": 700, "next": 1, "routes": "orders"})
    begin = time.monotonic()
    waiting = threading.Thread(target=place, args=("SLOW",))
    waiting.start()
    seen_after_s = wait_for_tag(client, "SLOW")
    waiting.join()
    assert seen_after_s < 0.7 <= time.monotonic() - begin


def test_a_lagging_book_shows_an_order_and_its_history_later(exchange, client, place):
    set_fault(exchange, lag_book=1.5)
    order_id = place("LAGS")
    with pytest.raises(OrderException, match="does not exist"):
        client.order_history(order_id)
    assert 1.0 < wait_for_tag(client, "LAGS") < 4
    assert client.order_history(order_id)[0]["status"] == "PUT ORDER REQ RECEIVED"


def test_a_frozen_ticker_stays_connected_and_says_nothing_for_so_long(exchange, client):
    with exchange.ticker() as ticker:
        say(ticker, "subscribe", [RELIANCE])
        next_frame(ticker)
        set_fault(exchange, freeze_socket=1.5)
        with pytest.raises(TimeoutError):
            while True:
                ticker.recv(timeout=1.2)
        assert next_frame(ticker, timeout_s=4)


def test_what_quantity_means_in_a_modify_can_be_switched_and_is_shown(exchange, client):
    assert set_fault(exchange, modify_quantity="refuse")["modify_quantity"] == "refuse"
    assert requests.get(address(exchange), timeout=5).json() == {"modify_quantity": "refuse"}
    assert set_fault(exchange, modify_quantity="pending", delay={"ms": 5, "next": 9, "routes": "cancel"}) == {
        "modify_quantity": "pending",
        "delay": {"ms": 5.0, "next": 9, "routes": "cancel"},
    }


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"delay": "long"}'])
def test_a_body_that_names_no_fault_is_refused_in_words(exchange, body):
    answer = requests.post(address(exchange), data=body, timeout=5)
    assert (answer.status_code, answer.json()["error_type"]) == (400, InputException.__name__)
    assert answer.json()["message"]
