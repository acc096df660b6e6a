from hashlib import sha256
from itertools import count

import pytest

from trading.exchange.logins import Logins
from trading.exchange.rules import VenueRefusal


def logins(given=""):
    numbers = count(1)
    return Logins(
        api_key="key",
        api_secret="secret",
        user_id="AB1234",
        access_token="first",
        new_token=lambda: f"token{next(numbers)}",
        given=given,
    )


def checksum(token):
    return sha256(f"key{token}secret".encode()).hexdigest()


def test_a_request_token_is_good_for_one_login_which_ends_the_one_before():
    book = logins()
    token = book.request_token()
    fields = {"api_key": "key", "request_token": token, "checksum": checksum(token)}
    book.check("key", "first")
    access = book.login(fields)
    book.check("key", access)
    with pytest.raises(VenueRefusal):
        book.check("key", "first")
    with pytest.raises(VenueRefusal, match="expired"):
        book.login(fields)


def test_only_the_last_five_request_tokens_are_good():
    book = logins()
    tokens = [book.request_token() for _ in range(6)]
    with pytest.raises(VenueRefusal, match="expired"):
        book.login({"api_key": "key", "request_token": tokens[0], "checksum": checksum(tokens[0])})
    assert book.login({"api_key": "key", "request_token": tokens[1], "checksum": checksum(tokens[1])})


def test_nothing_opens_after_a_logout():
    book = logins()
    book.logout("key", "first")
    for token in ("first", ""):
        with pytest.raises(VenueRefusal) as refusal:
            book.check("key", token)
        assert (refusal.value.http_status, refusal.value.error_type) == (403, "TokenException")


def test_a_restart_keeps_the_login_unless_the_launcher_gave_another_token():
    before = logins(given="first")
    token = before.request_token()
    access = before.login({"api_key": "key", "request_token": token, "checksum": checksum(token)})
    same, other = logins(given="first"), logins(given="second")
    same.restore(before.as_event())
    other.restore(before.as_event())
    assert (same.access_token, other.access_token) == (access, "first")


def test_an_order_updates_checksum_is_over_id_time_and_secret():
    order = {"order_id": "1", "order_timestamp": "2026-11-23 10:00:00"}
    assert logins().checksum(order) == sha256(b"12026-11-23 10:00:00secret").hexdigest()
