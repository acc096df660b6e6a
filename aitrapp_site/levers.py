"""What an operator can do, the same from the API, the console and the command line: pause, resume, mode, flatten,
close one position, move one stop.
"""

from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Final

from django.conf import settings
from django.db import transaction

from aitrapp_site import kite_token, stand_in, wiring
from aitrapp_site.clocks import MachineClocks
from aitrapp_site.web_clocks import WebClocks, is_of
from oco import flatten as kill_switch
from oco import stop_moves
from oco.models import Flatten, OcoGroup, StopMove
from oco.views import MarketView
from reporting.burnin import evidence_hash
from risk import audit, live_gate, locks, state
from risk.live_gate import Asked, Condition
from risk.models import EntriesOff, Lock
from trading import approvals, bells, current, logins, tick_bus
from trading.broker.base import BrokerError
from trading.core import order_states
from trading.core.enums import ApprovalAnswer, AuditAction, ExitReason, Mode, PauseReason
from trading.core.session import IST, clock_time
from trading.models import Account, Approval, Trade

#: a caller is told the verdict when it comes within this long, else that the flatten goes on
VERDICT_WITHIN_S: Final = 10.0
#: the same for a stop that is moved
ANSWER_WITHIN_S: Final = 6.0
LOOK_EVERY_S: Final = 0.02


class NothingToFlatten(LookupError):
    """The account has never traded, so there are no books to close."""


def pause(account: Account, *, by: str, why: str) -> None:
    """No new entries until an operator resumes; exits go on."""
    with transaction.atomic():
        state.pause(account.pk, by=by, why=why, now=WebClocks(account).market_now())
        audit.note(AuditAction.PAUSE, f"account {account.name}", account=account, words=why)
        _tell_loops(account)


def resume(account: Account, *, by: str) -> None:
    """Lift the operator's pause and a flatten's latch. Other reasons keep standing."""
    with transaction.atomic():
        left = state.resume(account.pk, by=by, now=WebClocks(account).market_now())
        words = f"Still off: {', '.join(sorted(left))}." if left else "Entries are on."
        audit.note(AuditAction.RESUME, f"account {account.name}", account=account, words=words)
        _tell_loops(account)


def lift_lock(lock: Lock, *, by: str) -> None:
    """Let go of what a protection locked by itself. Raises CannotBeLifted."""
    locks.lift(lock, by=by, now=WebClocks(lock.account).market_now())


def answer_approval(approval: Approval, given: ApprovalAnswer, *, by: str) -> None:
    """An operator's yes or no to one entry. Raises TooLate."""
    with transaction.atomic():
        approvals.answer(approval, given, by=by, now=WebClocks(approval.account).market_now())
        bells.ring(bells.ENTRIES, approval.account_id)


def ask_for_mode(
    account: Account, mode: Mode, *, phrase: str, may_go_live: bool, accept: str = ""
) -> list[str]:
    """Change the mode, or say everything that is missing for it; empty when the account has it now."""
    if mode is Mode.PAPER:
        found = live_gate.return_to_paper(account, positions_open=positions_open(account))
    else:
        found = live_gate.go_live(account, _asked(account, phrase, accept, may_go_live=may_go_live))
    subject, asked = f"account {account.name}", {"mode": mode}
    if found:
        audit.refuse(AuditAction.MODE, subject, account=account, after=asked, words="\n".join(found))
    else:
        audit.note(AuditAction.MODE, subject, account=account, after=asked)
        # The loops hold the account as it was when they opened the day.
        _tell_loops(account)
    return list(found)


def conditions_for_live(
    account: Account, *, phrase: str, may_go_live: bool, accept: str = ""
) -> tuple[Condition, ...]:
    """Each condition of the gate, met or not, as this caller would meet it."""
    return live_gate.conditions(account, _asked(account, phrase, accept, may_go_live=may_go_live))


def missing_for_live(account: Account) -> list[str]:
    """What stands between an account and real money, a sentence each, for one who may and says the phrase."""
    return list(live_gate.missing(account, _asked(account, live_gate.PHRASE, "", may_go_live=True)))


def _asked(account: Account, phrase: str, accept: str, *, may_go_live: bool) -> Asked:
    where, clocks = wiring.place(), wiring.clocks_now()
    login = logins.in_use(account.pk, where.name)
    return Asked(
        phrase=phrase,
        accept=accept,
        may_go_live=may_go_live,
        place=where.name,
        is_real_money=where.is_real_money,
        evidence=evidence_hash(account, Path(settings.BASE_DIR)),
        positions_open=positions_open(account),
        books=real_books(account, clocks) if where.is_real_money and login else (),
        alarms=_alarms(account),
        is_probed=login is not None and login.probed_at is not None,
        logged_in_on=login.logged_in_at.astimezone(IST).date() if login else None,
        today=clocks.market_now().date(),
    )


def real_books(account: Account, clocks: MachineClocks) -> tuple[str, ...]:
    """What stands at the broker before the first order of ours: positions and orders that nobody here would watch."""
    where = wiring.place()
    broker = wiring.broker_with(where, kite_token.of_account(account.pk, where.name), clocks)
    try:
        held = [one for one in broker.position_reports() if one.quantity]
        working = [one for one in broker.order_reports() if one.status in order_states.OPEN]
    except BrokerError as error:
        return (f"The broker's books could not be read: {error}",)
    found = []
    if held:
        names = ", ".join(sorted(f"{one.tradingsymbol} {one.quantity:+d}" for one in held))
        found.append(f"The broker holds positions: {names}. Close them there first.")
    if working:
        found.append(f"{len(working)} orders work at the broker. Cancel them there first.")
    return tuple(found)


def _alarms(account: Account) -> tuple[str, ...]:
    standing = EntriesOff.objects.filter(account=account, lifted_at=None).exclude(reason=PauseReason.OPERATOR)
    return tuple(f"Entries are off ({row.reason}): {row.why}." for row in standing.order_by("set_at"))


def positions_open(account: Account) -> int:
    """Trades of any books that are not closed."""
    return Trade.objects.filter(account=account, closed_at=None).count()


def flatten(account: Account, *, by: str) -> Flatten:
    """Ask for everything of ours to be closed and wait for the verdict; `finished_at` None: it still goes on.

    Raises NothingToFlatten.
    """
    session = current.newest_session(account)
    subject = f"account {account.name}"
    if session is None:
        why = f"{account.name} has never traded, so there is nothing to close."
        audit.refuse(AuditAction.FLATTEN, subject, account=account, words=why)
        raise NothingToFlatten(why)
    clocks = WebClocks(account)
    row = kill_switch.request(account, session, ExitReason.OPERATOR, asked_by=by, clocks=clocks)
    bells.ring(bells.EXITS, account.pk)
    # After the request is on its way: nothing comes before that.
    audit.note(AuditAction.FLATTEN, subject, account=account, after={"flatten": row.pk})
    stand_in.see_through(row, VERDICT_WITHIN_S)
    return row


def close_position(trade: Trade, *, by: str) -> Flatten:
    """Ask for one position to be closed and wait for the verdict, like `flatten`; entries into others go on.

    Raises NothingToFlatten.
    """
    account, clocks = trade.account, WebClocks(trade.account)
    subject = f"account {account.name}"
    if why := _why_not_closed(trade):
        audit.refuse(AuditAction.FLATTEN, subject, account=account, words=why)
        raise NothingToFlatten(why)
    names = [trade.tradingsymbol]
    row = kill_switch.request(
        account, trade.session, ExitReason.OPERATOR, asked_by=by, clocks=clocks, tradingsymbols=names
    )
    bells.ring(bells.EXITS, account.pk)
    after = {"flatten": row.pk, "tradingsymbols": names}
    audit.note(AuditAction.FLATTEN, subject, account=account, after=after)
    stand_in.see_through(row, VERDICT_WITHIN_S)
    return row


def _why_not_closed(trade: Trade) -> str:
    if trade.closed_at is not None:
        return f"{trade.tradingsymbol} is closed since {clock_time(trade.closed_at)}."
    if trade.session != current.newest_session(trade.account):
        return f"{trade.tradingsymbol} is of earlier books, which nobody trades any more."
    return ""


def move_stop(group: OcoGroup, price: Decimal, *, by: str) -> StopMove:
    """Ask for one stop to be moved nearer and wait for the answer; `finished_at` None: there is none yet.

    Raises stop_moves.CannotBeMoved.
    """
    account, entry = group.account, group.entry_order
    ticks = tick_bus.read_newest(settings.REDIS_URL)
    clocks = WebClocks(account, ticks)
    market = market_view(ticks, group)
    try:
        row = stop_moves.request(group, market, price, asked_by=by, clocks=clocks)
    except stop_moves.CannotBeMoved as error:
        subject = f"stop of {entry.tradingsymbol} to {price}"
        audit.refuse(AuditAction.CALL, subject, account=account, words=str(error))
        raise
    bells.ring(bells.EXITS, account.pk)
    began_s, pause = clocks.monotonic_s(), Event()
    while row.finished_at is None and clocks.monotonic_s() - began_s < ANSWER_WITHIN_S:
        pause.wait(LOOK_EVERY_S)
        row.refresh_from_db()
    return row


def market_view(ticks: tick_bus.TickSnapshot | None, group: OcoGroup) -> MarketView:
    """What the web process knows of a group's market: prices of the newest snapshot, if it is of these books."""
    entry, clocks = group.entry_order, WebClocks(group.account, ticks)
    name = f"{entry.exchange}:{entry.tradingsymbol}"
    row = ticks.rows.get(name) if ticks and is_of(group.session, ticks) else None
    if row is None or row[0] <= 0 or row[3] < 0:
        return MarketView(market_now=clocks.market_now())
    last, bid, ask, age_ms = row
    return MarketView(
        market_now=clocks.market_now(), last_paise=last, bid_paise=bid, ask_paise=ask, age_s=age_ms / 1000
    )


def _tell_loops(account: Account) -> None:
    bells.ring(bells.EXITS, account.pk)
    bells.ring(bells.ENTRIES, account.pk)
