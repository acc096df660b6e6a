from datetime import datetime
from hashlib import sha256
from itertools import count

import pytest

from trading.core.session import IST
from trading.exchange.logins import Logins
from trading.exchange.rules import VenueRefusal

MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=IST)


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


def fields(token):
    checksum = sha256(f"key{token}secret".encode()).hexdigest()
    return {"api_key": "key", "request_token": token, "checksum": checksum}


def test_a_request_token_is_good_for_one_login_which_ends_the_one_before():
    book = logins()
    token = book.request_token(0)
    book.check("key", "first", MORNING)
    access = book.login(fields(token), MORNING, 1)
    book.check("key", access, MORNING)
    with pytest.raises(VenueRefusal):
        book.check("key", "first", MORNING)
    with pytest.raises(VenueRefusal, match="expired"):
        book.login(fields(token), MORNING, 1)


def test_only_the_last_five_request_tokens_are_good():
    book = logins()
    tokens = [book.request_token(0) for _ in range(6)]
    with pytest.raises(VenueRefusal, match="expired"):
        book.login(fields(tokens[0]), MORNING, 1)
    assert book.login(fields(tokens[1]), MORNING, 1)


@pytest.mark.parametrize(("age_s", "is_good"), [(299, True), (300, False), (-1, False)])
def test_a_request_token_is_good_for_five_minutes(age_s, is_good):
    book = logins()
    token = book.request_token(1000)
    if is_good:
        assert book.login(fields(token), MORNING, 1000 + age_s) == "token2"
    else:
        with pytest.raises(VenueRefusal, match="expired"):
            book.login(fields(token), MORNING, 1000 + age_s)


def test_a_wrong_checksum_is_told_apart_and_spends_no_token():
    book = logins()
    token = book.request_token(0)
    for wrong in ("", "é", sha256(b"keysecret").hexdigest()):
        with pytest.raises(VenueRefusal, match="checksum"):
            book.login(fields(token) | {"checksum": wrong}, MORNING, 1)
    assert book.login(fields(token), MORNING, 1)


@pytest.mark.parametrize(
    ("granted", "alive", "dead"),
    [
        (datetime(2026, 11, 23, 9, 0), datetime(2026, 11, 24, 5, 59, 59), datetime(2026, 11, 24, 6, 0)),
        (datetime(2026, 11, 23, 5, 59), datetime(2026, 11, 23, 5, 59, 59), datetime(2026, 11, 23, 6, 0)),
        (datetime(2026, 11, 23, 6, 0), datetime(2026, 11, 24, 5, 59, 59), datetime(2026, 11, 24, 6, 0)),
    ],
)
def test_a_token_from_a_login_dies_at_six_in_the_morning(granted, alive, dead):
    book = logins()
    access = book.login(fields(book.request_token(0)), granted.replace(tzinfo=IST), 1)
    book.check("key", access, alive.replace(tzinfo=IST))
    with pytest.raises(VenueRefusal) as refusal:
        book.check("key", access, dead.replace(tzinfo=IST))
    assert (refusal.value.http_status, refusal.value.error_type) == (403, "TokenException")


def test_a_token_that_the_launcher_gave_does_not_die_by_the_clock():
    assert logins(given="first").check("key", "first", datetime(2027, 1, 1, 12, tzinfo=IST)) is None


def test_nothing_opens_after_a_logout():
    book = logins()
    book.logout("key", "first", MORNING)
    for token in ("first", ""):
        with pytest.raises(VenueRefusal) as refusal:
            book.check("key", token, MORNING)
        assert (refusal.value.http_status, refusal.value.error_type) == (403, "TokenException")


def test_a_restart_keeps_the_login_unless_the_launcher_gave_another_token():
    before = logins(given="first")
    access = before.login(fields(before.request_token(0)), MORNING, 1)
    waiting = before.request_token(2)
    same, other = logins(given="first"), logins(given="second")
    same.restore(before.as_event())
    other.restore(before.as_event())
    assert (same.access_token, other.access_token) == (access, "first")
    with pytest.raises(VenueRefusal):
        same.check("key", access, datetime(2026, 11, 24, 6, 0, tzinfo=IST))
    assert same.login(fields(waiting), MORNING, 3)


def test_the_redirect_carries_the_token_and_echoes_what_the_app_asked():
    book = logins()
    book.redirect_url = "http://localhost:8000/kite"
    assert book.redirect_to("t1", "state=a%2Bb&status=forged") == (
        "http://localhost:8000/kite?action=login&type=login&status=success&request_token=t1&state=a%2Bb"
    )
    book.redirect_url = "http://localhost:8000/kite?app=1"
    assert book.redirect_to("t1", "").startswith("http://localhost:8000/kite?app=1&action=login&")


def test_an_order_updates_checksum_is_over_id_time_and_secret():
    order = {"order_id": "1", "order_timestamp": "2026-11-23 10:00:00"}
    assert logins().checksum(order) == sha256(b"12026-11-23 10:00:00secret").hexdigest()
