"""What closed trades came to: equity, drawdown and R multiples, gross and net. Pure: values in, figures out.

Rupees are Decimal. R is a trade's result in units of what it risked when it was entered. Drawdown is how far the net
result stands below its highest so far, which is at least zero: where the range began.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Final

ZERO: Final = Decimal(0)
#: R multiples are counted in steps of so much; what lies beyond the ends is counted in the last step
STEP_R: Final = Decimal("0.5")
LOWEST_R, HIGHEST_R = Decimal(-5), Decimal(10)
PAISA: Final = Decimal("0.01")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedTrade:
    """`risk_inr` may be zero where nothing is known of it: such a trade has no R."""

    trading_date: date
    opened_at: datetime
    closed_at: datetime
    risk_inr: Decimal
    gross_inr: Decimal
    charges_inr: Decimal
    net_inr: Decimal


@dataclass(frozen=True, slots=True)
class Point:
    """The results so far after all trades that closed up to a moment."""

    at: datetime
    gross_inr: Decimal
    net_inr: Decimal
    #: zero or less
    drawdown_inr: Decimal


@dataclass(frozen=True, slots=True)
class Day:
    """The trades of one trading date."""

    trading_date: date
    trades: int
    gross_inr: Decimal
    charges_inr: Decimal
    net_inr: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """How many trades came to `from_r` up to, not including, `from_r + STEP_R`."""

    from_r: Decimal
    gross: int
    net: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The range in one line; what cannot be said of no trade is None."""

    trades: int
    gross_inr: Decimal
    charges_inr: Decimal
    net_inr: Decimal
    #: largest, zero or less
    drawdown_inr: Decimal
    #: of trades, after charges, 0..100
    won_pct: Decimal | None
    #: of trades that have an R, after charges
    average_r: Decimal | None
    #: rupees won for each rupee lost, after charges; None also where nothing was lost
    profit_factor: Decimal | None


def equity(trades: Iterable[ClosedTrade]) -> list[Point]:
    """A point for each moment at which trades closed, oldest first."""
    points: list[Point] = []
    gross = net = peak = ZERO
    for trade in sorted(trades, key=lambda one: one.closed_at):
        gross += trade.gross_inr
        net += trade.net_inr
        # Trades that closed in the same moment are one point: no order among them is known.
        if points and points[-1].at == trade.closed_at:
            points.pop()
        before = max((point.net_inr for point in points[-1:]), default=ZERO)
        peak = max(peak, before)
        points.append(Point(trade.closed_at, gross, net, min(net - peak, ZERO)))
    return points


def days(trades: Iterable[ClosedTrade]) -> list[Day]:
    """One row a trading date, newest first."""
    found: dict[date, list[ClosedTrade]] = {}
    for trade in trades:
        found.setdefault(trade.trading_date, []).append(trade)
    return [
        Day(day, len(mine), *(sum((getattr(one, name) for one in mine), ZERO) for name in MONEY))
        for day, mine in sorted(found.items(), reverse=True)
    ]


MONEY: Final = ("gross_inr", "charges_inr", "net_inr")


def multiple(result_inr: Decimal, risk_inr: Decimal) -> Decimal | None:
    """A result in units of its risk; None without a risk."""
    return result_inr / risk_inr if risk_inr > 0 else None


def r_steps(trades: Iterable[ClosedTrade]) -> list[Step]:
    """The distribution of R, every step from the lowest to the highest that occurs; empty without any R."""
    gross: dict[int, int] = {}
    net: dict[int, int] = {}
    for trade in trades:
        for counts, result in ((gross, trade.gross_inr), (net, trade.net_inr)):
            if (r := multiple(result, trade.risk_inr)) is not None:
                counts[_step_of(r)] = counts.get(_step_of(r), 0) + 1
    used = {*gross, *net}
    if not used:
        return []
    return [
        Step(place * STEP_R, gross.get(place, 0), net.get(place, 0))
        for place in range(min(used), max(used) + 1)
    ]


def _step_of(r: Decimal) -> int:
    clipped = max(LOWEST_R, min(r, HIGHEST_R))
    return int((clipped / STEP_R).to_integral_value(rounding=ROUND_FLOOR))


def summary(trades: Sequence[ClosedTrade]) -> Summary:
    """The range in one line."""
    nets = [trade.net_inr for trade in trades]
    won, lost = sum((net for net in nets if net > 0), ZERO), -sum((net for net in nets if net < 0), ZERO)
    multiples = [r for trade in trades if (r := multiple(trade.net_inr, trade.risk_inr)) is not None]
    return Summary(
        trades=len(trades),
        gross_inr=sum((trade.gross_inr for trade in trades), ZERO),
        charges_inr=sum((trade.charges_inr for trade in trades), ZERO),
        net_inr=sum(nets, ZERO),
        drawdown_inr=min((point.drawdown_inr for point in equity(trades)), default=ZERO),
        won_pct=_rounded(Decimal(100) * sum(net > 0 for net in nets) / len(nets)) if nets else None,
        average_r=_rounded(sum(multiples, ZERO) / len(multiples)) if multiples else None,
        profit_factor=_rounded(won / lost) if lost else None,
    )


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(PAISA)
