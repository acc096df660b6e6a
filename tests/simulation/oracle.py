"""What must never be true, judged by the venue's own truth after each event: I1 to I4, I6 and I7 as they happen.

It reads orders and executions at the venue, never our database. Who an order belongs to is told by its tag.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tests.simulation.rates import Fault, Happened
from tests.simulation.venue import SimulatedVenue
from trading.core.enums import Role, Side
from trading.core.order_ids import role_of_tag
from trading.core.values import InstrumentSpec
from trading.exchange.ledger import Execution
from trading.exchange.orders import VenueOrder

HEALTHY_S: Final = 5.0
ONE_FAULT_S: Final = 30.0
ANY_FAULTS_S: Final = 60.0
#: a fault before a span still explains it so much later
AFTERMATH: Final = timedelta(seconds=10)
ORPHAN_S: Final = 60.0
FLAT_WITHIN: Final = timedelta(seconds=30)
#: after somebody else's order or a zombie, a position may be the wrong way round so long, and is then closed
SURPRISED: Final = timedelta(seconds=13)
TURNED_S: Final = 10.0 + 3.0
#: an exit that came late beside another is cancelled on sight
OVERDONE_S: Final = 30.0
ORDERS_PER_S: Final = 10
#: kite-facts 2.3: an order without an answer may arrive for 90 s; the program waits 120 s and a read of the book
GIVEN_UP_AFTER: Final = timedelta(seconds=135)
SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Violation:
    at: datetime
    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S.%f} {self.invariant}: {self.what}"


@dataclass(slots=True)
class Line:
    """One instrument as the venue knows it: signed units of ours."""

    spec: InstrumentSpec
    held: int = 0
    #: what somebody else holds beside us
    others: int = 0
    #: the way the entries since the last flat went, as a sign, and their units
    way: int = 0
    entered: int = 0
    #: what our own orders have executed since then, and what somebody else held when they began
    own: int = 0
    theirs: int = 0
    #: since when it is open without an exit that covers it, and since when ours rests on nothing
    bare_since: datetime | None = None
    #: while it is bare: how much was held, each time that rose, and since when
    rises: list[tuple[datetime, int]] = field(default_factory=list)
    orphan_since: datetime | None = None
    turned_since: datetime | None = None
    surprised_at: datetime | None = None
    overdone_since: datetime | None = None


@dataclass(slots=True)
class Oracle:
    """Keeps what it saw: violations, unprotected spans in seconds, times to flat in seconds, exposure."""

    venue: SimulatedVenue
    now: Callable[[], datetime]
    happened: Happened
    open_positions_limit: int
    violations: list[Violation] = field(default_factory=list)
    unprotected_s: list[float] = field(default_factory=list)
    flatten_s: list[float] = field(default_factory=list)
    entry_fills: int = 0
    exit_fills: int = 0
    lines: dict[str, Line] = field(default_factory=dict)
    #: spans in which the broker refused everything of ours; the last may still be open
    refusing: list[tuple[datetime, datetime]] = field(default_factory=list)
    flatten_asked: datetime | None = None
    is_latched: bool = False
    #: instruments that a flatten still owes after the operator resumed; None: everything of ours
    flatten_scope: frozenset[str] | None = None
    #: orders that reached the exchange long after they were sent: what they do comes as a surprise
    late_ids: set[str] = field(default_factory=set)
    #: a closing order without an answer may arrive until then, and nothing can be closed in its place
    fate_open_until: datetime | None = None
    fate_opened_at: datetime | None = None
    _sent: deque[datetime] = field(default_factory=deque)
    _tags: set[str] = field(default_factory=set)
    _orders_seen: int = 0

    def violate(self, invariant: str, what: str) -> None:
        violation = Violation(self.now(), invariant, what)
        if not any((one.invariant, one.what) == (invariant, what) for one in self.violations):
            self.violations.append(violation)

    @property
    def is_open(self) -> bool:
        """Whether anything of ours is held."""
        return any(line.held for line in self.lines.values())

    @property
    def is_flat(self) -> bool:
        return not self.is_open and not any(_role(order) for order in self.venue.working_orders())

    @property
    def _has_flattened(self) -> bool:
        if self.flatten_scope is None:
            return self.is_flat
        resting = {order.spec.tradingsymbol for order in self.venue.working_orders() if _role(order)}
        held = {symbol for symbol, line in self.lines.items() if line.held}
        return not (held | resting) & self.flatten_scope

    def resumed(self) -> None:
        """The operator lifts the latch: what is entered from now on is no flatten's."""
        self.is_latched = False
        held = {symbol for symbol, line in self.lines.items() if line.held}
        self.flatten_scope = frozenset(held)

    def look(self) -> None:
        """After each event."""
        self._new_orders()
        for execution in self.venue.new_executions():
            self._take(execution)
        working: dict[str, list[VenueOrder]] = {}
        for order in self.venue.working_orders():
            working.setdefault(order.spec.tradingsymbol, []).append(order)
        coming = 0
        for symbol, line in self.lines.items():
            orders = working.get(symbol, [])
            self._protection(line, orders)
            self._orphans(line, orders)
            self._turned(line)
            coming += bool(line.held) or any(_role(order) is Role.ENTRY for order in orders)
        if coming > self.open_positions_limit:
            self.violate("I7", f"{coming} positions open or coming, {self.open_positions_limit} are allowed")
        self._flatten()

    def swallowed(self, role: Role | None, late_s: float | None) -> None:
        """A call got lost on its way, or comes so much later, which nobody but the world knows."""
        if role is Role.EXIT:
            wait = GIVEN_UP_AFTER if late_s is None else timedelta(seconds=late_s) + SURPRISED
            self.fate_opened_at, self.fate_open_until = self.now(), self.now() + wait

    def sending(self, role: Role | None) -> None:
        """A command leaves; `role` is a placement's."""
        now = self.now()
        while self._sent and self._sent[0] <= now - SECOND:
            self._sent.popleft()
        self._sent.append(now)
        if len(self._sent) > ORDERS_PER_S:
            self.violate("I7", f"{len(self._sent)} commands within a second")
        if role is Role.ENTRY and self.is_latched:
            self.violate("I6", "an entry was sent after flatten was pressed")

    def surprise(self, symbol: str) -> None:
        """Somebody else acted, or a cancelled order will be executed."""
        self._line(symbol).surprised_at = self.now()

    def press(self) -> None:
        self.flatten_asked, self.is_latched, self.flatten_scope = self.now(), True, None

    def end(self) -> None:
        """Close spans that are still open."""
        for line in self.lines.values():
            self._protected(line)

    # orders and executions

    def _line(self, symbol: str) -> Line:
        if symbol not in self.lines:
            spec = next(one for one in self.venue.specs.values() if one.tradingsymbol == symbol)
            self.lines[symbol] = Line(spec)
        return self.lines[symbol]

    def _new_orders(self) -> None:
        """I1: a tag of ours is at the broker once."""
        if len(self.venue.orders) == self._orders_seen:
            return
        for order in list(self.venue.orders.values())[self._orders_seen :]:
            self._line(order.spec.tradingsymbol)
            if _role(order) is None:
                continue
            if order.tag in self._tags:
                self.violate("I1", f"tag {order.tag} ({_role(order)}) is at the broker twice")
            self._tags.add(order.tag)
        self._orders_seen = len(self.venue.orders)

    def _take(self, execution: Execution) -> None:
        """I2: each fill moves the position the way its role says."""
        line = self._line(execution.spec.tradingsymbol)
        role = _role(self.venue.orders[execution.order_id])
        change, held = execution.side.sign * execution.quantity, line.held
        if role is None:
            self.surprise(execution.spec.tradingsymbol)
            line.others += change
            self._net(line)
            return
        if role is Role.ENTRY and not held:
            line.way, line.entered, line.own, line.theirs = execution.side.sign, 0, 0, line.others
        line.held += change
        line.own += change
        if execution.order_id in self.late_ids:
            self.surprise(execution.spec.tradingsymbol)
        if role is Role.ENTRY:
            self.entry_fills += 1
            line.entered += execution.quantity
            if self.is_latched:
                # It was on its way when all was flat: what it opens is closed like the rest.
                self.flatten_asked = self.flatten_asked or self.now()
            if held * change < 0:
                self._wrong(line, f"an entry of {change} filled against {held} held")
            self._net(line)
            return
        self.exit_fills += 1
        if held * change >= 0 or abs(change) > abs(held):
            self._wrong(line, f"an exit of {change} filled with {held} held ({role})")
            self._net(line)

    def _net(self, line: Line) -> None:
        """What others hold the other way round and what we hold are, at the broker, nothing."""
        if line.held * line.others < 0:
            units = min(abs(line.held), abs(line.others))
            sign = 1 if line.held > 0 else -1
            line.held -= sign * units
            line.others += sign * units
            self.surprise(line.spec.tradingsymbol)

    def _wrong(self, line: Line, what: str) -> None:
        now = self.now()
        if line.surprised_at is None or now - self._dealt_with_by(line.surprised_at) > SURPRISED:
            self.violate("I2", f"{line.spec.tradingsymbol}: {what}")
        line.turned_since = line.turned_since or now

    def _dealt_with_by(self, surprised_at: datetime) -> datetime:
        """When a surprise can be dealt with: one whose closing order was swallowed, when that one is given up."""
        opened, until = self.fate_opened_at, self.fate_open_until
        return until if opened and until and opened >= surprised_at else surprised_at

    def _turned(self, line: Line) -> None:
        """I2: what is the wrong way round after a surprise is closed soon."""
        if line.turned_since is None:
            return
        # Another group of the same instrument may be open: then what was turned is back when that one is.
        is_back = line.held * line.way > 0 and abs(line.held) <= line.entered
        if line.own == 0 and line.held == line.theirs:
            # All of ours is closed: what is left is what somebody held before our entry came, which ours hid.
            line.others, line.held = line.others + line.held, 0
        if line.held == 0 or is_back:
            line.turned_since = None
            return
        # A fault that hits the very order that turns it back: nothing may be sent beside it, as everywhere else.
        allowed_s = ANY_FAULTS_S if self.happened.any_began_since(line.turned_since) else TURNED_S
        # One that was swallowed may arrive for as long as any order without an answer.
        since = max(line.turned_since, self.fate_open_until or line.turned_since)
        if self._counted_s(since) > allowed_s:
            self.violate(
                "I2", f"{line.spec.tradingsymbol}: {line.held} the wrong way round for {allowed_s} s"
            )

    # I4 and I3

    def _protection(self, line: Line, orders: list[VenueOrder]) -> None:
        if not line.held or line.turned_since:
            self._protected(line)
            return
        way_out = Side.SELL if line.held > 0 else Side.BUY
        touch = self.venue.touch_paise(line.spec, way_out)
        covered = sum(
            order.pending
            for order in orders
            if order.side is way_out
            and order.is_resting
            and _role(order) not in (None, Role.ENTRY)
            and (order.is_stop or (order.price_paise - touch) * way_out.sign >= 0)
        )
        self._overdone(line, covered)
        if covered >= abs(line.held):
            self._protected(line)
        else:
            self._bare(line, covered)

    def _bare(self, line: Line, covered: int) -> None:
        """The clock is that of the oldest unit without cover: an entry that goes on filling is judged fill by fill."""
        held = abs(line.held)
        if line.bare_since is None:
            line.bare_since, line.rises = self.now(), []
        if not line.rises or held > line.rises[-1][1]:
            line.rises.append((self.now(), held))
        oldest = next(at for at, units in line.rises if units > covered)
        line.bare_since = max(line.bare_since, oldest)
        self._judge_bare(line, self._counted_s(line.bare_since))

    def _overdone(self, line: Line, covered: int) -> None:
        """I2: exits that could turn the position round do not rest side by side."""
        if covered <= abs(line.held):
            line.overdone_since = None
            return
        line.overdone_since = line.overdone_since or self.now()
        # As for a bare position: two things that went wrong meanwhile may take a minute to put right.
        faults = self.happened.between(line.overdone_since, self.now())
        allowed_s = ANY_FAULTS_S if len(faults) > 1 else OVERDONE_S
        if self._counted_s(line.overdone_since) > allowed_s:
            what = f"exits of {covered} rest against {line.held} held for {allowed_s:.0f} s"
            self.violate("I2", f"{line.spec.tradingsymbol}: {what}")

    def _protected(self, line: Line) -> None:
        if line.bare_since is not None:
            span_s = self._counted_s(line.bare_since)
            self.unprotected_s.append(span_s)
            self._judge_bare(line, span_s)
            line.bare_since = None

    def _judge_bare(self, line: Line, span_s: float) -> None:
        """I4: the longer a position is bare, the more must have gone wrong."""
        if span_s <= HEALTHY_S or line.bare_since is None:
            return
        faults = self.happened.between(line.bare_since - AFTERMATH, self.now())
        allowed = (HEALTHY_S, ONE_FAULT_S, ANY_FAULTS_S)[min(len(faults), 2)]
        if span_s > allowed:
            what = f"{line.spec.tradingsymbol} bare since {line.bare_since:%H:%M:%S.%f}"
            self.violate("I4", f"{what}: more than {allowed:.0f} s")

    def _orphans(self, line: Line, orders: list[VenueOrder]) -> None:
        """I3: exits that can fill do not outlive their position."""
        resting = [order for order in orders if order.is_resting and _role(order) not in (None, Role.ENTRY)]
        if line.held or not resting:
            line.orphan_since = None
        elif line.orphan_since is None:
            line.orphan_since = self.now()
        elif self._counted_s(line.orphan_since) > ORPHAN_S:
            self.violate("I3", f"{line.spec.tradingsymbol} is flat, {resting[0].tag} rests for {ORPHAN_S} s")

    def _flatten(self) -> None:
        """I6: flat, nothing resting, within thirty seconds of a healthy broker.

        A broker that has swallowed a closing order is not healthy before that order is given up: another one beside
        it could turn the position, so a stop guards it meanwhile.
        """
        if self.flatten_asked is None:
            return
        now = self.now()
        if self._has_flattened:
            self.flatten_s.append((now - self.flatten_asked).total_seconds())
            self.flatten_asked = None
            return
        moments = (self.flatten_asked, self.happened.last_over(), self.fate_open_until)
        since = max(moment for moment in moments if moment)
        if now - since > FLAT_WITHIN:
            self.violate("I6", f"not flat {FLAT_WITHIN.seconds} s after flatten was pressed and all was well")
            self.flatten_asked = None

    def _counted_s(self, since: datetime) -> float:
        """Seconds since then, less those in which the broker refused everything."""
        now = self.now()
        refused = sum(
            (max(min(until, now) - max(began, since), timedelta()) for began, until in self.refusing),
            timedelta(),
        )
        return (now - since - refused).total_seconds()


def _role(order: VenueOrder) -> Role | None:
    return role_of_tag(order.tag)


def worst(values: list[float]) -> dict[str, float]:
    """p50, p99 and max, in seconds; zeros where there is nothing."""
    if not values:
        return {"p50": 0.0, "p99": 0.0, "max": 0.0}
    ordered = sorted(values)
    return {
        "p50": round(ordered[len(ordered) // 2], 3),
        "p99": round(ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)], 3),
        "max": round(ordered[-1], 3),
    }


SURPRISES: Final = frozenset({Fault.ZOMBIE, Fault.HAND_CLOSE, Fault.HAND_TRADE, Fault.SQUARE_OFF})
