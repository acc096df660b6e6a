"""PAPER → LIVE: what is missing for it. Real money is asked for here and nowhere else.

A gate that only names what is missing and finds nothing still has to be opened by somebody: until that exists,
the last condition stands always, so no way through here writes LIVE.
"""

from dataclasses import dataclass
from datetime import date

from risk.models import BurninDay
from trading.core.enums import Mode
from trading.models import Account

PHRASE = "CONFIRM LIVE TRADING"
DAYS_NEEDED = 3
#: only days on live prices count
REAL_MARKET = "kite"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Who asks for LIVE, and what only the caller can know."""

    phrase: str
    may_go_live: bool
    #: hash of code, strategy parameters and limits as they are now
    evidence: str
    positions_open: int
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
    if asked.logged_in_on != asked.today:
        found.append("There is no Kite login of today.")
    if asked.positions_open:
        found.append(f"The account is not flat: {asked.positions_open} open. Flatten first.")
    found += _missing_days(account, asked.evidence)
    found.append("The books of the real account have not been reconciled by this program yet.")
    return tuple(found)


def return_to_paper(account: Account, *, positions_open: int) -> tuple[str, ...]:
    """LIVE → PAPER, allowed whenever flat. Returns why not; empty when the account is PAPER now."""
    if account.mode != Mode.PAPER and positions_open:
        return (f"The account is not flat: {positions_open} open. Flatten first.",)
    Account.objects.filter(pk=account.pk).exclude(mode=Mode.PAPER).update(mode=Mode.PAPER)
    return ()


def _missing_days(account: Account, evidence: str) -> list[str]:
    """The newest burn-in days on live prices must have passed in a row, with the code and limits of now."""
    newest = list(BurninDay.objects.filter(account=account, market=REAL_MARKET)[:DAYS_NEEDED])
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
