"""The one way out. Every place, modify and cancel passes here, after its intent is committed.

What is checked immediately before the bytes are written: the deadline on the monotonic clock, the fence, and for
what opens risk, the latch. This narrows the window of a stopped process; it cannot close it, since Kite knows no
fence. So an entry is sent at most once, ever, whatever comes back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection

from risk import state
from risk.limits import Limits
from trading import lease
from trading.broker.base import BrokerRefused, BrokerUnavailable, OutcomeUnknown, SessionExpired
from trading.core.enums import CommandOutcome, PauseReason
from trading.desk import Desk
from trading.lease import FenceLost

DEADLINE_S = 0.5
#: how Kite refuses an order from an address that is not whitelisted, or of an app without that right
PERMISSION = "PermissionException"
#: the second in which orders are counted, and a little: the broker's clock may be slower than ours
SECOND = timedelta(milliseconds=1050)


class BudgetSpent(Exception):
    """No room in the account's order rate now. Nothing was written; a later pass may try.

    `again_at` is the market time at which the second has room again, None where that is not known.
    """

    def __init__(self, why: str, again_at: datetime | None = None) -> None:
        super().__init__(why)
        self.again_at = again_at


#: part of a statement: more than any minute may hold. So many rows at most, whatever the planner knows of their times.
NEWEST_COMMANDS: Final = """
    SELECT day_number, purpose, intent_at, intent_machine_at, outcome_machine_at FROM trading_command
     WHERE session_id = %(session)s AND trading_date = %(day)s ORDER BY day_number DESC LIMIT 400"""
# Written out: each command asks it with the account's row locked, and all others wait meanwhile. One line at least.
_CLAIM: Final = f"""
    SELECT {lease.CURRENT}, {state.LIMITS_TOLD},
           (SELECT count(*) FROM trading_trade
             WHERE session_id = %(session)s AND trading_date = %(day)s AND closed_at IS NOT NULL),
           today.newest,
           CASE WHEN %(jumps)s THEN c.intent_machine_at ELSE c.intent_at END
               + coalesce(c.outcome_machine_at - c.intent_machine_at, interval '0'),
           c.purpose = 'enter'
      FROM (SELECT coalesce(max(day_number), 0) AS newest FROM trading_command
             WHERE session_id = %(session)s AND trading_date = %(day)s) AS today
      LEFT JOIN ({NEWEST_COMMANDS}) AS c ON c.intent_at > %(minute)s
"""


class _Sent(NamedTuple):
    """A command of the last minute, as far as it is counted.

    It counts from its answer on: what is on its way may be quicker than what went before.
    """

    counted_at: datetime
    is_entry: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended. `value` is the broker_order_id of a placement that was accepted."""

    outcome: CommandOutcome
    value: str = ""
    reason: str = ""
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """Leave to write one intent, as the `day_number`th command of the day. `limits` are as saved, uncapped."""

    day_number: int
    trades_closed: int
    limits: Limits


def claim(desk: Desk, *, opens_risk: bool, uses_all: bool = False) -> Claim:
    """Inside the transaction that writes an intent: take the account's row, then check fence and rate budget.

    The row lock makes all processes of an account count one after the other. `uses_all` is the flatten's: it may
    spend the reserve that is otherwise kept between our per-minute limit and Kite's.

    An entry that was decided in a mode since left is not sent: what it was checked for is no more. Exits always are.
    Raises FenceLost or BudgetSpent; the transaction must then be rolled back.
    """
    mode = _lock_account(desk.account.pk)
    now = desk.clocks.market_now()
    leads, limits, trades_closed, today, recent = _look(desk, now - timedelta(minutes=1))
    if not leads:
        raise FenceLost(f"{desk.lease.holder} no longer leads {desk.lease.loop}")
    if opens_risk and mode != desk.account.mode:
        raise FenceLost(f"{desk.lease.holder} began as {desk.account.mode} and the account is {mode}")
    clock = desk.clocks.machine_now() if desk.clocks.market_time_jumps else now
    second = [one for one in recent if one.counted_at > clock - SECOND]
    if len(second) >= limits.orders_per_s:
        raise BudgetSpent(
            f"{limits.orders_per_s} orders in the last second: the broker would refuse the next",
            again_at=now + (min(one.counted_at for one in second) + SECOND - clock),
        )
    if opens_risk and sum(one.is_entry for one in second) >= limits.entries_per_s:
        raise BudgetSpent(f"{limits.entries_per_s} entries in the last second: the rest is kept for exits")
    if not uses_all and len(recent) >= limits.orders_per_min:
        raise BudgetSpent(f"{limits.orders_per_min} orders in the last minute")
    if opens_risk and today >= limits.orders_per_day:
        raise BudgetSpent(f"{limits.orders_per_day} orders today: the rest is kept for exits")
    return Claim(day_number=today + 1, trades_closed=trades_closed, limits=limits)


def _lock_account(account_id: int) -> str:
    """Take the account's row until the transaction ends; returns its mode. Rows that name the account may be added."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT mode FROM trading_account WHERE id = %s FOR NO KEY UPDATE", [account_id])
        (mode,) = cursor.fetchone()
    return str(mode)


def _look(desk: Desk, since: datetime) -> tuple[bool, Limits, int, int, list[_Sent]]:
    """Whether we lead, the limits, trades closed and commands written today, and the commands since a moment."""
    books: dict[str, Any] = {"session": desk.session.pk, "day": desk.trading_date, "minute": since}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {**lease.named(desk.lease), **books, "jumps": desk.clocks.market_time_jumps})
        rows = cursor.fetchall()
    leads, limits, trades_closed, today = rows[0][:4]
    recent = [_Sent(*row[4:]) for row in rows if row[4]]
    return leads, state.limits_of(desk.account.pk, limits)[0], trades_closed, today, recent


def carry_out(desk: Desk, call: Callable[[], str | None], *, opens_risk: bool, intent_s: float) -> Answer:
    """Make one call whose intent is committed, and say how it ended. Never called inside a transaction.

    `intent_s` is the monotonic time at which the intent was written.
    """
    held_back = _held_back(desk, opens_risk=opens_risk, intent_s=intent_s)
    if held_back:
        return Answer(CommandOutcome.EXPIRED, reason=held_back)
    began_s = desk.clocks.monotonic_s()
    try:
        outcome, value, reason = CommandOutcome.ACCEPTED, call() or "", ""
    except BrokerRefused as error:
        outcome, value, reason = CommandOutcome.REFUSED, "", str(error)
        if error.error_type == PERMISSION:
            # The login lives and still no order is taken, of any kind: a person must put it right (kite-facts 1).
            why = f"The broker takes no order of ours: {error}. Put it right, then log in again."
            now = desk.clocks.market_now()
            state.turn_off(desk.account.pk, PauseReason.LOGIN, by="orders", why=why, now=now)
    except (BrokerUnavailable, SessionExpired) as error:
        # Both mean that nothing was done (429, no connection, token refused): final for this command.
        outcome, value, reason = CommandOutcome.REFUSED, "", f"not sent: {error}"
    except OutcomeUnknown as error:
        outcome, value, reason = CommandOutcome.UNKNOWN, "", str(error)
    latency_ms = (desk.clocks.monotonic_s() - began_s) * 1000
    return Answer(outcome, value, reason[:300], round(latency_ms, 3))


def _held_back(desk: Desk, *, opens_risk: bool, intent_s: float) -> str:
    """Why the command must not be written any more; empty when it may."""
    if not lease.is_current(desk.lease):
        return f"{desk.lease.holder} no longer leads {desk.lease.loop}"
    if opens_risk and (reasons := state.reasons_off(desk.account.pk)):
        return "entries are off: " + ", ".join(sorted(reasons))
    late_s = desk.clocks.monotonic_s() - intent_s
    if late_s > DEADLINE_S:
        return f"{late_s * 1000:.0f} ms after its intent, the deadline is {DEADLINE_S * 1000:.0f} ms"
    return ""
