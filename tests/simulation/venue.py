"""The venue of a simulated world: the real one, what brokers do behind one's back, and its books as they were."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trading.core.enums import Side
from trading.core.values import InstrumentSpec
from trading.exchange import kite_rows
from trading.exchange.acceptance import Refused
from trading.exchange.intake import NewOrder
from trading.exchange.ledger import Execution, Position
from trading.exchange.orders import KiteStatus, VenueOrder
from trading.exchange.rules import VenueRules, no_such_order
from trading.exchange.venue import Row, Venue


class TimedRows(list[Row]):
    """An order's history that knows when each row was added, to the microsecond."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._now = now
        self.times: list[datetime] = []

    def append(self, row: Row) -> None:
        self.times.append(self._now())
        super().append(row)

    def as_of(self, moment: datetime) -> list[Row]:
        """The rows that were there at a moment, oldest first."""
        return [row for row, at in zip(self, self.times, strict=True) if at <= moment]


@dataclass(slots=True)
class Hook:
    """What the next order to be placed meets."""

    reject: bool = False
    extra_delay_s: float = 0.0


class SimulatedVenue(Venue):
    """A Venue whose orders can be rejected, delayed and raised from the dead; its books can be read as they were."""

    def __init__(
        self,
        instruments: Iterable[InstrumentSpec],
        rules: VenueRules,
        *,
        now: Callable[[], datetime],
        **options: Any,
    ) -> None:
        super().__init__(instruments, rules, **options)
        self._now = now
        self.hook = Hook()
        self.seen_executions = 0

    def _order_of(self, new: NewOrder, order_id: str, now: datetime, placed_by: str) -> VenueOrder:
        order = super()._order_of(new, order_id, now, placed_by)
        order.history = TimedRows(self._now)
        return order

    def place_hooked(self, request: dict[str, Any], now: datetime, hook: Hook) -> str:
        """Place an order to which something happens on its way."""
        progress = self._progress
        if hook.extra_delay_s:
            usual = progress._draw_latency
            wait = timedelta(seconds=hook.extra_delay_s)
            progress._draw_latency = lambda: usual() + wait  # type: ignore[method-assign]  # for this one order
        try:
            order_id = self.place(request, now)
        finally:
            progress.__dict__.pop("_draw_latency", None)
        if hook.reject:
            refusal = Refused("RMS: the order was rejected", "16388 : RMS:Rejected")
            progress._reject(self.orders[order_id], refusal, now)
        return order_id

    def raise_from_dead(self, order: VenueOrder, now: datetime) -> bool:
        """A zombie: an order reported cancelled is executed after all, at the market. False where it cannot be."""
        last = self._progress.matcher.last_paise(order.spec.instrument_token)
        if order.status is not KiteStatus.CANCELLED or not order.cancelled or not last:
            return False
        quantity, order.cancelled = order.cancelled, 0
        order.status = KiteStatus.OPEN
        self._progress._fill(order, order.price_paise or last, quantity, now)
        return True

    # books as they were

    def order_rows_as_of(self, moment: datetime) -> list[Row]:
        found = []
        for order in self.orders.values():
            rows = _timed(order).as_of(moment)
            if rows:
                found.append(dict(rows[-1]))
        return found

    def order_history_as_of(self, order_id: str, moment: datetime) -> list[Row]:
        """Raises VenueRefusal where the order was not there yet."""
        order = self.orders.get(order_id)
        rows = _timed(order).as_of(moment) if order else []
        if not rows:
            raise no_such_order(order_id)
        return [dict(row) for row in rows]

    def trade_rows_as_of(self, moment: datetime) -> list[Row]:
        return [
            kite_rows.trade_row(execution)
            for execution in self.ledger.executions
            if execution.filled_at <= moment
        ]

    def position_rows_as_of(self, moment: datetime) -> dict[str, list[Row]]:
        positions: dict[tuple[int, str], Position] = {}
        for execution in self.ledger.executions:
            if execution.filled_at <= moment:
                _add(positions, execution)
        rows = [
            kite_rows.position_row(position, self._last_paise(position.spec))
            for position in positions.values()
        ]
        return {"net": rows, "day": [dict(row) for row in rows]}

    # truth for the oracle

    def new_executions(self) -> list[Execution]:
        """Executions since the last call."""
        fresh = self.ledger.executions[self.seen_executions :]
        self.seen_executions += len(fresh)
        return fresh

    def touch_paise(self, spec: InstrumentSpec, side: Side) -> int:
        """The best quote an order of this side trades with; the last price where no quote is left."""
        market = self._progress.matcher.market(spec.instrument_token)
        levels = market.opposite(side)
        return levels[0][0] if levels else market.last_paise

    def last_paise(self, spec: InstrumentSpec) -> int:
        return self._last_paise(spec)


def _timed(order: VenueOrder) -> TimedRows:
    if not isinstance(order.history, TimedRows):
        raise TypeError(f"order {order.order_id} has no timed history")
    return order.history


def _add(positions: dict[tuple[int, str], Position], execution: Execution) -> None:
    key = (execution.spec.instrument_token, execution.product.value)
    if key not in positions:
        positions[key] = Position(spec=execution.spec, product=execution.product)
    positions[key].add(execution.side, execution.quantity, execution.price_paise)
