"""The paper exchange's core: one account's orders from Kite's request to its books, on market time handed in.

It speaks Kite's shapes (dicts of Kite Connect v3), so the exchange's server and the in-process broker read
the same rows. It has no clock, no thread and no I/O; equal seeds and equal calls give equal digests. A venue
can be pickled.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, time
from random import Random
from typing import Any

from trading.core.charges import charges_of_value, segment_of
from trading.core.enums import Product, Side
from trading.core.money import to_inr, to_paise
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange import kite_rows
from trading.exchange.acceptance import mis_until
from trading.exchange.closing_auction import TAKING, ClosingAuction
from trading.exchange.contracts import is_continuous
from trading.exchange.conversion import check_held, read_conversion
from trading.exchange.intake import AMO, REGULAR, NewOrder, find_spec, read_change, read_place
from trading.exchange.ledger import Ledger
from trading.exchange.linked import exit_terms
from trading.exchange.matching import Packets
from trading.exchange.orders import AT_REST, KiteStatus, VenueOrder
from trading.exchange.progress import NUMBERS_OF_AN_ACCOUNT, Progress
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
from trading.exchange.slicing import closing_requests, place_slices

Row = dict[str, Any]


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
        packets: Packets | None = None,
        number: int = 0,
    ) -> None:
        """`packets` are shared by the accounts of a market; `number` counts them and keeps their ids apart."""
        packets = packets or Packets()
        self.rules = rules
        self.user_id = user_id
        self.venue_session = venue_session
        self.specs = {(str(spec.exchange), spec.tradingsymbol): spec for spec in instruments}
        self._words = Random(f"{seed}/words")
        self._order_number = Random(f"{seed}/{venue_session}/ids").randrange(100_000, 900_000)
        self._order_number += number * NUMBERS_OF_AN_ACCOUNT
        self._quota = Quota(rules)
        #: when the broker's own square-off comes, soonest first
        self._square_offs: list[datetime] = []
        self._progress = Progress(
            rules,
            seed=seed,
            capital_paise=capital_paise,
            user_id=user_id,
            venue_session=venue_session,
            make=self._make,
            packets=packets,
            auction=ClosingAuction(self.specs.values(), packets, venue_session),
            number=number,
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
        self.advance(frame.received_at)
        self._progress.matcher.apply_frame(frame)

    def advance(self, now: datetime) -> None:
        """Do everything due up to `now`: requests that arrive, day orders that expire, the square-off."""
        while self._square_offs and self._square_offs[0] <= now:
            moment = self._square_offs.pop(0)
            self._progress.advance(moment)
            self.square_off_mis(moment, moment.time())
        self._progress.advance(now)

    def square_off_at_times(self, after: datetime) -> None:
        """From now on the broker squares MIS off by itself, at each instrument's time of the rules that day."""
        on = after.date()
        times = {until for spec in self.specs.values() if (until := mis_until(spec, self.rules, on))}
        moments = (datetime.combine(on, until, after.tzinfo) for until in sorted(times))
        self._square_offs = [moment for moment in moments if moment > after]

    def next_event_at(self) -> datetime | None:
        """When `advance` next has something to do without a frame; None when nothing is on its way."""
        due = self._progress.next_event_at()
        if not self._square_offs:
            return due
        return min(due, self._square_offs[0]) if due else self._square_offs[0]

    # what a client asks

    def place(self, request: Mapping[str, Any], now: datetime) -> str:
        """Kite's `POST /orders/regular`: the order_id.

        Raises VenueRefusal; a refusal for bad input counts in the quota.
        """
        self.advance(now)
        self._quota.take(now)
        return self._receive(request, now, self.user_id)

    def place_slices(self, request: Mapping[str, Any], now: datetime) -> Row:
        """Kite's `POST /orders/:variety` with `autoslice`: a parent and its children. One request to the quota.

        Raises VenueRefusal where nothing could be sliced; a slice that was refused says so among the children.
        """
        self.advance(now)
        self._quota.take(now)
        spec = find_spec(request, self.specs)

        def place(fields: Mapping[str, Any], tags: tuple[str, ...]) -> str:
            return self._receive(fields, now, self.user_id, tags)

        return place_slices(request, spec, self.rules.slices, self._new_id(now), place)

    def convert(self, fields: Mapping[str, Any], now: datetime) -> None:
        """Kite's `PUT /portfolio/positions`. Raises VenueRefusal."""
        self.advance(now)
        asked = read_conversion(fields, self.specs)
        check_held(asked, self.ledger)
        until = mis_until(asked.spec, self.rules, now.date())
        if asked.new is Product.MIS and until is not None and now.time() >= until:
            raise bad_input("MIS is blocked after the square-off time. The position stays as it is.")
        self._progress.convert(asked, now)

    def use_rules(self, rules: VenueRules, now: datetime) -> None:
        """Other rules from now on; what was decided by the old ones stands."""
        self.advance(now)
        self.rules = self._quota.rules = rules
        self._progress.use_rules(rules)
        if self._square_offs:
            self.square_off_at_times(now)

    def place_as_other(self, request: Mapping[str, Any], now: datetime, placed_by: str) -> str:
        """An order of the same account from elsewhere: the user's hand on the broker's own terminal, or its
        RMS.
        """
        self.advance(now)
        return self._receive(request, now, placed_by)

    def modify(self, order_id: str, change: Mapping[str, Any], now: datetime, *, variety: str = "") -> str:
        """Kite's `PUT /orders/:variety/:id`. Returning means asked, not done; raises VenueRefusal.

        `variety` empty takes the order by its id alone.
        """
        self.advance(now)
        self._quota.take(now)
        order = self._changeable(order_id, BEING_PROCESSED, variety)
        if order.modifications >= self.rules.modifications_per_order:
            raise order_error(TOO_MANY_MODIFICATIONS)
        terms = read_change(order, change, self.rules, self._last_paise(order.spec))
        self._progress.ask_change(order, terms, now)
        return order_id

    def cancel(self, order_id: str, now: datetime, *, variety: str = "") -> str:
        """Kite's `DELETE /orders/:variety/:id`.

        Until it arrives the order may still fill; raises VenueRefusal. The stop of a cover order is not
        cancelled: it becomes a market order, and so does the one of a filled cover order that is named itself.
        """
        self.advance(now)
        self._quota.take(now)
        covering = self._progress.links.stop_of(order_id)
        named = self.orders.get(order_id)
        is_exit = covering is not None and named is not None and named.is_closed
        order = self._changeable(
            covering.order_id if covering and is_exit else order_id, BEING_PROCESSED_CANCEL, variety
        )
        if order.parent_order_id is None:
            self._progress.ask_cancel(order, now)
        else:
            self._progress.ask_change(order, exit_terms(order, self.rules), now)
        return order_id

    def square_off_mis(self, now: datetime, until: time | None = None) -> list[str]:
        """The broker's own square-off: MIS orders cancelled, MIS positions closed at market, each order charged.

        With `until` only of the instruments whose time it is. Where the market has closed a position stays.
        """
        self.advance(now)

        def is_due(spec: InstrumentSpec) -> bool:
            return until in (None, mis_until(spec, self.rules, now.date()))

        for order in self._progress.working_orders():
            if order.product is Product.MIS and is_due(order.spec):
                self._progress.cancel_at_once(order, now, "Cancelled by RMS: MIS square-off")
        placed: list[str] = []
        for (_, product), position in list(self.ledger.positions.items()):
            spec = position.spec
            if product is not Product.MIS or not position.quantity or not is_due(spec):
                continue
            if not is_continuous(spec, now):
                continue
            for request in closing_requests(position):
                order_id = self._receive(request, now, "RMS")
                self.ledger.charge(f"square-off/{order_id}", to_paise(self.rules.square_off_charge_inr))
                placed.append(order_id)
        return placed

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

    def order_rows_as_of(self, moment: datetime) -> list[Row]:
        """The order book as it was at a moment; an order placed since is not in it."""
        found = ((order, bisect_right(order.moments, moment)) for order in self.orders.values())
        return [dict(order.history[count - 1]) for order, count in found if count]

    def order_history_as_of(self, order_id: str, moment: datetime) -> list[Row]:
        """As `order_history_rows`, as it was at a moment. Raises VenueRefusal where there was none."""
        order = self.orders.get(order_id)
        count = bisect_right(order.moments, moment) if order else 0
        if order is None or not count:
            raise no_such_order(order_id)
        return [dict(row) for row in order.history[:count]]

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

    def circuits_of(self, spec: InstrumentSpec) -> tuple[int, int]:
        """Lower and upper price limit now in force, paise; (0, 0) where there is none (an index)."""
        return self._progress.circuits_of(spec) if spec.tick_size_paise else (0, 0)

    # from request to order

    def _last_paise(self, spec: InstrumentSpec) -> int:
        return self._progress.matcher.last_paise(spec.instrument_token)

    def _read(self, request: Mapping[str, Any]) -> NewOrder:
        spec = find_spec(request, self.specs)
        return read_place(request, spec, self.rules, self._last_paise(spec))

    def _receive(
        self,
        request: Mapping[str, Any],
        now: datetime,
        placed_by: str,
        system_tags: tuple[str, ...] = (),
    ) -> str:
        new = self._read(request)
        is_open = is_continuous(new.spec, now) or self._progress.auction.phase(new.spec, now) in TAKING
        if not is_open and new.variety != AMO:
            raise bad_input("Markets are closed right now. Place an after market order or wait for the open.")
        if is_open and new.variety == AMO:
            raise bad_input("Markets are open right now. After market orders are taken outside market hours.")
        if system_tags:
            new = replace(new, system_tags=system_tags)
        order = self._make(new, now, placed_by)
        self._progress.begin(order, new)
        return order.order_id

    def _new_id(self, now: datetime) -> str:
        self._order_number += 1
        return f"{now:%y%m%d}{self._order_number:09d}"

    def _make(self, new: NewOrder, now: datetime, placed_by: str) -> VenueOrder:
        return self._order_of(new, self._new_id(now), now, placed_by)

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
            ttl_min=new.ttl_min,
            protection_pct=new.protection_pct,
            variety=new.variety,
            disclosed=new.disclosed,
            system_tags=new.system_tags,
        )

    def _changeable(self, order_id: str, being_processed: str, variety: str) -> VenueOrder:
        order = self.orders.get(order_id)
        if order is None:
            raise no_such_order(order_id)
        # Both answers have been seen for an order that was already filled or cancelled.
        if order.is_closed and self._words.random() < 0.5:
            raise no_such_order(order_id)
        if order.status not in AT_REST:
            raise order_error(being_processed)
        # Once the market is open an after market order is a regular one, though its row still says amo.
        is_let_in = order.variety == AMO and order.status is not KiteStatus.AMO_RECEIVED
        known_as = REGULAR if is_let_in else order.variety
        if variety not in ("", known_as):
            raise bad_input(f"Invalid `variety`. Order {order_id} is to be addressed as {known_as}.")
        return order
