"""Flatten, the kill switch: latch entries off → cancel working entries → turn each exit into a closing one → read
until flat → verdict.

The row is the request, the progress and the verdict, so that it is idempotent, resumes after a crash and can be
asked for by anybody who reaches the database. The exits' leader carries it out; console, API, command line, the
day's table, daily loss and dead man all come through `request`.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from oco import exits, groups, plan
from oco.groups import LiveGroup
from oco.models import Flatten
from risk import state
from trading import account, changes, lease, orders
from trading.core import order_states
from trading.core.clocks import Clocks
from trading.core.enums import ExitReason, FlattenState, OrderStatus, PauseReason
from trading.desk import Desk
from trading.lease import FenceLost
from trading.models import Account, Order, VenueSession

#: which pause each reason leaves behind; the square-off needs none, the clock keeps entries off
LATCHES = {
    ExitReason.OPERATOR: PauseReason.FLATTEN,
    ExitReason.DEAD_MAN: PauseReason.FLATTEN,
    ExitReason.DAILY_LOSS: PauseReason.RISK,
}

#: the broker has these and will say more of them soon; a verdict waits for it, but not for ever
PENDING = frozenset({OrderStatus.PENDING_NEW, OrderStatus.PENDING_MODIFY, OrderStatus.PENDING_CANCEL})
ANSWERS_COME_WITHIN = timedelta(seconds=1.5)
#: a verdict comes before groups are finished and trades priced, for so long, machine time
VERDICT_FIRST = timedelta(seconds=3)


def request(
    account: Account,
    session: VenueSession,
    reason: ExitReason,
    *,
    asked_by: str,
    clocks: Clocks,
    tradingsymbols: Sequence[str] = (),
) -> Flatten:
    """Ask for everything of ours (or of some instruments) to be closed. Pressed twice it is one flatten.

    Latches entries off in the same transaction, so nothing can enter between the request and its execution. One of
    some instruments leaves them on: it cancels what is on its way into those, and the others trade on.
    """
    now = clocks.market_now()
    latch = None if tradingsymbols else LATCHES.get(reason)
    if tradingsymbols and (standing := _asked_already(account, session, tradingsymbols)):
        return standing
    try:
        with transaction.atomic():
            if latch:
                state.turn_off(account.pk, latch, by=asked_by, why=f"flatten: {reason.lower()}", now=now)
            return Flatten.objects.create(
                account=account,
                session=session,
                asked_by=asked_by[:60],
                reason=reason,
                tradingsymbols=list(tradingsymbols),
                latches=latch is not None,
                asked_at=now,
                asked_machine_at=clocks.machine_now(),
            )
    except IntegrityError:
        if latch:
            state.turn_off(account.pk, latch, by=asked_by, why=f"flatten: {reason.lower()}", now=now)
        return Flatten.objects.get(account=account, session=session, finished_at=None, tradingsymbols=[])


def _asked_already(account: Account, session: VenueSession, tradingsymbols: Sequence[str]) -> Flatten | None:
    """An unfinished run that closes these instruments anyway. Two at once would do no more harm than one."""
    rows = Flatten.objects.filter(account=account, session=session, finished_at=None).order_by("pk")
    covering = (row for row in rows if all(_covers(row, name) for name in tradingsymbols))
    return next(covering, None)


def standing(desk: Desk) -> tuple[list[Flatten], dict[str, ExitReason]]:
    """Flattens asked for and not finished, oldest first; and the entries that finished ones could only watch.

    The latter as client_order_id → that flatten's reason.
    """
    rows = list(_standing(desk.account.pk, desk.session.pk).all())
    watched = {
        name: ExitReason(row.reason)
        for row in rows
        if row.state == FlattenState.FLAT_BUT_WATCHING
        for name in row.verdict["unknown_entries"]
    }
    return [row for row in rows if row.finished_at is None], watched


@lru_cache(maxsize=16)
def _standing(account_id: int, session_id: int) -> QuerySet[Flatten]:
    """Built once: every pass asks it, and building a query takes as long as asking it."""
    asked = Flatten.objects.filter(account_id=account_id, session_id=session_id).order_by("pk")
    return asked.filter(Q(finished_at=None) | Q(state=FlattenState.FLAT_BUT_WATCHING))


def begin(desk: Desk, row: Flatten, live: Sequence[LiveGroup]) -> None:
    """Cancel working entries and mark the groups to close; the plan turns the marks into orders. Safe to repeat."""
    with transaction.atomic():
        _mark(desk, row, live)
    entries = [order for order in _entries_coming(desk, row) if not changes.cancel_is_open(desk, order)]
    exits.cancel_entries(desk, entries)


def _mark(desk: Desk, row: Flatten, live: Sequence[LiveGroup]) -> None:
    now = desk.clocks.market_now()
    mine = [group for group in live if _covers(row, group.row.entry_order.tradingsymbol)]
    if row.state == FlattenState.REQUESTED:
        symbols = {group.row.entry_order.tradingsymbol for group in mine if group.view.position_quantity > 0}
        row.state, row.started_at, row.positions_at_start = FlattenState.RUNNING, now, len(symbols)
        row.save(update_fields=["state", "started_at", "positions_at_start"])
    groups.ask_to_close(desk, mine, ExitReason(row.reason))


def comes_first(desk: Desk, rows: Sequence[Flatten]) -> bool:
    """Whether a flatten was asked for just now: closing and looking come before what only keeps our own rows."""
    since = desk.clocks.machine_now() - VERDICT_FIRST
    return any(row.finished_at is None and row.asked_machine_at > since for row in rows)


def stop_late(
    desk: Desk, late: Mapping[str, ExitReason], live: Sequence[LiveGroup], waiting: Sequence[Order]
) -> None:
    """What arrived after a verdict is cancelled, and what it filled is closed. Safe to repeat."""
    for group in live:
        if reason := late.get(group.row.entry_order.client_order_id):
            groups.ask_to_close(desk, [group], reason)
    came = [order for order in waiting if order.client_order_id in late and order.status in order_states.OPEN]
    exits.cancel_entries(desk, [order for order in came if not changes.cancel_is_open(desk, order)])


def conclude(desk: Desk, row: Flatten, live: Sequence[LiveGroup]) -> bool:
    """Write the verdict once the broker's own positions say that nothing of ours is left. False: not yet.

    FLAT only when no entry is in flight or unknown; with one, FLAT_BUT_WATCHING: it may still arrive.
    """
    mine = [group for group in live if _covers(row, group.row.entry_order.tradingsymbol)]
    if not all(plan.is_out(group.view) for group in mine):
        return False
    entries = _entries_coming(desk, row)
    is_early = desk.clocks.machine_now() - row.asked_machine_at < ANSWERS_COME_WITHIN
    waits_for = {*order_states.OPEN, *(PENDING if is_early else ())}
    if any(order.status in waits_for for order in entries):
        return False
    held = _held(desk)
    executed = account.executed(desk)
    ours = {holding for holding in executed if _covers(row, holding[1])}
    # What is left although our own orders cancel out is somebody else's, once the books have had time to agree.
    left = [holding for holding in ours if holding in held and (is_early or executed[holding])]
    if left:
        return False
    unknown = [order.client_order_id for order in entries if order.status not in order_states.CLOSED]
    now = desk.clocks.market_now()
    others = {f"{key[1]} {key[2]}": units for key, units in held.items() if _covers(row, key[1])}
    verdict = {
        "state": FlattenState.FLAT_BUT_WATCHING if unknown else FlattenState.FLAT,
        "finished_at": now,
        # It was asked for under another computer's clock, which may run ahead of this one's.
        "took_ms": max(int((desk.clocks.machine_now() - row.asked_machine_at).total_seconds() * 1000), 0),
        "verdict": {"unknown_entries": unknown, "not_ours": others},
    }
    if not Flatten.objects.filter(lease.leads(desk.lease), pk=row.pk).update(**verdict):
        raise FenceLost(f"{desk.lease.holder} no longer leads {desk.lease.loop}: its look is no verdict")
    for name, value in verdict.items():
        setattr(row, name, value)
    return True


def _covers(row: Flatten, tradingsymbol: str) -> bool:
    return not row.tradingsymbols or tradingsymbol in row.tradingsymbols


def _entries_coming(desk: Desk, row: Flatten) -> list[Order]:
    """Entries of this flatten's scope that may still fill. LOST ones are watched, not waited for."""
    waiting = orders.unresolved_entries(desk).exclude(status=OrderStatus.LOST)
    return [order for order in waiting if _covers(row, order.tradingsymbol)]


def _held(desk: Desk) -> dict[tuple[str, str, str], int]:
    """The broker's net positions by (exchange, tradingsymbol, product), those that are not flat."""
    return {
        (report.exchange.value, report.tradingsymbol, report.product): report.quantity
        for report in desk.broker.position_reports()
        if report.quantity
    }
