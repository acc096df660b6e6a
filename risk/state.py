"""Entries on, or off for a set of reasons. Rows, so that a restart and another process see the same."""

from datetime import datetime
from typing import Final

from django.db import IntegrityError, connection, transaction

from risk import halt
from risk.limits import Limits
from risk.models import LIMIT_NAMES, EntriesOff, RiskLimits
from trading.core.enums import PauseReason

# Both are asked several times for each entry, and building a query takes longer than asking it.
_STANDING: Final = "SELECT reason FROM risk_entriesoff WHERE account_id = %s AND lifted_at IS NULL"
_NEWEST: Final = (
    f"SELECT version, {', '.join(LIMIT_NAMES)} FROM risk_risklimits"
    " WHERE account_id = %s ORDER BY version DESC LIMIT 1"
)


def reasons_off(account_id: int) -> frozenset[PauseReason]:
    """The standing reasons why entries are off. Empty: they are on."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [account_id])
        found = {PauseReason(word) for (word,) in cursor.fetchall()}
    return frozenset(found | {PauseReason.FLATTEN} if halt.stands() else found)


def turn_off(account_id: int, reason: PauseReason, *, by: str, why: str, now: datetime) -> bool:
    """Put a reason up. False when it stood already: the first one's words are kept."""
    try:
        with transaction.atomic():
            EntriesOff.objects.create(
                account_id=account_id, reason=reason, why=why[:300], set_by=by[:60], set_at=now
            )
    except IntegrityError:
        return False
    return True


def lift(account_id: int, reason: PauseReason, *, by: str, now: datetime) -> bool:
    """Take one reason down. Only the role that owns a reason calls this for it; others keep standing."""
    standing = EntriesOff.objects.filter(account_id=account_id, reason=reason, lifted_at=None)
    return standing.update(lifted_at=now, lifted_by=by[:60]) > 0


def lift_own(account_id: int, reason: PauseReason, *, by: str, now: datetime) -> bool:
    """Take a reason down only if `by` put it up: somebody else's words under the same reason stay."""
    standing = EntriesOff.objects.filter(account_id=account_id, reason=reason, set_by=by, lifted_at=None)
    return standing.update(lifted_at=now, lifted_by=by) > 0


def pause(account_id: int, *, by: str, why: str, now: datetime) -> bool:
    """The operator's pause."""
    return turn_off(account_id, PauseReason.OPERATOR, by=by, why=why, now=now)


def resume(account_id: int, *, by: str, now: datetime) -> frozenset[PauseReason]:
    """The operator's resume: lifts the pause and the latch of a flatten. Returns what still keeps entries off."""
    lift(account_id, PauseReason.OPERATOR, by=by, now=now)
    lift(account_id, PauseReason.FLATTEN, by=by, now=now)
    halt.take_down()
    return reasons_off(account_id)


def limits_in_force(account_id: int) -> RiskLimits:
    """The newest version of an account's limits; the trading rules' paper column when none was ever saved."""
    newest = RiskLimits.objects.filter(account_id=account_id).order_by("-version").first()
    if newest is None:
        newest = RiskLimits.objects.create(
            account_id=account_id, version=1, created_by="defaults", why="paper defaults of the trading rules"
        )
    return newest


def limits_now(account_id: int) -> tuple[Limits, int]:
    """The same as a value, with its version."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [account_id])
        row = cursor.fetchone()
    if row is None:
        newest = limits_in_force(account_id)
        return newest.value(), newest.version
    version, *values = row
    return Limits(**dict(zip(LIMIT_NAMES, values, strict=True))), version
