"""Rows and books read into one report, its hashes, and its storing."""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from reporting import burnin, queries
from reporting.summary import StrategyLine, summary
from risk import self_test, state
from risk.models import BurninDay
from tests.console_rows import DAY, MORNING, build_chain, build_day
from tests.reporting.day_builders import fill_report, order_report, position
from trading.core.enums import OrderStatus, RiskReason, Role
from trading.core.values import FillReport, OrderReport, PositionReport
from trading.market import instruments
from trading.models import Fill, Instrument, OrderEvent, StrategySetting

pytestmark = pytest.mark.django_db

SYMBOL = "NIFTY26NOVFUT"
LATER = MORNING + timedelta(minutes=30)


@dataclass
class Books:
    """A broker that knows three books and nothing else."""

    orders: tuple[OrderReport, ...] = ()
    fills: tuple[FillReport, ...] = ()
    positions: tuple[PositionReport, ...] = ()

    def order_reports(self):
        return list(self.orders)

    def fill_reports(self):
        return list(self.fills)

    def position_reports(self):
        return list(self.positions)


@pytest.fixture
def chain():
    instruments.spec_of.cache_clear()
    Instrument.objects.create(
        exchange="NFO", tradingsymbol=SYMBOL, instrument_token=256_000, name="NIFTY", instrument_type="FUT",
        segment="NFO-FUT", lot_size=75, tick_size_paise=10, read_on=DAY,
    )  # fmt: skip
    yield build_chain()
    instruments.spec_of.cache_clear()


def judged(chain, broker=None):
    return burnin.report(chain.account, chain.session, DAY, broker, now=LATER)


def test_rows_become_facts_with_their_links(chain):
    facts = queries.day_facts(chain.account, chain.session, DAY, None, now=LATER)
    entry, stop = facts.orders
    assert (facts.signals, facts.decisions_planned, facts.books) == (1, 1, None)
    assert (entry.role, entry.decision_id, entry.signal_id) == (
        Role.ENTRY,
        chain.decision.pk,
        chain.signal.pk,
    )
    assert (stop.decision_id, stop.entry_id, stop.group_number) == (chain.decision.pk, chain.entry.pk, 1)
    assert entry.signal_stop_price == Decimal("24450.00")
    assert [event.to_status for event in entry.events] == [OrderStatus.FILLED]
    assert [fill.quantity for fill in facts.trades[0].fills] == [75, 75]
    assert facts.trades[0].net_inr == Decimal("-4066.15")
    assert facts.capital_inr == Decimal("2500000.00")


def test_the_brokers_books_are_read_in_the_order_of_time():
    early, late = fill_report(), fill_report(Role.STOP)
    found = queries.read_books(Books(orders=(order_report(),), fills=(late, early), positions=(position(),)))
    assert [fill.broker_trade_id for fill in found.fills] == ["T1", "T2"]
    assert (len(found.orders), len(found.positions)) == (1, 1)


def test_limits_that_changed_during_the_day_count_at_their_widest(chain):
    first = state.limits_in_force(chain.account.pk)
    first.pk, first.version, first.open_positions, first.created_by = None, 2, 2, "operator"
    first.save()
    facts = queries.day_facts(chain.account, chain.session, DAY, None, now=LATER)
    assert facts.limits.open_positions == 4
    type(chain.decision).objects.update(limits_version=2)
    facts = queries.day_facts(chain.account, chain.session, DAY, None, now=LATER)
    assert facts.limits.open_positions == 2


def test_a_report_without_a_broker_cannot_pass_and_says_why(chain):
    report = judged(chain)
    assert report.passed is False
    by_name = {one.name: one for one in report.criteria}
    assert by_name["flat_at_broker"].figures["broker_asked"] is False
    assert by_name["signals"].figures == {"exercised": True, "found": 1, "wanted": 50}


def test_a_rule_that_no_entry_was_asked_about_is_a_problem_of_the_day(chain):
    self_test.count(chain.session.pk, DAY, self_test.EXPECTED - {RiskReason.HEAT_LIMIT}, ())
    told = [one for one in judged(chain).problems if "asked about it" in one]
    assert told == ["HEAT_LIMIT: no entry was asked about it today, although entries were looked at"]
    self_test.count(chain.session.pk, DAY, [RiskReason.HEAT_LIMIT], ())
    assert not any("asked about it" in one for one in judged(chain).problems)


def test_the_summary_keeps_gross_charges_and_net_apart(chain):
    found = summary(chain.account, chain.session, DAY)
    line = StrategyLine(
        strategy="ORB", signals=1, approved=1, trades=1, wins=0,
        gross_inr=Decimal("-3753.75"), charges_inr=Decimal("312.40"),
    )  # fmt: skip
    assert found.strategies == (line,)
    assert (found.gross_inr, found.charges_inr, found.net_inr) == (
        Decimal("-3753.75"),
        Decimal("312.40"),
        Decimal("-4066.15"),
    )


def test_slippage_is_positive_where_it_cost_something(chain):
    chain.entry.average_price = Decimal("24500.15")
    chain.entry.save()
    chain.group.exit_reason = "STOP"
    chain.group.save()
    chain.stop.average_price = Decimal("24449.80")
    chain.stop.save()
    found = summary(chain.account, chain.session, DAY)
    assert found.entry_slippage_inr == Decimal("7.50")
    assert found.stop_slippage_inr == Decimal("15.00")
    assert found.exits == {"STOP": 1}


def test_storing_twice_keeps_one_row_with_the_newer_verdict(chain):
    burnin.store(judged(chain))
    row = burnin.store(replace(judged(chain), problems=("I4: bare",)))
    assert BurninDay.objects.count() == 1
    assert (row.passed, row.problems, row.trades) == (False, ["I4: bare"], 1)
    assert (row.gross_inr, row.charges_inr, row.net_inr) == (
        Decimal("-3753.75"),
        Decimal("312.40"),
        Decimal("-4066.15"),
    )


def test_a_stored_report_comes_back_as_it_was(chain):
    report = judged(chain, Books())
    row = burnin.store(report)
    row.refresh_from_db()
    assert burnin.as_json(burnin.stored(row)) == burnin.as_json(report)


def test_the_json_has_the_agreed_keys_and_rupees_as_numbers(chain):
    found = burnin.as_json(judged(chain))
    assert found.keys() >= {"date", "criteria", "trades", "pnl_inr", "charges_inr", "problems", "digest"}
    assert (found["date"], found["trades"]) == ("2026-11-23", 1)
    assert (found["gross_inr"], found["charges_inr"], found["pnl_inr"]) == (-3753.75, 312.4, -4066.15)
    assert found["criteria"][0] == {
        "name": "signals",
        "passed": False,
        "figures": {"exercised": True, "found": 1, "wanted": 50},
    }


def test_the_digest_is_the_same_in_another_session_and_knows_a_paisa(chain):
    other = build_chain(2)
    first = burnin.day_digest(chain.account, chain.session, DAY)
    assert first == burnin.day_digest(other.account, other.session, DAY)
    Fill.objects.filter(order=other.entry).update(price=Decimal("24500.06"))
    assert burnin.day_digest(other.account, other.session, DAY) != first


def test_the_digest_knows_a_refusals_reasons(chain):
    before = burnin.day_digest(chain.account, chain.session, DAY)
    chain.decision.reasons = [{"reason": "COOLDOWN", "text": "…"}]
    chain.decision.save()
    assert burnin.day_digest(chain.account, chain.session, DAY) != before


def program(root):
    """A tiny program: code, requirements, and files that do not count."""
    for name, words in {
        "requirements.txt": "Django==5.2.19",
        "manage.py": "run()",
        "trading/loop.py": "pass",
        "tests/test_loop.py": "assert True",
        "var/made.py": "1",
        ".venv/lib.py": "2",
        "README.md": "words",
    }.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(words)
    return root


@pytest.mark.parametrize(
    ("changed", "is_evidence"),
    [
        ("trading/loop.py", True),
        ("requirements.txt", True),
        ("manage.py", True),
        ("tests/test_loop.py", False),
        ("var/made.py", False),
        (".venv/lib.py", False),
        ("README.md", False),
    ],
)
def test_evidence_follows_the_code_and_nothing_beside_it(chain, tmp_path, changed, is_evidence):
    root = program(tmp_path)
    before = burnin.evidence_hash(chain.account, root)
    (root / changed).write_text("something else")
    assert (burnin.evidence_hash(chain.account, root) != before) is is_evidence


def test_evidence_follows_limits_strategies_and_capital(chain, tmp_path):
    root = program(tmp_path)
    seen = {burnin.evidence_hash(chain.account, root)}
    limits = state.limits_in_force(chain.account.pk)
    limits.pk, limits.version, limits.open_positions = None, 2, 3
    limits.save()
    seen.add(burnin.evidence_hash(chain.account, root))
    StrategySetting.objects.create(account=chain.account, strategy="ORB", enabled=False)
    seen.add(burnin.evidence_hash(chain.account, root))
    chain.account.paper_capital_inr = Decimal("2500000.01")
    seen.add(burnin.evidence_hash(chain.account, root))
    assert len(seen) == 4


def test_the_newest_moment_of_a_session_is_found():
    chain = build_day()
    assert queries.last_moment(chain.session) == MORNING
    OrderEvent.objects.create(
        order=chain.stop, at=LATER, from_status="FILLED", to_status="FILLED", who="x", why="y"
    )
    assert queries.last_moment(chain.session) == LATER
