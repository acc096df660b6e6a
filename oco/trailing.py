"""When a stop moves and when a position has had its time. A stop only ever tightens, whoever asks."""

from datetime import datetime, timedelta

from oco.prices import is_through, on_tick, stop_limit_paise, stop_trigger_paise
from oco.views import ExitPolicy, ExitView, GroupView, MarketView, MoveReason, MoveStop
from trading.core.enums import ExitReason, GroupState, MoveState, Side
from trading.core.money import format_inr, to_inr


def tightens(side: Side, new_paise: int, old_paise: int) -> bool:
    """Whether a stop would be nearer to the market: higher for a long, lower for a short."""
    return (new_paise - old_paise) * side.sign > 0


def trailing_stop_paise(group: GroupView, market: MarketView, policy: ExitPolicy) -> int | None:
    """`trail_atr` behind the best close once that is `trail_start_r` ahead; None for less than a step.

    Looked at only when a candle has closed: stops that followed shorter bars left on noise.
    """
    if not market.candle_closed or market.atr_paise <= 0 or group.best_close_paise <= 0:
        return None
    sign = group.side.sign
    risk = abs(group.entry_price_paise - group.initial_stop_paise)
    if (group.best_close_paise - group.entry_price_paise) * sign < risk * policy.trail_start_r:
        return None
    behind = group.best_close_paise - sign * market.atr_paise * policy.trail_atr
    stop = on_tick(behind, group.tick_size_paise, "down" if group.side is Side.BUY else "up")
    if (stop - group.stop_paise) * sign < market.atr_paise * policy.trail_step_atr:
        return None
    return stop


def break_even_stop_paise(group: GroupView) -> int | None:
    """The entry price, rounded to the side that does not lose, once the other group's target was filled."""
    if not group.sibling_target_filled:
        return None
    return on_tick(group.entry_price_paise, group.tick_size_paise, "up" if group.side is Side.BUY else "down")


def stop_move(
    group: GroupView, exit_order: ExitView, market: MarketView, policy: ExitPolicy, now: datetime
) -> MoveStop | None:
    """The next move of a resting stop, or None. One the market has passed waits: the broker would refuse
    it."""
    if (
        group.state is not GroupState.ARMED
        or not market.is_fresh(policy)
        or not has_trail_budget(exit_order, policy)
    ):
        return None
    trigger, reason = group.stop_paise, MoveReason.REPEAT
    for wanted, why in (
        (break_even_stop_paise(group), MoveReason.BREAK_EVEN),
        (trailing_stop_paise(group, market, policy), MoveReason.TRAIL),
        (asked_stop_paise(group, market), MoveReason.ASKED),
    ):
        if wanted is not None and tightens(group.side, wanted, trigger):
            trigger, reason = wanted, why
    trigger = stop_trigger_paise(trigger, group.grid)
    if not tightens(group.side, trigger, exit_order.trigger_price_paise):
        return None
    if is_through(group.exit_side, market.last_paise, trigger):
        return None
    wait = timedelta(seconds=policy.unknown_after_s)
    if (
        reason is MoveReason.REPEAT
        and exit_order.changed_at is not None
        and now - exit_order.changed_at < wait
    ):
        return None
    limit = stop_limit_paise(group.exit_side, trigger, policy, group.grid)
    return MoveStop(trigger_paise=trigger, limit_paise=limit, reason=reason)


def asked_stop_paise(group: GroupView, market: MarketView) -> int | None:
    """Where an operator wants the stop; None without a wish, and where the market has reached it."""
    wanted = stop_trigger_paise(group.asked_stop_paise, group.grid) if group.asked_stop_paise else 0
    return wanted if wanted and not is_through(group.exit_side, market.last_paise, wanted) else None


def answer_to_move(
    group: GroupView, market: MarketView, policy: ExitPolicy, wanted_paise: int
) -> tuple[MoveState, str] | None:
    """What became of an operator's wish for a stop, and why; None while it is under way or has to wait.

    MOVED only by the book. A wish that the plan has taken up, `stop_paise`, is waited for, whatever the market does.
    """
    exit_order, wanted = group.exit, stop_trigger_paise(wanted_paise, group.grid)
    if exit_order is not None and exit_order.is_resting_stop and exit_order.trigger_price_paise == wanted:
        return MoveState.MOVED, f"The broker's book shows it at {_inr(wanted)}."
    if group.position_quantity <= 0 or group.state in (GroupState.CLOSING, GroupState.CLOSED):
        return MoveState.REFUSED, "The position is being closed: its stop is not moved any more."
    if group.close_reason is not None:
        return MoveState.REFUSED, f"The position is to be closed ({group.close_reason})."
    if group.state is GroupState.BROKEN:
        return MoveState.REFUSED, "The group is BROKEN: its exits go on, but its stop is not moved by hand."
    if exit_order is None or group.state is GroupState.OPENING:
        return None
    if exit_order.triggered_at is not None or exit_order.filled_quantity:
        return MoveState.REFUSED, "The stop was triggered: it does not rest any more."
    if wanted == group.stop_paise:
        return None
    return _refusal(group, exit_order, market, policy, wanted)


def _refusal(
    group: GroupView, exit_order: ExitView, market: MarketView, policy: ExitPolicy, wanted: int
) -> tuple[MoveState, str] | None:
    nearer = "higher" if group.side is Side.BUY else "lower"
    if not tightens(group.side, wanted, group.stop_paise):
        return MoveState.REFUSED, (
            f"A stop only tightens: it is at {_inr(group.stop_paise)}, ask for a {nearer} one than that."
        )
    if market.is_fresh(policy) and is_through(group.exit_side, market.last_paise, wanted):
        return MoveState.REFUSED, (
            f"The last price is {_inr(market.last_paise)}: a stop at {_inr(wanted)} would sell or buy at once. "
            "Close the position instead."
        )
    if not has_trail_budget(exit_order, policy):
        return MoveState.REFUSED, (
            f"This order was moved {exit_order.trails} and resized {exit_order.resizes} times; "
            f"the rest of its modifications are kept for closing it."
        )
    return None


def _inr(paise: int) -> str:
    return format_inr(to_inr(paise))


def has_trail_budget(exit_order: ExitView, policy: ExitPolicy) -> bool:
    """Resizes that outran their own budget come out of the trail's, so that closing always keeps its own."""
    shared = policy.trail_budget + policy.resize_budget
    return exit_order.trails < policy.trail_budget and exit_order.trails + exit_order.resizes < shared


def has_resize_budget(exit_order: ExitView, policy: ExitPolicy) -> bool:
    """Protection before profit: a resize may use what trailing has left."""
    return exit_order.trails + exit_order.resizes < policy.trail_budget + policy.resize_budget


def reason_to_leave(
    group: GroupView, market: MarketView, policy: ExitPolicy, now: datetime
) -> ExitReason | None:
    """TIME when time is up without a profit, VOLATILITY when the market has become another one, else None."""
    is_up = group.time_stop_at is not None and market.market_now >= group.time_stop_at
    profit_paise = (market.last_paise - group.entry_price_paise) * group.side.sign
    if is_up and market.is_fresh(policy) and profit_paise <= 0:
        return ExitReason.TIME
    if group.entry_atr_paise > 0 and market.atr_paise >= group.entry_atr_paise * policy.volatility_atr:
        return ExitReason.VOLATILITY
    return None
