"""What locks by itself: since when, until when, why; as values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from risk.limits import Limits
from risk.protections import LIFTABLE, Standing, standing
from risk.values import AccountSnapshot
from trading.core.enums import Exchange, Protection
from trading.core.session import IST

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=IST)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=IST)
NIFTY = (Exchange.NFO, "NIFTY26NOVFUT")
QUIET = AccountSnapshot(capital_inr=Decimal(2_500_000))
P = Protection

STANDING = [
    (
        {"last_loss_at": {NIFTY: NOW - timedelta(minutes=2)}},
        Standing(
            protection=P.COOLDOWN,
            instrument=NIFTY,
            cause_at=NOW - timedelta(minutes=2),
            until=NOW + timedelta(minutes=3),
            why="the trade closed at 09:58:00 lost",
        ),
    ),
    (
        {"losses_in_a_row": 6, "lost_at": NOW - timedelta(minutes=1)},
        Standing(
            protection=P.LOSSES_IN_A_ROW,
            cause_at=NOW - timedelta(minutes=1),
            why="6 trades in a row lost; 6 end the day's entries",
        ),
    ),
    (
        {"losses_in_a_row": 7},
        Standing(
            protection=P.LOSSES_IN_A_ROW,
            cause_at=MIDNIGHT,
            why="7 trades in a row lost; 6 end the day's entries",
        ),
    ),
    (
        {"rejections_in_a_row": 5, "rejected_at": NOW - timedelta(minutes=5)},
        Standing(
            protection=P.REJECTIONS_IN_A_ROW,
            cause_at=NOW - timedelta(minutes=5),
            until=NOW + timedelta(minutes=10),
            why="the last 5 entries were refused",
        ),
    ),
    (
        {"order_latency_ms": 2345.6, "latency_at": NOW},
        Standing(
            protection=P.ORDERS_SLOW,
            cause_at=NOW,
            until=NOW + timedelta(minutes=10),
            why="an answer to an entry takes 2346 ms",
        ),
    ),
    (
        {"trades_today": 20},
        Standing(
            protection=P.TRADES_PER_DAY,
            cause_at=MIDNIGHT,
            why="20 trades were made today; 20 is the most",
        ),
    ),
    (
        {"day_pnl_inr": Decimal("-62500.00")},
        Standing(
            protection=P.DAILY_LOSS,
            cause_at=MIDNIGHT,
            why="the day's result is -₹62,500.00; the limit is -₹62,500.00",
        ),
    ),
]


@pytest.mark.parametrize(("figures", "lock"), STANDING)
def test_a_protection_locks_for_its_cause_and_says_until_when(figures, lock):
    assert standing(replace(QUIET, **figures), Limits(), NOW) == (lock,)


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"last_loss_at": {NIFTY: NOW - timedelta(minutes=5)}},
        {"losses_in_a_row": 5, "lost_at": NOW},
        {"rejections_in_a_row": 4, "rejected_at": NOW},
        {"rejections_in_a_row": 5, "rejected_at": NOW - timedelta(minutes=15)},
        {"order_latency_ms": 2000.0, "latency_at": NOW},
        {"order_latency_ms": 9000.0, "latency_at": NOW - timedelta(minutes=10)},
        {"trades_today": 19},
        {"day_pnl_inr": Decimal("-62499.99")},
    ],
)
def test_just_inside_its_limit_nothing_locks(figures):
    assert standing(replace(QUIET, **figures), Limits(), NOW) == ()


@pytest.mark.parametrize(("figures", "lock"), STANDING)
def test_what_was_lifted_stands_no_more_but_for_the_days_own_limits(figures, lock):
    lifted = frozenset({(lock.protection, lock.instrument, lock.cause_at)})
    left = standing(replace(QUIET, **figures, lifted=lifted), Limits(), NOW)
    assert left == (() if lock.protection in LIFTABLE else (lock,))


def test_a_lock_tells_its_time_by_the_exchanges_clock_though_rows_are_in_utc():
    lost_at = datetime(2025, 11, 3, 4, 29, 9, tzinfo=UTC)
    account = replace(QUIET, last_loss_at={(Exchange.NSE, "STEEL"): lost_at})
    (lock,) = standing(account, Limits(), lost_at + timedelta(seconds=30))
    assert lock.why == "the trade closed at 09:59:09 lost"


def test_every_protection_has_its_row_above():
    assert {lock.protection for _, lock in STANDING} == set(Protection)
