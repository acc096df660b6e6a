"""What an operator can do, the same from the API, the console and the command line: pause, resume, mode, flatten."""

from datetime import date
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction

from aitrapp_site import stand_in
from aitrapp_site.web_clocks import WebClocks
from oco import flatten as kill_switch
from oco.models import Flatten
from reporting.burnin import evidence_hash
from risk import live_gate, state
from risk.live_gate import Asked
from trading import bells, current
from trading.core.enums import ExitReason, Mode
from trading.core.session import IST
from trading.models import Account, KiteLogin, Trade

#: a caller is told the verdict when it comes within this long, else that the flatten goes on
VERDICT_WITHIN_S: Final = 10.0


class NothingToFlatten(LookupError):
    """The account has never traded, so there are no books to close."""


def pause(account: Account, *, by: str, why: str) -> None:
    """No new entries until an operator resumes; exits go on."""
    with transaction.atomic():
        state.pause(account.pk, by=by, why=why, now=WebClocks(account).market_now())
        _tell_loops(account)


def resume(account: Account, *, by: str) -> None:
    """Lift the operator's pause and a flatten's latch. Other reasons keep standing."""
    with transaction.atomic():
        state.resume(account.pk, by=by, now=WebClocks(account).market_now())
        _tell_loops(account)


def ask_for_mode(account: Account, mode: Mode, *, phrase: str, may_go_live: bool) -> list[str]:
    """Change the mode, or say everything that is missing for it; empty when the account has it now."""
    if mode is Mode.PAPER:
        return list(live_gate.return_to_paper(account, positions_open=positions_open(account)))
    return missing_for_live(account, phrase=phrase, may_go_live=may_go_live)


def missing_for_live(account: Account, *, phrase: str, may_go_live: bool) -> list[str]:
    """What stands between an account and real money, a sentence each."""
    today: date = WebClocks(account).machine_now().date()
    login = KiteLogin.objects.filter(account=account, place="production", ended_at=None).first()
    asked = Asked(
        phrase=phrase,
        may_go_live=may_go_live,
        evidence=evidence_hash(account, Path(settings.BASE_DIR)),
        positions_open=positions_open(account),
        logged_in_on=login.logged_in_at.astimezone(IST).date() if login else None,
        today=today,
    )
    return list(live_gate.missing(account, asked))


def positions_open(account: Account) -> int:
    """Trades of any books that are not closed."""
    return Trade.objects.filter(account=account, closed_at=None).count()


def flatten(account: Account, *, by: str) -> Flatten:
    """Ask for everything of ours to be closed and wait for the verdict; `finished_at` None: it still goes on.

    Raises NothingToFlatten.
    """
    session = current.newest_session(account)
    if session is None:
        raise NothingToFlatten(f"{account.name} has never traded, so there is nothing to close.")
    clocks = WebClocks(account)
    row = kill_switch.request(account, session, ExitReason.OPERATOR, asked_by=by, clocks=clocks)
    bells.ring(bells.EXITS, account.pk)
    stand_in.see_through(row, VERDICT_WITHIN_S)
    return row


def _tell_loops(account: Account) -> None:
    bells.ring(bells.EXITS, account.pk)
    bells.ring(bells.ENTRIES, account.pk)
