"""Lessons section 6, 20: a whole real day through both passes, twice, with its report."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from reporting import burnin, replay
from reporting.burnin import Report
from reporting.replay import ReplayedDay, run_day
from trading.core.order_ids import role_of_tag
from trading.exchange.replay import ReplaySource
from trading.models import Account, Decision, Order, Trade

MARKET_DATA = Path(settings.BASE_DIR).parent / "shared" / "market-data"
DAY = date(2022, 3, 15)
CRITERIA = 8

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        not MARKET_DATA.is_dir(), reason="the recorded minutes of 2022 are not beside this project"
    ),
]


@dataclass(frozen=True)
class Told:
    """One replay of the day, as values."""

    session: str
    report: Report
    tags: list[str]
    working: int
    net: set[int]
    decisions: int
    trades: int
    unanswered: int


def told(account: Account) -> Told:
    day: ReplayedDay = run_day(account, ReplaySource(MARKET_DATA, DAY, seed=3), seed=3)
    now = day.clocks.market_now()
    orders = Order.objects.filter(session=day.session)
    return Told(
        session=day.session.key,
        report=burnin.report(account, day.session, DAY, day.broker, now=now),
        tags=[order.tag for order in day.venue.orders.values() if role_of_tag(order.tag)],
        working=len(day.venue.working_orders()),
        net={position.quantity for position in day.venue.ledger.positions.values()},
        decisions=Decision.objects.filter(signal__session=day.session).count(),
        trades=Trade.objects.filter(session=day.session).count(),
        unanswered=orders.filter(commands__outcome="PENDING").count(),
    )


@pytest.fixture(scope="module")
def twice(django_db_setup, django_db_blocker) -> tuple[Told, Told]:
    with django_db_blocker.unblock(), transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        # A lease is renewed from the beginning of its transaction on, and here all is one.
        patch.setattr(replay, "LEASE_TTL_S", 600.0)
        account = Account.objects.create(name="replay", broker_user="REPLAY")
        found = told(account), told(account)
        transaction.set_rollback(True)
    return found


def test_20_a_real_day_gives_a_report_with_every_criterion_named(twice):
    report = twice[0].report
    assert len({one.name for one in report.criteria}) == CRITERIA
    assert all(one.figures for one in report.criteria)
    named_false = {one.name for one in report.criteria if not one.passed}
    assert set(report.failed) == named_false
    assert report.problems == ()


def test_20_the_day_trades_and_ends_flat_with_nothing_working_and_no_tag_twice(twice):
    first, _ = twice
    assert first.decisions >= 10
    assert first.trades >= 1
    assert (first.working, first.net) == (0, {0})
    assert len(first.tags) == len(set(first.tags)) > 0
    assert first.unanswered == 0


def test_20_replayed_again_it_is_a_new_session_that_trades_the_same(twice):
    first, second = twice
    assert (first.session, second.session) == ("replay-2022-03-15-1", "replay-2022-03-15-2")
    assert second.trades == first.trades
    assert set(first.tags).isdisjoint(second.tags)
    assert first.report.digest == second.report.digest
