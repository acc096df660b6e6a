"""What an operator can do, the same from the API, the console and the command line: pause, resume, mode, flatten."""

from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction

from aitrapp_site import kite_token, stand_in, wiring
from aitrapp_site.clocks import MachineClocks
from aitrapp_site.web_clocks import WebClocks
from oco import flatten as kill_switch
from oco.models import Flatten
from reporting.burnin import evidence_hash
from risk import audit, live_gate, locks, state
from risk.live_gate import Asked
from risk.models import EntriesOff, Lock
from trading import approvals, bells, current, logins
from trading.broker.base import BrokerError
from trading.core import order_states
from trading.core.enums import ApprovalAnswer, AuditAction, ExitReason, Mode, PauseReason
from trading.core.session import IST
from trading.models import Account, Approval, Trade

#: a caller is told the verdict when it comes within this long, else that the flatten goes on
VERDICT_WITHIN_S: Final = 10.0


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


def _tell_loops(account: Account) -> None:
    bells.ring(bells.EXITS, account.pk)
    bells.ring(bells.ENTRIES, account.pk)
