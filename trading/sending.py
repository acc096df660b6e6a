"""The one way out. Every place, modify and cancel passes here, after its intent is committed.

What is checked immediately before the bytes are written: the deadline on the monotonic clock, the fence, and for
what opens risk, the latch. This narrows the window of a stopped process; it cannot close it, since Kite knows no
fence. So an entry is sent at most once, ever, whatever comes back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, DateTimeField, ExpressionWrapper, F, Min, Q
from django.db.models.functions import Coalesce

from risk import state
from trading import lease
from trading.broker.base import BrokerRefused, BrokerUnavailable, OutcomeUnknown, SessionExpired
from trading.core.enums import CommandKind, CommandOutcome, Role
from trading.desk import Desk
from trading.lease import FenceLost
from trading.models import Account, Command

DEADLINE_S = 0.5
#: the second in which orders are counted, and a little: the broker's clock may be slower than ours
SECOND = timedelta(milliseconds=1050)
#: how long an order was on its way, as far as it is known
_WAY = Coalesce(F("outcome_machine_at") - F("intent_machine_at"), timedelta(0))


class BudgetSpent(Exception):
    """No room in the account's order rate now. Nothing was written; a later pass may try.

    `again_at` is the market time at which the second has room again, None where that is not known.
    """

    def __init__(self, why: str, again_at: datetime | None = None) -> None:
        super().__init__(why)
        self.again_at = again_at


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended. `value` is the broker_order_id of a placement that was accepted."""

    outcome: CommandOutcome
    value: str = ""
    reason: str = ""
    latency_ms: float = 0.0


def claim(desk: Desk, *, opens_risk: bool, uses_all: bool = False) -> None:
    """Inside the transaction that writes an intent: take the account's row, then check fence and rate budget.

    The row lock makes all processes of an account count one after the other. `uses_all` is the flatten's: it may
    spend the reserve that is otherwise kept between our per-minute limit and Kite's.

    Raises FenceLost or BudgetSpent; the transaction must then be rolled back.
    """
    Account.objects.select_for_update(of=("self",)).get(pk=desk.account.pk)
    if not lease.is_current(desk.lease):
        raise FenceLost(f"{desk.lease.holder} no longer leads {desk.lease.loop}")
    now = desk.clocks.market_now()
    sent = Command.objects.filter(order__account=desk.account, order__session=desk.session)
    limits = state.limits_in_force(desk.account.pk).value()
    counted_at, clock = ("intent_at", now)
    if desk.clocks.market_time_jumps:
        counted_at, clock = ("intent_machine_at", desk.clocks.machine_now())
    # What is on its way may be quicker than what went before, so an order counts from its answer on.
    counted = ExpressionWrapper(F(counted_at) + _WAY, output_field=DateTimeField())
    second = Q(counted__gt=clock - SECOND)
    recent = sent.filter(intent_at__gt=now - timedelta(minutes=1)).annotate(counted=counted)
    count = recent.aggregate(
        minute=Count("pk"),
        second=Count("pk", filter=second),
        oldest=Min("counted", filter=second),
        entries=Count("pk", filter=second & Q(order__role=Role.ENTRY, kind=CommandKind.PLACE)),
    )
    if count["second"] >= limits.orders_per_s:
        raise BudgetSpent(
            f"{limits.orders_per_s} orders in the last second: the broker would refuse the next",
            again_at=now + (count["oldest"] + SECOND - clock),
        )
    if opens_risk and count["entries"] >= limits.entries_per_s:
        raise BudgetSpent(f"{limits.entries_per_s} entries in the last second: the rest is kept for exits")
    if not uses_all and count["minute"] >= limits.orders_per_min:
        raise BudgetSpent(f"{limits.orders_per_min} orders in the last minute")
    today = sent.filter(order__trading_date=desk.trading_date)
    if opens_risk and today.count() >= limits.orders_per_day:
        raise BudgetSpent(f"{limits.orders_per_day} orders today: the rest is kept for exits")


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
