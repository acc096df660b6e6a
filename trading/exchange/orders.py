"""One order as the venue keeps it, and Kite's words for where it stands."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from trading.core.enums import OrderType, Product, Side
from trading.core.values import InstrumentSpec


class KiteStatus(StrEnum):
    """Kite's order statuses.

    There is none for a partial fill: an open order with a filled quantity says so.
    """

    AMO_RECEIVED = "AMO REQ RECEIVED"
    RECEIVED = "PUT ORDER REQ RECEIVED"
    VALIDATING = "VALIDATION PENDING"
    OPENING = "OPEN PENDING"
    OPEN = "OPEN"
    TRIGGER_PENDING = "TRIGGER PENDING"
    MODIFY_VALIDATING = "MODIFY VALIDATION PENDING"
    MODIFYING = "MODIFY PENDING"
    MODIFIED = "MODIFIED"
    CANCELLING = "CANCEL PENDING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


CLOSED = frozenset({KiteStatus.COMPLETE, KiteStatus.CANCELLED, KiteStatus.REJECTED})
AT_REST = frozenset({KiteStatus.OPEN, KiteStatus.TRIGGER_PENDING, KiteStatus.AMO_RECEIVED})


@dataclass(slots=True, eq=False)
class VenueOrder:
    """Mutable; only the venue changes it. Prices in paise, quantities in units, times aware IST."""

    order_id: str
    spec: InstrumentSpec
    side: Side
    product: Product
    order_type: OrderType
    quantity: int
    price_paise: int
    trigger_paise: int
    tag: str
    placed_by: str
    placed_at: datetime
    status: KiteStatus = KiteStatus.RECEIVED
    validity: str = "DAY"
    #: minutes that a TTL order lives from when it reaches the exchange
    ttl_min: int = 0
    variety: str = "regular"
    parent_order_id: str | None = None
    disclosed: int = 0
    system_tags: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    #: MARKET and SL-M only: how far from the last price its limit will be, per cent
    protection_pct: Decimal | None = None
    status_message: str | None = None
    status_message_raw: str | None = None
    filled: int = 0
    filled_value_paise: int = 0
    cancelled: int = 0
    exchange_order_id: str | None = None
    exchange_at: datetime | None = None
    updated_at: datetime | None = None
    modifications: int = 0
    is_modified: bool = False
    is_triggered: bool = False
    #: place in the time priority of its price; renewed when price or a larger quantity is asked
    sequence: int = 0
    #: units in front of it at its price; None until that price has been visible
    ahead: int | None = None
    is_resting: bool = False
    #: False while it still takes the other side's quote, True once it waits at its own price
    is_passive: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    #: when each row of the history came to be
    moments: list[datetime] = field(default_factory=list)

    @property
    def pending(self) -> int:
        return self.quantity - self.filled - self.cancelled

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED

    @property
    def is_stop(self) -> bool:
        """Waits for its trigger; a stop that was triggered is a limit."""
        return self.order_type in (OrderType.SL, OrderType.SL_M) and not self.is_triggered

    @property
    def rest_status(self) -> KiteStatus:
        return KiteStatus.TRIGGER_PENDING if self.is_stop else KiteStatus.OPEN


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a modify asks for, checked and complete. `quantity` is the new total."""

    order_type: OrderType
    quantity: int
    price_paise: int
    trigger_paise: int
    validity: str
    protection_pct: Decimal | None = None
