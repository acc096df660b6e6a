"""What stands about an account: why entries are off, who leads, its limits, its burn-in, the newest flatten.

Small rows of many tables, read in one statement: the console's picture is made twice a second while anybody looks.
"""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db import connection

from risk import state
from risk.limits import Limits
from risk.live_gate import DAYS_NEEDED, REAL_MARKET
from trading.core.session import IST
from trading.models import Account, VenueSession

_STANDING: Final = f"""
SELECT
 now(),
 (SELECT jsonb_agg(jsonb_build_array(reason, why, set_by, set_at) ORDER BY set_at, id)
    FROM risk_entriesoff WHERE account_id = %(account)s AND lifted_at IS NULL),
 (SELECT jsonb_agg(jsonb_build_array(protection, tradingsymbol, why, until) ORDER BY locked_at, id)
    FROM risk_lock
   WHERE account_id = %(account)s AND session_id = %(session)s AND lifted_at IS NULL
     AND (until > %(now)s OR until IS NULL AND cause_at >= %(midnight)s)),
 (SELECT jsonb_agg(jsonb_build_array(loop, holder, fence, expires_at, pass_at))
    FROM trading_lease WHERE account_id = %(account)s),
 {state.LIMITS_TOLD},
 (SELECT jsonb_agg(jsonb_build_array(trading_date, passed, evidence) ORDER BY trading_date DESC, id DESC)
    FROM (SELECT id, trading_date, passed, evidence FROM risk_burninday
           WHERE account_id = %(account)s AND market = '{REAL_MARKET}'
           ORDER BY trading_date DESC, id DESC LIMIT {DAYS_NEEDED}) AS newest),
 (SELECT jsonb_build_array(id, state, reason, asked_by, tradingsymbols, asked_at, finished_at,
                           positions_at_start, took_ms, verdict)
    FROM oco_flatten WHERE account_id = %(account)s AND session_id = %(session)s
   ORDER BY asked_at DESC, id DESC LIMIT 1)
"""


class OffRow(NamedTuple):
    """A reason that keeps entries off. `set_at` None: since when is not known."""

    reason: str
    why: str
    set_by: str
    set_at: datetime | None


class LockRow(NamedTuple):
    """What a protection locked; no tradingsymbol: the whole account. `until` None: until the day ends."""

    protection: str
    tradingsymbol: str
    why: str
    until: datetime | None


class LeaseRow(NamedTuple):
    """A loop's lease, as the database's clock has it."""

    loop: str
    holder: str
    fence: int
    expires_at: datetime | None
    pass_at: datetime | None


class BurninRow(NamedTuple):
    """One burn-in day on live prices."""

    trading_date: date
    passed: bool
    evidence: str


class FlattenRow(NamedTuple):
    """One run of the kill switch, with the columns of `oco.models.Flatten`."""

    id: int
    state: str
    reason: str
    asked_by: str
    tradingsymbols: list[str]
    asked_at: datetime
    finished_at: datetime | None
    positions_at_start: int
    took_ms: int | None
    verdict: dict[str, Any]


class Standing(NamedTuple):
    """What one reading found. `read_at` is the database's clock; burn-in days are the newest first."""

    read_at: datetime
    off: list[OffRow]
    locks: list[LockRow]
    leases: list[LeaseRow]
    limits: Limits
    limits_version: int
    burnin: list[BurninRow]
    flatten: FlattenRow | None


def read(account: Account, session: VenueSession | None, market_now: datetime) -> Standing:
    """Read it now. `market_now` says which locks are over."""
    here = market_now.astimezone(IST)
    asked: dict[str, Any] = {
        "account": account.pk,
        "session": session.pk if session else None,
        "now": here,
        "midnight": here.replace(hour=0, minute=0, second=0, microsecond=0),
    }
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, asked)
        read_at, off, locks, leases, limits, burnin, flatten = cursor.fetchone()
    in_force, version = state.limits_of(account.pk, limits)
    return Standing(
        read_at=read_at,
        off=[OffRow(reason, why, by, _time(at)) for reason, why, by, at in _values(off)],
        locks=[LockRow(word, symbol, why, _time(until)) for word, symbol, why, until in _values(locks)],
        leases=[
            LeaseRow(loop, holder, fence, _time(expires_at), _time(pass_at))
            for loop, holder, fence, expires_at, pass_at in _values(leases)
        ],
        limits=in_force,
        limits_version=version,
        burnin=[BurninRow(date.fromisoformat(day), *rest) for day, *rest in _values(burnin)],
        flatten=_flatten(_values(flatten)),
    )


def _flatten(row: list[Any]) -> FlattenRow | None:
    if not row:
        return None
    found = FlattenRow(*row)
    return found._replace(
        asked_at=datetime.fromisoformat(row[5]), finished_at=_time(row[6]), verdict=dict(found.verdict)
    )


def _values(told: str | None) -> list[Any]:
    """What an aggregate of JSON holds, amounts as the exact decimals of their columns."""
    return json.loads(told, parse_float=Decimal) if told else []


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
