"""REST of exits: positions, groups, and flatten from request to verdict."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import close_old_connections, connection
from django.test import Client
from django.utils import timezone

from aitrapp_site import levers
from oco.models import Flatten
from risk.models import EntriesOff
from tests.console_rows import MORNING, build_chain, build_open
from tests.live_prices import newest, snapshot
from trading.models import Account


@pytest.fixture(autouse=True)
def own_account(settings):
    settings.ACCOUNT_NAME = "paper-1"


def post(client, path):
    """As `curl -X POST` sends it: no body, no content type."""
    return client.generic("POST", path, content_type="")


@pytest.mark.django_db
def test_positions_come_with_live_price_stop_and_target(client):
    build_open()
    with newest(snapshot(2_452_005)):
        (position,) = client.get("/positions").json()
    assert position["last_price"] == "24520.05"
    assert position["pnl_inr"] == "1397.80"
    assert [(one["stop_price"], one["target_price"]) for one in position["groups"]] == [
        ("24450.00", "24590.10")
    ]


@pytest.mark.django_db
def test_groups_come_with_their_legs(client):
    build_open()
    (group,) = client.get("/oco").json()
    assert (group["tradingsymbol"], group["state"]) == ("NIFTY26NOVFUT", "ARMED")
    assert [(leg["kind"], leg["state"]) for leg in group["legs"]] == [("STOP", "FILLED")]


@pytest.mark.django_db
def test_an_account_that_never_traded_has_nothing_to_flatten(client):
    Account.objects.create(name="paper-1", broker_user="AB0001")
    answer = post(client, "/flatten")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "paper-1 has never traded, so there is nothing to close."


@pytest.fixture
def exits_leader():
    """Somebody who takes the next flatten and finishes it, like the watcher's process."""
    stop = threading.Event()

    def lead() -> None:
        while not stop.wait(0.01):
            for row in Flatten.objects.filter(finished_at=None):
                row.state, row.finished_at, row.positions_at_start = "FLAT", MORNING, 1
                row.took_ms = int((timezone.now() - row.asked_machine_at) / timedelta(milliseconds=1))
                row.save()
        connection.close()

    thread = threading.Thread(target=lead)
    yield thread.start
    stop.set()
    if thread.is_alive():
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_flatten_answers_with_the_verdict_and_how_long_it_took(client, exits_leader):
    build_open()
    exits_leader()
    answer = post(client, "/flatten")
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["asked_by"]) == ("FLAT", "local operator")
    assert 0 <= answer.json()["took_ms"] < 2000
    assert EntriesOff.objects.get().reason == "flatten"


@pytest.mark.django_db(transaction=True)
def test_the_console_flattens_and_shows_the_verdict(exits_leader):
    chain = build_open()
    exits_leader()
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    chosen = {"action": "flatten", "_selected_action": [chain.account.pk]}
    page = client.post("/admin/trading/account/", chosen, follow=True).content.decode()
    assert "paper-1: FLAT after" in page
    assert Flatten.objects.get().asked_by == "operator"
    close_old_connections()


@pytest.mark.django_db
def test_flatten_that_takes_longer_is_told_to_go_on_and_twice_is_one(client, monkeypatch):
    monkeypatch.setattr(levers, "VERDICT_WITHIN_S", 0.05)
    build_chain()
    first, second = post(client, "/flatten"), post(client, "/flatten")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["state"] == "REQUESTED"
    assert first.json()["id"] == second.json()["id"]
    assert Flatten.objects.count() == 1
