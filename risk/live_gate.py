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


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that real money takes. `missing` holds a sentence for each part that is not there; empty: it is met."""

    name: str
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """What the newest burn-in days on live prices brought, in rupees."""

    days: int
    gross_inr: Decimal
    charges_inr: Decimal

    @property
    def net_inr(self) -> Decimal:
        return self.gross_inr - self.charges_inr


def missing(account: Account, asked: Asked) -> tuple[str, ...]:
    """Every condition that is not met, a sentence each."""
    return tuple(sentence for one in conditions(account, asked) for sentence in one.missing)


def conditions(account: Account, asked: Asked) -> tuple[Condition, ...]:
    """Everything that real money takes, in the order in which it is said."""
    return (
        Condition("The phrase", _unless(asked.phrase == PHRASE, _NO_PHRASE)),
        Condition("The right to go live", _unless(asked.may_go_live, _NO_RIGHT)),
        Condition("Orders go to a real broker", _unless(asked.is_real_money, _not_real(asked.place))),
        # What is shown at a loopback address (login, books, probe) must not make an account LIVE that trades elsewhere.
        Condition("The account fits the place", _unless(_fits(account, asked), _NO_REHEARSAL)),
        Condition("A Kite login of today, probed with one share", _missing_login(asked)),
        Condition("Flat", _unless(not asked.positions_open, _not_flat(asked.positions_open))),
        Condition("The broker's books are empty", asked.books),
        Condition("Nothing but the operator keeps entries off", asked.alarms),
        Condition(
            f"{DAYS_NEEDED} passed burn-in days in a row, with the code and limits of now",
            tuple(_missing_days(account, asked.evidence)),
        ),
        Condition("The burn-in earned money, or its loss is accepted", _missing_acceptance(account, asked)),
    )


_NO_PHRASE = f'The phrase is missing: send "confirm": "{PHRASE}".'
_NO_RIGHT = "The caller may not: it takes a key with the scope live, or a user with the permission."
_NO_REHEARSAL = f"A rehearsal is for an account of that name: start it with ACCOUNT_NAME={REHEARSAL}."


def _unless(is_met: bool, sentence: str) -> tuple[str, ...]:
    return () if is_met else (sentence,)


def _fits(account: Account, asked: Asked) -> bool:
    return asked.place != REHEARSAL or account.name == REHEARSAL


def _not_real(place: str) -> str:
    return f"This program sends its orders to the {place}: start it with KITE_ENVIRONMENT=production."


def _not_flat(positions_open: int) -> str:
    return f"The account is not flat: {positions_open} open. Flatten first."


def _missing_login(asked: Asked) -> tuple[str, ...]:
    if asked.logged_in_on != asked.today:
        return ("There is no Kite login of today.",)
    probe = "The one-share probe has not passed with this login: run `manage.py kite_probe`."
    return _unless(asked.is_probed, probe)


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
        return (_not_flat(positions_open),)
    Account.objects.filter(pk=account.pk).exclude(mode=Mode.PAPER).update(mode=Mode.PAPER)
    return ()


def _newest_days(account: Account) -> list[BurninDay]:
    return list(BurninDay.objects.filter(account=account, market=REAL_MARKET)[:DAYS_NEEDED])


def burnin_results(account: Account) -> Results:
    """Gross and charges of the days that the gate looks at."""
    days = _newest_days(account)
    return Results(
        days=len(days),
        gross_inr=sum((day.gross_inr for day in days), Decimal(0)),
        charges_inr=sum((day.charges_inr for day in days), Decimal(0)),
    )


def _missing_acceptance(account: Account, asked: Asked) -> tuple[str, ...]:
    """Three days that only lose may be traded live, but not by oversight."""
    found = burnin_results(account)
    net = found.net_inr
    if net >= 0 or asked.accept == acceptance_of(net):
        return ()
    figures = f"gross ₹{found.gross_inr:.2f}, charges ₹{found.charges_inr:.2f}, net ₹{net:.2f}"
    return (f'The burn-in lost money: {figures}. To go on, send "accept": "{acceptance_of(net)}".',)


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
