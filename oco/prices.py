"""Prices of exits, integer paise on the tick grid and inside the circuits.

A closing price is a limit, never a market order, so that an empty book cannot fill it anywhere; it trades at
the best quotes on the way, so going further costs nothing while there are any.
"""

import math
from decimal import Decimal

from oco.views import ExitPolicy, MarketView, PriceGrid
from trading.core.enums import Side
from trading.core.money import Rounding, round_paise_to_tick

_HUNDRED = Decimal(100)


def on_tick(price_paise: Decimal | int, tick_paise: int, rounding: Rounding) -> int:
    """The tick at or below ("down") or at or above ("up") a price that may have a fraction of a paisa."""
    whole = math.floor(price_paise) if rounding == "down" else math.ceil(price_paise)
    return round_paise_to_tick(whole, tick_paise, rounding)


def within_circuits(price_paise: int, grid: PriceGrid) -> int:
    """The price, or the nearest tick that today's circuits allow."""
    tick = grid.tick_size_paise
    if grid.upper_circuit_paise > 0:
        price_paise = min(price_paise, round_paise_to_tick(grid.upper_circuit_paise, tick, "down"))
    if grid.lower_circuit_paise > 0:
        price_paise = max(price_paise, round_paise_to_tick(grid.lower_circuit_paise, tick, "up"))
    return max(price_paise, tick)


def goes_further(exit_side: Side, price_paise: int, than_paise: int) -> bool:
    """Whether a closing limit is more sure to trade: lower for a sale, higher for a purchase."""
    return price_paise < than_paise if exit_side is Side.SELL else price_paise > than_paise


def is_through(exit_side: Side, price_paise: int, level_paise: int) -> bool:
    """Whether a price has reached or passed a stop's trigger."""
    return price_paise <= level_paise if exit_side is Side.SELL else price_paise >= level_paise


def stop_trigger_paise(stop_paise: int, grid: PriceGrid) -> int:
    """The stop as a trigger the broker takes. Beyond a circuit nothing trades: the circuit is the same
    stop."""
    return within_circuits(stop_paise, grid)


def stop_limit_paise(exit_side: Side, trigger_paise: int, policy: ExitPolicy, grid: PriceGrid) -> int:
    """The limit of an SL order: `stop_limit_gap_pct` beyond its trigger, away from the position."""
    gap = trigger_paise * policy.stop_limit_gap_pct / _HUNDRED
    if exit_side is Side.SELL:
        return within_circuits(on_tick(trigger_paise - gap, grid.tick_size_paise, "down"), grid)
    return within_circuits(on_tick(trigger_paise + gap, grid.tick_size_paise, "up"), grid)


def furthest_limit_paise(
    exit_side: Side, market: MarketView, stop_paise: int, policy: ExitPolicy, grid: PriceGrid, hung: int = 0
) -> int:
    """How far a closing limit may go: `protection_pct` from the last price, again for each price that hung.

    Without a fresh market the reference is the worse of the last price seen and the stop: no tick is needed
    to get out.
    """
    reference = market.last_paise
    if not market.is_fresh(policy):
        known = [price for price in (market.last_paise, stop_paise) if price > 0]
        reference = min(known) if exit_side is Side.SELL else max(known)
    reach = reference * min(policy.protection_pct * (1 + hung), policy.protection_max_pct) / _HUNDRED
    if exit_side is Side.SELL:
        return within_circuits(on_tick(reference - reach, grid.tick_size_paise, "up"), grid)
    return within_circuits(on_tick(reference + reach, grid.tick_size_paise, "down"), grid)


def closing_limit_paise(
    exit_side: Side,
    market: MarketView,
    own_limit_paise: int,
    stop_paise: int,
    policy: ExitPolicy,
    grid: PriceGrid,
) -> int:
    """The first closing price: the exit's own limit, or through the best quote where that has passed it.

    `own_limit_paise` 0: there was none, the price goes as far as `furthest_limit_paise`, which always bounds
    it.
    """
    furthest = furthest_limit_paise(exit_side, market, stop_paise, policy, grid)
    if own_limit_paise <= 0:
        return furthest
    limit = own_limit_paise
    through = policy.through_ticks * grid.tick_size_paise
    if market.is_fresh(policy) and exit_side is Side.SELL and market.bid_paise > 0:
        limit = min(limit, market.bid_paise - through)
    if market.is_fresh(policy) and exit_side is Side.BUY and market.ask_paise > 0:
        limit = max(limit, market.ask_paise + through)
    limit = furthest if goes_further(exit_side, limit, furthest) else limit
    return within_circuits(
        on_tick(limit, grid.tick_size_paise, "down" if exit_side is Side.SELL else "up"), grid
    )


def take_limit_paise(
    exit_side: Side,
    market: MarketView,
    own_limit_paise: int,
    stop_paise: int,
    policy: ExitPolicy,
    grid: PriceGrid,
) -> int:
    """The price that takes a target: the stop's own limit, so nothing is worse protected until it fills."""
    furthest = furthest_limit_paise(exit_side, market, stop_paise, policy, grid)
    limit = furthest if goes_further(exit_side, own_limit_paise, furthest) else own_limit_paise
    return within_circuits(limit, grid)


def is_target_touched(side: Side, market: MarketView, target_paise: int) -> bool:
    """Whether the quote we would trade at has reached the target: the bid for a long, the ask for a short."""
    if side is Side.BUY:
        return market.bid_paise >= target_paise > 0
    return 0 < market.ask_paise <= target_paise
