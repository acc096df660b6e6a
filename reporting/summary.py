"""What a day came to, for people: money by strategy, exits, refusals, slippage. From our rows alone."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from oco.models import OcoGroup
from reporting.queries import groups_of
from trading.core.enums import ExitReason, Role, Side
from trading.models import Account, Decision, Order, Signal, Trade, VenueSession


@dataclass(frozen=True, kw_only=True, slots=True)
class StrategyLine:
    """One strategy's day. Rupees."""

    strategy: str
    signals: int = 0
    approved: int = 0
    trades: int = 0
    wins: int = 0
    gross_inr: Decimal = Decimal(0)
    charges_inr: Decimal = Decimal(0)

    @property
    def net_inr(self) -> Decimal:
        return self.gross_inr - self.charges_inr


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What a day came to. Rupees; slippage is positive where it cost something."""

    strategies: tuple[StrategyLine, ...]
    exits: dict[str, int]
    refusals: dict[str, int]
    unprotected_max_ms: int
    #: entry fills against the price of their signal
    entry_slippage_inr: Decimal
    #: stop fills against their trigger
    stop_slippage_inr: Decimal

    @property
    def signals(self) -> int:
        return sum(line.signals for line in self.strategies)

    @property
    def trades(self) -> int:
        return sum(line.trades for line in self.strategies)

    @property
    def gross_inr(self) -> Decimal:
        return sum((line.gross_inr for line in self.strategies), Decimal(0))

    @property
    def charges_inr(self) -> Decimal:
        return sum((line.charges_inr for line in self.strategies), Decimal(0))

    @property
    def net_inr(self) -> Decimal:
        return self.gross_inr - self.charges_inr


def summary(account: Account, session: VenueSession, trading_date: date) -> Summary:
    """What the day came to, from our rows."""
    day = {"account": account, "session": session, "trading_date": trading_date}
    groups = list(groups_of(account, session, trading_date))
    entries = Order.objects.filter(**day, role=Role.ENTRY, filled_quantity__gt=0)
    refused = Decision.objects.filter(
        signal__account=account, signal__session=session, signal__trading_date=trading_date, approved=False
    ).values_list("reasons", flat=True)
    return Summary(
        strategies=_strategy_lines(day),
        exits=dict(sorted(Counter(row.exit_reason for row in groups if row.exit_reason).items())),
        refusals=dict(sorted(Counter(one["reason"] for reasons in refused for one in reasons).items())),
        unprotected_max_ms=max((row.unprotected_ms for row in groups), default=0),
        entry_slippage_inr=_paise(
            sum((_entry_slippage(row) for row in entries.select_related("decision__signal")), Decimal(0))
        ),
        stop_slippage_inr=_paise(sum((_stop_slippage(row) for row in groups), Decimal(0))),
    )


def _strategy_lines(day: dict[str, Any]) -> tuple[StrategyLine, ...]:
    signals: dict[str, list[bool]] = defaultdict(list)
    for strategy, approved in Signal.objects.filter(**day).values_list("strategy", "decision__approved"):
        signals[strategy].append(bool(approved))
    trades: dict[str, list[Trade]] = defaultdict(list)
    for trade in Trade.objects.filter(**day):
        trades[trade.strategy].append(trade)
    return tuple(
        StrategyLine(
            strategy=name,
            signals=len(signals[name]),
            approved=sum(signals[name]),
            trades=len(trades[name]),
            wins=sum(trade.net_inr > 0 for trade in trades[name]),
            gross_inr=sum((trade.gross_inr for trade in trades[name]), Decimal(0)),
            charges_inr=sum((trade.charges_inr for trade in trades[name]), Decimal(0)),
        )
        for name in sorted(signals.keys() | trades.keys())
    )


def _entry_slippage(row: Order) -> Decimal:
    if row.decision is None:
        return Decimal(0)
    worse: Decimal = (row.average_price - row.decision.signal.entry_price) * Side(row.side).sign
    return worse * row.filled_quantity


def _stop_slippage(row: OcoGroup) -> Decimal:
    """Of a group that its stop took out: the exits' worth below what they were meant to bring."""
    if row.exit_reason not in (ExitReason.STOP, ExitReason.TRAIL):
        return Decimal(0)
    exits = Order.objects.filter(entry=row.entry_order_id, group_number=row.number, filled_quantity__gt=0)
    return sum(
        (
            (row.stop_price - order.average_price) * Side(row.side).sign * order.filled_quantity
            for order in exits
        ),
        Decimal(0),
    )


def _paise(amount_inr: Decimal) -> Decimal:
    return amount_inr.quantize(Decimal("0.01"))
