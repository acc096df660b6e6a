"""Locks as rows: what protections did by themselves, until when and why, and an operator's letting go.

The rules do not read whether a lock stands; they count it anew from trades and orders each time, so a lost row loses
no protection. They read what was lifted.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet

from risk.models import Lock
from risk.protections import LIFTABLE, Standing
from risk.values import Lifted
from trading.core.enums import Exchange, Protection
from trading.core.session import clock_time

WHY_LENGTH: Final = 300


class CannotBeLifted(Exception):
    """The lock is not an operator's to lift, or is over; the text says what can be done."""


def keep(account_id: int, session_id: int, standing: Iterable[Standing], now: datetime) -> None:
    """Write down the locks that were not yet. The same cause is written once, whoever sees it."""
    rows = [
        Lock(
            account_id=account_id,
            session_id=session_id,
            protection=lock.protection,
            exchange=lock.instrument[0] if lock.instrument else "",
            tradingsymbol=lock.instrument[1] if lock.instrument else "",
            why=lock.why[:WHY_LENGTH],
            cause_at=lock.cause_at,
            until=lock.until,
            locked_at=now,
        )
        for lock in standing
    ]
    if rows:
        Lock.objects.bulk_create(rows, ignore_conflicts=True)


#: part of a statement: what `lifted_of` reads
LIFTED_TOLD: Final = """(SELECT jsonb_agg(jsonb_build_array(protection, exchange, tradingsymbol, cause_at))
    FROM risk_lock WHERE session_id = %(session)s AND lifted_at IS NOT NULL)"""


def lifted(session_id: int) -> frozenset[Lifted]:
    """What operators let go of in these books."""
    rows = Lock.objects.filter(session_id=session_id).exclude(lifted_at=None)
    return _as_lifted(rows.values_list("protection", "exchange", "tradingsymbol", "cause_at"))


def lifted_of(told: str | None) -> frozenset[Lifted]:
    """The same, of what `LIFTED_TOLD` brought."""
    return _as_lifted((*names, datetime.fromisoformat(at)) for *names, at in json.loads(told or "[]"))


def _as_lifted(rows: Iterable[tuple[str, str, str, datetime]]) -> frozenset[Lifted]:
    return frozenset(
        (Protection(protection), (Exchange(exchange), symbol) if symbol else None, cause_at)
        for protection, exchange, symbol, cause_at in rows
    )


def in_force(account_id: int, session_id: int, now: datetime) -> QuerySet[Lock]:
    """The locks of these books that hold at this market time."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    holds = Q(until__gt=now) | Q(until=None, cause_at__gte=day)
    return Lock.objects.filter(holds, account_id=account_id, session_id=session_id, lifted_at=None)


def lift(lock: Lock, *, by: str, now: datetime) -> None:
    """Let go of one lock; entries are possible from the next decision on. Raises CannotBeLifted."""
    if Protection(lock.protection) not in LIFTABLE:
        raise CannotBeLifted(
            f"{lock.protection} ends with the day: only another version of the limits can raise it."
        )
    if lock.until is not None and lock.until <= now:
        raise CannotBeLifted(f"{lock.protection} was over at {clock_time(lock.until)}.")
    standing = Lock.objects.filter(pk=lock.pk, lifted_at=None)
    if not standing.update(lifted_at=now, lifted_by=by[:60]):
        lock.refresh_from_db()
        raise CannotBeLifted(f"{lock.lifted_by} lifted it at {clock_time(lock.lifted_at or now)}.")
