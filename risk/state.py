"""Entries on, or off for a set of reasons. Rows, so that a restart and another process see the same."""

from datetime import datetime

from django.db import IntegrityError, transaction

from risk import halt
from risk.models import EntriesOff, RiskLimits
from trading.core.enums import PauseReason


def reasons_off(account_id: int) -> frozenset[PauseReason]:
    """The standing reasons why entries are off. Empty: they are on."""
    standing = EntriesOff.objects.filter(account_id=account_id, lifted_at=None)
    found = {PauseReason(word) for word in standing.values_list("reason", flat=True)}
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
