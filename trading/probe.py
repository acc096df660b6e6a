"""The one-share probe: what exits rest on, shown at the broker itself before real money depends on it.

Kite's documents do not say whether a stop may become a LIMIT by a modify, and one staff post of 2017 is all there is
(kite-facts, last section). Flatten and every target do just that. So one share is asked for far from the market, where
it cannot fill: a stop, made larger, turned into a limit, cancelled; after each step the broker's own book must show it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from trading.broker.base import Broker, BrokerError
from trading.core.clocks import Clocks
from trading.core.enums import OrderStatus, OrderType, Product, Role, Side
from trading.core.money import to_inr
from trading.core.values import InstrumentSpec, OrderChange, OrderReport, OrderRequest, Quote

#: parts of the price between the market and the probe; inside every share's circuit limits and price band
AWAY: Final = Decimal("0.02")
SHOWS_WITHIN_S: Final = 10.0
LOOK_EVERY_S: Final = 0.3
#: no tag of ours: the order watcher must not take it for one of its own
TAG: Final = "PROBE"


class ProbeFailed(Exception):
    """A step that did not come out as exits need it; the text says which, and whether something is left behind."""


@dataclass(slots=True)
class Probe:
    """One run against one broker. `wait` takes machine seconds."""

    broker: Broker
    clocks: Clocks
    wait: Callable[[float], object]
    #: what was shown, a sentence each
    shown: list[str] = field(default_factory=list)

    def run(self, spec: InstrumentSpec, quote: Quote) -> list[str]:
        """Ask for one share of `spec`, a share of a cash market. Raises ProbeFailed."""
        broker_order_id = self._place(spec, quote)
        try:
            self._show(broker_order_id, "a stop rests", lambda one: one.order_type == OrderType.SL)
            self._change(broker_order_id, "made larger", OrderChange(quantity=2))
            self._show(broker_order_id, "its quantity was changed to 2", lambda one: one.quantity == 2)
            limit = _beyond(to_inr(quote.last_price_paise) * (1 - AWAY), spec, ROUND_FLOOR)
            self._change(
                broker_order_id, "turned into a limit", OrderChange(order_type=OrderType.LIMIT, price=limit)
            )
            self._show(
                broker_order_id,
                f"it was turned into a LIMIT at {limit}",
                lambda one: one.order_type == OrderType.LIMIT and one.price == limit,
            )
        finally:
            self._cancel(broker_order_id)
        return self.shown

    def _place(self, spec: InstrumentSpec, quote: Quote) -> str:
        trigger = _beyond(to_inr(quote.last_price_paise) * (1 + AWAY), spec, ROUND_CEILING)
        request = OrderRequest(
            client_order_id="probe",
            role=Role.STOP,
            exchange=spec.exchange,
            tradingsymbol=spec.tradingsymbol,
            side=Side.BUY,
            quantity=1,
            product=Product.MIS,
            order_type=OrderType.SL,
            price=_beyond(trigger, spec, ROUND_CEILING),
            trigger_price=trigger,
            tag=TAG,
        )
        try:
            return self.broker.place(request)
        except BrokerError as error:
            raise ProbeFailed(
                f"The broker did not take one share of {spec.tradingsymbol}: {error}"
            ) from error

    def _change(self, broker_order_id: str, what: str, change: OrderChange) -> None:
        try:
            self.broker.modify(broker_order_id, change)
        except BrokerError as error:
            raise ProbeFailed(f"The order could not be {what}: {error}") from error

    def _show(self, broker_order_id: str, what: str, is_so: Callable[[OrderReport], bool]) -> None:
        """Wait until the book shows it."""
        report = self._look(broker_order_id, lambda one: one.status == OrderStatus.ACCEPTED and is_so(one))
        if report is None:
            raise ProbeFailed(f"The book did not show within {SHOWS_WITHIN_S:.0f} s that {what}.")
        self.shown.append(what)

    def _cancel(self, broker_order_id: str) -> None:
        try:
            self.broker.cancel(broker_order_id)
        except BrokerError as error:
            self.shown.append(f"its cancel was answered: {error}")
        report = self._look(broker_order_id, lambda one: one.status == OrderStatus.CANCELED)
        if report is None or report.filled_quantity:
            raise ProbeFailed(
                f"Order {broker_order_id} may still rest or has filled: look at it in Kite and close it."
            )
        self.shown.append("it was cancelled")

    def _look(self, broker_order_id: str, is_so: Callable[[OrderReport], bool]) -> OrderReport | None:
        until_s = self.clocks.monotonic_s() + SHOWS_WITHIN_S
        while self.clocks.monotonic_s() < until_s:
            try:
                history = self.broker.order_history(broker_order_id)
            except BrokerError:
                history = []
            if history and is_so(history[-1]):
                return history[-1]
            self.wait(LOOK_EVERY_S)
        return None


def _beyond(price: Decimal, spec: InstrumentSpec, rounding: str) -> Decimal:
    """The next tick."""
    tick = to_inr(spec.tick_size_paise)
    return ((price / tick).to_integral_value(rounding=rounding) * tick).quantize(Decimal("0.01"))
