"""The limits of an account as one value: defaults, what makes them wrong, and the caps of the first LIVE day.

Pure. The numbers and their notes are the trading rules' table "Capital and risk limits".
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """`_pct` is per cent of the account's capital (the band: of the last price); every number is positive."""

    risk_per_trade_pct: Decimal = Decimal("0.50")
    heat_pct: Decimal = Decimal("2.00")
    daily_loss_pct: Decimal = Decimal("2.50")
    open_positions: int = 4
    trades_per_day: int = 20
    entries_per_s: int = 4
    #: all orders of the account together, below Kite's own 10, 400 and 5000
    orders_per_s: int = 10
    orders_per_min: int = 360
    orders_per_day: int = 4500
    price_band_pct: Decimal = Decimal("0.40")
    stale_price_s: int = 5
    #: reward at target must be this many times round-trip charges and slippage
    reward_to_costs: Decimal = Decimal("3.00")
    #: after a loss, per instrument
    cooldown_min: int = 5
    losses_in_a_row: int = 6
    signal_age_s: int = 60
    spread_pct: Decimal = Decimal("0.50")
    #: into a contract on its last day, until this full hour, IST
    expiry_day_until_h: int = 14
    #: so many entries refused one after the other keep entries off for so long
    rejections_in_a_row: int = 5
    rejections_pause_min: int = 15
    #: the middle of the newest entries' times to their answer; above it entries are off for so long
    order_latency_ms: int = 2000
    latency_pause_min: int = 10

    @classmethod
    def day_one(cls) -> "Limits":
        """The caps of the first LIVE day."""
        return cls(
            risk_per_trade_pct=Decimal("0.25"),
            heat_pct=Decimal("1.00"),
            daily_loss_pct=Decimal("1.00"),
            open_positions=2,
            trades_per_day=6,
            price_band_pct=Decimal("0.30"),
            cooldown_min=15,
            losses_in_a_row=3,
        )


#: what an operator calls it, its unit, and the least and most that make sense
BOUNDS: dict[str, tuple[str, str, str, str]] = {
    "risk_per_trade_pct": ("risk per trade", " %", "0.01", "2"),
    "heat_pct": ("portfolio heat", " %", "0.05", "10"),
    "daily_loss_pct": ("daily loss", " %", "0.1", "10"),
    "open_positions": ("open positions", "", "1", "50"),
    "trades_per_day": ("trades per day", "", "1", "500"),
    "entries_per_s": ("entries per second", "", "1", "10"),
    "orders_per_s": ("orders per second", "", "1", "10"),
    "orders_per_min": ("orders per minute", "", "1", "400"),
    "orders_per_day": ("orders per day", "", "1", "5000"),
    "price_band_pct": ("price band", " %", "0.01", "5"),
    "stale_price_s": ("stale price", " s", "1", "60"),
    "reward_to_costs": ("reward to costs", " times", "0", "20"),
    "cooldown_min": ("cooldown after a loss", " min", "0", "375"),
    "losses_in_a_row": ("losses in a row", "", "1", "50"),
    "signal_age_s": ("signal age", " s", "1", "600"),
    "spread_pct": ("spread", " %", "0.01", "5"),
    "expiry_day_until_h": ("entries on a contract's last day until", " h", "9", "16"),
    "rejections_in_a_row": ("rejections in a row", "", "2", "50"),
    "rejections_pause_min": ("pause after rejections", " min", "1", "375"),
    "order_latency_ms": ("time to an order's answer", " ms", "50", "7000"),
    "latency_pause_min": ("pause after slow answers", " min", "1", "375"),
}

_STRICTER_IS_MORE = frozenset(
    {"reward_to_costs", "cooldown_min", "rejections_pause_min", "latency_pause_min"}
)


def problems(limits: Limits) -> list[str]:
    """What is wrong with these limits, in the operator's words; empty when they can be put in force."""
    found = [text for name in BOUNDS if (text := _bound_problem(name, getattr(limits, name)))]
    return found or _contradictions(limits)


def effective(limits: Limits, *, is_first_live_day: bool) -> Limits:
    """The limits in force: on the first LIVE day the stricter of each and its cap, so none can be raised."""
    if not is_first_live_day:
        return limits
    caps = Limits.day_one()
    stricter: dict[str, Any] = {}
    for name in BOUNDS:
        choose = max if name in _STRICTER_IS_MORE else min
        stricter[name] = choose(getattr(limits, name), getattr(caps, name))
    return Limits(**stricter)


def _bound_problem(name: str, value: Decimal | int) -> str | None:
    label, unit, least, most = BOUNDS[name]
    number = Decimal(value)
    if not number.is_finite():
        return f"{label} is {value}: write a number from {least} to {most}{unit}"
    if number < 0:
        return f"{label} is {value}{unit}: a limit is a positive number, always; write {-value}"
    if not Decimal(least) <= number <= Decimal(most):
        return f"{label} is {value}{unit}: write a number from {least} to {most}{unit}"
    return None


def _contradictions(limits: Limits) -> list[str]:
    found = []
    risk = limits.risk_per_trade_pct
    if risk > limits.heat_pct:
        found.append(
            f"risk per trade of {risk} % is above portfolio heat of {limits.heat_pct} %: lower the first"
        )
    if risk > limits.daily_loss_pct:
        found.append(
            f"risk per trade of {risk} % is above daily loss of {limits.daily_loss_pct} %: lower the first"
        )
    if limits.entries_per_s > limits.orders_per_s:
        found.append(
            f"entries per second of {limits.entries_per_s} are above orders per second of "
            f"{limits.orders_per_s}: lower the first, exits need room"
        )
    return found
