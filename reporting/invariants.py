"""What must hold on every day, whatever happened on it: I1 to I8 of the fault simulation, afterwards. Pure.

The broker's books are the witness. A sentence names the invariant, the instrument and the figures; silence is
good. Kite stamps its rows to the second, so nothing here hangs on less than one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

from reporting import exposure
from reporting.facts import (
    BrokerBooks,
    DayFacts,
    FlattenFact,
    GroupFact,
    Instrument,
    OrderFact,
    TradeFact,
    by_order,
    ended_at,
    exchange_of,
    instrument_of,
    is_ours,
    is_working,
    label,
)
from trading.core import order_states
from trading.core.charges import charges_of_value, sum_charges
from trading.core.enums import CommandKind, CommandOutcome, FlattenState, OrderStatus, PauseReason, Role, Side
from trading.core.session import clock_time
from trading.core.values import FillReport, OrderReport

Name = TypeVar("Name")

PAISA = Decimal("0.01")
#: what may still work so long after its group went flat: a cancel takes a round trip
ORPHAN_GRACE = timedelta(seconds=5)
UNPROTECTED_LIMIT_MS = 5000
FLAT_WITHIN = timedelta(seconds=30)
#: reasons that a flatten latches and that allow no entry until they are lifted
LATCHES = frozenset({PauseReason.FLATTEN, PauseReason.RISK})


def problems(facts: DayFacts) -> list[str]:
    """Every broken invariant of the day, in their order."""
    return [sentence for rule in RULES for sentence in rule(facts)]


def one_order_per_id(facts: DayFacts) -> Iterator[str]:
    """I1: one broker order for each client id, at most one entry (in slices) for each signal."""
    if facts.books:
        for tag, count in _repeated(report.tag for report in facts.books.orders if is_ours(report)):
            yield f"I1: the broker has {count} orders with the tag {tag}"
    for client_order_id, count in _repeated(order.client_order_id for order in facts.orders):
        yield f"I1: {count} orders have the id {client_order_id}"
    entries = [order for order in facts.orders if order.role is Role.ENTRY]
    for (signal_id, part), count in _repeated((order.signal_id, order.slice) for order in entries):
        yield f"I1: signal {signal_id} has {count} entries of slice {part}"


def never_the_wrong_way_round(facts: DayFacts) -> Iterator[str]:
    """I2: walking the broker's fills, no exit takes a position through zero and no entry opposes one."""
    if facts.books is None:
        return
    roles = _roles(facts)
    held: Counter[Instrument] = Counter()
    for fill in facts.books.fills:
        instrument, role = instrument_of(fill), roles.get(fill.broker_order_id)
        before, change = held[instrument], fill.side.sign * fill.quantity
        held[instrument] = before + change
        if role is None:
            continue
        where = f"{label(instrument)} at {clock_time(fill.filled_at)}"
        if role is Role.ENTRY and before * change < 0:
            yield f"I2: {where}: an entry of {change} was filled against {before} held"
        if role is not Role.ENTRY and (before * change >= 0 or abs(change) > abs(before)):
            yield f"I2: {where}: an exit of {change} was filled with {before} held"


def nothing_left_over(facts: DayFacts) -> Iterator[str]:
    """I3: flat means that nothing rests, and every live order at the broker has a live row."""
    yield from orphans(facts)
    if facts.books is None:
        return
    rows = {order.broker_order_id: order for order in facts.orders if order.broker_order_id}
    for report in filter(is_ours, facts.books.orders):
        row = rows.get(report.broker_order_id)
        name = f"{report.broker_order_id} ({report.tag})"
        if row is None:
            yield f"I3: order {name} has a tag of ours and no row"
        elif is_working(report) and row.status in order_states.CLOSED - {OrderStatus.LOST}:
            yield f"I3: order {name} is {report.raw_status} at the broker and {row.status} here"


def orphans(facts: DayFacts) -> list[str]:
    """Orders of ours that worked on after their group was out, or that rest while the broker has us flat."""
    if facts.books is None:
        return []
    reports = {report.broker_order_id: report for report in facts.books.orders}
    fills = by_order(facts.books.fills)
    found: list[str] = []
    for group in facts.groups:
        found += _orphans_of(facts, group, reports, fills)
    held = {instrument_of(one) for one in facts.books.positions if one.quantity}
    for report in filter(is_ours, facts.books.orders):
        if is_working(report) and instrument_of(report) not in held:
            where = label(instrument_of(report))
            found.append(f"I3: {report.broker_order_id} ({report.tag}) rests on {where}, which is flat")
    return found


def always_protected(facts: DayFacts) -> Iterator[str]:
    """I4: no group was without a live stop for longer than five seconds; none is broken."""
    for group in facts.groups:
        if group.unprotected_ms > UNPROTECTED_LIMIT_MS:
            yield f"I4: {group.name} was without a live stop for {group.unprotected_ms / 1000:.1f} s"
        if group.unprotected_since and group.exited_quantity < group.entered_quantity:
            bare = facts.until - group.unprotected_since
            if bare > timedelta(milliseconds=UNPROTECTED_LIMIT_MS):
                yield f"I4: {group.name} has been without a live stop for {bare.total_seconds():.1f} s"
        if group.problem:
            yield f"I4: {group.name} is broken: {group.problem}"


def chain_complete(facts: DayFacts) -> Iterator[str]:
    """I5: the chain is whole, and a trade's result is the broker's fills less charges."""
    yield from broken_chains(facts)
    if facts.books is None:
        return
    fills = by_order(facts.books.fills)
    for trade in facts.trades:
        if trade.closed_at is None:
            continue
        told = [one for order_id in _broker_ids(trade) for one in fills.get(order_id, [])]
        entries = {order.broker_order_id for order in facts.orders if order.role is Role.ENTRY}
        gross, charges = _result_inr(trade, told, entries)
        booked = (trade.gross_inr, trade.charges_inr, trade.net_inr)
        if booked != (gross, charges, gross - charges):
            shown = f"gross {gross}, charges {charges}, net {gross - charges}"
            booked_as = "gross {}, charges {}, net {}".format(*booked)
            yield f"I5: {trade.name} is booked as {booked_as}; the broker's fills make {shown}"


def broken_chains(facts: DayFacts) -> list[str]:
    """Where signal → decision → orders → fills → trade does not hold together, both ways."""
    orders = {order.id: order for order in facts.orders}
    found = [sentence for trade in facts.trades for sentence in _breaks_of(trade, orders)]
    if facts.books is None:
        return found
    known = {
        (fill.broker_order_id, fill.broker_trade_id): fill for trade in facts.trades for fill in trade.fills
    }
    ours = {order.broker_order_id for order in facts.orders if order.broker_order_id}
    ours |= {report.broker_order_id for report in facts.books.orders if is_ours(report)}
    seen = set()
    for report in facts.books.fills:
        key = (report.broker_order_id, report.broker_trade_id)
        seen.add(key)
        fill = known.get(key)
        if fill is None and report.broker_order_id in ours:
            found.append(f"I5: the broker's execution {key[1]} of order {key[0]} is in no trade of ours")
        elif fill and (fill.quantity, fill.price) != (report.quantity, report.price):
            at_broker = f"{report.quantity} @ {report.price} at the broker"
            found.append(f"I5: fill {key[1]} is {fill.quantity} @ {fill.price} here and {at_broker}")
    made_up = known.keys() - seen
    return found + [
        f"I5: fill {key[1]} of order {key[0]} is not in the broker's book" for key in sorted(made_up)
    ]


def flatten_holds(facts: DayFacts) -> Iterator[str]:
    """I6: while a flatten's latch stands nothing enters; within 30 s all is flat and nothing rests."""
    sent = [order for order in facts.orders if order.role is Role.ENTRY and _was_sent(order)]
    for latch in facts.latches:
        if latch.reason not in LATCHES:
            continue
        # A later session on the same account may have lifted it at an earlier market time.
        was_lifted = latch.lifted_at is not None and latch.lifted_at > latch.set_at
        until = latch.lifted_at if was_lifted and latch.lifted_at else facts.until
        for order in sent:
            if latch.set_at < order.asked_at < until:
                yield f"I6: {order.name} was sent at {clock_time(order.asked_at)} under the latch {latch.reason}"
    for run in facts.flattens:
        yield from _flatten_problems(facts, run)


def limits_kept(facts: DayFacts) -> Iterator[str]:
    """I7: positions, trades, risk and order rate never went beyond the limits, orders in flight counted."""
    yield from (f"I7: {sentence}" for sentence in exposure.breaches(facts))


def states_only_go_forward(facts: DayFacts) -> Iterator[str]:
    """I8: every remembered move is in the state table, closed states are left by late fills alone."""
    for order in facts.orders:
        was, filled = "", 0
        for event in order.events:
            if event.from_status != was:
                yield f"I8: {order.name} was {was or 'new'} and moved from {event.from_status or 'new'}"
            if event.to_status not in _next_of(was):
                yield f"I8: {order.name} moved from {was or 'new'} to {event.to_status}"
            if event.filled_quantity < filled:
                yield f"I8: {order.name} had {filled} filled, then {event.filled_quantity}"
            was, filled = event.to_status, max(filled, event.filled_quantity)
        if order.events and (was, filled) != (order.status, order.filled_quantity):
            ends = f"its events end at {was} with {filled}"
            yield f"I8: {order.name} is {order.status} with {order.filled_quantity}; {ends}"


RULES: tuple[Callable[[DayFacts], Iterable[str]], ...] = (
    one_order_per_id,
    never_the_wrong_way_round,
    nothing_left_over,
    always_protected,
    chain_complete,
    flatten_holds,
    limits_kept,
    states_only_go_forward,
)


def _repeated(names: Iterable[Name]) -> list[tuple[Name, int]]:
    return [(name, count) for name, count in Counter(names).items() if count > 1]


def _next_of(status: str) -> frozenset[OrderStatus]:
    """Where an order may go or stay; a new one begins as SUBMITTED."""
    if not status:
        return frozenset({OrderStatus.SUBMITTED})
    return order_states.NEXT[OrderStatus(status)] | {OrderStatus(status)}


def _roles(facts: DayFacts) -> dict[str, Role]:
    """The role of each broker order of ours."""
    return {order.broker_order_id: order.role for order in facts.orders if order.broker_order_id}


def _was_sent(order: OrderFact) -> bool:
    """Whether its placement may have reached the broker."""
    placed = [command.outcome for command in order.commands if command.kind is CommandKind.PLACE]
    return any(outcome is not CommandOutcome.EXPIRED for outcome in placed)


def _orphans_of(
    facts: DayFacts, group: GroupFact, reports: dict[str, OrderReport], fills: dict[str, list[FillReport]]
) -> Iterator[str]:
    exits = facts.exits_of(group)
    done = [fill for order in exits for fill in fills.get(order.broker_order_id, [])]
    if not done or sum(fill.quantity for fill in done) < group.entered_quantity:
        return
    out_at = max(fill.filled_at for fill in done)
    for order in exits:
        report = reports.get(order.broker_order_id)
        if report is None:
            continue
        end = ended_at(report) or facts.until
        if end - out_at > ORPHAN_GRACE:
            span = (end - out_at).total_seconds()
            yield f"I3: {order.name} worked {span:.0f} s after {group.name} was out"


def _breaks_of(trade: TradeFact, orders: dict[int, OrderFact]) -> Iterator[str]:
    mine = [order for order in orders.values() if order.decision_id == trade.decision_id]
    entries = [order for order in mine if order.role is Role.ENTRY]
    if not trade.is_approved:
        yield f"I5: {trade.name} stands on a decision that was not approved"
    if not entries or any(order.signal_id is None for order in entries):
        yield f"I5: {trade.name} has no entry order that leads to its signal"
    if trade.closed_at is None:
        yield f"I5: {trade.name} is still open"
    for what, wanted, is_entry in (
        ("entered", trade.entered_quantity, True),
        ("exited", trade.exited_quantity, False),
    ):
        told = 0
        for fill in trade.fills:
            order = orders.get(fill.order_id)
            if order is None or order.decision_id != trade.decision_id:
                yield f"I5: {trade.name} has a fill {fill.broker_trade_id} of an order that is not its own"
            elif (order.role is Role.ENTRY) == is_entry:
                # What an exit takes back after too much was exited counts against the exits.
                told += fill.quantity if is_entry or fill.side is not trade.side else -fill.quantity
        if told != wanted:
            yield f"I5: {trade.name} {what} {wanted}, its fills make {told}"
    for order in mine:
        if not any(command.kind is CommandKind.PLACE for command in order.commands):
            yield f"I5: {order.name} has no placement"


def _broker_ids(trade: TradeFact) -> list[str]:
    return list(dict.fromkeys(fill.broker_order_id for fill in trade.fills))


def _result_inr(
    trade: TradeFact, told: list[FillReport], entries: AbstractSet[str]
) -> tuple[Decimal, Decimal]:
    """Gross and charges in rupees from the broker's fills; charges are per executed order.

    Units that somebody else's order closed count at the average entry price.
    """
    gross = Decimal(0)
    values: dict[tuple[str, Side], Decimal] = {}
    for fill in told:
        worth = fill.quantity * fill.price
        gross -= fill.side.sign * worth
        key = (fill.broker_order_id, fill.side)
        values[key] = values.get(key, Decimal(0)) + worth
    taken = trade.entered_quantity - trade.exited_quantity
    if taken and trade.entered_quantity:
        entered = sum((worth for (order_id, _), worth in values.items() if order_id in entries), Decimal(0))
        gross += trade.side.sign * entered / trade.entered_quantity * taken
    notes = (
        charges_of_value(
            trade.segment,
            side,
            worth,
            trade_date=trade.opened_at.date(),
            exchange=exchange_of(trade.instrument),
        )
        for (_, side), worth in values.items()
    )
    return gross.quantize(PAISA, rounding=ROUND_HALF_UP), sum_charges(notes).total_inr


def _flatten_problems(facts: DayFacts, run: FlattenFact) -> Iterator[str]:
    name = f"the flatten ({run.reason}) of {clock_time(run.asked_at)}"
    # Machine time where there is a verdict: at 60 times the speed a second is a minute of the market.
    took = facts.until - run.asked_at
    if run.finished_at is not None and run.took_ms is not None:
        took = timedelta(milliseconds=run.took_ms)
    if took > FLAT_WITHIN:
        verdict = "took" if run.finished_at else "has no verdict after"
        yield f"I6: {name} {verdict} {took.total_seconds():.1f} s"
    if run.finished_at is None:
        return
    if run.state is not FlattenState.FLAT:
        yield f"I6: {name} ended {run.state}"
    if facts.books is not None:
        yield from _left_at(facts, facts.books, run, name, run.finished_at)


def _left_at(
    facts: DayFacts, books: BrokerBooks, run: FlattenFact, name: str, verdict_at: datetime
) -> Iterator[str]:
    """What the broker's books show of ours, asked for before the flatten, later than its verdict."""
    second = timedelta(seconds=1)
    roles = _roles(facts)
    held: Counter[Instrument] = Counter()
    for fill in books.fills:
        if fill.broker_order_id in roles and fill.filled_at <= verdict_at:
            held[instrument_of(fill)] += fill.side.sign * fill.quantity
    for instrument, quantity in held.items():
        if quantity and run.covers(instrument):
            yield f"I6: {name} said flat with {quantity} {label(instrument)} held"
    for report in books.orders:
        if report.broker_order_id not in roles or not run.covers(instrument_of(report)):
            continue
        end = ended_at(report)
        if report.order_at <= run.asked_at and (end is None or end > verdict_at + second):
            yield f"I6: {name} said flat while {report.broker_order_id} ({report.tag}) still worked"
