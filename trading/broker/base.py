"""The port to a broker, and the errors its callers act on.

BrokerError
├─ BrokerRefused       final; carries the broker's reason
├─ OutcomeUnknown      sent, no believable answer: the order may exist
├─ BrokerUnavailable   nothing was done; the next pass may try
└─ SessionExpired      someone must log in; new entries stop
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from trading.core.values import (
    FillReport,
    Funds,
    OrderChange,
    OrderReport,
    OrderRequest,
    PositionReport,
)


class BrokerError(Exception):
    """Base of what a broker port raises. Keeps Kite's error_type, HTTP status and message."""

    def __init__(self, message: str, *, error_type: str = "", http_status: int = 0) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.http_status = http_status


class BrokerRefused(BrokerError):
    """A final no with the reason; nothing was placed, changed or cancelled by this call."""


class OutcomeUnknown(BrokerError):
    """The request may have been carried out. Only the books can tell; never send it again because of this."""


class BrokerUnavailable(BrokerError):
    """Nothing was sent, or a read failed. Safe to try in a later pass."""


class SessionExpired(BrokerError):
    """The access token is dead. Reads and writes fail until somebody logs in."""


class Broker(Protocol):
    """Three implementations: KiteBroker (HTTP), PaperBroker (exchange in-process), ScriptedBroker (tests).

    Reads raise BrokerUnavailable or SessionExpired. Writes raise any of the four.
    """

    is_real_money: bool

    @property
    def venue_session(self) -> str:
        """The venue's run that the books are of; empty at PRODUCTION, whose ids are unique for the day."""
        ...

    def place(self, request: OrderRequest) -> str:
        """Ask for a new order; returns the broker_order_id. Accepted is not yet placed: the book confirms."""
        ...

    def modify(self, broker_order_id: str, change: OrderChange) -> None: ...

    def cancel(self, broker_order_id: str) -> None: ...

    def order_reports(self) -> list[OrderReport]:
        """Today's whole book, in any order."""
        ...

    def order_history(self, broker_order_id: str) -> list[OrderReport]:
        """The states one order went through, oldest first."""
        ...

    def fill_reports(self) -> list[FillReport]: ...

    def position_reports(self) -> list[PositionReport]: ...

    def funds(self) -> Funds: ...

    def margin_required_inr(self, requests: Sequence[OrderRequest]) -> Decimal:
        """What /margins/orders says these orders need, beside what is already open."""
        ...
