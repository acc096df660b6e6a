"""`/metrics`: everything named `trader_…` is computed from rows when it is asked for.

So a count is the same in every process and on every host and survives a restart. Counts and histograms are those of
the installation's own account in its newest books, and begin anew with the next books; ages are by the database's
clock.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.db.models import Count, Min, Q, QuerySet, Sum
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from oco.models import OcoGroup, OcoLeg
from reporting import day_rows, positions, queries
from risk import self_test, state
from risk.models import RuleTally
from trading import current, tick_bus
from trading.core.enums import CommandKind, OrderStatus, PauseReason, RiskReason
from trading.core.session import IST
from trading.models import Account, Command, Decision, Lease, Order, Signal, VenueSession

DECISION_BUCKETS_MS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
ORDER_BUCKETS_MS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
Send = Callable[[dict[str, Any]], Awaitable[None]]


def exposition(accept: str) -> tuple[bytes, str]:
    """Our numbers and django-prometheus's own, in the format a scraper asks for: text and content type."""
    encoder, content_type = choose_encoder(accept)
    ours = CollectorRegistry(auto_describe=False)
    ours.register(RowsCollector())
    return encoder(ours) + encoder(REGISTRY), content_type


def metrics_app() -> Callable[[Mapping[str, Any], Any, Send], Awaitable[None]]:
    """An ASGI application that answers every request with the numbers, to be mounted or served by itself."""

    async def app(scope: Mapping[str, Any], receive: object, send: Send) -> None:
        accept = b",".join(value for name, value in scope.get("headers", ()) if name == b"accept").decode()
        text, content_type = await sync_to_async(exposition)(accept)
        headers = [(b"content-type", content_type.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    return app


class RowsCollector(Collector):
    """Reads rows at each scrape, by aggregates alone. Without an account there is nothing to say."""

    def collect(self) -> Iterator[Metric]:
        try:
            account = current.account_named()
        except current.NoAccount:
            return
        now = _database_now()
        session = current.newest_session(account)
        yield from _loops(account, now)
        yield from _account(account, now)
        if session is not None:
            yield from _counters(session)
            yield from _gauges(session)
            yield from _histograms(session)
            yield from _protection(session, now)


def _counters(session: VenueSession) -> Iterator[Metric]:
    decisions = Decision.objects.filter(signal__session=session)
    unranked = Q(reasons__contains=[{"reason": RiskReason.NOT_RANKED}])
    orders = Order.objects.filter(session=session)
    placed = orders.exclude(broker_order_id="")
    yield _counter("signals", "Setups that strategies saw", Signal.objects.filter(session=session).count())
    yield _counter("decisions", "Signals answered", decisions.count())
    yield _counter("orders_placed", "Orders that the broker took", placed.count())
    filled = orders.filter(status=OrderStatus.FILLED)
    yield _counter("orders_filled", "Orders filled completely", filled.count())
    legs = OcoLeg.objects.filter(group__session=session)
    yield _counter("oco_children_created", "Legs of OCO groups", legs.count())
    blocked = decisions.filter(approved=False).exclude(unranked)
    yield _counter("risk_blocks", "Entries that the pre-trade check refused", blocked.count())
    asked = list(RuleTally.objects.filter(session=session).order_by("rule", "trading_date"))
    yield from _rules(asked)
    newest = max((row.trading_date for row in asked), default=None)
    unasked = self_test.unasked(session.pk, newest) if newest else frozenset()
    yield _gauge("rules_unasked", "Rules that no entry was asked by on the newest day", len(unasked))
    yield _counter("retries", "Exits priced or placed again; an entry never is", _retries(session))


def _rules(asked: Iterable[RuleTally]) -> Iterator[Metric]:
    """What each rule said, by the reason it gives."""
    passes = CounterMetricFamily("trader_rule_passes", "Entries that a rule let pass", labels=["rule"])
    refusals = CounterMetricFamily("trader_rule_refusals", "Entries that a rule refused", labels=["rule"])
    for rule, rows in groupby(asked, key=lambda row: row.rule):
        of_rule = list(rows)
        passes.add_metric([rule], sum(row.passes for row in of_rule))
        refusals.add_metric([rule], sum(row.refusals for row in of_rule))
    yield from (passes, refusals)


def _retries(session: VenueSession) -> int:
    """Closing commands beyond the first of each group."""
    closing = Command.objects.filter(order__session=session, purpose="close").order_by()
    return closing.count() - closing.values("order__entry", "order__group_number").distinct().count()


def _gauges(session: VenueSession) -> Iterator[Metric]:
    ticks = tick_bus.read_newest(settings.REDIS_URL)
    ours = ticks if ticks and ticks.at >= session.started_at else None
    now = (ours.at if ours else queries.last_moment(session)).astimezone(IST)
    rows = day_rows.read(session, now.date(), now)
    yield _gauge("positions_open", "Instruments held", len(rows.open_trades))
    yield _gauge(
        "portfolio_heat_rupees", "Lost if every stop fills at its trigger", float(positions.heat(rows))
    )
    pnl = positions.day_book(rows, now.date()).result_inr(positions.quotes_of(ours))
    yield _gauge("daily_pnl_rupees", "Realised and open, charges so far included", float(pnl))
    if ours and ours.rows:
        ages_ms = [age_ms for *_, age_ms in ours.rows.values() if age_ms >= 0]
        lost = CounterMetricFamily(
            "trader_feed_lost",
            "What came to the strategy loop and was not used (frames, ticks by kind) or not recorded",
            labels=["kind"],
        )
        for kind, count in ours.lost.items():
            lost.add_metric([kind], count)
        yield lost
        yield _gauge("feed_age_seconds", "Market time since the newest tick", min(ages_ms, default=0) / 1000)


def _histograms(session: VenueSession) -> Iterator[Metric]:
    decisions = Decision.objects.filter(signal__session=session)
    yield _histogram(
        "tick_to_decision_ms",
        "Tick read to decision stored",
        decisions,
        "tick_to_decision_ms",
        DECISION_BUCKETS_MS,
    )
    placed = Command.objects.filter(order__session=session, kind=CommandKind.PLACE, latency_ms__isnull=False)
    yield _histogram("order_latency_ms", "Order call to its answer", placed, "latency_ms", ORDER_BUCKETS_MS)


def _protection(session: VenueSession, now: datetime) -> Iterator[Metric]:
    groups = OcoGroup.objects.filter(session=session)
    since = groups.filter(closed_at=None).aggregate(since=Min("unprotected_since"))["since"]
    naked_s = max((now - since).total_seconds(), 0.0) if since else 0.0
    yield _gauge(
        "unprotected_seconds", "Longest time an open position has been without a live stop now", naked_s
    )


def _account(account: Account, now: datetime) -> Iterator[Metric]:
    off = state.reasons_off(account.pk)
    entries = GaugeMetricFamily(
        "trader_entries_off", "1 for a reason that keeps entries off", labels=["reason"]
    )
    for reason in PauseReason:
        entries.add_metric([reason.value], float(reason in off))
    yield entries
    sent = Command.objects.filter(
        order__account=account, intent_machine_at__gt=now - timedelta(seconds=1)
    ).count()
    limit = state.limits_in_force(account.pk).orders_per_s
    yield _gauge("rate_budget_orders", "Orders that may still be sent in this second", max(limit - sent, 0))


def _loops(account: Account, now: datetime) -> Iterator[Metric]:
    held = GaugeMetricFamily("trader_lease_held", "1 while somebody leads the loop", labels=["loop"])
    fence = GaugeMetricFamily("trader_lease_fence", "Fencing number of the loop's lease", labels=["loop"])
    beat = GaugeMetricFamily(
        "trader_heartbeat_age_seconds", "Since the loop's last pass that worked", labels=["loop"]
    )
    for row in Lease.objects.filter(account=account).order_by("loop"):
        held.add_metric([row.loop], float(row.expires_at is not None and row.expires_at >= now))
        fence.add_metric([row.loop], row.fence)
        if row.pass_at:
            beat.add_metric([row.loop], max((now - row.pass_at).total_seconds(), 0.0))
    yield from (held, fence, beat)


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(f"trader_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"trader_{name}", text, value=value)


def _histogram(name: str, text: str, rows: QuerySet[Any], column: str, bounds: Iterable[float]) -> Metric:
    """Cumulative buckets of a measured column, counted by the database in one query."""
    counts = {
        f"le_{place}": Count("pk", filter=Q(**{f"{column}__lte": le})) for place, le in enumerate(bounds)
    }
    found = rows.order_by().aggregate(total=Count("pk"), sum=Sum(column, default=0.0), **counts)
    buckets = [(str(float(le)), found[f"le_{place}"]) for place, le in enumerate(bounds)]
    return HistogramMetricFamily(
        f"trader_{name}", text, buckets=[*buckets, ("+Inf", found["total"])], sum_value=found["sum"]
    )


def _database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
