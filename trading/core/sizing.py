"""How much to trade, and what is at risk once it is traded. Rupees are Decimal, quantities are units."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from trading.core.enums import Side

HUNDRED = Decimal(100)
NOTHING = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenRisk:
    """One open trade, resting entry or entry in flight; prices in rupees."""

    side: Side
    quantity: int
    #: the average fill, or the limit of an entry that is not filled yet
    entry_price: Decimal
    stop_price: Decimal


def risk_budget_inr(capital_inr: Decimal, risk_pct: Decimal) -> Decimal:
    """What one trade may lose."""
    return capital_inr * risk_pct / HUNDRED


def quantity_for_risk(
    *, capital_inr: Decimal, risk_pct: Decimal, entry_price: Decimal, stop_price: Decimal, lot_size: int
) -> int:
    """Units such that a fill at the stop loses no more than the budget, floored to whole lots.

    0 means no trade: one lot would already risk too much, or there is nothing to risk.

    Raises:
        ValueError: entry and stop are the same price, or the lot is not positive.
    """
    distance = abs(entry_price - stop_price)
    if distance == 0:
        raise ValueError(f"entry and stop are both {entry_price}: a trade needs a distance to its stop")
    if lot_size < 1:
        raise ValueError(f"a lot is at least one unit, got {lot_size}: refresh the instruments")
    budget = risk_budget_inr(capital_inr, risk_pct)
    if budget <= 0:
        return 0
    return int(budget // (distance * lot_size)) * lot_size


def slices(quantity: int, freeze_quantity: int | None, lot_size: int) -> tuple[int, ...]:
    """Cut a quantity into orders the exchange takes: whole lots, none above the freeze, largest first.

    Raises:
        ValueError: the quantity is not a positive number of whole lots, or one lot is above the freeze.
    """
    if lot_size < 1 or quantity < 1 or quantity % lot_size:
        raise ValueError(f"{quantity} is not a positive number of whole lots of {lot_size}")
    if freeze_quantity is None or quantity <= freeze_quantity:
        return (quantity,)
    largest = freeze_quantity // lot_size * lot_size
    if largest < 1:
        raise ValueError(f"a freeze quantity of {freeze_quantity} is below one lot of {lot_size}")
    whole, rest = divmod(quantity, largest)
    return (largest,) * whole + ((rest,) if rest else ())


def heat_inr(risks: Iterable[OpenRisk]) -> Decimal:
    """Rupees lost if every stop fills at its trigger.

    A stop beyond its entry counts as nothing, never as a gain: profit locked in here buys no risk there.
    """
    return sum((_loss_at_stop_inr(risk) for risk in risks), NOTHING)


def _loss_at_stop_inr(risk: OpenRisk) -> Decimal:
    return max(NOTHING, (risk.entry_price - risk.stop_price) * risk.side.sign * risk.quantity)
