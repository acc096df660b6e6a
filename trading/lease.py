"""Who leads a loop: a row per account and loop, with a fencing number that only ever grows.

Times are the database's own clock, so two hosts with different clocks agree. A session advisory lock would be
taken over faster after a crash, but a *stopped* leader would keep it and it has no fencing number.
"""

import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.db import connection
from django.db.models import Exists, F, QuerySet
from django.db.models.functions import Now

from trading.core.enums import Loop
from trading.models import Lease

DEFAULT_TTL_S = 6.0
#: part of a statement, with the parameters that `named` gives
CURRENT: Final = """EXISTS (SELECT 1 FROM trading_lease
    WHERE account_id = %(account)s AND loop = %(loop)s AND fence = %(fence)s AND expires_at >= now())"""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that was taken. `fence` is checked when an intent is written and again before it is sent."""

    account_id: int
    loop: Loop
    holder: str
    fence: int


def take(account_id: int, loop: Loop, holder: str, ttl_s: float = DEFAULT_TTL_S) -> Held | None:
    """Take the lease if nobody holds it, or it ran out, or `holder` has it already; None when another leads.

    Every taking gives a new, higher fence, so commands written under an older one are refused.
    """
    Lease.objects.get_or_create(account_id=account_id, loop=loop)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE trading_lease
               SET holder = %s, fence = fence + 1, expires_at = now() + make_interval(secs => %s)
             WHERE account_id = %s AND loop = %s
               AND (expires_at IS NULL OR expires_at < now() OR holder IN ('', %s))
            RETURNING fence
            """,
            [holder, ttl_s, account_id, loop.value, holder],
        )
        row = cursor.fetchone()
    return Held(account_id, loop, holder, row[0]) if row else None


def renew(held: Held, ttl_s: float = DEFAULT_TTL_S, *, pass_worked: bool = False) -> bool:
    """Push the expiry on. False: it was lost to another holder, or ran out and must be taken anew."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE trading_lease
               SET expires_at = now() + make_interval(secs => %s),
                   pass_at = CASE WHEN %s THEN now() ELSE pass_at END
             WHERE account_id = %s AND loop = %s AND fence = %s AND expires_at >= now()
            """,
            [ttl_s, pass_worked, held.account_id, held.loop.value, held.fence],
        )
        renewed: int = cursor.rowcount
    return renewed == 1


def release(held: Held) -> None:
    """Give it up now, so that a standby need not wait for it to run out."""
    Lease.objects.filter(account_id=held.account_id, loop=held.loop, fence=held.fence).update(
        expires_at=None, holder=""
    )


def process_name(pid: int) -> str:
    """How a holder names its process: unique among the processes that share a database."""
    return f"{socket.gethostname()}:{pid}"


def release_of_dead(pid: int) -> int:
    """Free what a process of this machine held, so that a standby need not wait; returns how many leases.

    Only for the parent that has reaped it: a process that is gone sends nothing any more. Whoever leads next has
    a higher fence all the same.
    """
    held = Lease.objects.filter(holder__endswith=f" {process_name(pid)}", expires_at__gte=Now())
    return held.update(expires_at=None, holder="")


def named(held: Held) -> dict[str, Any]:
    """The parameters of `CURRENT`."""
    return {"account": held.account_id, "loop": held.loop.value, "fence": held.fence}


def is_current(held: Held) -> bool:
    """Whether this very taking is still the one that leads."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {CURRENT}", named(held))
        return bool(cursor.fetchone()[0])


def leads(held: Held) -> Exists:
    """The same as a condition of an UPDATE: judged and written in one statement, no stop comes between."""
    return Exists(_of(held))


@lru_cache(maxsize=16)
def _of(held: Held) -> QuerySet[Lease]:
    """Built once a taking: building a query takes as long as asking it."""
    return Lease.objects.filter(
        account_id=held.account_id, loop=held.loop, fence=held.fence, expires_at__gte=Now()
    )


def leaders() -> dict[tuple[int, str], str]:
    """(account id, loop) → holder, for those whose lease has not run out."""
    rows = Lease.objects.filter(expires_at__gte=Now()).values_list("account_id", "loop", F("holder"))
    return {(account_id, loop): holder for account_id, loop, holder in rows}


class FenceLost(Exception):
    """This loop no longer leads. Nothing was written; stop acting."""


class HeldByAnother(Exception):
    """Somebody else leads this loop. Stop it first, or wait until its lease runs out."""


def take_or_fail(account_id: int, loop: Loop, holder: str, ttl_s: float = DEFAULT_TTL_S) -> Held:
    """Take the lease, or raise HeldByAnother naming who has it."""
    held = take(account_id, loop, holder, ttl_s)
    if held is None:
        other = Lease.objects.get(account_id=account_id, loop=loop)
        raise HeldByAnother(
            f"the {loop.lower()} loop of this account is led by {other.holder}: stop it first"
        )
    return held
