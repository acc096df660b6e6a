"""How orders come about: each request's way through broker and exchange in time, fills booked, every state
told.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any, Final

from trading.core.enums import OrderType
from trading.core.values import InstrumentSpec
from trading.exchange import kite_rows
from trading.exchange.acceptance import (
    Refused,
    check_circuits,
    check_limit_protection,
    check_margin,
    check_mis_time,
    circuits_paise,
)
from trading.exchange.closing_auction import ClosingAuction, continuous_ends_at, matched_at
from trading.exchange.contracts import CONTINUOUS_SINCE, has_closing_auction
from trading.exchange.conversion import Conversion, check_affordable
from trading.exchange.intake import AMO, AT_MARKET, NewOrder
from trading.exchange.ledger import Execution, Ledger
from trading.exchange.linked import Links, Make
from trading.exchange.matching import Matcher, Packets, protected_limit
from trading.exchange.orders import CLOSED, KiteStatus, Terms, VenueOrder
from trading.exchange.rules import VenueRefusal, VenueRules
from trading.exchange.schedule import Schedule, Step

Row = dict[str, Any]
#: so many ids are an account's own
NUMBERS_OF_AN_ACCOUNT: Final = 1_000_000


class Progress:
    """Owner of the orders, the ledger and the matcher.

    Times are market time; `advance` before anything at `now`.
    """

    def __init__(
        self,
        rules: VenueRules,
        *,
        seed: int | str,
        capital_paise: int,
        user_id: str,
        venue_session: str,
        make: Make,
        packets: Packets,
        auction: ClosingAuction,
        number: int,
    ) -> None:
        self.orders: dict[str, VenueOrder] = {}
        self._working: dict[str, VenueOrder] = {}
        self.ledger = Ledger(capital_paise, rules)
        self.auction = auction
        self.matcher = Matcher(self._fill, self._trigger, packets)
        self.updates: list[Row] = []
        self.digest = sha256(f"{seed}/{venue_session}".encode()).digest()
        self.links = Links(make, self.submit, rules)
        self._rules = rules
        self._user_id = user_id
        self._latency = Random(f"{seed}/latency")
        self._schedule = Schedule()
        self._priority = 0
        self._exchange_number = Random(f"{seed}/{venue_session}/exchange").randrange(100_000, 900_000)
        self._exchange_number += number * NUMBERS_OF_AN_ACCOUNT

    def advance(self, now: datetime) -> None:
        """Do everything due up to `now`, in time order."""
        self.auction.look(now)
        for step in self._schedule.due(now):
            getattr(self, f"_{step.verb}")(step)

    def next_event_at(self) -> datetime | None:
        return self._schedule.next_at()

    def use_rules(self, rules: VenueRules) -> None:
        """Other rules from now on; what was decided by the old ones stands."""
        self._rules = self.links.rules = self.ledger.rules = rules

    def begin(self, order: VenueOrder, asked: NewOrder) -> None:
        """A received order starts its way, or waits for the market to open."""
        self.links.begin(order, asked)
        if order.variety == AMO:
            self._wait_for_open(order)
        else:
            self.submit(order)

    def _wait_for_open(self, order: VenueOrder) -> None:
        now = order.placed_at
        self.orders[order.order_id] = order
        self._move(order, KiteStatus.AMO_RECEIVED, now)
        opens_at = datetime.combine(now.date(), CONTINUOUS_SINCE, now.tzinfo)
        if now < opens_at:
            self._schedule.add(opens_at, "open_up", order)

    def _open_up(self, step: Step) -> None:
        """The market opens; where nothing has traded yet, the order waits for that."""
        if self.matcher.last_paise(step.order.spec.instrument_token):
            self.submit(step.order, step.at)
        else:
            self._schedule.add(step.at + timedelta(seconds=1), "open_up", step.order)

    def submit(self, order: VenueOrder, now: datetime | None = None) -> None:
        """An order goes its way: validation, the exchange's gate, the exchange. `now` None: when it was placed."""
        now = now or order.placed_at
        self.orders[order.order_id] = order
        self._move(order, KiteStatus.RECEIVED, now)
        delay = self._draw_latency()
        for share, verb in ((1, "validate"), (2, "pass_on"), (3, "reach_exchange")):
            self._schedule.add(now + delay * share / 3, verb, order)

    def ask_change(self, order: VenueOrder, terms: Terms, now: datetime) -> None:
        """A checked modify starts its way; until it arrives the order trades on its old terms."""
        order.modifications += 1
        if order.status is KiteStatus.AMO_RECEIVED:
            self._change_waiting(order, terms, now)
            return
        self._move(order, KiteStatus.MODIFY_VALIDATING, now)
        delay = self._draw_latency()
        self._schedule.add(now + delay / 2, "pass_change_on", order)
        self._schedule.add(now + delay, "apply_change", order, terms)

    def _change_waiting(self, order: VenueOrder, terms: Terms, now: datetime) -> None:
        order.order_type, order.quantity, order.validity = terms.order_type, terms.quantity, terms.validity
        order.price_paise, order.trigger_paise = terms.price_paise, terms.trigger_paise
        order.protection_pct = terms.protection_pct or order.protection_pct
        order.is_modified = True
        self._move(order, KiteStatus.AMO_RECEIVED, now, is_told=True)

    def ask_cancel(self, order: VenueOrder, now: datetime) -> None:
        """A cancel starts its way; until it arrives the order may still fill."""
        if order.status is KiteStatus.AMO_RECEIVED:
            self._cancel(order, now)
            return
        self._move(order, KiteStatus.CANCELLING, now)
        self._schedule.add(now + self._draw_latency(), "apply_cancel", order)

    def cancel_at_once(self, order: VenueOrder, now: datetime, message: str) -> None:
        """The broker itself takes an order out."""
        order.status_message = order.status_message_raw = message
        self._cancel(order, now)

    def convert(self, asked: Conversion, now: datetime) -> None:
        """Move a held position to another product; raises VenueRefusal where the margin is short."""
        last, working, before = self.last_prices(), self.working_orders(), dict(self.ledger.positions)
        used = self.ledger.margin_used_paise(working, last)
        available = self.ledger.available_paise(used, last)
        self.ledger.positions = {key: replace(position) for key, position in before.items()}
        self.ledger.convert(asked.spec, asked.side, asked.quantity, asked.old, asked.new)
        try:
            check_affordable(max(self.ledger.margin_used_paise(working, last) - used, 0), available)
        except VenueRefusal:
            self.ledger.positions = before
            raise
        self._log(f"{now.isoformat()}|convert|{asked.spec.instrument_token}|{asked.quantity}|{asked.new}")

    def working_orders(self) -> list[VenueOrder]:
        """Orders not yet closed, oldest first."""
        return list(self._working.values())

    def last_prices(self, *orders: VenueOrder) -> dict[int, int]:
        """Last price by token of everything held, working, or among `orders`; paise, 0 where unseen."""
        tokens = {token for token, _ in self.ledger.positions}
        tokens |= {order.spec.instrument_token for order in (*self.working_orders(), *orders)}
        return {token: self.matcher.last_paise(token) for token in tokens}

    def circuits_of(self, spec: InstrumentSpec) -> tuple[int, int]:
        """Lower and upper price limit now in force, paise; (0, 0) where there is none."""
        return self.auction.band(spec) or circuits_paise(spec, self._rules.circuit_pct)

    def margin_used_paise(self) -> int:
        return self.ledger.margin_used_paise(self.working_orders(), self.last_prices())

    def margin_required_paise(self, order: VenueOrder) -> int:
        """What an order adds to the margin the others use; 0 for one that only closes."""
        others = [working for working in self.working_orders() if working is not order]
        last = self.last_prices(order)
        before = self.ledger.margin_used_paise(others, last)
        return max(self.ledger.margin_used_paise([*others, order], last) - before, 0)

    def _draw_latency(self) -> timedelta:
        return timedelta(milliseconds=self._rules.latency.draw_ms(self._latency))

    def _validate(self, step: Step) -> None:
        self._move(step.order, KiteStatus.VALIDATING, step.at)

    def _pass_on(self, step: Step) -> None:
        order, token = step.order, step.order.spec.instrument_token
        try:
            check_circuits(self.circuits_of(order.spec), order.price_paise, order.trigger_paise)
            held = self.ledger.quantity_of(token, order.product)
            check_mis_time(order, self._rules, held, step.at)
            self._check_margin(order)
        except Refused as refusal:
            self._reject(order, refusal, step.at)
        else:
            self._move(order, KiteStatus.OPENING, step.at)

    def _check_margin(self, order: VenueOrder) -> None:
        others = [working for working in self.working_orders() if working is not order]
        last = self.last_prices(order)
        used = self.ledger.margin_used_paise(others, last)
        required = max(self.ledger.margin_used_paise([*others, order], last) - used, 0)
        check_margin(required, self.ledger.available_paise(used, last))

    def _reach_exchange(self, step: Step) -> None:
        order, now = step.order, step.at
        last = self.matcher.last_paise(order.spec.instrument_token)
        order.exchange_order_id = self._next_exchange_id()
        order.exchange_at = order.updated_at = now
        try:
            self.auction.check(order, order, now)
            if order.order_type is OrderType.MARKET:
                self._protect(order, last)
            check_limit_protection(order.spec, order, last, self._rules)
        except Refused as refusal:
            self._reject(order, refusal, now)
            return
        self._await_end(order, now)
        self._enter(order, now)

    def _protect(self, order: VenueOrder, last_paise: int) -> None:
        """A market order goes to the exchange as a limit at its protection price."""
        if not last_paise:
            raise Refused("No last traded price: market orders are not possible before the first trade.")
        self._take_protected_limit(order)

    def _take_protected_limit(self, order: VenueOrder) -> None:
        limit = protected_limit(order, self.matcher.last_paise(order.spec.instrument_token))
        lower, upper = self.circuits_of(order.spec)
        order.price_paise = min(max(limit, lower), upper) if upper else limit
        if order.order_type is OrderType.MARKET:
            order.order_type = OrderType.LIMIT

    def _enter(self, order: VenueOrder, now: datetime) -> None:
        """Into the exchange's book, in the last place of its price."""
        self._priority += 1
        order.sequence = self._priority
        self._move(order, order.rest_status, now)
        if self.auction.phase(order.spec, now):
            return
        self.matcher.arrive(order, now)
        if not order.is_closed and order.validity == "IOC":
            self._cancel(order, now)

    def _pass_change_on(self, step: Step) -> None:
        self._move(step.order, KiteStatus.MODIFYING, step.at)

    def _apply_change(self, step: Step) -> None:
        order, terms, now = step.order, step.terms, step.at
        if terms is None:
            raise ValueError(f"a change of order {order.order_id} came without terms")
        try:
            self._check_change(order, terms, now)
        except Refused as refusal:
            order.status_message, order.status_message_raw = refusal.message, refusal.raw
            self._move(order, order.rest_status, now, is_told=True)
            return
        keeps_its_place = (
            terms.quantity <= order.quantity
            and terms.price_paise == order.price_paise
            and terms.order_type is order.order_type
            and terms.trigger_paise == order.trigger_paise
        )
        if not keeps_its_place:
            self.matcher.withdraw(order)
        self._take_terms(order, terms)
        order.is_modified, order.exchange_at, order.updated_at = True, now, now
        order.status_message = order.status_message_raw = None
        self._move(order, KiteStatus.MODIFIED, now, is_told=True)
        if keeps_its_place:
            self._move(order, order.rest_status, now)
        else:
            self._enter(order, now)

    def _check_change(self, order: VenueOrder, terms: Terms, now: datetime) -> None:
        """What may have happened while the change was on its way; raises Refused."""
        self.auction.check(order, terms, now)
        if terms.quantity <= order.filled:
            raise Refused(f"Quantity cannot be less than the filled quantity of {order.filled}.")
        if order.is_triggered and terms.trigger_paise not in (0, order.trigger_paise):
            raise Refused("Trigger price cannot be modified: the stoploss order has been triggered.")
        if terms.quantity > order.quantity:
            self._check_margin(replace(order, quantity=terms.quantity - order.quantity, filled=0))
        check_circuits(self.circuits_of(order.spec), terms.price_paise, terms.trigger_paise)
        if not order.is_triggered:
            last = self.matcher.last_paise(order.spec.instrument_token)
            check_limit_protection(order.spec, terms, last, self._rules)

    def _take_terms(self, order: VenueOrder, terms: Terms) -> None:
        order.order_type, order.quantity = terms.order_type, terms.quantity
        order.price_paise, order.trigger_paise = terms.price_paise, terms.trigger_paise
        order.validity = terms.validity
        if terms.protection_pct is not None:
            order.protection_pct = terms.protection_pct
        if order.order_type is OrderType.MARKET:
            self._take_protected_limit(order)

    def _apply_cancel(self, step: Step) -> None:
        self._cancel(step.order, step.at)

    _expire = _apply_cancel

    def _cancel(self, order: VenueOrder, now: datetime) -> None:
        self.matcher.withdraw(order)
        order.cancelled, order.updated_at = order.pending, now
        self._move(order, KiteStatus.CANCELLED, now)

    def _reject(self, order: VenueOrder, refusal: Refused, now: datetime) -> None:
        order.status_message, order.status_message_raw = refusal.message, refusal.raw
        self._move(order, KiteStatus.REJECTED, now)

    def _trigger(self, order: VenueOrder, now: datetime) -> None:
        """A stop whose trigger traded becomes a limit; the matcher then brings it to the market."""
        order.is_triggered, order.updated_at = True, now
        if order.order_type in AT_MARKET:
            self._take_protected_limit(order)
        if order.status is KiteStatus.TRIGGER_PENDING:
            self._move(order, KiteStatus.OPEN, now, is_told=True)

    def _fill(self, order: VenueOrder, price_paise: int, quantity: int, now: datetime) -> None:
        order.filled += quantity
        order.filled_value_paise += quantity * price_paise
        order.updated_at = now
        if not order.pending:
            self.matcher.withdraw(order)
        execution = Execution(
            trade_id=f"{10_000_000 + len(self.ledger.executions) + self._exchange_number}",
            order_id=order.order_id,
            exchange_order_id=order.exchange_order_id or "",
            spec=order.spec,
            side=order.side,
            product=order.product,
            quantity=quantity,
            price_paise=price_paise,
            filled_at=now,
            placed_at=order.placed_at,
        )
        self.ledger.book(execution, order)
        self._log(f"{now.isoformat()}|{execution.trade_id}|{order.order_id}|{quantity}|{price_paise}")
        self._move(order, order.status if order.pending else KiteStatus.COMPLETE, now, is_told=True)
        grown = self.links.after_fill(order, quantity, now)
        if grown is not None:
            self._move(grown, grown.status, now, is_told=True)

    def _move(self, order: VenueOrder, status: KiteStatus, now: datetime, *, is_told: bool = False) -> None:
        """Enter a state (or stay, for a partial fill) and keep the row; end states are always told."""
        order.status = status
        if status in CLOSED:
            self._working.pop(order.order_id, None)
        else:
            self._working[order.order_id] = order
        row = kite_rows.order_row(order)
        order.history.append(row)
        order.moments.append(now)
        self._log(f"{now.isoformat()}|{order.order_id}|{status}|{order.filled}|{order.price_paise}")
        if status in CLOSED:
            self.updates.append(kite_rows.update_row(row, self._user_id, status))
            self.links.after_end(order, now)
        elif is_told:
            self.updates.append(kite_rows.update_row(row, self._user_id, "UPDATE"))

    def _log(self, line: str) -> None:
        self.digest = sha256(self.digest + line.encode()).digest()

    def _next_exchange_id(self) -> str:
        self._exchange_number += 1
        return f"1{self._exchange_number:015d}"

    def _await_end(self, order: VenueOrder, now: datetime) -> None:
        """Continuous trading ends with the order, or brings it to the closing auction."""
        ends_at, has_auction = (
            continuous_ends_at(order.spec, now),
            has_closing_auction(order.spec, now.date()),
        )
        if order.ttl_min:
            self._schedule.add(min(ends_at, now + timedelta(minutes=order.ttl_min)), "expire", order)
        elif now < ends_at:
            self._schedule.add(ends_at, "carry_over" if has_auction else "expire", order)
        else:
            self._schedule.add(matched_at(now), "match_auction", order)

    def _carry_over(self, step: Step) -> None:
        if not self.auction.carries(step.order):
            self._cancel(step.order, step.at)
            return
        self.matcher.withdraw(step.order)
        self._schedule.add(matched_at(step.at), "match_auction", step.order)

    def _match_auction(self, step: Step) -> None:
        if price_paise := self.auction.meets(step.order):
            self._fill(step.order, price_paise, step.order.pending, step.at)
        else:
            self._cancel(step.order, step.at)
