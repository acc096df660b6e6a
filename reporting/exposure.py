"""What was at stake at the broker at each moment of a day, against the limits. Pure.

Orders count from the second the broker stamps them until they end; positions from fill to fill. What somebody else
trades the other way round nets at the broker, so it takes away from what is at stake. What an order executed after the
broker's book had told us that it was cancelled is held against no limit: its place was given away on the broker's
word, and nobody can refuse a fill.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from reporting.facts import BrokerBooks, DayFacts, Instrument, OrderFact, ended_at, instrument_of, label
from trading.core.enums import CommandKind, CommandOutcome, Role
from trading.core.session import clock_time
from trading.core.sizing import risk_budget_inr
from trading.core.values import FillReport

#: Kite refuses above these, whoever asks; flatten may spend what our own limit keeps back
KITE_PER_MINUTE: Final = 400


@dataclass(slots=True)
class _Walk:
    """Positions, entries on their way and rupees at risk as the day goes on."""

    held: Counter[Instrument] = field(default_factory=Counter)
    #: signed units that somebody else holds beside ours
    others: Counter[Instrument] = field(default_factory=Counter)
    entered: Counter[Instrument] = field(default_factory=Counter)
    risk_inr: dict[Instrument, Decimal] = field(default_factory=dict)
    coming: Counter[Instrument] = field(default_factory=Counter)
    #: the way the entries since the last flat went, as a sign
    way: Counter[Instrument] = field(default_factory=Counter)
    #: signed units that orders executed after the broker had called them over
    unforeseen: Counter[Instrument] = field(default_factory=Counter)
    round_trips: int = 0

    @property
    def positions(self) -> int:
        """Instruments that are held or may be in a moment."""
        return len({one for one, quantity in (*self.held.items(), *self.coming.items()) if quantity})

    @property
    def heat_inr(self) -> Decimal:
        return sum(
            (
                risk * abs(self.held[one]) / self.entered[one]
                for one, risk in self.risk_inr.items()
                # What an exit turned round has no stop of that entry's: it is another invariant's matter.
                if self.held[one] * self.way[one] > 0
            ),
            Decimal(0),
        )

    def take(self, fill: FillReport, order: OrderFact) -> None:
        """One execution of ours: an entry adds what its stop would lose, an exit takes away in proportion."""
        instrument = instrument_of(fill)
        if order.role is Role.ENTRY and order.called_over_at and fill.filled_at > order.called_over_at:
            self.unforeseen[instrument] += fill.side.sign * fill.quantity
            return
        if order.role is not Role.ENTRY and self.unforeseen[instrument] * fill.side.sign < 0:
            units = min(fill.quantity, abs(self.unforeseen[instrument]))
            self.unforeseen[instrument] += fill.side.sign * units
            fill = replace(fill, quantity=fill.quantity - units)
        if order.role is Role.ENTRY and not self.held[instrument]:
            self.round_trips += 1
            self.entered[instrument], self.risk_inr[instrument] = 0, Decimal(0)
            self.way[instrument] = fill.side.sign
        self.held[instrument] += fill.side.sign * fill.quantity
        if order.role is Role.ENTRY and order.signal_stop_price is not None:
            self.entered[instrument] += fill.quantity
            away = (fill.price - order.signal_stop_price) * fill.side.sign
            self.risk_inr[instrument] += max(away, Decimal(0)) * fill.quantity
        # An exit that filled beside somebody else's is taken back, against what they hold.
        self._net(instrument)

    def take_other(self, fill: FillReport) -> None:
        """One execution of somebody else's: it ends or opens their own position first, then closes ours."""
        instrument = instrument_of(fill)
        self.others[instrument] += fill.side.sign * fill.quantity
        self._net(instrument)

    def _net(self, instrument: Instrument) -> None:
        ours, theirs = self.held[instrument], self.others[instrument]
        if ours * theirs < 0:
            units = min(abs(ours), abs(theirs))
            self.held[instrument] -= units if ours > 0 else -units
            self.others[instrument] += units if ours > 0 else -units


def breaches(facts: DayFacts) -> list[str]:
    """Each limit that was exceeded, once, with the worst figure and when it was."""
    found = [*_rates(facts)]
    if facts.books is not None:
        found += _stakes(facts, facts.books)
    return found


def _stakes(facts: DayFacts, books: BrokerBooks) -> Iterator[str]:
    orders = {order.broker_order_id: order for order in facts.orders if order.broker_order_id}
    walk, worst = _Walk(), _Worst()
    for at, kind, subject in _moments(books, orders):
        if not isinstance(subject, FillReport):
            walk.coming[subject] += 1 if kind == _BEGINS else -1
        elif order := orders.get(subject.broker_order_id):
            walk.take(subject, order)
        else:
            walk.take_other(subject)
        worst.note("positions", Decimal(walk.positions), at)
        worst.note("trades", Decimal(walk.round_trips), at)
        worst.note("heat", walk.heat_inr, at)
    limits = facts.limits
    heat_limit = risk_budget_inr(facts.capital_inr, limits.heat_pct)
    yield from worst.above("positions", Decimal(limits.open_positions), "{} positions open or on their way")
    yield from worst.above("trades", Decimal(limits.trades_per_day), "{} trades")
    yield from worst.above("heat", heat_limit, "₹{:.2f} lost if every stop fills at its trigger")
    yield from _risks(facts, books, orders)


def _risks(facts: DayFacts, books: BrokerBooks, orders: dict[str, OrderFact]) -> Iterator[str]:
    """Each decision's own risk by the broker's fills."""
    budget = risk_budget_inr(facts.capital_inr, facts.limits.risk_per_trade_pct)
    at_risk: dict[int, Decimal] = {}
    named: dict[int, Instrument] = {}
    for fill in books.fills:
        order = orders.get(fill.broker_order_id)
        if order is None or order.role is not Role.ENTRY or order.signal_stop_price is None:
            continue
        away = (fill.price - order.signal_stop_price) * fill.side.sign
        key = order.decision_id or 0
        at_risk[key] = at_risk.get(key, Decimal(0)) + away * fill.quantity
        named[key] = order.instrument
    for key, risk in at_risk.items():
        if risk > budget:
            yield f"decision {key} of {label(named[key])} risked ₹{risk:.2f}, the limit is ₹{budget:.2f}"


#: within a second: what ends goes first, then fills in their own order, then what begins
_ENDS, _FILL, _BEGINS = 0, 1, 2
_Moment = tuple[datetime, int, FillReport | Instrument]


def _moments(books: BrokerBooks, orders: dict[str, OrderFact]) -> list[_Moment]:
    moments: list[_Moment] = [(fill.filled_at, _FILL, fill) for fill in books.fills]
    for report in books.orders:
        order = orders.get(report.broker_order_id)
        end = ended_at(report)
        if order is None or order.role is not Role.ENTRY or end == report.order_at:
            continue
        if end is not None and order.called_over_at:
            end = min(end, order.called_over_at)
        moments.append((report.order_at, _BEGINS, instrument_of(report)))
        if end is not None:
            moments.append((end, _ENDS, instrument_of(report)))
    return sorted(moments, key=lambda moment: moment[:2])


@dataclass(slots=True)
class _Worst:
    """The largest figure of each kind and when it was."""

    seen: dict[str, tuple[Decimal, datetime]] = field(default_factory=dict)

    def note(self, what: str, figure: Decimal, at: datetime) -> None:
        if what not in self.seen or figure > self.seen[what][0]:
            self.seen[what] = (figure, at)

    def above(self, what: str, limit: Decimal, words: str) -> Iterator[str]:
        if what in self.seen and self.seen[what][0] > limit:
            figure, at = self.seen[what]
            yield f"{words.format(figure)} at {clock_time(at)}, the limit is {limit:f}"


def _rates(facts: DayFacts) -> Iterator[str]:
    """Our own writes by the moment of their intent, in sliding windows."""
    sent = sorted(
        (command.intent_at, order.role is Role.ENTRY and command.kind is CommandKind.PLACE)
        for order in facts.orders
        for command in order.commands
        if command.outcome is not CommandOutcome.EXPIRED
    )
    every = [at for at, _ in sent]
    entries = [at for at, is_entry in sent if is_entry]
    limits, second = facts.limits, timedelta(seconds=1)
    for what, moments, span, limit in (
        ("orders in a second", every, second, limits.orders_per_s),
        ("entries in a second", entries, second, limits.entries_per_s),
        ("orders in a minute", every, timedelta(minutes=1), KITE_PER_MINUTE),
    ):
        count, at = _most_within(moments, span)
        if count > limit and at:
            yield f"{count} {what} at {clock_time(at)}, the limit is {limit}"


def _most_within(moments: Iterable[datetime], span: timedelta) -> tuple[int, datetime | None]:
    """The fullest window of `span`, its start excluded, and when it ended. Moments must rise."""
    window: deque[datetime] = deque()
    most, when = 0, None
    for at in moments:
        window.append(at)
        while at - window[0] >= span:
            window.popleft()
        if len(window) > most:
            most, when = len(window), at
    return most, when
