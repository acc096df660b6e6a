"""What the pre-trade rules look at, as values: the entry, the account, the moment; and what they answer. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from risk.limits import Limits
from trading.core.enums import Exchange, PauseReason, Product, Protection, RiskReason, Side
from trading.core.values import Quote

#: exchange and tradingsymbol
Instrument = tuple[Exchange, str]
Lifted = tuple[Protection, Instrument | None, datetime]


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryRequest:
    """A sized entry that asks to be sent. Prices per unit in rupees; size it with the same `entry_price`."""

    strategy: str
    exchange: Exchange
    tradingsymbol: str
    product: Product
    side: Side
    #: the limit price
    entry_price: Decimal
    stop_price: Decimal
    target_price: Decimal
    #: 0 where one lot risks too much
    quantity: int
    lot_size: int
    #: expected, of the whole round trip
    charges_inr: Decimal
    slippage_inr: Decimal
    #: aware; when the setup was confirmed
    signal_at: datetime
    #: None: the broker was not asked yet
    required_margin_inr: Decimal | None = None
    #: the contract's last day; None for a share
    expires_on: date | None = None
    #: who holds it at its expiry takes or gives shares
    is_delivered: bool = False

    @property
    def instrument(self) -> Instrument:
        return (self.exchange, self.tradingsymbol)

    @property
    def risk_inr(self) -> Decimal:
        """Rupees lost if the entry fills at its limit and the stop at its trigger."""
        return abs(self.entry_price - self.stop_price) * self.quantity

    @property
    def reward_inr(self) -> Decimal:
        """Rupees won at the target; negative when the target is on the wrong side."""
        return (self.target_price - self.entry_price) * self.side.sign * self.quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountSnapshot:
    """The account at one moment, the other entries of the same pass included."""

    capital_inr: Decimal
    #: realised and open, less charges
    day_pnl_inr: Decimal = Decimal(0)
    #: open trades, resting entries and entries in flight or unknown (`trading.core.sizing.heat_inr`)
    open_heat_inr: Decimal = Decimal(0)
    #: open trades, and entries that may still become one
    open_positions: int = 0
    trades_today: int = 0
    losses_in_a_row: int = 0
    #: aware market time of each instrument's last losing exit
    last_loss_at: Mapping[Instrument, datetime] = field(default_factory=dict)
    #: has an open trade, a working entry or an unknown one
    busy: frozenset[Instrument] = frozenset()
    entries_last_s: int = 0
    #: every write to the broker counts, entries, exits, changes and cancellations
    orders_last_s: int = 0
    orders_last_min: int = 0
    orders_today: int = 0
    #: no rule asks it: with `orders_today` it tells whether the books have moved since
    trades_closed: int = 0
    #: None: the broker was not asked yet
    available_margin_inr: Decimal | None = None
    #: aware market time of the newest losing exit
    lost_at: datetime | None = None
    #: entries that the broker or the exchange refused, one after the other up to now, and the newest of them
    rejections_in_a_row: int = 0
    rejected_at: datetime | None = None
    #: the middle of the newest entry orders' times to their answer, and when the newest of them was sent
    order_latency_ms: float = 0.0
    latency_at: datetime | None = None
    #: what an operator let go of: the protection, its instrument (None: the account) and the moment of its cause
    lifted: frozenset[Lifted] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryWindow:
    """When entries are allowed: from the first moment, up to but not including the last. Aware, IST."""

    entries_from: datetime
    entries_until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskContext:
    """Everything a rule may look at."""

    account: AccountSnapshot
    #: in force: see `risk.limits.effective`
    limits: Limits
    entries_off: frozenset[PauseReason]
    #: why this mode may not trade at this venue; empty when it may
    mode_problem: str = ""
    #: why this instrument is watched and not entered; empty when it may be
    excluded: str = ""
    #: the event that keeps this instrument out now, and until when; empty when there is none
    blackout: str = ""
    #: None: no session of this instrument today
    window: EntryWindow | None
    quote: Quote | None
    #: aware market time
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Denial:
    """One reason against an entry, with its figures in the operator's words."""

    reason: RiskReason
    text: str
