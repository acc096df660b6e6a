"""What the mutants do to sums: size, heat, limits, charges. Each takes the real thing and gives the broken one."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from risk import rules
from trading import trades

CONSTANT_INR = Decimal(5_000_000)


def points(real: Any) -> Any:
    """Points per unit are added up instead of rupees."""
    return lambda risks: real([replace(risk, quantity=min(risk.quantity, 1)) for risk in risks])


def at_least_one_lot(real: Any) -> Any:
    def quantity(**named: Any) -> int:
        lot_size: int = named["lot_size"]
        return max(int(real(**named)), lot_size)

    return quantity


def no_coming(real: Any) -> Any:
    """Only what has filled is counted against the limits."""

    def snapshot(desk: Any, quotes: Any, capital: Any, **named: Any) -> Any:
        found = real(desk, quotes, capital, **named)
        held = {
            (trade.exchange, trade.tradingsymbol) for trade in trades.of_session(desk).filter(closed_at=None)
        }
        return replace(found, open_positions=len(held))

    return snapshot


def free_of_charge(real: Any) -> Any:
    return lambda trade: Decimal(0)


def more_than_one_trade_may_risk(real: Any) -> Any:
    """The risk of one trade is held against the heat of all."""

    def heat(request: Any, context: Any) -> Any:
        limits = replace(context.limits, risk_per_trade_pct=context.limits.heat_pct)
        return rules.heat(request, replace(context, limits=limits))

    return _with_rule(real, heat)


def per_cent_against_rupees(real: Any) -> Any:
    """Heat in per cent of the capital never reaches a limit in rupees."""

    def heat(request: Any, context: Any) -> Any:
        account = context.account
        heat_pct = (account.open_heat_inr + request.risk_inr) * 100 / account.capital_inr
        found = rules.heat(request, context)
        return found if heat_pct > account.capital_inr * context.limits.heat_pct / 100 else None

    return _with_rule(real, heat)


def flipped_sign(real: Any) -> Any:
    """The day's loss limit was written as a negative number."""

    def daily_loss(request: Any, context: Any) -> Any:
        limits = replace(context.limits, daily_loss_pct=-context.limits.daily_loss_pct)
        return rules.daily_loss(request, replace(context, limits=limits))

    return _with_rule(real, daily_loss)


def constant_capital(real: Any) -> Any:
    return lambda desk: CONSTANT_INR


def _with_rule(real: dict[Any, Any], broken: Callable[[Any, Any], Any]) -> dict[Any, Any]:
    return {why: broken if rule.__name__ == broken.__name__ else rule for why, rule in real.items()}
