import pytest

from trading.broker.kite.environment import EXCHANGE, PRODUCTION, SANDBOX, KiteEnvironment, rehearsal
from trading.core.enums import OrderType


def test_only_production_moves_real_money():
    assert [place.is_real_money for place in (EXCHANGE, SANDBOX, PRODUCTION)] == [False, False, True]


def test_the_sandbox_takes_limit_orders_under_its_prefix():
    assert (SANDBOX.order_types, SANDBOX.route_prefix) == (frozenset({OrderType.LIMIT}), "/oms")
    assert (PRODUCTION.route_prefix, PRODUCTION.root_url) == ("", "https://api.kite.trade")


def test_the_exchange_may_listen_elsewhere_and_production_may_not():
    moved = EXCHANGE.at("http://127.0.0.1:9000", "ws://127.0.0.1:9000")
    assert (moved.root_url, moved.login_url) == (
        "http://127.0.0.1:9000",
        "http://127.0.0.1:9000/connect/login",
    )
    with pytest.raises(ValueError, match="fixed"):
        PRODUCTION.at("http://127.0.0.1:9000", "ws://127.0.0.1:9000")


@pytest.mark.parametrize(
    ("root_url", "is_real_money", "reason"),
    [
        ("http://127.0.0.1:9000/kite", False, "scheme, host and port"),
        ("127.0.0.1:9000", False, "scheme, host and port"),
        ("http://api.kite.trade", True, "without TLS"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused(root_url, is_real_money, reason):
    with pytest.raises(ValueError, match=reason):
        KiteEnvironment(
            name="x",
            root_url=root_url,
            ticker_url="wss://x",
            login_url="https://x",
            is_real_money=is_real_money,
        )


def test_a_rehearsal_decides_as_real_money_does_and_stays_on_this_machine():
    here = rehearsal("http://127.0.0.1:9000", "ws://127.0.0.1:9000")
    assert (here.name, here.is_real_money, here.paces_frames) == ("rehearsal", True, True)
    assert here.login_url == "http://127.0.0.1:9000/connect/login"


@pytest.mark.parametrize(
    ("root_url", "ticker_url"),
    [
        ("https://api.kite.trade", "wss://ws.kite.trade"),
        ("http://127.0.0.1:9000", "wss://ws.kite.trade"),
        ("http://127.0.0.1.example.com", "ws://127.0.0.1:9000"),
    ],
)
def test_a_rehearsal_never_reaches_a_broker(root_url, ticker_url):
    with pytest.raises(ValueError, match="stays on this machine"):
        rehearsal(root_url, ticker_url)
