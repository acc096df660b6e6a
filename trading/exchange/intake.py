"""What is refused before an order exists: Kite's input errors, in Kite's words where they are known."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from trading.core.enums import Exchange, OrderType, Product, Side
from trading.core.money import to_inr, to_paise
from trading.core.values import InstrumentSpec
from trading.exchange.orders import Terms, VenueOrder
from trading.exchange.rules import MARKET_UNPROTECTED, VenueRules, bad_input, order_error

Word = TypeVar("Word", bound=StrEnum)
STOPS = (OrderType.SL, OrderType.SL_M)
AT_MARKET = (OrderType.MARKET, OrderType.SL_M)
TAG_LENGTH = 20
#: no price in rupees and no quantity lies above
MOST = 10**9
REGULAR, AMO, CO, ICEBERG = "regular", "amo", "co", "iceberg"
VARIETIES = (REGULAR, AMO, CO, ICEBERG)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewOrder:
    """A well-formed place request. Prices in paise; `protection_pct` None unless MARKET or SL-M.

    `cover_trigger_paise` is the stop of a cover order, `leg_quantity` one leg of an iceberg; else 0.
    """

    spec: InstrumentSpec
    side: Side
    product: Product
    order_type: OrderType
    quantity: int
    price_paise: int
    trigger_paise: int
    validity: str
    tag: str
    protection_pct: Decimal | None
    variety: str = REGULAR
    ttl_min: int = 0
    disclosed: int = 0
    cover_trigger_paise: int = 0
    leg_quantity: int = 0
    #: tags that the broker gives beside the client's own
    system_tags: tuple[str, ...] = ()


def read_place(
    fields: Mapping[str, Any], spec: InstrumentSpec, rules: VenueRules, last_paise: int
) -> NewOrder:
    """Kite's `place_order` fields as a request. Values may be strings, as a form gives them.

    `last_paise` is the instrument's last price, 0 where none was seen. Raises VenueRefusal (InputException,
    400).
    """
    variety = _variety(fields)
    order_type = read_word(fields, "order_type", OrderType)
    check_type_of_variety(variety, order_type)
    new = NewOrder(
        variety=variety,
        spec=spec,
        side=read_word(fields, "transaction_type", Side),
        product=read_product(fields, spec),
        order_type=order_type,
        quantity=quantity_of(fields, "quantity"),
        price_paise=0 if order_type in AT_MARKET else _price(fields, "price", spec),
        trigger_paise=_price(fields, "trigger_price", spec) if order_type in STOPS else 0,
        validity=_validity(fields),
        ttl_min=_ttl_min(fields),
        tag=_tag(fields),
        protection_pct=_protection_pct(fields, order_type, rules),
        disclosed=_disclosed(fields, spec),
        cover_trigger_paise=_price(fields, "trigger_price", spec) if variety == CO else 0,
        leg_quantity=_leg_quantity(fields, spec, rules) if variety == ICEBERG else 0,
    )
    check_quantity(spec, new.leg_quantity or new.quantity)
    check_stop(spec, new.side, new.order_type, new.price_paise, new.trigger_paise, last_paise)
    if variety == CO:
        _check_cover(new, last_paise)
    return new


def check_type_of_variety(variety: str, order_type: OrderType) -> None:
    """A cover order and an iceberg are MARKET or LIMIT; raises InputException."""
    if variety in (CO, ICEBERG) and order_type in STOPS:
        raise bad_input(
            f"Order type {order_type} is not allowed for `variety` {variety}. Use MARKET or LIMIT."
        )


def _variety(fields: Mapping[str, Any]) -> str:
    variety = str(fields.get("variety") or REGULAR)
    if variety not in VARIETIES:
        raise bad_input(f"Invalid `variety`. Should be one of {', '.join(VARIETIES)}.")
    return variety


def _check_cover(new: NewOrder, last_paise: int) -> None:
    """A cover order is intraday, and its stop lies on the losing side of where it enters."""
    if new.product is not Product.MIS:
        raise bad_input("Cover orders are intraday: `product` should be MIS.")
    check_stop(
        new.spec, new.side.opposite, OrderType.SL_M, 0, new.cover_trigger_paise, new.price_paise or last_paise
    )


def _disclosed(fields: Mapping[str, Any], spec: InstrumentSpec) -> int:
    if str(fields.get("disclosed_quantity") or 0) == "0":
        return 0
    disclosed = quantity_of(fields, "disclosed_quantity")
    if spec.is_derivative:
        raise bad_input("`disclosed_quantity` is for shares only.")
    if disclosed > quantity_of(fields, "quantity"):
        raise bad_input("Invalid `disclosed_quantity`. Cannot be more than the quantity.")
    return disclosed


def _leg_quantity(fields: Mapping[str, Any], spec: InstrumentSpec, rules: VenueRules) -> int:
    legs, each = quantity_of(fields, "iceberg_legs"), quantity_of(fields, "iceberg_quantity")
    total = quantity_of(fields, "quantity")
    if not 2 <= legs <= rules.iceberg_legs:
        raise bad_input(f"Invalid `iceberg_legs`. Should be 2 to {rules.iceberg_legs}.")
    if -(-total // each) != legs:
        raise bad_input(f"Invalid `iceberg_quantity`. {legs} legs of {each} do not make {total}.")
    if total % spec.lot_size:
        raise bad_input(f"Invalid `quantity`. Should be in multiples of lot size {spec.lot_size}.")
    return each


def find_spec(fields: Mapping[str, Any], specs: Mapping[tuple[str, str], InstrumentSpec]) -> InstrumentSpec:
    """The instrument a request names; raises InputException."""
    spec = specs.get((str(fields.get("exchange", "")), str(fields.get("tradingsymbol", ""))))
    if spec is None:
        raise bad_input("The instrument you are placing an order for has either expired or does not exist.")
    return spec


def is_asked(fields: Mapping[str, Any], name: str) -> bool:
    """A switch of a form: true however it is written."""
    return str(fields.get(name) or "").lower() in ("true", "1")


def read_change(order: VenueOrder, change: Mapping[str, Any], rules: VenueRules, last_paise: int) -> Terms:
    """A modify's fields against the order as it stands; a field left out (or None) keeps its value.

    Raises VenueRefusal: InputException for terms that can never be, OrderException for what the state
    forbids.
    """
    given = {key: value for key, value in change.items() if value not in (None, "")}
    order_type = _changed_type(order, given, rules)
    to_limit = order_type is OrderType.LIMIT
    price = order.price_paise if order_type not in AT_MARKET else 0
    if "price" in given and order_type not in AT_MARKET:
        price = _price(given, "price", order.spec)
    trigger = 0 if to_limit or order_type is OrderType.MARKET else order.trigger_paise
    if "trigger_price" in given and order_type in STOPS:
        trigger = _price(given, "trigger_price", order.spec)
    if order.is_triggered and order_type in STOPS and trigger != order.trigger_paise:
        raise bad_input("Trigger price cannot be modified: the stoploss order has been triggered.")
    terms = Terms(
        order_type=order_type,
        quantity=_changed_quantity(order, given, rules),
        price_paise=price,
        trigger_paise=trigger,
        validity=_changed_validity(order, given),
        protection_pct=None if order_type is order.order_type else _protection_pct(given, order_type, rules),
    )
    check_quantity(order.spec, terms.quantity)
    if not order.is_triggered:
        check_stop(order.spec, order.side, order_type, price, trigger, last_paise)
    return terms


def _changed_type(order: VenueOrder, given: Mapping[str, Any], rules: VenueRules) -> OrderType:
    if "order_type" not in given:
        return order.order_type
    wanted = read_word(given, "order_type", OrderType)
    if wanted is order.order_type:
        return wanted
    if wanted in STOPS:
        raise bad_input(f"Order type cannot be changed from {order.order_type} to {wanted}.")
    if order.order_type in STOPS and not rules.stop_may_become_limit:
        raise bad_input(f"Order type cannot be changed from {order.order_type} to {wanted}.")
    return wanted


def _changed_validity(order: VenueOrder, given: Mapping[str, Any]) -> str:
    validity = _validity(given) if "validity" in given else order.validity
    if (validity == "TTL") != (order.validity == "TTL"):
        raise bad_input("Validity cannot be changed to or from TTL.")
    return validity


def _changed_quantity(order: VenueOrder, given: Mapping[str, Any], rules: VenueRules) -> int:
    if "quantity" not in given:
        return order.quantity
    asked = quantity_of(given, "quantity")
    if not order.filled:
        return asked
    if rules.modified_quantity == "refuse" and asked != order.quantity:
        raise order_error("Quantity of a partially filled order cannot be modified.")
    total = asked + order.filled if rules.modified_quantity == "pending" else asked
    if total <= order.filled:
        raise order_error(f"Quantity cannot be less than the filled quantity of {order.filled}.")
    return total


def check_quantity(spec: InstrumentSpec, quantity: int) -> None:
    """Whole lots within the freeze quantity; raises InputException."""
    if quantity % spec.lot_size:
        raise bad_input(f"Invalid `quantity`. Should be in multiples of lot size {spec.lot_size}.")
    if spec.freeze_quantity is not None and quantity > spec.freeze_quantity:
        raise bad_input(
            f"Quantity {quantity} exceeds the freeze limit of {spec.freeze_quantity}. Place smaller orders."
        )


def check_stop(
    spec: InstrumentSpec, side: Side, order_type: OrderType, price: int, trigger: int, last_paise: int
) -> None:
    """A stop must wait for its trigger and its limit must lie beyond it; raises InputException."""
    if order_type not in STOPS:
        return
    if order_type is OrderType.SL_M and (spec.strike_paise or spec.exchange in (Exchange.BSE, Exchange.BFO)):
        raise bad_input("SL-M orders are not allowed for this instrument. Please use an SL order.")
    word, way = ("below", "sell") if side is Side.SELL else ("above", "buy")
    if last_paise and (trigger - last_paise) * side.sign <= 0:
        raise bad_input(
            f"Trigger price for stoploss {way} orders should be {word} "
            f"the last traded price ({to_inr(last_paise)})."
        )
    if order_type is OrderType.SL and (price - trigger) * side.sign < 0:
        other = "higher" if side is Side.SELL else "lower"
        raise bad_input(f"Limit price for stoploss {way} orders cannot be {other} than the trigger price.")


def read_word(fields: Mapping[str, Any], key: str, words: type[Word]) -> Word:
    """One of the words; raises InputException."""
    try:
        return words(str(fields.get(key, "")))
    except ValueError:
        raise bad_input(f"Invalid `{key}`. Should be one of {', '.join(words)}.") from None


def read_product(fields: Mapping[str, Any], spec: InstrumentSpec, key: str = "product") -> Product:
    """A product this instrument can be held in; raises InputException."""
    product = read_word(fields, key, Product)
    if product is (Product.CNC if spec.is_derivative else Product.NRML):
        raise bad_input(f"Product {product} is not allowed for {spec.exchange}:{spec.tradingsymbol}.")
    return product


def quantity_of(fields: Mapping[str, Any], key: str) -> int:
    """A whole number above 0; raises InputException."""
    try:
        quantity = int(str(fields.get(key, "")))
    except ValueError:
        quantity = 0
    if not 0 < quantity <= MOST:
        raise bad_input(f"Invalid `{key}`. Should be a whole number above 0.")
    return quantity


def _price(fields: Mapping[str, Any], key: str, spec: InstrumentSpec) -> int:
    try:
        asked = Decimal(str(fields.get(key) or 0))
        # Looked at before it is whole paise: 1e999999 has a million digits.
        price = to_paise(asked) if asked <= MOST else MOST * 100 + 1
    except (InvalidOperation, ValueError):
        raise bad_input(f"Invalid `{key}`.") from None
    if not 0 < price <= MOST * 100:
        raise bad_input(f"Invalid `{key}`. Should be above 0.")
    if price % spec.tick_size_paise:
        raise bad_input(
            f"Tick size for this script is {to_inr(spec.tick_size_paise)}. "
            "Kindly enter price in the multiple of tick size for this script"
        )
    return price


def _validity(fields: Mapping[str, Any]) -> str:
    validity = str(fields.get("validity") or "DAY")
    if validity not in ("DAY", "IOC", "TTL"):
        raise bad_input("Invalid `validity`. Should be DAY, IOC or TTL.")
    return validity


def _ttl_min(fields: Mapping[str, Any]) -> int:
    """How long a TTL order lives, minutes; 0 for another validity."""
    return quantity_of(fields, "validity_ttl") if _validity(fields) == "TTL" else 0


def _tag(fields: Mapping[str, Any]) -> str:
    tag = str(fields.get("tag") or "")
    if len(tag) > TAG_LENGTH:
        raise bad_input(f"Invalid `tag`. Maximum {TAG_LENGTH} characters are allowed.")
    return tag


def _protection_pct(fields: Mapping[str, Any], order_type: OrderType, rules: VenueRules) -> Decimal | None:
    if order_type not in AT_MARKET:
        return None
    try:
        asked = Decimal(str(fields.get("market_protection") or 0))
    except InvalidOperation:
        raise bad_input("Invalid `market_protection`.") from None
    if asked == -1:
        return rules.auto_market_protection_pct
    if asked == 0:
        raise bad_input(MARKET_UNPROTECTED)
    if not 0 < asked <= 100:
        raise bad_input("Invalid `market_protection`. Should be -1 or above 0 and up to 100.")
    return asked
