"""Several accounts at one exchange: the market is shared, nothing else."""

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import NetworkException, TokenException
from websockets.sync.client import connect

from tests.trading.exchange.exchange_process import ExchangeProcess, next_text

START = ("--from", "10:00")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with ExchangeProcess(tmp_path_factory.mktemp("accounts"), START) as running:
        yield running


def open_account(exchange, user_id, **more):
    answer = requests.post(
        f"{exchange.first['url']}/_exchange/accounts", json={"user_id": user_id, **more}, timeout=5
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def client_of(exchange, account):
    return KiteConnect(account["api_key"], access_token=account["access_token"], root=exchange.first["url"])


def ticker_address(exchange, account):
    return (
        f"{exchange.first['ticker_url']}/?api_key={account['api_key']}&access_token={account['access_token']}"
    )


def buy(client, tag, **more):
    fields = {"order_type": "LIMIT", "price": 1000, "validity": "DAY", "product": "MIS", "quantity": 1}
    names = {"variety": "regular", "exchange": "NSE", "tradingsymbol": "RELIANCE", "transaction_type": "BUY"}
    return client.place_order(**names | fields | more, tag=tag)


def test_an_account_has_its_own_user_books_and_money(exchange):
    ours, theirs = exchange.client(), client_of(exchange, open_account(exchange, "CD1", capital_inr=500_000))
    buy(ours, "OURS")
    buy(theirs, "THEIRS")
    assert theirs.profile()["user_id"] == "CD1"
    assert [row["tag"] for row in theirs.orders()] == ["THEIRS"]
    assert "THEIRS" not in [row["tag"] for row in ours.orders()]
    assert theirs.margins()["equity"]["available"]["opening_balance"] == 500_000
    assert {row["order_id"] for row in theirs.orders()}.isdisjoint(row["order_id"] for row in ours.orders())


def test_an_account_has_rate_limits_of_its_own(exchange):
    one = client_of(exchange, open_account(exchange, "CD2"))
    other = client_of(exchange, open_account(exchange, "CD3"))
    with pytest.raises(NetworkException, match="Too many requests"):
        for number in range(11):
            buy(one, f"N{number}")
    assert buy(other, "FREE")


def test_an_accounts_updates_go_to_its_own_ticker(exchange):
    account = open_account(exchange, "CD4")
    theirs = client_of(exchange, account)
    with exchange.ticker() as ours, connect(ticker_address(exchange, account)) as ticker:
        order_id = buy(theirs, "TOLD", order_type="MARKET", market_protection=-1, price=None)
        assert next_text(ticker, "order")["order_id"] == order_id
        our_id = buy(exchange.client(), "MINE", order_type="MARKET", market_protection=-1, price=None)
        assert next_text(ours, "order")["order_id"] == our_id


def test_a_second_login_of_one_account_leaves_the_others_alone(exchange):
    account = open_account(exchange, "CD5")
    theirs = client_of(exchange, account)
    page = f"{exchange.first['url']}/connect/login?api_key={account['api_key']}&v=3"
    request_token = requests.get(page, timeout=5).json()["data"]["request_token"]
    session = theirs.generate_session(request_token, api_secret=account["api_secret"])
    assert session["user_id"] == "CD5"
    with pytest.raises(TokenException):
        client_of(exchange, account).orders()
    assert isinstance(exchange.client().orders(), list)


def test_a_key_of_one_account_with_the_token_of_another_is_refused(exchange):
    account = open_account(exchange, "CD6")
    mixed = {"api_key": account["api_key"], "access_token": exchange.first["access_token"]}
    with pytest.raises(TokenException):
        client_of(exchange, mixed).orders()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Invalid `user_id`"),
        ({"user_id": "no/name"}, "Invalid `user_id`"),
        ({"user_id": "AB1234"}, "There is an account AB1234 already"),
        ({"user_id": "X1", "capital_inr": 0}, "Invalid `capital_inr`"),
        ({"user_id": "X1", "capital_inr": "much"}, "Invalid `capital_inr`"),
        ([], "must be a JSON object such as"),
    ],
)
def test_an_account_that_cannot_be_is_refused(exchange, body, words):
    answer = requests.post(f"{exchange.first['url']}/_exchange/accounts", json=body, timeout=5)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_a_killed_exchange_goes_on_with_all_its_accounts(tmp_path):
    with ExchangeProcess(tmp_path, START) as exchange:
        account = open_account(exchange, "CD1")
        buy(client_of(exchange, account), "KEPT")
        exchange.kill()
        exchange.start()
        theirs = client_of(exchange, account)
        assert [row["tag"] for row in theirs.orders()] == ["KEPT"]
        assert exchange.client().orders() == []
