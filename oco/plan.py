"""What brings a group one step nearer to protected or flat. Pure: views in, actions out.

The rules this module holds, in this order:

- A group has one exit order that may fill. At most one action of a call concerns it; the others cancel
  earlier orders seen alive.
- A second stop is never placed beside a stop. Where the exit is gone and units are left, a closing LIMIT is
  placed for exactly those. Where nobody knows whether that one exists, a stop guards the position beside it:
  if the closing order still comes, the stop is cancelled; a second closing order would turn the position.
- An exit that has begun to fill, or is a closing LIMIT, is re-priced and never resized: whether a broker
  reads a new quantity as the total or as what is pending is not known. Units that arrive late (the entry
  filled on) make it close at once and are closed by an order of their own as soon as it is done; an order
  too large is cancelled and the rest placed anew.
- CLOSING only goes to flat: no move, no target, no larger stop.
- What was exited too much (an order given up, or reported cancelled, that executed after all) is taken back
  at once by one LIMIT on the entry's side. It outranks everything else of its group.
"""

from datetime import datetime, timedelta

from oco.prices import (
    closing_limit_paise,
    furthest_limit_paise,
    goes_further,
    is_target_touched,
    is_through,
    stop_limit_paise,
    stop_trigger_paise,
    take_limit_paise,
)
from oco.problems import problems
from oco.split import allocate_fills, split_quantity, targets
from oco.trailing import has_resize_budget, reason_to_leave, stop_move, tightens
from oco.views import (
    Action,
    CancelExit,
    CloseExit,
    ExitPolicy,
    ExitView,
    FinishGroup,
    GroupView,
    MarketView,
    PlaceExit,
    RepriceExit,
    ResizeExit,
    RestStop,
    TakeBack,
    TakeTarget,
)
from trading.core.enums import ExitReason, GroupState, OrderStatus, Role, Side

__all__ = [
    "allocate_fills",
    "finish_reason",
    "is_covered",
    "is_out",
    "next_actions",
    "problems",
    "split_quantity",
    "targets",
]


def next_actions(group: GroupView, market: MarketView, policy: ExitPolicy, now: datetime) -> list[Action]:
    """The commands of this pass, in the order to send them. Empty: nothing to do, or something to wait for.

    Safe to call twice: what was sent shows in the view and is not asked again before its time.
    """
    strays: list[Action] = [
        CancelExit(client_order_id=stray.client_order_id)
        for stray in group.exits_unknown
        if stray.is_working and _may_cancel(stray, policy, now)
    ]
    if group.state is GroupState.CLOSED:
        return strays
    step = _next_step(group, market, policy, now)
    return strays if step is None else [*strays, step]


def _next_step(group: GroupView, market: MarketView, policy: ExitPolicy, now: datetime) -> Action | None:
    exit_order = group.exit
    if group.position_quantity < 0:
        return _step_when_turned(group, market, policy, now)
    if group.position_quantity == 0:
        return _step_when_flat(group, policy, now)
    if exit_order is not None and exit_order.is_return and not exit_order.is_closed:
        is_due = exit_order.is_working and _may_cancel(exit_order, policy, now)
        return CancelExit(client_order_id=exit_order.client_order_id) if is_due else None
    if exit_order is None:
        return _first_exit(group, market, policy)
    if exit_order.is_closed:
        return _exit_for_the_rest(group, exit_order, market, policy, now)
    if exit_order.is_on_its_way:
        return _step_on_its_way(group, exit_order, market, policy, now)
    if exit_order.remaining_quantity > group.position_quantity:
        return _shrink(group, exit_order, policy, now)
    if exit_order.is_resting_stop:
        return _step_of_resting_stop(group, exit_order, market, policy, now)
    return _reprice_when_hanging(group, exit_order, market, policy, now)


def _step_when_flat(group: GroupView, policy: ExitPolicy, now: datetime) -> Action | None:
    exit_order = group.exit
    if exit_order is not None and exit_order.is_working:
        is_due = _may_cancel(exit_order, policy, now)
        return CancelExit(client_order_id=exit_order.client_order_id) if is_due else None
    return FinishGroup(reason=finish_reason(group)) if is_out(group) else None


def _step_when_turned(
    group: GroupView, market: MarketView, policy: ExitPolicy, now: datetime
) -> Action | None:
    """More was exited than entered: one order at a time takes the difference back, and no second beside it."""
    exit_order, excess = group.exit, -group.position_quantity
    if exit_order is not None and exit_order.is_return:
        if exit_order.is_on_its_way:
            return None
        if exit_order.is_working:
            if exit_order.remaining_quantity > excess:
                is_due = _may_cancel(exit_order, policy, now)
                return CancelExit(client_order_id=exit_order.client_order_id) if is_due else None
            return _reprice_when_hanging(group, exit_order, market, policy, now)
        if exit_order.status is not OrderStatus.FILLED and not _may_place_again(exit_order, policy, now):
            return None
    limit = furthest_limit_paise(group.side, market, group.entry_price_paise, policy, group.grid)
    return TakeBack(quantity=excess, limit_paise=limit)


def _first_exit(group: GroupView, market: MarketView, policy: ExitPolicy) -> Action:
    trigger = stop_trigger_paise(group.stop_paise, group.grid)
    reason = group.close_reason
    if reason is None and market.is_fresh(policy) and is_through(group.exit_side, market.last_paise, trigger):
        reason = ExitReason.STOP
    if reason is None and (group.state is not GroupState.OPENING or group.exits_unknown):
        reason = ExitReason.UNPROTECTED
    if reason is not None:
        return _place(group, market, policy, reason)
    return RestStop(
        quantity=group.position_quantity,
        trigger_paise=trigger,
        limit_paise=stop_limit_paise(group.exit_side, trigger, policy, group.grid),
    )


def _exit_for_the_rest(
    group: GroupView, exit_order: ExitView, market: MarketView, policy: ExitPolicy, now: datetime
) -> Action | None:
    # A live stray already covers the rest; with another order beside it both could fill.
    if any(stray.is_working for stray in group.exits_unknown):
        return None
    if _may_close_late(group):
        is_due = _is_past(exit_order.submitted_at, policy.hanging_again_s, now)
        return _guard(group, market, policy) if is_due else None
    was_refused = exit_order.role is Role.EXIT and exit_order.status is not OrderStatus.FILLED
    if was_refused and not _may_place_again(exit_order, policy, now):
        return None
    return _place(group, market, policy, _closing_reason(group), hung=exit_order.closings)


def _may_place_again(exit_order: ExitView, policy: ExitPolicy, now: datetime) -> bool:
    """After an order that ended unfilled: each attempt waits twice as long as the one before."""
    doubled = policy.hanging_again_s * 2 ** max(exit_order.attempt - 1, 0)
    return _is_past(exit_order.submitted_at, min(doubled, policy.place_again_max_s), now)


def _step_on_its_way(
    group: GroupView, exit_order: ExitView, market: MarketView, policy: ExitPolicy, now: datetime
) -> Action | None:
    """Wait for the book, but no longer than a position may be without a stop.

    Only a stop is given up before it is known to be lost: arriving late it rests behind its trigger and is
    cancelled on sight. A closing order arriving late would fill and turn the position round, so LOST is
    waited for, with a stop beside it meanwhile.
    """
    if exit_order.role is not Role.STOP:
        return _guard(group, market, policy) if _is_given_up(exit_order, policy, now) else None
    if not _is_given_up(exit_order, policy, now):
        return None
    if _may_close_late(group):
        return _guard(group, market, policy)
    return _place(group, market, policy, _closing_reason(group))


def _is_given_up(exit_order: ExitView, policy: ExitPolicy, now: datetime) -> bool:
    """Sent long ago, and either in no book or still only on its way to the exchange."""
    if exit_order.first_seen_at is not None:
        return _is_past(exit_order.submitted_at, policy.pending_after_s, now)
    return (
        _is_past(exit_order.submitted_at, policy.unknown_after_s, now)
        and exit_order.books_without >= policy.books_to_trust_absence
    )


def _may_close_late(group: GroupView) -> bool:
    """An earlier closing order has neither been seen nor declared lost: it may still arrive and fill."""
    return any(stray.role is Role.EXIT for stray in group.exits_unknown)


def _guard(group: GroupView, market: MarketView, policy: ExitPolicy) -> RestStop:
    """A stop beside a closing order of unknown fate; behind the market where the plan's own was passed.

    Without a fresh price only the broker knows whether it was: each stop that it refused puts the next further away.
    """
    side, grid = group.exit_side, group.grid
    trigger = stop_trigger_paise(group.stop_paise, grid)
    if market.is_fresh(policy):
        if is_through(side, market.last_paise, trigger):
            away = policy.through_ticks * grid.tick_size_paise
            trigger = stop_trigger_paise(market.last_paise + side.sign * away, grid)
    elif (
        group.exit is not None and group.exit.role is Role.STOP and group.exit.status is OrderStatus.REJECTED
    ):
        ticks = (
            group.stop_paise * group.exit.attempt * policy.guard_step_bp // (10_000 * grid.tick_size_paise)
        )
        trigger = stop_trigger_paise(group.stop_paise + side.sign * ticks * grid.tick_size_paise, grid)
    return RestStop(
        quantity=group.position_quantity,
        trigger_paise=trigger,
        limit_paise=stop_limit_paise(side, trigger, policy, grid),
    )


def _shrink(group: GroupView, exit_order: ExitView, policy: ExitPolicy, now: datetime) -> Action | None:
    if exit_order.is_resting_stop and has_resize_budget(exit_order, policy):
        if _is_settling(exit_order, policy.modify_confirm_s, now) or not _may_resize(exit_order, policy, now):
            return None
        return ResizeExit(quantity=group.position_quantity)
    if not _may_cancel(exit_order, policy, now):
        return None
    return CancelExit(client_order_id=exit_order.client_order_id)


def _step_of_resting_stop(
    group: GroupView, exit_order: ExitView, market: MarketView, policy: ExitPolicy, now: datetime
) -> Action | None:
    if _is_settling(exit_order, policy.modify_confirm_s, now):
        return None
    if _may_close_late(group):
        return None
    if group.close_reason is not None or group.state is GroupState.CLOSING:
        return _close(group, exit_order, market, policy, now, _closing_reason(group))
    if _is_jumped(group, exit_order, market, policy):
        return _close(group, exit_order, market, policy, now, _stop_reason(group))
    if exit_order.remaining_quantity < group.position_quantity:
        if not has_resize_budget(exit_order, policy):
            return _close(group, exit_order, market, policy, now, ExitReason.UNPROTECTED)
        is_due = _may_resize(exit_order, policy, now)
        return ResizeExit(quantity=group.position_quantity) if is_due else None
    if market.is_fresh(policy) and is_target_touched(group.side, market, group.target_paise):
        return TakeTarget(limit_paise=_take_limit(group, exit_order, market, policy))
    reason = reason_to_leave(group, market, policy, now)
    if reason is not None:
        return _close(group, exit_order, market, policy, now, reason)
    if _is_settling(exit_order, policy.unknown_after_s, now):
        return None
    return stop_move(group, exit_order, market, policy, now)


def _close(
    group: GroupView,
    exit_order: ExitView,
    market: MarketView,
    policy: ExitPolicy,
    now: datetime,
    reason: ExitReason,
) -> Action | None:
    """Turn a resting stop into a closing LIMIT; again, after a while, where that was refused or lost."""
    if exit_order.closings > 0 and not _is_hanging(exit_order, policy, now):
        return None
    if exit_order.closings >= policy.closing_budget:
        return CancelExit(client_order_id=exit_order.client_order_id)
    limit = closing_limit_paise(
        group.exit_side, market, exit_order.price_paise, group.stop_paise, policy, group.grid
    )
    return CloseExit(limit_paise=limit, reason=reason)


def _reprice_when_hanging(
    group: GroupView, exit_order: ExitView, market: MarketView, policy: ExitPolicy, now: datetime
) -> Action | None:
    if _is_settling(exit_order, policy.modify_confirm_s, now):
        return None
    side = group.side if exit_order.is_return else group.exit_side
    is_uncovered = exit_order.remaining_quantity < abs(group.position_quantity) and exit_order.closings == 0
    if not is_uncovered and not _is_hanging(exit_order, policy, now):
        return None
    limit = furthest_limit_paise(side, market, group.stop_paise, policy, group.grid, hung=exit_order.closings)
    # Only ever further: at the circuit or at the end of the protection there is nothing better to ask for.
    if not goes_further(side, limit, exit_order.price_paise):
        return None
    if exit_order.closings >= policy.closing_budget:
        return CancelExit(client_order_id=exit_order.client_order_id)
    return RepriceExit(limit_paise=limit)


def _place(
    group: GroupView, market: MarketView, policy: ExitPolicy, reason: ExitReason, hung: int = 0
) -> PlaceExit:
    if hung:
        limit = furthest_limit_paise(group.exit_side, market, group.stop_paise, policy, group.grid, hung)
    else:
        trigger = stop_trigger_paise(group.stop_paise, group.grid)
        own_limit = stop_limit_paise(group.exit_side, trigger, policy, group.grid)
        limit = closing_limit_paise(group.exit_side, market, own_limit, group.stop_paise, policy, group.grid)
    return PlaceExit(quantity=group.position_quantity, limit_paise=limit, reason=reason)


def _take_limit(group: GroupView, exit_order: ExitView, market: MarketView, policy: ExitPolicy) -> int:
    return take_limit_paise(
        group.exit_side, market, exit_order.price_paise, group.stop_paise, policy, group.grid
    )


def _is_jumped(group: GroupView, exit_order: ExitView, market: MarketView, policy: ExitPolicy) -> bool:
    """Traded through the trigger, the best quote beyond the limit: the stop rests where nobody trades."""
    touch = market.bid_paise if group.exit_side is Side.SELL else market.ask_paise
    return (
        market.is_fresh(policy)
        and is_through(group.exit_side, market.last_paise, exit_order.trigger_price_paise)
        and touch > 0
        and goes_further(group.exit_side, touch, exit_order.price_paise)
    )


def _is_hanging(exit_order: ExitView, policy: ExitPolicy, now: datetime) -> bool:
    moments = (exit_order.submitted_at, exit_order.changed_at, exit_order.triggered_at)
    since = max(moment for moment in moments if moment is not None)
    wait = policy.hanging_after_s if exit_order.closings <= 1 else policy.hanging_again_s
    return _is_past(since, wait, now)


def _is_settling(exit_order: ExitView, longest_s: float, now: datetime) -> bool:
    """A change of ours or of somebody else is on its way; after `longest_s` the book decides."""
    pending = exit_order.status in (OrderStatus.PENDING_MODIFY, OrderStatus.PENDING_CANCEL)
    if not pending and not exit_order.has_unconfirmed_change:
        return False
    return not _is_past(exit_order.changed_at or exit_order.submitted_at, longest_s, now)


def _may_resize(exit_order: ExitView, policy: ExitPolicy, now: datetime) -> bool:
    return exit_order.changed_at is None or _is_past(exit_order.changed_at, policy.resize_again_s, now)


def _may_cancel(exit_order: ExitView, policy: ExitPolicy, now: datetime) -> bool:
    if exit_order.changed_at is None:
        return True
    is_asked = exit_order.has_unconfirmed_change or exit_order.status is OrderStatus.PENDING_CANCEL
    return _is_past(
        exit_order.changed_at, policy.hanging_again_s if is_asked else policy.hanging_after_s, now
    )


def _is_past(since: datetime, wait_s: float, now: datetime) -> bool:
    return now - since >= timedelta(seconds=wait_s)


def _stop_reason(group: GroupView) -> ExitReason:
    is_moved = tightens(group.side, group.stop_paise, group.initial_stop_paise)
    return ExitReason.TRAIL if is_moved else ExitReason.STOP


def _closing_reason(group: GroupView) -> ExitReason:
    """Why what is left has to go: as asked, or the stop has begun to fill, or nothing protects it."""
    if group.close_reason is not None:
        return group.close_reason
    exit_order = group.exit
    if exit_order is not None and exit_order.role is Role.STOP and exit_order.filled_quantity > 0:
        return _stop_reason(group)
    return ExitReason.UNPROTECTED


def is_out(group: GroupView) -> bool:
    """Whether nothing is held and nothing can change that.

    An order nobody has seen may still reach the exchange: each must be closed or declared lost.
    """
    orders = (*group.exits_unknown, *((group.exit,) if group.exit else ()))
    is_still = not group.entry_is_working and all(order.is_closed for order in orders)
    return is_still and group.position_quantity == 0


def is_covered(group: GroupView) -> bool:
    """Whether orders the book shows working can close all that is held. True when flat."""
    orders = (*group.exits_unknown, *((group.exit,) if group.exit else ()))
    covered: int = sum(
        order.remaining_quantity for order in orders if order.is_working and not order.is_return
    )
    return covered >= group.position_quantity


def finish_reason(group: GroupView) -> ExitReason | None:
    """The reason stored with a flat group's exit; None when nothing was ever entered."""
    if group.entered_quantity == 0:
        return None
    if group.close_reason is None and group.taken_by_others_quantity >= group.entered_quantity:
        return ExitReason.OTHERS
    return _closing_reason(group)
