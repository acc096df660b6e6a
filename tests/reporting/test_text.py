"""What a person reads."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from reporting import text
from reporting.burnin import Report
from reporting.criteria import Criterion, Evidence, judge
from reporting.summary import StrategyLine, Summary
from tests.reporting.day_builders import clock

SUMMARY = Summary(
    strategies=(
        StrategyLine(
            strategy="ORB", signals=3, approved=2, trades=2, wins=1,
            gross_inr=Decimal("1234567.50"), charges_inr=Decimal("1300000.25"),
        ),
    ),
    exits={"STOP": 1, "TARGET": 1},
    refusals={"COOLDOWN": 1},
    unprotected_max_ms=771,
    entry_slippage_inr=Decimal("308.76"),
    stop_slippage_inr=Decimal("-5.00"),
)  # fmt: skip

REPORT = Report(
    account_id=1, account="replay", session_id=2, session="replay-2022-03-15-1", market="replay",
    description="recorded minutes", trading_date=date(2022, 3, 15), reported_at=clock("15:45:00"),
    criteria=judge(Evidence(signals=19, decisions_planned=3)), problems=(), summary=SUMMARY,
    evidence="e" * 64, digest="d" * 64,
)  # fmt: skip


def test_a_losing_day_is_called_a_losing_day():
    shown = text.day_text(REPORT)
    assert "The day lost ₹65,432.75 after charges." in shown
    assert [
        line.split() for line in shown.splitlines() if line.startswith(("  Gross", "  Charges", "  Net"))
    ] == [
        ["Gross", "₹12,34,567.50"],
        ["Charges", "₹13,00,000.25"],
        ["Net", "-₹65,432.75"],
    ]


def test_columns_of_money_end_together():
    table = [line for line in text.day_text(REPORT).splitlines() if line.startswith(("  strategy", "  ORB"))]
    assert table == [
        "  strategy  signals  approved  trades  wins          gross        charges          net",
        "  ORB             3         2       2     1  ₹12,34,567.50  ₹13,00,000.25  -₹65,432.75",
    ]


def test_each_criterion_shows_its_verdict_and_figures():
    shown = text.day_text(REPORT)
    assert "  FAILED  signals              found 19, wanted 50" in shown
    assert "  passed  decisions_planned    found 3, wanted 3" in shown
    assert "  FAILED  oco_lifecycle        nothing exercised it (0 found, 1 wanted)" in shown
    assert "  FAILED  flatten              nothing exercised it\n" in shown
    assert "  FAILED  flat_at_broker       the broker's books were not read" in shown


def test_figures_that_are_lists_are_written_out_and_empty_ones_left_out():
    criterion = Criterion(
        name="no_orphan_sibling",
        passed=False,
        figures={"exercised": True, "broker_asked": True, "groups_exited": 1, "orphans": ["I3: a", "I3: b"]},
    )
    assert text.figures_text(criterion) == "groups exited 1, orphans I3: a; I3: b"
    clean = replace(criterion, figures={"exercised": True, "groups_exited": 1, "orphans": []})
    assert text.figures_text(clean) == "groups exited 1"


def test_problems_are_listed_and_named_in_the_verdict():
    shown = text.day_text(replace(REPORT, problems=("I4: bare", "I3: orphan")))
    assert shown.splitlines()[0].endswith("flatten, no_duplicate_orders, no_orphan_sibling, complete_chain, "
                                          "flat_at_broker, 2 problems")  # fmt: skip
    assert "2 broken invariants:\n  I4: bare\n  I3: orphan" in shown


def all_true(signals: int) -> Report:
    criteria = judge(
        Evidence(
            signals=signals, decisions_planned=3, groups_entered=1, lifecycles_complete=1, flattens_ms=(975,),
            orders=2, broker_orders=2, groups_exited=1, orphans=(), trades=1, broken_chains=(),
            square_off_ran=True, positions_traded=1,
        )
    )  # fmt: skip
    return replace(REPORT, criteria=criteria)


def test_many_days_are_counted_spread_and_added_up():
    days = [all_true(50), all_true(19), REPORT, replace(all_true(50), problems=("I4: bare",))]
    shown = text.days_text(days).splitlines()
    assert shown[0] == (
        "4 days replayed: 1 passed every criterion, 2 all but the number of signals (50 %); 1 broke an invariant."
    )
    assert "  signals              2 of 4   50 %" in shown
    assert "  decisions_planned    4 of 4  100 %" in shown
    spread = [line.split() for line in shown if line.startswith("  slowest flatten, ms")]
    assert spread == [["slowest", "flatten,", "ms", "0", "975", "975"]]
    assert shown[-8:] == [
        "  Trades               8",
        "  Gross    ₹49,38,270.00",
        "  Charges  ₹52,00,001.00",
        "  Net      -₹2,61,731.00",
        "",
        "All days together lost ₹2,61,731.00 after charges.",
        "",
        "2022-03-15 I4: bare",
    ]


def test_a_day_in_one_line_says_everything_about_its_money():
    assert text.day_line(all_true(50)) == (
        "2022-03-15  passed: 3 signals, 2 trades, gross ₹12,34,567.50, charges ₹13,00,000.25, net -₹65,432.75"
    )
