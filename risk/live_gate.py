"""PAPER → LIVE: what is missing for it, and the one writer of it. Real money is asked for here and nowhere else."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import transaction

from risk.models import BurninDay
from trading.core.enums import Mode
from trading.models import Account

PHRASE = "CONFIRM LIVE TRADING"
DAYS_NEEDED = 3
#: the place that plays PRODUCTION, and the one account that may be LIVE there
REHEARSAL = "rehearsal"
#: only days on live prices count
REAL_MARKET = "kite"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Who asks for LIVE, and what only the caller can know."""

    phrase: str
    #: the second phrase, where the burn-in lost money
    accept: str
    may_go_live: bool
    #: where this program's orders go, and whether that is real money
    place: str
    is_real_money: bool
    #: hash of code, strategy parameters and limits as they are now
    evidence: str
    positions_open: int
    #: what the real broker's books hold that must not be there, a sentence each; or why they could not be read
    books: tuple[str, ...]
    #: what keeps entries off, but for the operator's own pause, a sentence each
    alarms: tuple[str, ...]
    #: the one-share probe has passed with that login
    is_probed: bool
    #: trading date of the newest Kite login, None before the first
    logged_in_on: date | None
    today: date


def missing(account: Account, asked: Asked) -> tuple[str, ...]:
    """Every condition that is not met, a sentence each."""
    found = []
    if asked.phrase != PHRASE:
        found.append(f'The phrase is missing: send "confirm": "{PHRASE}".')
    if not asked.may_go_live:
        found.append("The caller may not: it takes a key with the scope live, or a user with the permission.")
    if not asked.is_real_money:
        found.append(
            f"This program sends its orders to the {asked.place}: start it with KITE_ENVIRONMENT=production."
        )
    if asked.place == REHEARSAL and account.name != REHEARSAL:
        # What is shown at a loopback address (login, books, probe) must not make an account LIVE that trades elsewhere.
        found.append(f"A rehearsal is for an account of that name: start it with ACCOUNT_NAME={REHEARSAL}.")
    if asked.logged_in_on != asked.today:
        found.append("There is no Kite login of today.")
    elif not asked.is_probed:
        found.append("The one-share probe has not passed with this login: run `manage.py kite_probe`.")
    if asked.positions_open:
        found.append(f"The account is not flat: {asked.positions_open} open. Flatten first.")
    found += asked.books
    found += asked.alarms
    return (*found, *_missing_days(account, asked.evidence), *_missing_acceptance(account, asked.accept))


def go_live(account: Account, asked: Asked) -> tuple[str, ...]:
    """PAPER → LIVE where nothing is missing. Returns what is; empty when the account is LIVE now.

    The first LIVE day, which has limits of its own, is counted anew each time.
    """
    with transaction.atomic():
        held = Account.objects.select_for_update(of=("self",)).get(pk=account.pk)
        found = missing(held, asked)
        if not found and held.mode != Mode.LIVE:
            held.mode, held.live_since = Mode.LIVE, asked.today
            held.save(update_fields=["mode", "live_since"])
        return found


def acceptance_of(net_inr: Decimal) -> str:
    """What must be typed where the burn-in lost money: the loss, in rupees."""
    return f"I ACCEPT A NET OF {net_inr:.2f} RUPEES"


def return_to_paper(account: Account, *, positions_open: int) -> tuple[str, ...]:
    """LIVE → PAPER, allowed whenever flat. Returns why not; empty when the account is PAPER now."""
    if account.mode != Mode.PAPER and positions_open:
        return (f"The account is not flat: {positions_open} open. Flatten first.",)
    Account.objects.filter(pk=account.pk).exclude(mode=Mode.PAPER).update(mode=Mode.PAPER)
    return ()


def _newest_days(account: Account) -> list[BurninDay]:
    return list(BurninDay.objects.filter(account=account, market=REAL_MARKET)[:DAYS_NEEDED])


def _missing_acceptance(account: Account, accept: str) -> list[str]:
    """Three days that only lose may be traded live, but not by oversight."""
    days = _newest_days(account)
    gross = sum((day.gross_inr for day in days), Decimal(0))
    charges = sum((day.charges_inr for day in days), Decimal(0))
    net = gross - charges
    if net >= 0 or accept == acceptance_of(net):
        return []
    figures = f"gross ₹{gross:.2f}, charges ₹{charges:.2f}, net ₹{net:.2f}"
    return [f'The burn-in lost money: {figures}. To go on, send "accept": "{acceptance_of(net)}".']


def _missing_days(account: Account, evidence: str) -> list[str]:
    """The newest burn-in days on live prices must have passed in a row, with the code and limits of now."""
    newest = _newest_days(account)
    found = []
    if len(newest) < DAYS_NEEDED:
        found.append(
            f"{DAYS_NEEDED} passed burn-in days in a row on live prices are needed; there are {len(newest)}."
        )
    failed = [str(day.trading_date) for day in newest if not day.passed]
    if failed:
        found.append(f"These burn-in days did not pass: {', '.join(failed)}.")
    other = [str(day.trading_date) for day in newest if day.passed and day.evidence != evidence]
    if other:
        found.append(f"Code, strategies or limits changed since these burn-in days: {', '.join(other)}.")
    return found
