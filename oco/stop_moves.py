"""An operator moves one stop: the wish is a row, the exits' leader carries it out and writes the answer.

Like a flatten it survives a crash and can be asked for by anybody who reaches the database. Unlike one it is worth
nothing later: what is not taken up soon ends, and says so. The move itself is the plan's, on the one way out.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from oco import groups, trailing
from oco.groups import LiveGroup
from oco.models import OcoGroup, StopMove
from oco.prices import stop_trigger_paise
from oco.views import ExitPolicy, GroupView, MarketView
from trading import lease
from trading.core.clocks import Clocks
from trading.core.enums import GroupState, MoveState
from trading.core.money import format_inr, to_inr, to_paise
from trading.desk import Desk
from trading.lease import FenceLost

#: a wish is for the market of now: machine time after which nobody takes it up any more
TAKEN_WITHIN: Final = timedelta(seconds=10)


class CannotBeMoved(Exception):
    """The stop stays; the text says exactly why."""


def request(row: OcoGroup, market: MarketView, price: Decimal, *, asked_by: str, clocks: Clocks) -> StopMove:
    """Ask for one stop to be moved. What is wrong with it already is said at once; the leader looks again.

    `market` may know no price. Raises CannotBeMoved.
    """
    _check(groups.view_of(row), market, price)
    now, machine_now = clocks.market_now(), clocks.machine_now()
    waiting = StopMove.objects.filter(group=row, finished_at=None)
    try:
        with transaction.atomic():
            # With nobody leading, nobody has ended the one before.
            waiting.filter(asked_machine_at__lt=machine_now - TAKEN_WITHIN).update(
                state=MoveState.EXPIRED, why="Nobody leads the exits.", finished_at=now
            )
            return StopMove.objects.create(
                account=row.account, session=row.session, group=row, price=price, from_price=row.stop_price,
                asked_by=asked_by[:60], asked_at=now, asked_machine_at=machine_now,
            )  # fmt: skip
    except IntegrityError:
        other = waiting.get()
        raise CannotBeMoved(
            f"{other.asked_by} is moving this stop to {format_inr(other.price)}: wait for the answer."
        ) from None


def _check(view: GroupView, market: MarketView, price: Decimal) -> None:
    try:
        wanted = to_paise(price)
    except ValueError as error:
        raise CannotBeMoved(f"{error}.") from None
    tick = view.tick_size_paise
    if wanted <= 0 or wanted % tick:
        raise CannotBeMoved(f"Prices of this instrument go in steps of {format_inr(to_inr(tick))}.")
    if view.state is GroupState.OPENING:
        raise CannotBeMoved("The broker has not confirmed the stop yet: ask again when the group is ARMED.")
    if wanted == view.stop_paise:
        raise CannotBeMoved(f"The stop is at {format_inr(price)} already.")
    if found := trailing.answer_to_move(view, market, ExitPolicy(), wanted):
        raise CannotBeMoved(found[1])


def standing(desk: Desk, live: Sequence[LiveGroup]) -> None:
    """Put the wishes that have no answer yet where the plan sees them; what nobody took up in time it never sees."""
    asked = {row.group_id: row for row in _standing(desk.session.pk).all()}
    if not asked:
        return
    oldest = desk.clocks.machine_now() - TAKEN_WITHIN
    for group in live:
        group.asked = asked.pop(group.row.pk, None)
        if group.asked is not None and group.asked.asked_machine_at > oldest:
            group.view = replace(group.view, asked_stop_paise=to_paise(group.asked.price))
    for row in asked.values():
        _write(desk, row, state=MoveState.REFUSED, why="The position was closed before.")


@lru_cache(maxsize=16)
def _standing(session_id: int) -> QuerySet[StopMove]:
    """Built once: every pass that reads rows asks it, and building a query takes as long as asking it."""
    return StopMove.objects.filter(session_id=session_id, finished_at=None)


def answer(desk: Desk, group: LiveGroup, market: MarketView, policy: ExitPolicy) -> bool:
    """Write what became of a group's wish, as soon as that is known. True: it was written.

    Asked before the plan is: a wish that is refused here moves nothing. Raises FenceLost.
    """
    row = group.asked
    if row is None:
        return False
    found = trailing.answer_to_move(group.view, market, policy, to_paise(row.price))
    waited = desk.clocks.machine_now() - row.asked_machine_at
    if found is None and waited > TAKEN_WITHIN:
        found = MoveState.EXPIRED, _why_it_expired(group.view, market, policy, to_paise(row.price))
    if found is None:
        return False
    state, why = found
    _write(desk, row, state=state, why=why[:300], took_ms=max(int(waited.total_seconds() * 1000), 0))
    group.asked, group.view = None, replace(group.view, asked_stop_paise=0)
    return True


def _why_it_expired(view: GroupView, market: MarketView, policy: ExitPolicy, wanted: int) -> str:
    within = f"within {TAKEN_WITHIN.seconds} s"
    if stop_trigger_paise(wanted, view.grid) == view.stop_paise and view.exit is not None:
        shown = format_inr(to_inr(view.exit.trigger_price_paise))
        return f"It was sent, but the broker's book still shows {shown} {within}. It is sent again."
    if not market.is_fresh(policy):
        return f"There was no live price {within}, and a stop is only moved beside one."
    return f"It could not be done {within}: another change of this order was under way. Ask again."


def _write(desk: Desk, row: StopMove, **values: object) -> None:
    values["finished_at"] = desk.clocks.market_now()
    mine = StopMove.objects.filter(lease.leads(desk.lease), pk=row.pk, finished_at=None)
    if not mine.update(**values):
        raise FenceLost(f"{desk.lease.holder} no longer leads {desk.lease.loop}: its answer is the past")
