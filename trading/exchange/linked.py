"""Orders that bring about others: a cover order its stop, an iceberg's leg the next one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from trading.core.enums import OrderType
from trading.exchange.intake import CO, NewOrder
from trading.exchange.orders import KiteStatus, Terms, VenueOrder
from trading.exchange.rules import VenueRules

#: (what is asked, now, placed by): a new order of the account, not yet on its way
Make = Callable[[NewOrder, datetime, str], VenueOrder]


@dataclass(slots=True)
class Leg:
    """One leg of an iceberg that is on its way, counted from 1, and what the whole was asked as."""

    asked: NewOrder
    number: int


class Links:
    """Follows the orders of one account that others depend on."""

    def __init__(self, make: Make, submit: Callable[[VenueOrder], None], rules: VenueRules) -> None:
        self.rules = rules
        self._make = make
        self._submit = submit
        self._covers: dict[str, NewOrder] = {}
        self._stops: dict[str, VenueOrder] = {}
        self._legs: dict[str, Leg] = {}

    def begin(self, order: VenueOrder, asked: NewOrder) -> None:
        """Take note of an order before it is submitted; of a regular one nothing."""
        if asked.cover_trigger_paise:
            self._covers[order.order_id] = asked
        if asked.leg_quantity:
            self._take_leg(order, Leg(asked, 1))

    def stop_of(self, parent_order_id: str) -> VenueOrder | None:
        """The stop that covers what a cover order filled so far."""
        return self._stops.get(parent_order_id)

    def after_fill(self, order: VenueOrder, quantity: int, now: datetime) -> VenueOrder | None:
        """What is filled is covered: by a new stop, or by more of the one that waits, which is answered then."""
        asked = self._covers.get(order.order_id)
        if asked is None:
            return None
        stop = self._stops.get(order.order_id)
        if stop is not None and not stop.is_closed:
            stop.quantity += quantity
            return stop
        wanted = replace(
            asked,
            side=asked.side.opposite,
            order_type=OrderType.SL_M,
            quantity=quantity,
            price_paise=0,
            trigger_paise=asked.cover_trigger_paise,
            validity="DAY",
            ttl_min=0,
            protection_pct=self.rules.auto_market_protection_pct,
            cover_trigger_paise=0,
        )
        stop = self._make(wanted, now, order.placed_by)
        stop.variety, stop.parent_order_id = CO, order.order_id
        self._stops[order.order_id] = stop
        self._submit(stop)
        return None

    def after_end(self, order: VenueOrder, now: datetime) -> None:
        """A filled leg is followed by the next; one that was cancelled or rejected ends the iceberg."""
        leg = self._legs.pop(order.order_id, None)
        if (
            leg is None
            or order.status is not KiteStatus.COMPLETE
            or leg.number * leg.asked.leg_quantity >= (leg.asked.quantity)
        ):
            return
        following = self._make(leg.asked, now, order.placed_by)
        if following.order_type is OrderType.LIMIT:
            following.price_paise = order.price_paise
        self._take_leg(following, Leg(leg.asked, leg.number + 1))
        self._submit(following)

    def _take_leg(self, order: VenueOrder, leg: Leg) -> None:
        asked = leg.asked
        before = (leg.number - 1) * asked.leg_quantity
        order.quantity = min(asked.leg_quantity, asked.quantity - before)
        order.meta = {"iceberg": _shown(asked, leg.number, before + order.quantity)}
        self._legs[order.order_id] = leg


def exit_terms(order: VenueOrder, rules: VenueRules) -> Terms:
    """What turns the stop of a cover order into its exit at market."""
    return Terms(
        order_type=OrderType.MARKET,
        quantity=order.quantity,
        price_paise=0,
        trigger_paise=0,
        validity="DAY",
        protection_pct=rules.auto_market_protection_pct,
    )


def _shown(asked: NewOrder, number: int, placed: int) -> dict[str, Any]:
    return {
        "leg": number,
        "legs": -(-asked.quantity // asked.leg_quantity),
        "leg_quantity": asked.leg_quantity,
        "total_quantity": asked.quantity,
        "remaining_quantity": asked.quantity - placed,
    }
