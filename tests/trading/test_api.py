"""REST of trading: rows of the newest books, Kite's own doors."""

import hashlib
import json

import psycopg
import pytest
from django.db import connection, transaction

from tests.console_rows import build_chain
from trading import bells
from trading.models import Account, VenueSession

SECRET = "for-tests"
TIMESTAMP = "2026-11-23 10:31:05"


@pytest.fixture
def chain(db, settings):
    settings.ACCOUNT_NAME = "paper-1"
    settings.KITE_API_SECRET = SECRET
    return build_chain()


def test_signals_decisions_orders_and_trades_are_those_of_the_newest_books(chain, client):
    assert [row["strategy"] for row in client.get("/signals").json()] == ["ORB"]
    (decision,) = client.get("/decisions").json()
    assert (decision["approved"], decision["quantity"], decision["tradingsymbol"]) == (
        True,
        75,
        "NIFTY26NOVFUT",
    )
    assert {row["role"]: row["status"] for row in client.get("/orders").json()} == {
        "ENTRY": "FILLED", "STOP": "FILLED",
    }  # fmt: skip
    assert [row["net_inr"] for row in client.get("/trades").json()] == ["-4066.15"]
    VenueSession.objects.create(
        account=chain.account, key="run-2", market="synthetic", started_at=chain.session.started_at
    )
    assert [client.get(f"/{path}").json() for path in ("signals", "decisions", "orders", "trades")] == [
        []
    ] * 4


def test_rupees_are_text_and_times_are_ist(chain, client):
    (signal,) = client.get("/signals").json()
    assert signal["entry_price"] == "24500.05"
    assert signal["seen_at"] == "2026-11-23T10:31:05.123+05:30"
    assert signal["trading_date"] == "2026-11-23"


def test_a_page_has_a_limit_and_a_wrong_one_is_refused(chain, client):
    assert len(client.get("/orders?limit=1").json()) == 1
    assert client.get("/orders?limit=0").status_code == 422
    assert client.get("/orders?limit=501").status_code == 422


def test_another_account_can_be_named_and_an_unknown_one_is_refused_with_the_names(chain, client):
    build_chain(2)
    assert len(client.get("/trades?account=paper-2").json()) == 1
    answer = client.get("/trades?account=nobody")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no account 'nobody'; accounts: paper-1, paper-2."


def test_before_the_first_account_it_says_how_to_make_one(db, client):
    answer = client.get("/orders")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no account 'paper'; `make paper` makes the first one."


def postback(client, **changes):
    signed = hashlib.sha256(f"1234{TIMESTAMP}{SECRET}".encode()).hexdigest()
    body = {
        "order_id": "1234", "order_timestamp": TIMESTAMP, "checksum": signed, "user_id": "AB0001", **changes,
    }  # fmt: skip
    return client.post(
        "/kite/postback", json.dumps(body), content_type="application/json", REMOTE_ADDR="203.0.113.9"
    )


@pytest.mark.django_db(transaction=True)
def test_a_signed_postback_only_rings_the_watchers_bell(settings, client):
    settings.KITE_API_SECRET = SECRET
    chain = build_chain()
    with _listening() as heard:
        assert postback(client).status_code == 200
        assert [(one.channel, one.payload) for one in heard()] == [(bells.EXITS, str(chain.account.pk))]
        assert postback(client, user_id="SOMEBODY").status_code == 200
        assert heard() == []


@pytest.mark.parametrize(
    "change",
    [{"order_id": "1235"}, {"order_timestamp": ""}, {"checksum": ""}, {"checksum": "é"}, {"checksum": None}],
)
def test_a_postback_with_a_wrong_checksum_is_refused(chain, client, change):
    assert postback(client, **change).status_code == 403


def test_without_the_api_secret_no_postback_is_believed(chain, client, settings):
    settings.KITE_API_SECRET = ""
    answer = postback(client, checksum=hashlib.sha256(f"1234{TIMESTAMP}".encode()).hexdigest())
    assert answer.status_code == 409
    assert answer.json()["detail"] == "Postbacks cannot be checked: set KITE_API_SECRET."


@pytest.mark.parametrize(
    ("body", "status"), [(b"[]", 400), (b"{", 400), (b"\xff", 400), (b" " * 65_537, 413)]
)
def test_a_postback_that_is_no_small_object_is_refused(chain, client, body, status):
    assert (
        client.generic("POST", "/kite/postback", body, content_type="application/json").status_code == status
    )


@pytest.mark.django_db(transaction=True)
def test_a_bell_rings_when_its_transaction_commits_and_not_when_it_fails():
    account = Account.objects.create(name="paper", broker_user="AB0001")
    with _listening() as heard:
        with transaction.atomic():
            bells.ring(bells.ENTRIES, account.pk)
            assert heard() == []
        assert [one.payload for one in heard()] == [str(account.pk)]
        with pytest.raises(RuntimeError), transaction.atomic():
            bells.ring(bells.ENTRIES, account.pk)
            raise RuntimeError
        assert heard() == []


class _listening:
    """A connection of its own that hears both channels."""

    def __enter__(self):
        values = connection.settings_dict
        self.connection = psycopg.connect(
            dbname=values["NAME"], user=values["USER"], host=values["HOST"], port=values["PORT"] or None,
            password=values["PASSWORD"] or None, autocommit=True,
        )  # fmt: skip
        for channel in (bells.EXITS, bells.ENTRIES):
            self.connection.execute(f"LISTEN {channel}")
        return lambda: list(self.connection.notifies(timeout=0.3, stop_after=1))

    def __exit__(self, *_):
        self.connection.close()
