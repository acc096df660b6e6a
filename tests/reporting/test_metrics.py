"""/metrics: the numbers that the rows say, under the names that were agreed."""

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from oco.models import OcoGroup
from reporting.metrics import exposition, metrics_app
from risk import self_test, state
from tests.console_rows import DAY, MORNING, build_chain, build_open
from tests.live_prices import newest, snapshot
from trading import lease
from trading.core.enums import Loop, PauseReason, RiskReason
from trading.models import Command, Decision, Signal, VenueSession

pytestmark = pytest.mark.django_db

AGREED = {
    "trader_signals_total", "trader_decisions_total", "trader_orders_placed_total", "trader_orders_filled_total",
    "trader_oco_children_created_total", "trader_risk_blocks_total", "trader_retries_total", "trader_positions_open",
    "trader_portfolio_heat_rupees", "trader_daily_pnl_rupees",
}  # fmt: skip
HISTOGRAMS = {"trader_tick_to_decision_ms", "trader_order_latency_ms"}


@pytest.fixture(autouse=True)
def own_account(settings):
    settings.ACCOUNT_NAME = "paper-1"


def numbers() -> dict[str, float]:
    """Sample → value, labels written behind the name."""
    text, _ = exposition("")
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return {name: value for name, value in found.items() if name.startswith("trader_")}


def test_the_twelve_names_are_there_from_the_first_day_on():
    build_chain()
    names = {name.partition("{")[0] for name in numbers()}
    assert names >= AGREED
    assert {f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")} <= names


def test_counts_are_those_of_the_rows_of_the_newest_books():
    chain = build_chain()
    build_chain(2)
    found = numbers()
    assert found["trader_signals_total"] == 1
    assert found["trader_decisions_total"] == 1
    assert found["trader_orders_placed_total"] == 2
    assert found["trader_orders_filled_total"] == 2
    assert found["trader_oco_children_created_total"] == 1
    assert found["trader_risk_blocks_total"] == 0
    assert found["trader_daily_pnl_rupees"] == -4066.15
    VenueSession.objects.create(account=chain.account, key="run-9", market="synthetic", started_at=MORNING)
    assert numbers()["trader_signals_total"] == 0


def test_an_open_position_counts_with_its_heat_and_live_result():
    build_open()
    with newest(snapshot(2_452_005)):
        found = numbers()
    assert found["trader_positions_open"] == 1
    assert found["trader_portfolio_heat_rupees"] == 3753.75
    assert found["trader_daily_pnl_rupees"] == 1397.80
    assert found["trader_feed_age_seconds"] == 0.4


def test_what_the_feed_lost_counts_by_kind_and_books_that_begin_later_know_nothing_of_it():
    chain = build_open()
    with newest(snapshot(lost={"frame": 3, "record": 2, "stale": 7})):
        found = numbers()
        assert found["trader_feed_lost_total{kind=frame}"] == 3
        assert found["trader_feed_lost_total{kind=record}"] == 2
        assert found["trader_feed_lost_total{kind=stale}"] == 7
        later = MORNING + timedelta(minutes=1)
        VenueSession.objects.create(account=chain.account, key="run-9", market="synthetic", started_at=later)
        assert not any(name.startswith("trader_feed_lost") for name in numbers())


def test_each_rule_counts_and_one_nobody_asked_shows():
    chain = build_chain()
    asked = self_test.EXPECTED - {RiskReason.HEAT_LIMIT}
    for day in (DAY - timedelta(days=1), DAY):
        self_test.count(chain.session.pk, day, asked, {RiskReason.COOLDOWN})
    found = numbers()
    assert found["trader_rule_refusals_total{rule=COOLDOWN}"] == 2
    assert found["trader_rule_passes_total{rule=COOLDOWN}"] == 0
    assert found["trader_rule_passes_total{rule=PRICE_BAND}"] == 2
    assert found["trader_rules_unasked"] == 1


def test_what_the_check_refused_counts_and_what_was_only_not_ranked_does_not():
    chain = build_chain()
    Decision.objects.update(approved=False, reasons=[{"reason": "HEAT_LIMIT", "text": "too hot"}])
    assert numbers()["trader_risk_blocks_total"] == 1
    Decision.objects.update(reasons=[{"reason": "NOT_RANKED", "text": "third of 2"}])
    assert numbers()["trader_risk_blocks_total"] == 0
    assert chain.decision.pk


def test_a_retry_is_a_closing_command_beyond_the_first_of_its_group():
    chain = build_chain()
    stop = chain.stop
    for number, purpose in ((2, "trail"), (3, "close"), (4, "close"), (5, "close")):
        Command.objects.create(
            order=stop, session=stop.session, trading_date=stop.trading_date, day_number=10 + number,
            number=number, kind="MODIFY", purpose=purpose, fence=7, intent_at=MORNING,
            intent_machine_at=MORNING, outcome="ACCEPTED",
        )  # fmt: skip
    assert numbers()["trader_retries_total"] == 2


def test_latencies_fall_into_cumulative_buckets():
    chain = build_chain()
    Command.objects.filter(order=chain.entry).update(latency_ms=4.0)
    Decision.objects.update(tick_to_decision_ms=2.5)
    found = numbers()
    assert [found[f"trader_order_latency_ms_bucket{{le={le}}}"] for le in ("2.0", "5.0", "10.0", "20.0", "+Inf")] == [
        0, 1, 1, 2, 2,
    ]  # fmt: skip
    assert found["trader_order_latency_ms_sum"] == 16.5
    assert found["trader_order_latency_ms_count"] == 2
    assert found["trader_tick_to_decision_ms_bucket{le=2.0}"] == 0
    assert found["trader_tick_to_decision_ms_bucket{le=5.0}"] == 1


def test_loops_protection_and_budget_are_told():
    chain = build_open()
    held = lease.take_or_fail(chain.account.pk, Loop.EXITS, "host:1")
    lease.renew(held, pass_worked=True)
    state.turn_off(chain.account.pk, PauseReason.FEED, by="watcher", why="stale", now=MORNING)
    OcoGroup.objects.update(unprotected_since=timezone.now() - timedelta(seconds=30))
    Command.objects.update(intent_machine_at=timezone.now())
    found = numbers()
    assert found["trader_lease_held{loop=EXITS}"] == 1
    assert found["trader_lease_fence{loop=EXITS}"] == 1
    assert 0 <= found["trader_heartbeat_age_seconds{loop=EXITS}"] < 5
    assert 29 <= found["trader_unprotected_seconds"] < 40
    assert found["trader_entries_off{reason=feed}"] == 1
    assert found["trader_entries_off{reason=operator}"] == 0
    assert found["trader_rate_budget_orders"] == 8


def test_without_an_account_the_scrape_still_works(settings):
    settings.ACCOUNT_NAME = "nobody"
    assert numbers() == {}
    assert b"python_info" in exposition("")[0]


def test_a_scrape_costs_as_many_queries_for_many_rows_as_for_few():
    session = build_open().session
    exposition("")
    with CaptureQueriesContext(connection) as few:
        exposition("")
    for number in range(2, 12):
        chain = build_chain(number)
        Signal.objects.filter(pk=chain.signal.pk).update(session=session)
        Decision.objects.filter(pk=chain.decision.pk).update(tick_to_decision_ms=number)
    with CaptureQueriesContext(connection) as many:
        exposition("")
    assert len(many) == len(few) <= 30


def test_the_route_and_the_mounted_application_say_the_same(client):
    build_chain()
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert b"trader_signals_total 1.0" in answer.content
    assert b"django_http_requests" in answer.content
    sent = async_to_sync(_ask)()
    assert sent[0]["status"] == 200
    assert b"trader_signals_total 1.0" in sent[1]["body"]


async def _ask() -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message):
        sent.append(message)

    await metrics_app()({"type": "http", "headers": [(b"accept", b"text/plain")]}, None, send)
    return sent
