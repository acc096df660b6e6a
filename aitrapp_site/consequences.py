"""What an action would do, said before it is done: a flatten's positions and entries, what a resume re-arms."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings

from aitrapp_site.clocks import MachineClocks
from aitrapp_site.home import current_picture
from aitrapp_site.web_clocks import WebClocks
from oco.models import Flatten, OcoGroup
from reporting import picture as pictures
from risk import halt, locks, state
from risk.models import EntriesOff, Lock, RiskLimits
from trading import current, tick_bus
from trading.core import order_states
from trading.core.enums import FlattenState, GroupState, Loop, OrderStatus, PauseReason, Role
from trading.core.session import clock_time
from trading.models import Account, Order, Trade, VenueSession

#: what an operator's resume takes down; others stay until their own role lifts them
LIFTED = (PauseReason.OPERATOR, PauseReason.FLATTEN)
#: standing reasons that mean: we do not know what we hold
UNCLEAR = (PauseReason.RECONCILIATION, PauseReason.SHUTDOWN)
UNSEEN = (OrderStatus.UNKNOWN, OrderStatus.LOST)


@dataclass(frozen=True, kw_only=True, slots=True)
class OfFlatten:
    """What a flatten would close, and cancel. Positions are parts of the console's picture."""

    positions: list[dict[str, Any]]
    #: still open from an earlier trading date, which the picture of today leaves out
    carried: list[Trade]
    #: market time of its figures
    at: datetime
    #: entries that work or are on their way
    entries: list[Order]
    #: entries nobody has seen: the verdict can only watch them
    unseen: list[Order]

    @property
    def carried_count(self) -> int:
        return len(self.carried)


@dataclass(frozen=True, kw_only=True, slots=True)
class OfResume:
    """What a resume would lift, what would stay, and under what entries would be on."""

    lifts: list[EntriesOff]
    #: the latch as a file, put up while the database was away
    halt_file: bool
    stays: list[EntriesOff]
    limits: RiskLimits
    locks: list[Lock]
    unknowns: list[str]

    @property
    def is_needed(self) -> bool:
        return bool(self.lifts) or self.halt_file


def of_flatten(account: Account) -> OfFlatten:
    """By rows and the newest prices."""
    picture = current_picture(account, tick_bus.read_newest(settings.REDIS_URL))
    session, today = current.newest_session(account), picture["trading_date"]
    coming = _entries_coming(session, today) if session else []
    carried = Trade.objects.filter(session=session, closed_at=None).exclude(trading_date=today)
    return OfFlatten(
        carried=list(carried.order_by("pk")) if session else [],
        positions=picture["positions"],
        at=picture["market_time"],
        entries=[order for order in coming if order.status not in UNSEEN],
        unseen=[order for order in coming if order.status in UNSEEN],
    )


def of_resume(account: Account) -> OfResume:
    """By the rows of now."""
    standing = list(EntriesOff.objects.filter(account=account, lifted_at=None).order_by("set_at", "pk"))
    session = current.newest_session(account)
    now = WebClocks(account).market_now()
    return OfResume(
        lifts=[row for row in standing if row.reason in LIFTED],
        halt_file=halt.stands(),
        stays=[row for row in standing if row.reason not in LIFTED],
        limits=state.limits_in_force(account.pk),
        locks=list(locks.in_force(account.pk, session.pk, now)) if session else [],
        unknowns=unknowns(account),
    )


def unknowns(account: Account) -> list[str]:
    """What nobody knows now and an operator should before entries are on, a sentence each."""
    session = current.newest_session(account)
    found = _unled(account)
    if session is None:
        return found
    today = WebClocks(account).market_now().date()
    rows = Order.objects.filter(session=session, trading_date=today, status__in=UNSEEN).order_by("pk")
    found += [f"Order {row.tradingsymbol} ({row.role}) is {row.status}: it may still fill." for row in rows]
    standing = EntriesOff.objects.filter(account=account, lifted_at=None, reason__in=UNCLEAR)
    found += [f"Positions are not reconciled ({row.reason}): {row.why}." for row in standing.order_by("pk")]
    return [*found, *_unclear_groups(session), *_unclear_flattens(session, today)]


def _unled(account: Account) -> list[str]:
    exits = pictures.loop_states(account, MachineClocks().machine_now())[Loop.EXITS]
    return [] if exits == "ok" else [f"The exits' loop: {exits}. Until it works, books are not read."]


def _unclear_groups(session: VenueSession) -> list[str]:
    live = OcoGroup.objects.filter(session=session, closed_at=None).select_related("trade").order_by("pk")
    found = []
    for row in live:
        if row.state == GroupState.BROKEN:
            found.append(f"{row.trade.tradingsymbol} group {row.number} is BROKEN: {row.problem}.")
        elif row.unprotected_since:
            found.append(f"{row.trade.tradingsymbol} group {row.number} has no confirmed stop now.")
    return found


def _unclear_flattens(session: VenueSession, today: date) -> list[str]:
    rows = Flatten.objects.filter(session=session).order_by("pk")
    found = [
        f"A flatten asked for at {clock_time(row.asked_at)} goes on." for row in rows.filter(finished_at=None)
    ]
    # An entry of an earlier day cannot fill any more.
    for row in rows.filter(state=FlattenState.FLAT_BUT_WATCHING, asked_at__date=today):
        names = row.verdict.get("unknown_entries", [])
        known = order_states.CLOSED - {OrderStatus.LOST}
        open_ones = Order.objects.filter(client_order_id__in=names).exclude(status__in=known).count()
        if open_ones:
            found.append(
                f"The flatten of {clock_time(row.asked_at)} ended {row.state}: {open_ones} entries may still come."
            )
    return found


def _entries_coming(session: VenueSession, today: date) -> list[Order]:
    may_fill = [*order_states.OPEN, *order_states.IN_FLIGHT, OrderStatus.LOST]
    rows = Order.objects.filter(session=session, trading_date=today, role=Role.ENTRY)
    return list(rows.filter(status__in=may_fill).order_by("pk"))
