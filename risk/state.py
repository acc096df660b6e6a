"""Entries on, or off for a set of reasons. Rows, so that a restart and another process see the same."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import IntegrityError, connection, transaction

from risk import blackouts, halt, locks
from risk.limits import Limits
from risk.models import LIMIT_NAMES, EntriesOff, RiskLimits
from risk.values import Lifted
from trading.core.enums import PauseReason

#: parts of a statement: an account's newest limits, as `limits_of` reads them, and its standing reasons
LIMITS_TOLD: Final = f"""(SELECT jsonb_build_array(version, {", ".join(LIMIT_NAMES)}) FROM risk_risklimits
    WHERE account_id = %(account)s ORDER BY version DESC LIMIT 1)"""
_STANDING: Final = """(SELECT array_agg(reason::text) FROM risk_entriesoff
    WHERE account_id = %(account)s AND lifted_at IS NULL)"""
_ASKS_FIRST: Final = "(SELECT asks_first FROM trading_account WHERE id = %(account)s)"
_EXCLUDED: Final = """(SELECT concat_ws(', ', exclusion, nullif(why, '')) FROM trading_universerow
    WHERE account_id = %(account)s AND name = %(name)s AND exclusion <> '')"""
_PARTS: Final = (_STANDING, LIMITS_TOLD, locks.LIFTED_TOLD, blackouts.EVENT_TOLD, _EXCLUDED, _ASKS_FIRST)
_IN_FORCE: Final = f"SELECT {', '.join(_PARTS)}"


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds for an entry at one moment and is no count. `limits` are as saved, uncapped."""

    entries_off: frozenset[PauseReason]
    limits: Limits
    limits_version: int
    lifted: frozenset[Lifted]
    #: the event that keeps the instrument out, and until when; empty when there is none
    event: str
    #: why this name is watched and not entered, in words; empty when it may be
    excluded: str
    #: the account wants an operator's yes for each entry
    asks_first: bool


def in_force(account_id: int, session_id: int, name: str, now: datetime) -> InForce:
    """Read it for the underlying or share `name`, in one statement: it is asked for each entry."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_FORCE, {"account": account_id, "session": session_id, "name": name, "now": now})
        reasons, limits, lifted, event, excluded, asks_first = cursor.fetchone()
    return InForce(
        _reasons_of(reasons),
        *limits_of(account_id, limits),
        locks.lifted_of(lifted),
        blackouts.event_of(event),
        excluded or "",
        bool(asks_first),
    )


def reasons_off(account_id: int) -> frozenset[PauseReason]:
    """The standing reasons why entries are off. Empty: they are on."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_STANDING}", {"account": account_id})
        (reasons,) = cursor.fetchone()
    return _reasons_of(reasons)


def _reasons_of(words: list[str] | None) -> frozenset[PauseReason]:
    found = frozenset(PauseReason(word) for word in words or ())
    return found | {PauseReason.FLATTEN} if halt.stands() else found


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
        cursor.execute(f"SELECT {LIMITS_TOLD}", {"account": account_id})
        (told,) = cursor.fetchone()
    return limits_of(account_id, told)


def limits_of(account_id: int, told: str | None) -> tuple[Limits, int]:
    """What `LIMITS_TOLD` brought of an account, as a value with its version."""
    if told is None:
        newest = limits_in_force(account_id)
        return newest.value(), newest.version
    version, *values = json.loads(told, parse_float=Decimal)
    return Limits(**dict(zip(LIMIT_NAMES, values, strict=True))), version
