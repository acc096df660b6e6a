"""Frozen values that cross a border between layers. Rows have a history; these do not."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from trading.core.enums import Exchange, OrderStatus, OrderType, Product, Role, Side

#: the indices that NSE and BSE list derivatives on: these are settled in money
INDICES = frozenset(
    {"NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "SENSEX", "BANKEX", "SENSEX50"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class InstrumentSpec:
    """One tradable line of the day's instrument file. Prices in paise, quantities in units."""

    exchange: Exchange
    tradingsymbol: str
    instrument_token: int
    name: str
    instrument_type: str  # EQ FUT CE PE
    segment: str  # NSE NFO-FUT NFO-OPT
    lot_size: int
    tick_size_paise: int
    expiry: date | None = None
    strike_paise: int = 0
    freeze_quantity: int | None = None
    #: a share that has F&O: its continuous trading ends 15:15 (closing auction)
    has_derivatives: bool = False
    previous_close_paise: int = 0

    @property
    def is_derivative(self) -> bool:
        return self.exchange in (Exchange.NFO, Exchange.BFO)

    @property
    def is_delivered(self) -> bool:
        """A contract on a share: who holds it at its expiry takes or gives shares (NSE, since October 2019)."""
        return self.is_derivative and self.name not in INDICES


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """The market of one instrument at one moment. Integer paise; 0 where there is no such price."""

    last_price_paise: int
    bid_paise: int
    ask_paise: int
    #: the exchange's own time of the last tick, aware; None when never seen
    exchange_time: datetime | None
    lower_circuit_paise: int = 0
    upper_circuit_paise: int = 0
    #: of the day before
    previous_close_paise: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What a strategy saw in a candle that closed. Prices are rupees, already on the tick grid."""

    side: Side
    entry_price: Decimal
    stop_price: Decimal  # beyond this the idea is wrong
    target_price: Decimal
    reason: str  # one line for the operator
    first_target_price: Decimal | None = None  # for the first of two groups; None: the exit policy's 1.2 R
    time_stop_min: int | None = None  # None: the exit policy's own
    #: price that three further ticks or the next close must stay beyond before the setup counts; None: at once
    confirm_price: Decimal | None = None
    atr: Decimal = Decimal(0)  # of the strategy's own interval, rupees, for trailing and the volatility stop

    def __post_init__(self) -> None:
        ordered = (self.stop_price, self.entry_price, self.target_price)
        if self.side is Side.SELL:
            ordered = ordered[::-1]
        if not (ordered[0] < ordered[1] < ordered[2]):
            raise ValueError(
                f"{self.side} setup needs stop, entry, target in order; got stop {self.stop_price}, "
                f"entry {self.entry_price}, target {self.target_price}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """The five parts of a signal's score, each 0..1, and the penalties taken from their weighted sum."""

    momentum: float
    trend: float
    liquidity: float
    regime: float
    reward_risk: float
    penalty: float
    total: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Everything that makes one intended trade what it is; `order_ids.plan_client_id` hashes all of it."""

    installation: str
    broker_user: str
    venue_session: str  # empty at PRODUCTION
    mode: str
    trading_date: date
    strategy: str
    exchange: str
    tradingsymbol: str
    side: str
    signal_candle_at: datetime
    entry_price: Decimal
    stop_price: Decimal
    target_price: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRequest:
    """What we ask a broker. Kite's `place_order` arguments; prices in rupees, quantity in units."""

    client_order_id: str
    role: Role
    exchange: Exchange
    tradingsymbol: str
    side: Side
    quantity: int
    product: Product
    order_type: OrderType
    price: Decimal
    trigger_price: Decimal = Decimal(0)
    tag: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderChange:
    """A modification. None leaves a field as it is."""

    order_type: OrderType | None = None
    quantity: int | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderReport:
    """One row of the broker's order book, translated. Cumulative filled quantity drives everything."""

    broker_order_id: str
    tag: str
    tags: tuple[str, ...]
    status: OrderStatus
    raw_status: str
    status_message: str
    exchange: Exchange
    tradingsymbol: str
    side: Side
    product: str
    order_type: str
    quantity: int
    filled_quantity: int
    pending_quantity: int
    price: Decimal
    trigger_price: Decimal
    average_price: Decimal
    exchange_order_id: str
    placed_by: str
    order_at: datetime
    updated_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FillReport:
    """One execution as the broker's trade book tells it. FIX 17, 31, 32."""

    broker_trade_id: str
    broker_order_id: str
    exchange: Exchange
    tradingsymbol: str
    side: Side
    product: str
    quantity: int
    price: Decimal
    filled_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PositionReport:
    """The broker's net position in one (exchange, tradingsymbol, product); quantity is signed."""

    exchange: Exchange
    tradingsymbol: str
    product: str
    quantity: int
    average_price: Decimal
    last_price: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Funds:
    """The equity segment of /user/margins, rupees."""

    opening_balance_inr: Decimal
    intraday_payin_inr: Decimal
    collateral_inr: Decimal
    available_inr: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Charges:
    """The statutory and brokerage costs of executed orders, rupees to the paisa."""

    brokerage_inr: Decimal = Decimal(0)
    stt_inr: Decimal = Decimal(0)
    exchange_inr: Decimal = Decimal(0)
    sebi_inr: Decimal = Decimal(0)
    stamp_inr: Decimal = Decimal(0)
    gst_inr: Decimal = Decimal(0)
    total_inr: Decimal = field(default=Decimal(0))
