"""How one entry becomes one or two protected quantities, and where their targets are."""

from collections.abc import Sequence
from decimal import Decimal

from oco.prices import on_tick
from oco.views import ExitPolicy
from trading.core.enums import Side


def split_quantity(quantity: int, lot_size: int) -> tuple[int, ...]:
    """One group, or two from two lots on: the first has half of the lots, rounded down. Units in and out.

    Raises ValueError where the quantity is not a positive number of whole lots.
    """
    if lot_size <= 0 or quantity <= 0 or quantity % lot_size:
        raise ValueError(f"{quantity} units are no whole lots of {lot_size}: size the entry in whole lots")
    lots = quantity // lot_size
    if lots == 1:
        return (quantity,)
    first = lots // 2 * lot_size
    return (first, quantity - first)


def allocate_fills(filled: int, planned: Sequence[int]) -> tuple[int, ...]:
    """Give an entry's cumulative filled quantity to its groups, the first to its plan before the second.

    More fills only ever add to a group. Raises ValueError where they exceed the plan: that is not our order
    any more.
    """
    whole = sum(planned)
    if not 0 <= filled <= whole:
        raise ValueError(
            f"{filled} units filled of an entry planned as {whole}: compare it with the broker's book"
        )
    shares = []
    for quantity in planned:
        shares.append(min(filled, quantity))
        filled -= shares[-1]
    return tuple(shares)


def targets(
    side: Side,
    entry_paise: int,
    stop_paise: int,
    target_paise: int | None = None,
    first_target_paise: int | None = None,
    *,
    groups: int,
    policy: ExitPolicy,
    tick_paise: int,
) -> tuple[int, ...]:
    """The target of each group, paise on the tick, rounded towards the entry.

    `target_paise` and `first_target_paise` are the setup's own; None: `second_target_r` and `first_target_r`
    times the initial risk. One group has the setup's target, two have the first target and the target, the
    first never beyond the second. A price of the setup that a bad fill has left on the wrong side of the
    entry is not used.

    A fill beyond the stop has no risk to multiply: its targets are then one tick ahead, and the stop, already
    touched, closes the position before they matter.
    """
    risk = max((entry_paise - stop_paise) * side.sign, 0)

    def goal(setup_paise: int | None, multiple: Decimal) -> int:
        wanted: Decimal | int = entry_paise + side.sign * risk * multiple
        if setup_paise is not None and (setup_paise - entry_paise) * side.sign > 0:
            wanted = setup_paise
        ahead = on_tick(wanted, tick_paise, "down" if side is Side.BUY else "up")
        least = (
            on_tick(entry_paise, tick_paise, "down" if side is Side.BUY else "up") + side.sign * tick_paise
        )
        return max(ahead, least) if side is Side.BUY else min(ahead, least)

    last = goal(target_paise, policy.second_target_r)
    if groups == 1:
        return (last,)
    first = goal(first_target_paise, policy.first_target_r)
    return (min(first, last) if side is Side.BUY else max(first, last), last)
