"""What the exit plan is told and what it answers: frozen values, integer paise, aware datetimes.

A view is a photograph of rows taken after the broker's book was applied. An action is one order command or
one change of state; the caller writes its reason to the group *before* the call, so that a restart goes on
from it.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading.core import order_states
from trading.core.enums import ExitReason, GroupState, OrderStatus, OrderType, Role, Side

#: Kite: modifications one order may have; the next is refused (kite-facts 2.1)
MODIFICATIONS_PER_ORDER = 25

#: the broker's book shows it and it can fill
WORKING = frozenset(
    {
        OrderStatus.ACCEPTED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.PENDING_MODIFY,
        OrderStatus.PENDING_CANCEL,
    }
)
#: sent, and the book has not shown it working yet; an order being changed works, so it is not among them
ON_ITS_WAY = frozenset({OrderStatus.SUBMITTED, OrderStatus.UNKNOWN, OrderStatus.PENDING_NEW})


@dataclass(frozen=True, kw_only=True, slots=True)
class ExitPolicy:
    """The numbers of the exit rules, an operator's to change. Ratios are Decimal.

    Raises ValueError where a number has the wrong sign or the budgets exceed what one order may be modified.
    """

    #: profit, in multiples of the initial risk, from which the stop follows
    trail_start_r: Decimal = Decimal("1.0")
    #: how far behind the best close the stop follows, and the least it moves, in ATR
    trail_atr: Decimal = Decimal("1.2")
    trail_step_atr: Decimal = Decimal("0.2")
    first_target_r: Decimal = Decimal("1.2")
    second_target_r: Decimal = Decimal("2.0")
    #: the caller turns it into `GroupView.time_stop_at`
    time_stop_min: int = 40
    #: closes when ATR reaches this multiple of the ATR at entry
    volatility_atr: Decimal = Decimal("2.0")
    #: distance from a stop's trigger to its limit
    stop_limit_gap_pct: Decimal = Decimal("0.30")
    #: how far beyond the last price a closing limit may be; each price that hung adds as much again, up to
    #: the second number
    protection_pct: Decimal = Decimal("1.0")
    protection_max_pct: Decimal = Decimal("5.0")
    trail_budget: int = 12
    resize_budget: int = 5
    closing_budget: int = 8
    #: an order nobody has seen this long after it was sent, nor in so many books, is taken to be absent
    unknown_after_s: float = 5.0
    books_to_trust_absence: int = 2
    #: a closing or triggered exit that rests this long is re-priced; the second number holds from the second
    #: price on
    hanging_after_s: float = 1.0
    hanging_again_s: float = 2.0
    #: a closing order that was refused is placed again after `hanging_again_s`, doubling up to this
    place_again_max_s: float = 30.0
    #: a stop the book has shown only as pending for so long protects nobody: the position is closed
    pending_after_s: float = 10.0
    #: an urgent change waits this long for an earlier one to be confirmed, then decides from the book
    modify_confirm_s: float = 1.0
    #: how much further away, basis points of the stop, each guarding stop goes that the broker refused unseen
    guard_step_bp: int = 25
    #: least time between two changes of quantity, so that an entry filling in crumbs does not eat the budget
    resize_again_s: float = 0.5
    #: ticks beyond the best opposite quote at which a first closing price is sure to trade
    through_ticks: int = 2
    #: older prices neither take a target nor move a stop
    market_stale_s: float = 5.0

    def __post_init__(self) -> None:
        positive = ("trail_atr", "volatility_atr", "stop_limit_gap_pct", "protection_pct", "first_target_r")
        for name in (*positive, "second_target_r", "hanging_after_s", "hanging_again_s", "place_again_max_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"exit policy: {name} is {getattr(self, name)}, it must be above zero")
        waits = ("unknown_after_s", "pending_after_s", "modify_confirm_s", "resize_again_s", "market_stale_s")
        for name in (*waits, "trail_start_r", "trail_step_atr", "through_ticks"):
            if getattr(self, name) < 0:
                raise ValueError(f"exit policy: {name} is {getattr(self, name)}, it must not be negative")
        if not self.protection_pct <= self.protection_max_pct < 100:
            raise ValueError("exit policy: protection_max_pct must be between protection_pct and 100")
        budgets = (self.trail_budget, self.resize_budget, self.closing_budget)
        if min(budgets) < 1 or sum(budgets) > MODIFICATIONS_PER_ORDER:
            raise ValueError(
                f"exit policy: budgets {budgets} must be 1 or more, {MODIFICATIONS_PER_ORDER} at most in sum"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceGrid:
    """Prices an order of this instrument may carry today. Paise; a circuit of 0 is unknown."""

    tick_size_paise: int
    lower_circuit_paise: int = 0
    upper_circuit_paise: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ExitView:
    """One exit order as the broker's book last showed it; before it was seen, as we sent it."""

    client_order_id: str
    #: STOP rests behind a trigger; EXIT is a closing limit placed where no stop can be
    role: Role
    status: OrderStatus
    #: SL until the book shows otherwise
    order_type: OrderType
    quantity: int
    filled_quantity: int = 0
    price_paise: int = 0
    trigger_price_paise: int = 0
    #: a modify or cancel of ours was sent, and neither the book nor a refusal has answered it
    has_unconfirmed_change: bool = False
    #: modifications sent so far, by purpose; TakeTarget, CloseExit and RepriceExit are closings, refused
    #: ones count
    trails: int = 0
    resizes: int = 0
    closings: int = 0
    #: exit orders this group sent before this one
    attempt: int = 0
    submitted_at: datetime
    #: first time any book or history showed it
    first_seen_at: datetime | None = None
    #: when our latest modify or cancel was sent, confirmed or not
    changed_at: datetime | None = None
    #: first time the book showed a stop OPEN instead of TRIGGER PENDING
    triggered_at: datetime | None = None
    #: whole books read since it was sent, in a row, without it
    books_without: int = 0
    #: on the entry's side: it takes back what was exited too much, and its fills count against the exits'
    is_return: bool = False

    @property
    def is_working(self) -> bool:
        return self.status in WORKING

    @property
    def is_on_its_way(self) -> bool:
        return self.status in ON_ITS_WAY

    @property
    def is_closed(self) -> bool:
        return self.status in order_states.CLOSED

    @property
    def remaining_quantity(self) -> int:
        """What it can still fill, units; 0 once closed."""
        return 0 if self.is_closed else self.quantity - self.filled_quantity

    @property
    def is_resting_stop(self) -> bool:
        """Working behind its trigger, untouched: what may be resized, trailed or turned to close."""
        return (
            self.is_working
            and self.order_type is OrderType.SL
            and self.filled_quantity == 0
            and self.triggered_at is None
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupView:
    """One protected quantity and its one exit. Quantities in units and unsigned; `side` is the entry's."""

    group_id: str
    state: GroupState
    side: Side
    planned_quantity: int
    entered_quantity: int
    #: cumulative filled quantity of all this group's exit orders less what returns took back, from the same
    #: book as `exit`, never from a slower trade list
    exited_quantity: int
    #: ours, closed by somebody else: the user's hand, the broker's risk desk, a conversion. Below zero: somebody
    #: else took back what was exited too much
    taken_by_others_quantity: int = 0
    entry_is_working: bool
    #: average entry price
    entry_price_paise: int
    first_filled_at: datetime | None = None
    initial_stop_paise: int
    #: the stop's trigger as last asked for
    stop_paise: int
    #: where an operator wants it; 0: nobody asked
    asked_stop_paise: int = 0
    target_paise: int
    tick_size_paise: int
    #: 0: unknown
    lower_circuit_paise: int = 0
    upper_circuit_paise: int = 0
    #: ATR of the strategy's interval at entry; 0: unknown, no volatility stop
    entry_atr_paise: int = 0
    exit: ExitView | None = None
    #: why this group is to be closed; stored before the first closing command and never changed or cleared
    close_reason: ExitReason | None = None
    time_stop_at: datetime | None = None
    sibling_target_filled: bool = False
    #: best close of a candle since entry, highest for a long, lowest for a short; 0: none yet
    best_close_paise: int = 0
    #: every earlier exit order of this group that is not closed: cancelled on sight
    exits_unknown: tuple[ExitView, ...] = ()

    @property
    def position_quantity(self) -> int:
        """Units still held; below zero when more was exited than entered.

        The exit's own fills win over a lower total, so a sum that lags its order never looks like a position.
        """
        is_exit = self.exit is not None and not self.exit.is_return
        exited = max(self.exited_quantity, self.exit.filled_quantity if self.exit and is_exit else 0)
        return self.entered_quantity - exited - self.taken_by_others_quantity

    @property
    def exit_side(self) -> Side:
        return self.side.opposite

    @property
    def grid(self) -> PriceGrid:
        return PriceGrid(
            tick_size_paise=self.tick_size_paise,
            lower_circuit_paise=self.lower_circuit_paise,
            upper_circuit_paise=self.upper_circuit_paise,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketView:
    """The instrument's market now. Paise, 0 where there is no such price."""

    #: market time. The plan's own `now` and every other moment but `time_stop_at` are machine time: they are about
    #: calls and answers, which take as long in a replay at 60 times the speed as on any day
    market_now: datetime
    last_paise: int = 0
    bid_paise: int = 0
    ask_paise: int = 0
    #: market time since its last tick; None when there never was one
    age_s: float | None = None
    #: of the latest closed candle of the strategy's interval; 0: unknown
    atr_paise: int = 0
    #: a candle closed since the last look
    candle_closed: bool = False

    def is_fresh(self, policy: ExitPolicy) -> bool:
        return self.last_paise > 0 and self.age_s is not None and self.age_s < policy.market_stale_s


class MoveReason(StrEnum):
    """Why a stop moves. ASKED: by an operator. REPEAT: the last move was refused or lost."""

    TRAIL = "TRAIL"
    BREAK_EVEN = "BREAK_EVEN"
    ASKED = "ASKED"
    REPEAT = "REPEAT"


# Actions are positional, so that `match` can take them apart.


@dataclass(frozen=True, slots=True)
class RestStop:
    """Place the group's stop: SL, role STOP."""

    quantity: int
    trigger_paise: int
    limit_paise: int


@dataclass(frozen=True, slots=True)
class ResizeExit:
    """Modify the untriggered stop's quantity, the order's total. Counts as a resize."""

    quantity: int


@dataclass(frozen=True, slots=True)
class MoveStop:
    """Modify the untriggered stop's trigger and limit. Counts as a trail.

    The caller stores the trigger as the group's stop before the call.
    """

    trigger_paise: int
    limit_paise: int
    reason: MoveReason


@dataclass(frozen=True, slots=True)
class TakeTarget:
    """Modify the stop to a LIMIT; the group is CLOSING with reason TARGET. Counts as a closing."""

    limit_paise: int


@dataclass(frozen=True, slots=True)
class CloseExit:
    """Modify the stop to a closing LIMIT; the group is CLOSING. Counts as a closing."""

    limit_paise: int
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class RepriceExit:
    """Modify the exit to a LIMIT that goes further, whatever its type; CLOSING. Counts as a closing."""

    limit_paise: int


@dataclass(frozen=True, slots=True)
class PlaceExit:
    """Place a closing LIMIT, role EXIT, next attempt; the group is CLOSING.

    The order it follows is an earlier one from now on: a stop still unknown joins `exits_unknown`.
    """

    quantity: int
    limit_paise: int
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Place a LIMIT on the entry's side, role EXIT, next attempt: more was exited than entered. CLOSING."""

    quantity: int
    limit_paise: int


@dataclass(frozen=True, slots=True)
class CancelExit:
    """Cancel one exit order at the broker: the group's own, or an earlier one seen alive."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class FinishGroup:
    """Nothing is held, nothing of ours can fill: CLOSED. Reason None: nothing was ever entered."""

    reason: ExitReason | None


Action = (
    RestStop
    | ResizeExit
    | MoveStop
    | TakeTarget
    | CloseExit
    | RepriceExit
    | PlaceExit
    | TakeBack
    | CancelExit
    | FinishGroup
)
