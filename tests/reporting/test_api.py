"""REST of the whole: state, burn-in days, health."""

import pytest
from django.db import connection

from tests.console_rows import build_chain, build_day, build_open
from tests.live_prices import newest, snapshot
from trading import lease
from trading.core.enums import Loop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_account(settings):
    settings.ACCOUNT_NAME = "paper-1"


def test_the_state_says_mode_entries_result_and_time(client):
    build_open()
    with newest(snapshot(2_452_005)):
        state = client.get("/state").json()
    assert (state["account"], state["mode"], state["market"]) == ("paper-1", "PAPER", "synthetic")
    assert state["market_time"] == "2026-11-23T10:31:05.123+05:30"
    assert state["trading_date"] == "2026-11-23"
    assert state["entries"] == {"are_on": True, "off_because": [], "locks": []}
    assert (state["day"]["pnl_inr"], state["day"]["heat_inr"]) == ("1397.80", "3753.75")


def test_a_burnin_day_comes_with_its_criteria(client):
    build_day()
    (day,) = client.get("/burnin").json()
    assert (day["trading_date"], day["passed"], day["net_inr"]) == ("2026-11-23", False, "-4066.15")
    assert day["criteria"] == [{"name": "50 signals", "passed": False, "figures": "1 of 50"}]


def test_health_is_good_only_while_both_loops_lead_and_work(client):
    account = build_chain().account
    assert client.get("/health").json()["parts"]["exits"] == "nobody leads"
    for loop in (Loop.EXITS, Loop.ENTRIES):
        lease.renew(lease.take_or_fail(account.pk, loop, "host:1"), pass_worked=True)
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok", "parts": {"database": "ok", "redis": "ok", "entries": "ok", "exits": "ok"},
    }  # fmt: skip


def test_health_names_the_redis_that_is_away(client, settings):
    build_chain()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["parts"]["redis"].startswith("does not answer")


def test_ready_means_that_the_database_answers_and_is_up_to_date(client):
    assert client.get("/ready").json() == {"status": "ok", "parts": {"database": "ok"}}
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_account RENAME TO trading_account_old")
    assert "trading_account" in client.get("/ready").json()["parts"]["database"]
