from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

import pytest

from tests.trading.broker.kite import scripted_server
from tests.trading.broker.kite.samples import data
from tests.trading.broker.kite.scripted_server import Script
from trading.broker.base import BrokerRefused, BrokerUnavailable
from trading.broker.kite.environment import EXCHANGE, PRODUCTION
from trading.broker.kite.login import KiteSession, exchange_token, is_same_state, login_url, token_dies_at
from trading.core.clocks import VirtualClocks

IST = ZoneInfo("Asia/Kolkata")
NOW = datetime(2026, 11, 23, 8, 31, tzinfo=IST)


@pytest.fixture
def kite() -> Iterator[Script]:
    with scripted_server.running() as script:
        yield script


def exchanged(kite: Script) -> KiteSession:
    return exchange_token(
        EXCHANGE.at(kite.root_url, "ws://127.0.0.1:1"),
        api_key="k3y",
        api_secret="api-s3cret",
        request_token="r3quest",
        clocks=VirtualClocks(NOW),
    )


def test_the_login_page_is_kites_and_carries_our_state():
    assert login_url(PRODUCTION, api_key="k3y", state="a b") == (
        "https://kite.zerodha.com/connect/login?v=3&api_key=k3y&redirect_params=state%3Da%2Bb"
    )


def test_a_request_token_becomes_a_session_by_its_checksum(kite):
    kite.will_say(data("generate_session.json") | {"access_token": "acc3ss"})
    session = exchanged(kite)
    (asked,) = kite.asked
    assert (asked.method, asked.path) == ("POST", "/session/token")
    assert asked.form == {
        "api_key": "k3y",
        "request_token": "r3quest",
        "checksum": sha256(b"k3yr3questapi-s3cret").hexdigest(),
    }
    assert "authorization" not in asked.headers
    assert (session.user_id, session.access_token) == ("XX0000", "acc3ss")
    assert session.logged_in_at == datetime(2021, 1, 1, 16, 15, 14, tzinfo=IST)


def test_a_login_without_a_time_counts_from_now(kite):
    kite.will_say({"user_id": "AB1234", "access_token": "acc3ss", "login_time": ""})
    assert exchanged(kite).logged_in_at == NOW


@pytest.mark.parametrize(
    ("status", "error_type", "expected"),
    [
        (403, "TokenException", BrokerRefused),
        (400, "InputException", BrokerRefused),
        (429, "NetworkException", BrokerUnavailable),
        (503, "NetworkException", BrokerUnavailable),
    ],
)
def test_a_failed_login_says_what_to_do(kite, status, error_type, expected):
    kite.will_refuse(status, error_type, "Token is invalid or has expired.")
    with pytest.raises(expected, match="Token is invalid") as raised:
        exchanged(kite)
    assert ("open the login page again" in str(raised.value)) == (expected is BrokerRefused)


@pytest.mark.parametrize("answer", [{}, {"login_time": None}, {"login_time": None, "access_token": "x"}, []])
def test_an_answer_without_a_token_is_no_login(kite, answer):
    kite.will_say(answer)
    with pytest.raises(BrokerUnavailable):
        exchanged(kite)


@pytest.mark.parametrize(
    ("logged_in_at", "dies_at"),
    [
        (datetime(2026, 11, 23, 8, 30, tzinfo=IST), datetime(2026, 11, 24, 6, 0, tzinfo=IST)),
        (datetime(2026, 11, 23, 5, 59, tzinfo=IST), datetime(2026, 11, 23, 6, 0, tzinfo=IST)),
        (datetime(2026, 11, 23, 6, 0, tzinfo=IST), datetime(2026, 11, 24, 6, 0, tzinfo=IST)),
        (datetime(2026, 11, 23, 23, 0, tzinfo=ZoneInfo("UTC")), datetime(2026, 11, 24, 6, 0, tzinfo=IST)),
        (datetime(2026, 11, 30, 9, 0, tzinfo=IST), datetime(2026, 12, 1, 6, 0, tzinfo=IST)),
    ],
)
def test_a_token_dies_at_the_next_six_in_the_morning(logged_in_at, dies_at):
    assert token_dies_at(logged_in_at) == dies_at


def test_a_session_is_dead_at_six_and_never_shows_its_token():
    session = KiteSession(user_id="AB1234", access_token="acc3ss", logged_in_at=NOW)
    assert session.is_alive(datetime(2026, 11, 24, 5, 59, 59, tzinfo=IST))
    assert not session.is_alive(datetime(2026, 11, 24, 6, 0, tzinfo=IST))
    assert "acc3ss" not in f"{session!r} {session}"


def test_only_the_state_that_was_sent_is_answered():
    assert is_same_state("abc", "abc")
    assert not is_same_state("abc", "abd")
    assert not is_same_state("", "")
