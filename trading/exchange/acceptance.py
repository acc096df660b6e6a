"""What refuses an order after it was received: the broker's risk checks (RMS), then the exchange's own."""

from datetime import date, datetime, time
from decimal import Decimal

from trading.core.enums import OrderType, Product
from trading.core.money import round_paise_to_tick, to_inr
from trading.core.values import InstrumentSpec
from trading.exchange.contracts import has_closing_auction
from trading.exchange.orders import Terms, VenueOrder
from trading.exchange.rules import VenueRules


class Refused(Exception):
    """Carries `status_message` and `status_message_raw` of the row that will say REJECTED."""

    def __init__(self, message: str, raw: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.raw = raw or message


def circuits_paise(spec: InstrumentSpec, circuit_pct: Decimal) -> tuple[int, int]:
    """Lower and upper circuit limit, on the tick inside; (0, 0) where no previous close is known."""
    close = spec.previous_close_paise
    if not close:
        return 0, 0
    distance = int(close * circuit_pct / 100)
    return (
        round_paise_to_tick(close - distance, spec.tick_size_paise, "up"),
        round_paise_to_tick(close + distance, spec.tick_size_paise, "down"),
    )


def check_circuits(band: tuple[int, int], price_paise: int, trigger_paise: int) -> None:
    """Price and trigger within the lower and upper limit in force; 0 is no price, an upper of 0 no limit.

    Raises Refused.
    """
    lower, upper = band
    if not upper:
        return
    for price, name in ((price_paise, "order"), (trigger_paise, "trigger")):
        if price and price < lower:
            raise Refused(
                f"Your {name} price is lower than the current lower circuit limit of {to_inr(lower)}. "
                "Place an order within the daily range."
            )
        if price > upper:
            raise Refused(
                f"Your {name} price is higher than the current upper circuit limit of {to_inr(upper)}. "
                "Place an order within the daily range."
            )


def mis_until(spec: InstrumentSpec, rules: VenueRules, on: date) -> time | None:
    """The broker's square-off time of an instrument, IST; None where it has none."""
    until = rules.mis_until.get(str(spec.exchange))
    if until is not None and has_closing_auction(spec, on):
        return min(until, rules.mis_until_with_auction)
    return until


def check_mis_time(order: VenueOrder, rules: VenueRules, position_quantity: int, now: datetime) -> None:
    """From the square-off time on, an MIS order may only reduce a position. Raises Refused."""
    until = mis_until(order.spec, rules, now.date())
    if order.product is not Product.MIS or until is None or now.time() < until:
        return
    reduces = position_quantity * order.side.sign < 0 and order.quantity <= abs(position_quantity)
    if not reduces:
        raise Refused(
            f"MIS orders are blocked after the square-off time of {until:%H:%M}. Use another product."
        )


def check_margin(required_paise: int, available_paise: int) -> None:
    """Raises Refused in Kite's words when the margin is short; an order that needs none always passes."""
    if required_paise and required_paise > available_paise:
        required, available = to_inr(required_paise), to_inr(available_paise)
        raise Refused(
            f"Insufficient funds. Required margin is {required} but available margin is {available}. "
            "Check the orderbook for open orders.",
            f"RMS:Margin Exceeds,Required:{required}, Available:{available} "
            "for entity account across exchange across segment across product",
        )


def check_limit_protection(
    spec: InstrumentSpec, terms: Terms | VenueOrder, last_paise: int, rules: VenueRules
) -> None:
    """A derivative's limit within the exchange's protection range of its reference: a stop's trigger, else
    the last price.

    Raises Refused.
    """
    percent = rules.limit_protection_pct
    is_stop = terms.order_type is OrderType.SL
    reference = terms.trigger_paise if is_stop else last_paise
    if percent is None or not spec.is_derivative or not terms.price_paise or not reference:
        return
    if abs(terms.price_paise - reference) * 100 > reference * percent:
        raise Refused(
            f"The price is out of the current execution range: {to_inr(terms.price_paise)} is more than "
            f"{percent} % from {to_inr(reference)}.",
            "17070 : The Price is out of the LPP range",
        )
