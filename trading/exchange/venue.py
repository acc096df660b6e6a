"""The paper exchange's core: one account's orders from Kite's request to its books, on market time handed in.

It speaks Kite's shapes (dicts of Kite Connect v3), so the exchange's server and the in-process broker read
the same rows. It has no clock, no thread and no I/O; equal seeds and equal calls give equal digests. A venue
can be pickled.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from random import Random
from typing import Any

from trading.core.charges import charges_of_value, segment_of
from trading.core.enums import OrderType, Product, Side
from trading.core.money import to_inr, to_paise
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange import kite_rows
from trading.exchange.contracts import continuous_close
from trading.exchange.intake import NewOrder, find_spec, read_change, read_place
from trading.exchange.ledger import Ledger
from trading.exchange.orders import AT_REST, VenueOrder
from trading.exchange.progress import Progress
from trading.exchange.quota import Quota
from trading.exchange.rules import (
    BEING_PROCESSED,
    BEING_PROCESSED_CANCEL,
    TOO_MANY_MODIFICATIONS,
    VenueRules,
    bad_input,
    no_such_order,
    order_error,
)

Row = dict[str, Any]
MARKET_OPENS = time(9, 15)


class Venue:
    """One account at one exchange for one trading day. All times are aware market time and never run back."""

    def __init__(
        self,
        instruments: Iterable[InstrumentSpec],
        rules: VenueRules,
        *,
        seed: int | str,
        capital_paise: int,
        user_id: str,
        venue_session: str,
    ) -> None:
        self.rules = rules
        self.user_id = user_id
        self.venue_session = venue_session
        self.specs = {(str(spec.exchange), spec.tradingsymbol): spec for spec in instruments}
        self._words = Random(f"{seed}/words")
        self._order_number = Random(f"{seed}/{venue_session}/ids").randrange(100_000, 900_000)
        self._quota = Quota(rules)
        self._progress = Progress(
            rules, seed=seed, capital_paise=capital_paise, user_id=user_id, venue_session=venue_session
        )

    @property
    def orders(self) -> Mapping[str, VenueOrder]:
        """Every order of the day by order_id, oldest first."""
        return self._progress.orders

    @property
    def ledger(self) -> Ledger:
        return self._progress.ledger

    def working_orders(self) -> list[VenueOrder]:
        """Orders not yet closed, oldest first."""
        return self._progress.working_orders()

    # what the market and the clock do

    def apply_frame(self, frame: TickFrame) -> None:
        """New quotes and depth: first what fell due before them, then resting orders meet the new market."""
        self._progress.advance(frame.received_at)
        self._progress.matcher.apply_frame(frame)

    def advance(self, now: datetime) -> None:
        """Do everything due up to `now`: requests that arrive, day orders that expire."""
        self._progress.advance(now)

    def next_event_at(self) -> datetime | None:
        """When `advance` next has something to do without a frame; None when nothing is on its way."""
        return self._progress.next_event_at()

    # what a client asks

    def place(self, request: Mapping[str, Any], now: datetime) -> str:
        """Kite's `POST /orders/regular`: the order_id.

        Raises VenueRefusal; a refusal for bad input counts in the quota.
        """
        self.advance(now)
        self._quota.take(now)
        return self._receive(request, now, self.user_id)

    def place_as_other(self, request: Mapping[str, Any], now: datetime, placed_by: str) -> str:
        """An order of the same account from elsewhere: the user's hand on the broker's own terminal, or its
        RMS.
        """
        self.advance(now)
        return self._receive(request, now, placed_by)

    def modify(self, order_id: str, change: Mapping[str, Any], now: datetime) -> str:
        """Kite's `PUT /orders/regular/:id`. Returning means asked, not done; raises VenueRefusal."""
        self.advance(now)
        self._quota.take(now)
        order = self._changeable(order_id, BEING_PROCESSED)
        if order.modifications >= self.rules.modifications_per_order:
            raise order_error(TOO_MANY_MODIFICATIONS)
        terms = read_change(order, change, self.rules, self._last_paise(order.spec))
        self._progress.ask_change(order, terms, now)
        return order_id

    def cancel(self, order_id: str, now: datetime) -> str:
        """Kite's `DELETE /orders/regular/:id`.

        Until it arrives the order may still fill; raises VenueRefusal.
        """
        self.advance(now)
        self._quota.take(now)
        order = self._changeable(order_id, BEING_PROCESSED_CANCEL)
        self._progress.ask_cancel(order, now)
        return order_id

    def square_off_mis(self, now: datetime) -> list[str]:
        """The broker's own square-off: MIS orders cancelled, MIS positions closed at market, each order
        charged.
        """
        self.advance(now)
        for order in self._progress.working_orders():
            if order.product is Product.MIS:
                self._progress.cancel_at_once(order, now, "Cancelled by RMS: MIS square-off")
        placed: list[str] = []
        for (_, product), position in list(self.ledger.positions.items()):
            if product is not Product.MIS or not position.quantity:
                continue
            largest = position.spec.freeze_quantity or abs(position.quantity)
            largest -= largest % position.spec.lot_size
            for start in range(0, abs(position.quantity), largest):
                quantity = min(largest, abs(position.quantity) - start)
                placed.append(self._square_off(position.spec, position.quantity > 0, quantity, now))
        return placed

    def _square_off(self, spec: InstrumentSpec, is_long: bool, quantity: int, now: datetime) -> str:
        request = {
            "exchange": spec.exchange,
            "tradingsymbol": spec.tradingsymbol,
            "transaction_type": Side.SELL if is_long else Side.BUY,
            "order_type": OrderType.MARKET,
            "quantity": quantity,
            "product": Product.MIS,
            "market_protection": -1,
        }
        order_id = self._receive(request, now, "RMS")
        self.ledger.charge(f"square-off/{order_id}", to_paise(self.rules.square_off_charge_inr))
        return order_id

    # what a client reads

    def order_rows(self) -> list[Row]:
        """`GET /orders`, in the order they were placed."""
        return [dict(order.history[-1]) for order in self.orders.values()]

    def order_history_rows(self, order_id: str) -> list[Row]:
        """`GET /orders/:id`: the states it went through, oldest first.

        Raises VenueRefusal for an unknown id.
        """
        if order_id not in self.orders:
            raise no_such_order(order_id)
        return [dict(row) for row in self.orders[order_id].history]

    def trade_rows(self, order_id: str | None = None) -> list[Row]:
        """`GET /trades`, or `/orders/:id/trades`."""
        return [
            kite_rows.trade_row(execution)
            for execution in self.ledger.executions
            if order_id is None or execution.order_id == order_id
        ]

    def position_rows(self) -> dict[str, list[Row]]:
        """`GET /portfolio/positions`."""
        rows = [
            kite_rows.position_row(position, self._last_paise(position.spec))
            for position in self.ledger.positions.values()
        ]
        return {"net": rows, "day": [dict(row) for row in rows]}

    def margin_rows(self) -> Row:
        """`GET /user/margins`."""
        used = self._progress.margin_used_paise()
        return kite_rows.margins_row(self.ledger, used, self._progress.last_prices())

    def order_margin_rows(self, requests: Iterable[Mapping[str, Any]], now: datetime) -> list[Row]:
        """`POST /margins/orders`: what each needs beside what is open. Raises VenueRefusal for bad input."""
        rows = []
        for request in requests:
            new = self._read(request)
            order = self._order_of(new, "margin", now, self.user_id)
            price = order.price_paise or self._last_paise(new.spec)
            charges = charges_of_value(
                segment_of(new.spec),
                new.side,
                to_inr(price * new.quantity),
                trade_date=now.date(),
                exchange=new.spec.exchange,
            )
            names = (str(new.spec.exchange), new.spec.tradingsymbol)
            rows.append(
                kite_rows.order_margin_row(names, self._progress.margin_required_paise(order), charges)
            )
        return rows

    def drain_updates(self) -> list[Row]:
        """Order updates since the last call, oldest first, in Kite's postback shape (`checksum` empty)."""
        updates, self._progress.updates = self._progress.updates, []
        return updates

    def first_extreme(self, token: int) -> str | None:
        """Which extreme of a bar triggers the nearest resting stop: LOW, HIGH, or None without a stop."""
        stops = self._progress.matcher.resting_stops(token)
        if not stops:
            return None
        last = self._progress.matcher.last_paise(token)
        nearest = min(stops, key=lambda side: (abs(stops[side] - last), side))
        return "LOW" if nearest is Side.SELL else "HIGH"

    def digest(self) -> str:
        """Hex SHA-256 over every state an order went through and every execution, in order."""
        return self._progress.digest.hex()

    # from request to order

    def _last_paise(self, spec: InstrumentSpec) -> int:
        return self._progress.matcher.last_paise(spec.instrument_token)

    def _read(self, request: Mapping[str, Any]) -> NewOrder:
        spec = find_spec(request, self.specs)
        return read_place(request, spec, self.rules, self._last_paise(spec))

    def _receive(self, request: Mapping[str, Any], now: datetime, placed_by: str) -> str:
        new = self._read(request)
        if not MARKET_OPENS <= now.time() < continuous_close(new.spec, now.date()):
            raise bad_input("Markets are closed right now. Place an after market order or wait for the open.")
        self._order_number += 1
        order_id = f"{now:%y%m%d}{self._order_number:09d}"
        self._progress.submit(self._order_of(new, order_id, now, placed_by))
        return order_id

    def _order_of(self, new: NewOrder, order_id: str, now: datetime, placed_by: str) -> VenueOrder:
        return VenueOrder(
            order_id=order_id,
            spec=new.spec,
            side=new.side,
            product=new.product,
            order_type=new.order_type,
            quantity=new.quantity,
            price_paise=new.price_paise,
            trigger_paise=new.trigger_paise,
            tag=new.tag,
            placed_by=placed_by,
            placed_at=now,
            validity=new.validity,
            protection_pct=new.protection_pct,
        )

    def _changeable(self, order_id: str, being_processed: str) -> VenueOrder:
        order = self.orders.get(order_id)
        if order is None:
            raise no_such_order(order_id)
        # Both answers have been seen for an order that was already filled or cancelled.
        if order.is_closed and self._words.random() < 0.5:
            raise no_such_order(order_id)
        if order.status not in AT_REST:
            raise order_error(being_processed)
        return order
