"""Reports as plain text, aligned, money in rupees."""

from collections.abc import Sequence
from decimal import Decimal

from reporting.burnin import Report
from reporting.criteria import Criterion
from reporting.summary import Summary
from trading.core import charges
from trading.core.money import format_inr

Table = Sequence[Sequence[str]]


def day_text(judged: Report) -> str:
    """One day: verdicts, problems, money, and what it was made of."""
    verdicts = [
        ("passed" if one.passed else "FAILED", one.name, figures_text(one)) for one in judged.criteria
    ]
    parts = [
        f"Burn-in of {judged.trading_date:%A %d %B %Y}: {_verdict(judged)}",
        f"{judged.market} market, account {judged.account}, session {judged.session}",
        *([judged.description] if judged.description else []),
        charges.describe(judged.trading_date),
        "",
        *_aligned(verdicts),
        "",
        *_problem_lines(judged.problems),
        "",
        *_money_lines(judged.summary),
        "",
        *_detail_lines(judged.summary),
        "",
        f"digest    {judged.digest}",
        f"evidence  {judged.evidence}",
    ]
    return "\n".join(parts)


def days_text(days: Sequence[Report]) -> str:
    """Many days: how many passed what, the spread of the figures, and what they came to together."""
    if not days:
        return "0 days replayed"
    count = len(days)
    whole = sum(one.passed for one in days)
    almost = sum(set(one.failed) <= {"signals"} and not one.problems for one in days)
    broken = sum(bool(one.problems) for one in days)
    rows = []
    for name in (one.name for one in days[0].criteria):
        passed = sum(name not in one.failed for one in days)
        rows.append((name, f"{passed} of {count}", _share(passed, count)))
    headline = (
        f"{count} days replayed: {whole} passed every criterion, {almost} all but the number of signals "
        f"({_share(almost, count)}); {broken} broke an invariant."
    )
    lines = [
        headline,
        "",
        *_aligned(rows, right=(1, 2)),
        "",
        *_aligned(_spread_rows(days), right=(1, 2, 3)),
        "",
        *_total_lines(days),
    ]
    problems = [f"{one.trading_date} {problem}" for one in days for problem in one.problems]
    return "\n".join([*lines, "", *problems] if problems else lines)


def day_line(judged: Report) -> str:
    """One day in one line."""
    result = judged.summary
    return (
        f"{judged.trading_date}  {_verdict(judged)}: {result.signals} signals, {result.trades} trades, "
        f"gross {format_inr(result.gross_inr)}, charges {format_inr(result.charges_inr)}, "
        f"net {format_inr(result.net_inr)}"
    )


def figures_text(criterion: Criterion) -> str:
    """What a verdict stands on, in words."""
    figures = criterion.figures
    if figures.get("broker_asked") is False:
        return "the broker's books were not read"
    if not figures.get("exercised"):
        wanted = f" ({figures['found']} found, {figures['wanted']} wanted)" if "found" in figures else ""
        return f"nothing exercised it{wanted}"
    said = ("exercised", "broker_asked")
    shown = [(name, value) for name, value in figures.items() if name not in said and value not in ([], None)]
    return ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in shown)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _verdict(judged: Report) -> str:
    if judged.passed:
        return "passed"
    failed = ", ".join(judged.failed)
    broken = f"{len(judged.problems)} problems" if judged.problems else ""
    return "FAILED: " + ", ".join(part for part in (failed, broken) if part)


def _problem_lines(problems: Sequence[str]) -> list[str]:
    if not problems:
        return ["No invariant was broken."]
    return [f"{len(problems)} broken invariants:", *(f"  {problem}" for problem in problems)]


def _money_lines(result: Summary) -> list[str]:
    rows = [("strategy", "signals", "approved", "trades", "wins", "gross", "charges", "net")]
    for line in result.strategies:
        counts = (line.signals, line.approved, line.trades, line.wins)
        money = (line.gross_inr, line.charges_inr, line.net_inr)
        rows.append((line.strategy, *map(str, counts), *map(format_inr, money)))  # type: ignore[arg-type]  # as many
    lines = _aligned(rows, right=range(1, 8))
    lines += ["", *_aligned(
        [
            ("Gross", format_inr(result.gross_inr)),
            ("Charges", format_inr(result.charges_inr)),
            ("Net", format_inr(result.net_inr)),
        ],
        right=(1,),
    )]  # fmt: skip
    return [*lines, "", _result_sentence(result.net_inr, result.trades, "The day")]


def _result_sentence(net: Decimal, trades: int, what: str) -> str:
    if not trades:
        return f"{what} had no trade."
    if net < 0:
        return f"{what} lost {format_inr(-net)} after charges."
    return f"{what} made {format_inr(net)} after charges."


def _detail_lines(result: Summary) -> list[str]:
    rows = [
        ("Exits", _counts(result.exits)),
        ("Refused", _counts(result.refusals)),
        ("Longest without a stop", f"{result.unprotected_max_ms} ms"),
        ("Entry slippage", format_inr(result.entry_slippage_inr)),
        ("Stop slippage", format_inr(result.stop_slippage_inr)),
    ]
    return _aligned(rows)


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.items()) or "none"


def _spread_rows(days: Sequence[Report]) -> list[tuple[str, str, str, str]]:
    def spread(what: str, figures: list[int]) -> tuple[str, str, str, str]:
        ranked = sorted(figures)
        return (what, str(ranked[0]), str(ranked[len(ranked) // 2]), str(ranked[-1]))

    slowest = [_figure(one, "flatten", "slowest_ms") for one in days]
    planned = [_figure(one, "decisions_planned", "found") for one in days]
    return [
        ("a day", "least", "median", "most"),
        spread("signals", [one.summary.signals for one in days]),
        spread("decisions planned", planned),
        spread("trades", [one.summary.trades for one in days]),
        spread("slowest flatten, ms", slowest),
        spread("longest without a stop, ms", [one.summary.unprotected_max_ms for one in days]),
    ]


def _figure(judged: Report, name: str, figure: str) -> int:
    """A figure of one criterion; 0 where it has none."""
    found = next((one.figures.get(figure) for one in judged.criteria if one.name == name), None)
    return found if isinstance(found, int) else 0


def _total_lines(days: Sequence[Report]) -> list[str]:
    gross = sum((one.summary.gross_inr for one in days), Decimal(0))
    paid = sum((one.summary.charges_inr for one in days), Decimal(0))
    trades = sum(one.summary.trades for one in days)
    rows = [
        ("Trades", str(trades)),
        ("Gross", format_inr(gross)),
        ("Charges", format_inr(paid)),
        ("Net", format_inr(gross - paid)),
    ]
    return [*_aligned(rows, right=(1,)), "", _result_sentence(gross - paid, trades, "All days together")]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def _aligned(rows: Table, right: Sequence[int] = ()) -> list[str]:
    """Rows as lines with columns of equal width; `right` names the columns that end together."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]  # fmt: skip
