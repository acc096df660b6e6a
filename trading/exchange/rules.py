"""What the paper exchange demands, and the words in which Kite refuses.

Every number is a setting of `VenueRules`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any

MARKET_UNPROTECTED = (
    "Market orders without market protection are not allowed via API. "
    "Please set market protection or use a Limit order."
)
BEING_PROCESSED = "Order cannot be modified as it is being processed. Try later."
BEING_PROCESSED_CANCEL = "Order cannot be cancelled as it is being processed. Try later."
TOO_MANY_REQUESTS = "Too many requests"
TOO_MANY_MODIFICATIONS = "Maximum allowed order modifications exceeded."


class VenueRefusal(Exception):
    """An answer other than 200, as Kite gives it: HTTP status, `error_type` and `message` of the body."""

    def __init__(self, http_status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.error_type = error_type
        self.message = message

    def __reduce__(self) -> tuple[type["VenueRefusal"], tuple[int, str, str]]:
        return VenueRefusal, (self.http_status, self.error_type, self.message)


def bad_input(message: str) -> VenueRefusal:
    """A request that can never be right; refused at once and counted against the order quota."""
    return VenueRefusal(400, "InputException", message)


def order_error(message: str) -> VenueRefusal:
    """A change the order's state does not allow."""
    return VenueRefusal(400, "OrderException", message)


def too_many_requests() -> VenueRefusal:
    """Nothing was done; the window clears by itself."""
    return VenueRefusal(429, "NetworkException", TOO_MANY_REQUESTS)


def no_such_order(order_id: str) -> VenueRefusal:
    return order_error(f"The order for ID ({order_id}) does not exist")


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """Time from a request to the exchange's act on it: lognormal with this mean, cut to [least, most]."""

    mean_ms: float = 60.0
    spread: float = 0.5  # standard deviation of the logarithm
    least_ms: float = 15.0
    most_ms: float = 400.0

    def draw_ms(self, stream: Random) -> float:
        """One draw in milliseconds; takes exactly one number from the stream. A mean of 0 is 0 ms always."""
        if self.mean_ms <= 0:
            return 0.0
        from_one = stream.lognormvariate(-self.spread * self.spread / 2, self.spread)
        return min(max(self.mean_ms * from_one, self.least_ms), self.most_ms)


def _mis_until() -> dict[str, time]:
    return {"NSE": time(15, 20), "NFO": time(15, 25)}


@dataclass(frozen=True, kw_only=True, slots=True)
class VenueRules:
    """The settings of a venue. Percentages are of the price or notional they are named for.

    `modified_quantity` says what `quantity` means in a modify of a partly filled order: "total", "pending",
    or "refuse" (which of them holds at the real broker is not established). `mis_until` are the broker's
    square-off times by exchange: from then on an MIS order that does not reduce a position is refused.
    """

    orders_per_s: int = 10
    orders_per_minute: int = 400
    orders_per_day: int = 5000
    modifications_per_order: int = 25
    #: most legs of an iceberg, and most slices of an order that is sliced at its freeze quantity
    iceberg_legs: int = 50
    slices: int = 10
    latency: Latency = field(default_factory=Latency)
    circuit_pct: Decimal = Decimal(10)
    #: how far from the last price (a stop: from its trigger) a derivative's limit may be; None: no such rule
    limit_protection_pct: Decimal | None = Decimal(5)
    auto_market_protection_pct: Decimal = Decimal(2)
    modified_quantity: str = "total"
    stop_may_become_limit: bool = True
    mis_until: Mapping[str, time] = field(default_factory=_mis_until)
    #: the same for a share with a closing auction, whose continuous trading ends before the others'
    mis_until_with_auction: time = time(15, 12)
    share_mis_margin_pct: Decimal = Decimal(20)
    derivative_margin_pct: Decimal = Decimal(12)
    #: of each order placed by the broker's own square-off, rupees, GST of 18 % included
    square_off_charge_inr: Decimal = Decimal("59.00")

    def __post_init__(self) -> None:
        if self.modified_quantity not in ("total", "pending", "refuse"):
            raise ValueError(
                f"modified_quantity is {self.modified_quantity!r}; choose total, pending or refuse"
            )
        for name in (
            "orders_per_s",
            "orders_per_minute",
            "orders_per_day",
            "modifications_per_order",
            "iceberg_legs",
            "slices",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")


#: rules that can be set while a day runs, and how each is read from JSON
_READ: Mapping[str, Callable[[Any], Any]] = {
    "modified_quantity": str,
    "mis_until": lambda times: {str(name): time.fromisoformat(text) for name, text in dict(times).items()},
    "mis_until_with_auction": time.fromisoformat,
    "circuit_pct": lambda number: Decimal(str(number)),
    "limit_protection_pct": lambda number: None if number is None else Decimal(str(number)),
    "auto_market_protection_pct": lambda number: Decimal(str(number)),
    "orders_per_s": int,
    "orders_per_minute": int,
    "orders_per_day": int,
    "modifications_per_order": int,
    "iceberg_legs": int,
    "slices": int,
    "stop_may_become_limit": bool,
}


def changed(rules: VenueRules, fields: Mapping[str, Any]) -> VenueRules:
    """The rules with some of them set anew, given as JSON has them: times as HH:MM. Raises VenueRefusal."""
    read = {}
    for name, given in fields.items():
        if name not in _READ:
            raise bad_input(f"{name!r} is no rule that can be set. Give one of {', '.join(_READ)}.")
        try:
            read[name] = _READ[name](given)
        except (ValueError, TypeError, InvalidOperation) as error:
            raise bad_input(f"Invalid `{name}`: {given!r} ({error}).") from None
    try:
        return replace(rules, **read)
    except ValueError as error:
        raise bad_input(f"{error}.") from None
