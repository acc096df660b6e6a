"""One trading day of one venue session as values: our rows on one side, the broker's books on the other.

Pure. `queries` reads them; criteria and invariants judge them. Times are aware, prices and amounts rupees.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from risk.limits import Limits
from trading.core import order_states
from trading.core.charges import Segment
from trading.core.enums import (
    CommandKind,
    CommandOutcome,
    Exchange,
    ExitReason,
    FlattenState,
    GroupState,
    LegKind,
    LegState,
    OrderStatus,
    PauseReason,
    Role,
    Side,
)
from trading.core.order_ids import role_of_tag
from trading.core.values import FillReport, OrderReport, PositionReport

#: what nets at the broker: exchange, tradingsymbol, product
Instrument = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFact:
    """One remembered change of an order, oldest first in `OrderFact.events`."""

    from_status: str
    to_status: OrderStatus
    filled_quantity: int
    #: whose word it was, and aware market time
    who: str = ""
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandFact:
    """One place, modify or cancel."""

    kind: CommandKind
    outcome: CommandOutcome
    intent_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderFact:
    """One order of ours. An exit has its entry's decision; `entry_id` and `group_number` name its group."""

    id: int
    client_order_id: str
    tag: str
    broker_order_id: str
    role: Role
    instrument: Instrument
    side: Side
    quantity: int
    filled_quantity: int
    status: OrderStatus
    asked_at: datetime
    decision_id: int | None
    signal_id: int | None
    signal_stop_price: Decimal | None
    entry_id: int | None = None
    group_number: int | None = None
    slice: int = 0
    events: tuple[EventFact, ...] = ()
    commands: tuple[CommandFact, ...] = ()

    @property
    def called_over_at(self) -> datetime | None:
        """When the broker's book told us that it was cancelled; None: never."""
        told = (
            event.at
            for event in self.events
            if event.to_status is OrderStatus.CANCELED and event.who == "broker"
        )
        return next(told, None)

    @property
    def name(self) -> str:
        return f"{self.role} order {self.client_order_id} of {label(self.instrument)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FillFact:
    """One execution as we stored it."""

    order_id: int
    broker_order_id: str
    broker_trade_id: str
    side: Side
    quantity: int
    price: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class TradeFact:
    """One round trip as we booked it."""

    id: int
    decision_id: int
    is_approved: bool
    instrument: Instrument
    segment: Segment
    side: Side
    opened_at: datetime
    closed_at: datetime | None
    entered_quantity: int
    exited_quantity: int
    gross_inr: Decimal
    charges_inr: Decimal
    net_inr: Decimal
    fills: tuple[FillFact, ...] = ()

    @property
    def name(self) -> str:
        return f"trade {self.id} of {label(self.instrument)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupFact:
    """One protected quantity. `legs` has each leg's state."""

    id: int
    number: int
    entry_id: int
    instrument: Instrument
    state: GroupState
    entered_quantity: int
    exited_quantity: int
    armed_at: datetime | None
    closed_at: datetime | None
    exit_reason: ExitReason | None
    unprotected_ms: int
    unprotected_since: datetime | None = None
    legs: tuple[tuple[LegKind, LegState], ...] = ()
    problem: str = ""

    @property
    def name(self) -> str:
        return f"group {self.id} of {label(self.instrument)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FlattenFact:
    """One run of the kill switch or of the square-off; no tradingsymbols means everything of ours."""

    reason: ExitReason
    state: FlattenState
    asked_at: datetime
    finished_at: datetime | None
    took_ms: int | None
    positions_at_start: int
    tradingsymbols: tuple[str, ...] = ()
    #: a row of the day's table asked for it, or found it running
    is_square_off: bool = False

    @property
    def is_of_one_position(self) -> bool:
        """An operator closed one position: no trial of the kill switch."""
        return bool(self.tradingsymbols) and not self.is_square_off

    def covers(self, instrument: Instrument) -> bool:
        return not self.tradingsymbols or instrument[1] in self.tradingsymbols


@dataclass(frozen=True, kw_only=True, slots=True)
class LatchFact:
    """A reason that kept entries off, from `set_at` until `lifted_at`; None: it still stands."""

    reason: PauseReason
    set_at: datetime
    lifted_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerBooks:
    """What the broker says of the day. Fills in the order they were executed."""

    orders: tuple[OrderReport, ...] = ()
    fills: tuple[FillReport, ...] = ()
    positions: tuple[PositionReport, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DayFacts:
    """Everything that a day's report is judged by. `books` is None where the broker could not be asked."""

    trading_date: date
    #: the moment of the report
    until: datetime
    signals: int = 0
    decisions_planned: int = 0
    orders: tuple[OrderFact, ...] = ()
    trades: tuple[TradeFact, ...] = ()
    groups: tuple[GroupFact, ...] = ()
    flattens: tuple[FlattenFact, ...] = ()
    latches: tuple[LatchFact, ...] = ()
    #: every square-off row of the day's table was run
    square_off_ran: bool = False
    limits: Limits = field(default_factory=Limits)
    capital_inr: Decimal = Decimal(0)
    books: BrokerBooks | None = None

    def exits_of(self, group: GroupFact) -> list[OrderFact]:
        return [
            order
            for order in self.orders
            if order.entry_id == group.entry_id and order.group_number == group.number
        ]


def label(instrument: Instrument) -> str:
    """`NFO:NIFTY22MARFUT`, for sentences."""
    return f"{instrument[0]}:{instrument[1]}"


def instrument_of(report: OrderReport | FillReport | PositionReport) -> Instrument:
    return (report.exchange.value, report.tradingsymbol, report.product)


def exchange_of(instrument: Instrument) -> Exchange:
    return Exchange(instrument[0])


def is_ours(report: OrderReport) -> bool:
    """Whether the order carries a tag made here."""
    return role_of_tag(report.tag) is not None


def is_working(report: OrderReport) -> bool:
    return report.status not in order_states.CLOSED


def ended_at(report: OrderReport) -> datetime | None:
    """When the order stopped working at the broker; None: it works still."""
    return None if is_working(report) else report.updated_at or report.order_at


def by_order(fills: Iterable[FillReport]) -> dict[str, list[FillReport]]:
    """Fills of each broker order, in their own order."""
    found: dict[str, list[FillReport]] = {}
    for fill in fills:
        found.setdefault(fill.broker_order_id, []).append(fill)
    return found
