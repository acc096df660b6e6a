"""Above the freeze quantity: an order to be sliced, and a position to be closed, as several orders."""

from collections.abc import Callable, Mapping
from typing import Any

from trading.core.enums import OrderType, Side
from trading.core.values import InstrumentSpec
from trading.exchange.intake import quantity_of
from trading.exchange.ledger import Position
from trading.exchange.rules import VenueRefusal, bad_input

Row = dict[str, Any]


def quantities(spec: InstrumentSpec, total: int, most_slices: int) -> list[int]:
    """As few slices as the freeze quantity allows, whole lots, the last with what remains. Raises
    VenueRefusal for too many.
    """
    freeze = spec.freeze_quantity or total
    largest = freeze - freeze % spec.lot_size
    if largest <= 0:
        raise bad_input(f"The freeze quantity of {freeze} is below one lot of {spec.lot_size}.")
    count = -(-total // largest)
    if count > most_slices:
        raise bad_input(f"Invalid `quantity`. {count} slices would be needed and {most_slices} are allowed.")
    return [min(largest, total - start) for start in range(0, total, largest)]


def place_slices(
    fields: Mapping[str, Any],
    spec: InstrumentSpec,
    most_slices: int,
    parent_id: str,
    place: Callable[[Mapping[str, Any], tuple[str, ...]], str],
) -> Row:
    """Kite's `data` of an autosliced order: a parent that is no order, and a child or an error for each slice.

    `place` takes a slice's fields and its system tags. Raises VenueRefusal where nothing could be sliced.
    """
    total = quantity_of(fields, "quantity")
    children: list[Row] = []
    for quantity in quantities(spec, total, most_slices):
        try:
            tags = ("autoslice", f"autoslice:{parent_id}")
            children.append({"order_id": place({**fields, "quantity": quantity}, tags)})
        except VenueRefusal as refusal:
            children.append({"error": _error(refusal)})
    return {"order_id": parent_id, "children": children}


def closing_requests(position: Position) -> list[Row]:
    """Market orders that close a position, each at most the freeze quantity."""
    held = abs(position.quantity)
    return [
        {
            "exchange": position.spec.exchange,
            "tradingsymbol": position.spec.tradingsymbol,
            "transaction_type": Side.SELL if position.quantity > 0 else Side.BUY,
            "order_type": OrderType.MARKET,
            "quantity": quantity,
            "product": position.product,
            "market_protection": -1,
        }
        for quantity in quantities(position.spec, held, most_slices=held)
    ]


def _error(refusal: VenueRefusal) -> Row:
    return {
        "code": refusal.http_status,
        "error_type": refusal.error_type,
        "message": refusal.message,
        "data": None,
    }
