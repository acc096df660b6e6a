"""After the world has healed: nothing unresolved, our rows equal the broker's books, the chain of every trade whole."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from oco.models import Flatten, OcoGroup
from reporting import invariants, queries
from risk import state
from tests.simulation import market as paths
from trading import signals
from trading.broker.paper import PaperBroker
from trading.core import order_states
from trading.core.enums import CommandKind, CommandOutcome, ExitReason, GroupState, OrderStatus, Role, Side
from trading.core.order_ids import plan_client_id, role_of_tag
from trading.core.values import Score, Setup
from trading.exchange.orders import KiteStatus
from trading.exchange.rules import Latency
from trading.models import Command, Order, Signal

if TYPE_CHECKING:
    from tests.simulation.world import World

ENDS = {
    KiteStatus.COMPLETE: {OrderStatus.FILLED},
    KiteStatus.CANCELLED: {OrderStatus.CANCELED},
    KiteStatus.REJECTED: {OrderStatus.REJECTED, OrderStatus.CANCELED},
}
#: judged by the oracle as they happen, with what excuses them; the last is a part of I3
OUTLIVED = " worked "
JUDGED_LIVE = frozenset(
    {invariants.never_the_wrong_way_round, invariants.always_protected, invariants.flatten_holds}
)


def may_close_yet(world: "World") -> bool:
    """Whether a closing order was about to be sent and is not at the broker: the next process finds the intent, and
    for as long as such an order may arrive it can send no other in its place.
    """
    asked = Command.objects.filter(
        kind=CommandKind.PLACE,
        outcome=CommandOutcome.PENDING,
        order__session=world.session,
        order__role=Role.EXIT,
    )
    arrived = {order.tag for order in world.venue.orders.values()}
    return bool(set(asked.values_list("order__tag", flat=True)) - arrived)


def unresolved(world: "World") -> Iterator[tuple[str, str]]:
    """What a healed world still has not settled: (invariant, sentence)."""
    rows = {row.tag: row for row in Order.objects.filter(session=world.session)}
    for row in rows.values():
        if row.status in order_states.IN_FLIGHT:
            yield "I9", f"{row.role} {row.tag} is {row.status} although all has been well for a while"
    for order in world.venue.orders.values():
        if role_of_tag(order.tag) is None:
            continue
        found = rows.get(order.tag)
        if found is None:
            yield "I3", f"order {order.tag} is at the broker and in no row"
            continue
        row = found
        if order.is_closed and row.status not in ENDS[order.status]:
            yield "I9", f"{row.role} {row.tag} is {order.status} at the broker and {row.status} here"
        if not order.is_closed and row.status in order_states.CLOSED:
            yield "I3", f"{row.role} {row.tag} is {order.status} at the broker and {row.status} here"
        if order.filled != row.filled_quantity:
            yield (
                "I5",
                f"{row.role} {row.tag} filled {order.filled} at the broker, {row.filled_quantity} here",
            )
    for group in OcoGroup.objects.filter(session=world.session, state=GroupState.BROKEN):
        yield "I2", f"group {group.number} of {group.entry_order.tradingsymbol} is broken: {group.problem}"


def entries_still_off(world: "World") -> Iterator[tuple[str, str]]:
    """I10: nothing but an operator's own word may keep entries off in a healed world."""
    left = state.reasons_off(world.account.pk)
    if left:
        yield "I10", f"entries are still off: {', '.join(sorted(left))}"


def closed_unasked(world: "World") -> Iterator[tuple[str, str]]:
    """I6: everything of ours is closed by the operator's choice or the day's loss, never by a process of its own."""
    for row in Flatten.objects.filter(session=world.session).exclude(reason=ExitReason.DAILY_LOSS):
        if row.asked_by != "operator":
            yield (
                "I6",
                f"{row.asked_by} closed everything at {row.asked_at:%H:%M:%S}, which nobody had asked for",
            )


def ids_of_tomorrow(world: "World") -> Iterator[tuple[str, str]]:
    """I1: the same plan on the next day is another plan."""
    row = Signal.objects.filter(session=world.session).first()
    loop = getattr(world.strategist, "loop", None)
    if row is None or loop is None:
        return
    setup = Setup(
        side=Side(row.side),
        entry_price=row.entry_price,
        stop_price=row.stop_price,
        target_price=row.target_price,
        reason=row.reason,
    )
    score = Score(momentum=0, trend=0, liquidity=0, regime=0, reward_risk=0, penalty=0, total=0)
    spec = next(one for one in world.path.specs if one.tradingsymbol == row.tradingsymbol)
    seen = signals.Seen(strategy=row.strategy, spec=spec, candle_at=row.candle_at, setup=setup, score=score)
    tomorrow = replace(loop.desk, trading_date=paths.DAY + timedelta(days=1))
    if plan_client_id(signals.plan_of(tomorrow, seen)) == row.plan_id:
        yield "I1", f"plan {row.plan_id} has the same id tomorrow: it would be taken for spent"


def day_problems(world: "World") -> Iterator[tuple[str, str]]:
    """I1, I3, I5, I7 and I8 over the whole run, from rows and the broker's books together."""
    broker = PaperBroker(world.venue, world.stage.clocks, seed=0, latency=Latency(mean_ms=0))
    facts = queries.day_facts(world.account, world.session, paths.DAY, broker, now=world.stage.now)
    # What the account has, not what our decisions took it for.
    facts = replace(facts, capital_inr=world.account.paper_capital_inr)
    for rule in invariants.RULES:
        if rule in JUDGED_LIVE:
            continue
        for sentence in rule(facts):
            name, _, what = sentence.partition(": ")
            if OUTLIVED not in what:
                yield name, what
