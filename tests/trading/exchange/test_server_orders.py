"""Every variety, slices and conversions over real sockets, by the official client."""

import threading
from datetime import date, time
from types import SimpleNamespace

import pytest
import requests
from kiteconnect.exceptions import InputException

from tests.trading.exchange.exchange_process import ExchangeProcess
from trading.core.session import at
from trading.exchange.logins import Logins
from trading.exchange.rules import VenueRefusal
from trading.exchange.server.fault_routes import check_owner
from trading.exchange.server.request import Request


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with ExchangeProcess(tmp_path_factory.mktemp("orders"), ("--from", "10:00", "--speed", "5")) as running:
        yield running


@pytest.fixture
def client(exchange):
    return exchange.client()


def place(client, variety="regular", **more):
    fields = {
        "variety": variety,
        "exchange": "NSE",
        "tradingsymbol": "ITC",
        "transaction_type": "BUY",
        "quantity": 10,
        "product": "MIS",
        "order_type": "MARKET",
        "market_protection": -1,
    }
    return client.place_order(**fields | more)


def rows_when(client, condition):
    """The order book as soon as the condition holds of it."""
    for _ in range(50):
        rows = client.orders()
        if condition(rows):
            return rows
        threading.Event().wait(0.1)
    raise AssertionError(f"the book never showed it: {[(row['variety'], row['status']) for row in rows]}")


def last_price(client):
    return client.ltp("NSE:ITC")["NSE:ITC"]["last_price"]


def test_a_cover_order_gets_its_stop_and_is_exited_by_the_client(client):
    trigger = round(last_price(client) * 0.97)
    parent = place(client, "co", trigger_price=trigger)

    def stops(rows):
        return [row for row in rows if row["parent_order_id"] == parent]

    rows = rows_when(client, lambda rows: any(row["status"] == "TRIGGER PENDING" for row in stops(rows)))
    (stop,) = stops(rows)
    assert (stop["order_type"], stop["quantity"], stop["trigger_price"]) == ("SL-M", 10, trigger)
    client.exit_order("co", stop["order_id"], parent_order_id=parent)
    rows_when(client, lambda rows: stops(rows)[0]["status"] == "COMPLETE")


def test_an_iceberg_is_shown_leg_by_leg(client):
    price = round(last_price(client) * 1.02)
    more = {"order_type": "LIMIT", "price": price, "market_protection": None}
    first = place(client, "iceberg", quantity=30, iceberg_legs=3, iceberg_quantity=10, tag="ICE", **more)
    rows = rows_when(
        client, lambda rows: [row["status"] for row in rows if row["tag"] == "ICE"] == ["COMPLETE"] * 3
    )
    legs = [row for row in rows if row["tag"] == "ICE"]
    assert legs[0]["order_id"] == first
    assert [row["meta"]["iceberg"]["leg"] for row in legs] == [1, 2, 3]


def test_an_after_market_order_is_refused_in_market_hours_and_a_wrong_variety_at_any(client):
    with pytest.raises(InputException, match="Markets are open"):
        place(client, "amo")
    order_id = place(
        client, order_type="LIMIT", price=round(last_price(client) * 0.95), market_protection=None
    )
    rows_when(client, lambda rows: rows[-1]["status"] == "OPEN")
    with pytest.raises(InputException, match="addressed as regular"):
        client.cancel_order("co", order_id)
    client.cancel_order("regular", order_id)
    rows_when(client, lambda rows: rows[-1]["status"] == "CANCELLED")


def test_an_autosliced_order_answers_its_children(client):
    data = client.place_autoslice_order(
        variety="regular",
        exchange="NFO",
        tradingsymbol="NIFTY26NOVFUT",
        transaction_type="BUY",
        quantity=1820,
        product="NRML",
        order_type="LIMIT",
        price=25_000,
    )
    assert [set(child) for child in data["children"]] == [{"order_id"}, {"order_id"}]
    tag = f"autoslice:{data['order_id']}"
    sliced = [row for row in client.orders() if tag in row.get("tags", ())]
    assert [row["quantity"] for row in sliced] == [1755, 65]


def test_a_position_is_converted_by_the_client(client):
    place(client, tradingsymbol="INFY", quantity=4)
    held = {"exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY", "position_type": "day"}
    rows_when(client, lambda rows: rows[-1]["status"] == "COMPLETE")
    assert client.convert_position(**held, quantity=3, old_product="MIS", new_product="CNC") is True
    net = {
        row["product"]: row["quantity"] for row in client.positions()["net"] if row["tradingsymbol"] == "INFY"
    }
    assert net == {"MIS": 1, "CNC": 3}
    with pytest.raises(InputException, match="1 of INFY MIS can be converted"):
        client.convert_position(**held, quantity=2, old_product="MIS", new_product="CNC")


def test_rules_are_set_while_the_exchange_runs(exchange, client):
    address = f"{exchange.first['url']}/_exchange/rules"
    assert requests.post(address, json={"slices": 1}, timeout=5).json() == {"slices": 1}
    with pytest.raises(InputException, match="2 slices would be needed and 1 are allowed"):
        client.place_autoslice_order(
            variety="regular",
            exchange="NFO",
            tradingsymbol="NIFTY26NOVFUT",
            transaction_type="BUY",
            quantity=1820,
            product="NRML",
            order_type="LIMIT",
            price=25_000,
        )
    wrong = requests.post(address, json={"colour": 1}, timeout=5)
    assert (wrong.status_code, wrong.json()["error_type"]) == (400, "InputException")


@pytest.mark.parametrize(
    ("came_from", "login", "is_let_in"),
    [
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("10.0.0.5", "", False),
        ("10.0.0.5", "token key:guess", False),
        ("10.0.0.5", "token key:token", True),
    ],
)
def test_the_switches_are_for_this_machine_and_for_the_owner(came_from, login, is_let_in):
    logins = Logins(
        api_key="key", api_secret="secret", user_id="AB1234", access_token="token", new_token=lambda: "new"
    )
    floor = SimpleNamespace(logins=logins, now=lambda: at(date(2026, 11, 23), time(10)))
    request = Request(
        method="POST",
        path="/_exchange/faults",
        headers={"authorization": login},
        query={},
        client=came_from,
    )
    try:
        check_owner(floor, request)
    except VenueRefusal as refusal:
        assert (is_let_in, refusal.http_status) == (False, 403)
    else:
        assert is_let_in
