"""Several processes ask for entries of one account at once, and no limit is exceeded at the exchange; and sizing."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from risk.models import RiskLimits
from tests.days.market import DAY
from tests.risk import asker
from trading import lease
from trading.core.enums import Loop
from trading.core.sizing import quantity_for_risk, risk_budget_inr
from trading.market import instruments
from trading.models import Account, Decision, Order, VenueSession

PROCESSES = 4
REQUESTS = 12
CAPITAL = Decimal(2_500_000)
#: in the first positions run out, in the second heat does
ROOM = [
    {"open_positions": 2, "trades_per_day": 6, "entries_per_s": 4, "heat_pct": Decimal("2.000")},
    {"open_positions": 9, "trades_per_day": 9, "entries_per_s": 4, "heat_pct": Decimal("1.000")},
]
Most = dict[str, int | Decimal]


def environment() -> dict[str, str]:
    """Of a process that works on this test's database."""
    parts = urlsplit(settings.DATABASE_URL)
    name = connection.settings_dict["NAME"]
    return os.environ | {"DATABASE_URL": urlunsplit(parts._replace(path=f"/{name}"))}


def run_askers(
    account: Account,
    session: VenueSession,
    seed: int,
    floor: Path,
    half_way: Callable[[], None] = lambda: None,
) -> None:
    """Let all of them ask at once, twice; `half_way` happens between, while none asks."""
    held = lease.take_or_fail(account.pk, Loop.ENTRIES, "askers", 120.0)
    floor.touch()
    words = [str(account.pk), str(session.pk), str(held.fence)]
    began_s = str(time.time())
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.risk.asker",
                *words,
                f"{seed}-{number}",
                began_s,
                str(REQUESTS),
                str(floor),
            ],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]
    try:
        for happens in (lambda: None, half_way):
            for one in running:
                assert one.stdout is not None
                assert one.stdout.readline() == b"ready\n"
            happens()
            for one in running:
                assert one.stdin is not None
                one.stdin.write(b"go\n")
                one.stdin.flush()
        assert [one.wait(60) for one in running] == [0] * PROCESSES
    finally:
        for one in running:
            one.kill()
            with one:
                one.wait()


def lines_of(floor: Path) -> Iterator[dict[str, object]]:
    return (json.loads(line) for line in floor.read_text().splitlines())


def judge(floor: Path, most: Most) -> int:
    """Hold every moment at the exchange against the limits; returns how many were placed."""
    orders = Order.objects.select_related("decision__signal")
    stops = {order.client_order_id: order.decision.signal.stop_price for order in orders if order.decision}
    standing: dict[str, tuple[str, Decimal]] = {}
    placed_s: list[float] = []
    for line in lines_of(floor):
        if line["what"] == "place":
            name, symbol = str(line["id"]), str(line["symbol"])
            assert symbol not in {one for one, _ in standing.values()}, f"{symbol} was entered twice"
            sign = 1 if line["side"] == "BUY" else -1
            lost = (Decimal(str(line["price"])) - stops[name]) * sign * int(str(line["units"]))
            assert lost <= CAPITAL * Decimal("0.005")
            standing[name] = (symbol, lost)
            placed_s.append(float(str(line["at_s"])))
        elif line["what"] == "end":
            del standing[str(line["id"])]
        heat = sum((lost for _, lost in standing.values()), Decimal(0))
        assert len(standing) <= most["open_positions"]
        assert len(standing) <= most["trades_per_day"]
        assert heat <= CAPITAL * most["heat_pct"] / 100
    placed_s.sort()
    for first, last in zip(placed_s, placed_s[int(most["entries_per_s"]) :], strict=False):
        assert last - first > 1, f"five entries within {last - first:.3f} s"
    return len(placed_s)


def put_in_force(account: Account, version: int, **most: int | Decimal) -> None:
    RiskLimits.objects.create(
        account=account,
        version=version,
        created_by="test",
        why="room",
        reward_to_costs=0,
        order_latency_ms=7000,
        **most,
    )


def an_account() -> tuple[Account, VenueSession]:
    account = Account.objects.create(name="askers", broker_user="AB1234", paper_capital_inr=CAPITAL)
    instruments.refresh(asker.SHARES, DAY)
    session = VenueSession.objects.create(
        account=account, key="floor", market="synthetic", started_at=asker.TEN
    )
    return account, session


@pytest.mark.django_db(transaction=True)
def test_a_limit_counts_for_the_next_entry_in_every_process_without_a_restart(tmp_path):
    account, session = an_account()
    put_in_force(account, 1, open_positions=9, trades_per_day=9)
    before: list[int] = []

    def half_way() -> None:
        before.append(Decision.objects.count())
        before.append(Decision.objects.filter(approved=True).count())
        # Every entry is three ticks from the last price, 0.015 % of it.
        put_in_force(account, 2, open_positions=9, trades_per_day=9, price_band_pct=Decimal("0.01"))

    run_askers(account, session, 0, tmp_path / "floor", half_way)
    asked, entered = before
    assert (asked, entered >= 1) == (PROCESSES * REQUESTS // 2, True)
    later = Decision.objects.order_by("pk")[asked:]
    assert len(later) == PROCESSES * REQUESTS // 2
    for one in later:
        assert (one.approved, one.limits_version) == (False, 2)
        assert "PRICE_BAND" in {reason["reason"] for reason in one.reasons}
    assert sum(line["what"] == "place" for line in lines_of(tmp_path / "floor")) == entered
    assert {one.signal.strategy.split("-")[1] for one in later.select_related("signal")} == {
        one.signal.strategy.split("-")[1] for one in Decision.objects.select_related("signal")[:asked]
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("seed", "most"), list(enumerate(ROOM)))
def test_processes_that_ask_at_once_never_exceed_a_limit_at_the_exchange(seed, most, tmp_path):
    account, session = an_account()
    put_in_force(account, 1, **most)
    floor = tmp_path / "floor"
    run_askers(account, session, seed, floor)
    placed = judge(floor, most)
    assert placed >= 2
    assert Decision.objects.count() == PROCESSES * REQUESTS
    assert Decision.objects.filter(approved=True).count() == placed
    refused = {one["reason"] for row in Decision.objects.filter(approved=False) for one in row.reasons}
    assert {"OPEN_POSITIONS_LIMIT", "HEAT_LIMIT"}.intersection(refused)


distances = st.decimals(min_value="0.05", max_value="5000", places=2)
rupees = st.decimals(min_value="0.05", max_value="90000", places=2)
pcts = st.decimals(min_value="0.01", max_value="2", places=2)
capitals = st.decimals(min_value="1000", max_value="100000000", places=2)


@given(capitals, pcts, rupees, distances, st.integers(1, 2000))
def test_a_size_is_whole_lots_and_never_over_its_budget(capital, pct, entry, away, lot):
    units = quantity_for_risk(
        capital_inr=capital, risk_pct=pct, entry_price=entry, stop_price=entry - away, lot_size=lot
    )
    budget = risk_budget_inr(capital, pct)
    assert units % lot == 0
    assert units * away <= budget < (units + lot) * away


@given(capitals, capitals, pcts, pcts, st.tuples(distances, distances), st.integers(1, 2000))
def test_more_capital_or_risk_or_a_nearer_stop_never_makes_a_size_smaller(one, other, pct, more, aways, lot):
    def units(capital: Decimal, risk_pct: Decimal, away: Decimal) -> int:
        return quantity_for_risk(
            capital_inr=capital,
            risk_pct=risk_pct,
            entry_price=Decimal(90_000),
            stop_price=90_000 - away,
            lot_size=lot,
        )

    assert units(min(one, other), min(pct, more), max(aways)) <= units(
        max(one, other), max(pct, more), min(aways)
    )
