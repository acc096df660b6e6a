"""What must never be true of a group after a pass. Pure: a view in, sentences out."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oco.prices import goes_further
from oco.trailing import tightens
from oco.views import MODIFICATIONS_PER_ORDER, ExitView, GroupView
from trading.core.enums import GroupState, OrderType, Role

#: an invariant that fails this long, machine time, is no answer on its way any more
PROBLEM_LASTS = timedelta(seconds=2)


@dataclass(slots=True)
class ProblemWatch:
    """Since when each group has had a problem: one that passes in a moment is an answer on its way."""

    _since: dict[int, datetime] = field(default_factory=dict)

    def lasting(self, key: int, group: GroupView, now: datetime) -> list[str]:
        """The problems of a group that has had some for `PROBLEM_LASTS`."""
        found = problems(group)
        if not found or group.state is GroupState.BROKEN:
            self._since.pop(key, None)
            return []
        return found if now - self._since.setdefault(key, now) >= PROBLEM_LASTS else []


def problems(group: GroupView) -> list[str]:
    """What must never be true after a pass, a sentence each: the group is BROKEN, the operator is called."""
    held = group.position_quantity
    found = []
    if held < 0:
        found.append(f"{-held} units more were exited than entered: the position may be on the other side")
    if group.entered_quantity > group.planned_quantity:
        found.append(f"{group.entered_quantity} units entered of a plan of {group.planned_quantity}")
    if tightens(group.side, group.initial_stop_paise, group.stop_paise):
        found.append(f"the stop was loosened from {group.initial_stop_paise} to {group.stop_paise} paise")
    if group.state is GroupState.CLOSED and held != 0:
        found.append(f"closed with {held} units held")
    if group.state is GroupState.CLOSING and group.entered_quantity and group.exit is None:
        found.append("closing without an exit order")
    if group.exit is not None and not group.exit.is_return:
        found += _exit_problems(group, group.exit)
    return found


def _exit_problems(group: GroupView, exit_order: ExitView) -> list[str]:
    held = max(group.position_quantity, 0)
    can_fill = exit_order.remaining_quantity if exit_order.is_working else 0
    alive = [stray for stray in group.exits_unknown if stray.is_working and not stray.has_unconfirmed_change]
    can_fill += sum(stray.remaining_quantity for stray in alive)
    found = []
    if can_fill > held and not exit_order.has_unconfirmed_change:
        found.append(f"exits of {can_fill} units work against {held} held")
    if group.state is GroupState.ARMED and held and not exit_order.is_working:
        found.append(f"armed, but the stop is {exit_order.status}")
    if exit_order.filled_quantity > exit_order.quantity:
        found.append(f"the exit filled {exit_order.filled_quantity} of {exit_order.quantity} units")
    if group.exited_quantity < exit_order.filled_quantity:
        found.append("the group counts fewer exited units than its exit order has filled")
    used = exit_order.trails + exit_order.resizes + exit_order.closings
    if used > MODIFICATIONS_PER_ORDER:
        found.append(f"the exit was modified {used} times, {MODIFICATIONS_PER_ORDER} are allowed")
    if exit_order.is_resting_stop and goes_further(
        group.exit_side, exit_order.trigger_price_paise, exit_order.price_paise
    ):
        found.append("the stop's limit is on the wrong side of its trigger")
    if exit_order.role is Role.EXIT and exit_order.order_type is not OrderType.LIMIT:
        found.append(f"a closing order is {exit_order.order_type}, it must be a LIMIT")
    return found
