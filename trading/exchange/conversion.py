"""Converting a position: `PUT /portfolio/positions`, from one product to another at what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.core.enums import Product, Side
from trading.core.values import InstrumentSpec
from trading.exchange.acceptance import Refused, check_margin
from trading.exchange.intake import find_spec, quantity_of, read_product, read_word
from trading.exchange.ledger import Ledger
from trading.exchange.rules import VenueRefusal, bad_input


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """So much of a position, of which `side` opened it."""

    spec: InstrumentSpec
    side: Side
    quantity: int
    old: Product
    new: Product


def read_conversion(fields: Mapping[str, Any], specs: Mapping[tuple[str, str], InstrumentSpec]) -> Conversion:
    """Kite's fields of a conversion. Raises VenueRefusal (InputException, 400)."""
    spec = find_spec(fields, specs)
    position_type = str(fields.get("position_type", ""))
    if position_type not in ("day", "overnight"):
        raise bad_input("Invalid `position_type`. Should be day or overnight.")
    asked = Conversion(
        spec=spec,
        side=read_word(fields, "transaction_type", Side),
        quantity=quantity_of(fields, "quantity"),
        old=read_product(fields, spec, "old_product"),
        new=read_product(fields, spec, "new_product"),
    )
    if asked.old is asked.new:
        raise bad_input(f"Invalid `new_product`. The position is {asked.old} already.")
    if position_type == "overnight":
        raise bad_input("No such position to convert: nothing is carried overnight here.")
    if asked.quantity % spec.lot_size:
        raise bad_input(f"Invalid `quantity`. Should be in multiples of lot size {spec.lot_size}.")
    return asked


def check_held(asked: Conversion, ledger: Ledger) -> None:
    """So much is held, that way round. Raises VenueRefusal."""
    held = ledger.quantity_of(asked.spec.instrument_token, asked.old) * asked.side.sign
    if held < asked.quantity:
        raise bad_input(
            f"Invalid `quantity`. {max(held, 0)} of {asked.spec.tradingsymbol} {asked.old} can be converted."
        )


def check_affordable(required_paise: int, available_paise: int) -> None:
    """What the conversion binds more is there. Raises VenueRefusal (MarginException)."""
    try:
        check_margin(required_paise, available_paise)
    except Refused as refusal:
        raise VenueRefusal(400, "MarginException", refusal.message) from None
