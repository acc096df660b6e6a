"""Closing from the broker's books alone, for when the database is away: `flatten --direct` and the dead man.

The tag says which orders are ours and what they are for, so no row is needed. What is about to be sent is appended to
an fsynced file first; when the database is back the file is imported before the first pass.
"""

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from trading.broker.base import Broker, BrokerError, OutcomeUnknown
from trading.core import order_states
from trading.core.clocks import Clocks
from trading.core.enums import Exchange, OrderStatus, OrderType, Product, Role, Side
from trading.core.order_ids import kite_tag, order_client_id, plan_client_id, role_of_tag
from trading.core.values import OrderChange, OrderReport, OrderRequest, PositionReport

#: how far through the last price a closing limit goes; it fills at the best quotes on the way
THROUGH = Decimal("0.01")
#: a price on this grid is on every tick that NSE has for what we trade
WIDE_TICK = Decimal("0.50")
#: an order that was sent may be missing from the book so long, machine seconds; until then it is not sent again
BOOK_LAGS_S = 6.0
_TAG = re.compile(r'"tag": "(\w+)"')
WORKING = order_states.OPEN | {
    OrderStatus.PENDING_NEW,
    OrderStatus.PENDING_MODIFY,
    OrderStatus.PENDING_CANCEL,
}

#: exchange, tradingsymbol, product
Holding = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """What is ours in one holding: `held` signed units at the broker, and the orders of ours that work on it."""

    holding: Holding
    held: int
    last_price: Decimal
    entries: tuple[OrderReport, ...]
    exits: tuple[OrderReport, ...]

    @property
    def covered(self) -> int:
        """Units that working exits of ours can close."""
        return sum(report.quantity - report.filled_quantity for report in self.exits)

    @property
    def is_done(self) -> bool:
        return self.held == 0 and not self.entries and not self.exits


def exposures(reports: Sequence[OrderReport], positions: Sequence[PositionReport]) -> list[Exposure]:
    """What is ours at the broker, by holding. Never more than the broker's own net, never the other way round.

    Ours is what our tags executed; a position somebody else holds in the same instrument is left alone.
    """
    ours = [report for report in reports if role_of_tag(report.tag) is not None]
    net = {(one.exchange.value, one.tradingsymbol, one.product): one for one in positions}
    found = []
    for holding in sorted({_holding(report) for report in ours}):
        mine = [report for report in ours if _holding(report) == holding]
        executed = sum(report.side.sign * report.filled_quantity for report in mine)
        position = net.get(holding)
        at_broker = position.quantity if position else 0
        held = 0
        if executed * at_broker > 0:
            held = min(abs(executed), abs(at_broker)) * (1 if executed > 0 else -1)
        working = [report for report in mine if report.status in WORKING]
        found.append(
            Exposure(
                holding=holding,
                held=held,
                last_price=position.last_price if position else Decimal(0),
                entries=tuple(one for one in working if role_of_tag(one.tag) is Role.ENTRY),
                exits=tuple(one for one in working if role_of_tag(one.tag) is not Role.ENTRY),
            )
        )
    return found


def closing_price(side: Side, last_price: Decimal, own_limit: Decimal = Decimal(0)) -> Decimal:
    """A limit that trades now: one per cent through the last price, or the order's own where that goes further."""
    away = last_price * (1 - THROUGH if side is Side.SELL else 1 + THROUGH)
    rounding = ROUND_FLOOR if side is Side.SELL else ROUND_CEILING
    limit = (away / WIDE_TICK).to_integral_value(rounding=rounding) * WIDE_TICK
    if own_limit > 0:
        limit = min(limit, own_limit) if side is Side.SELL else max(limit, own_limit)
    return max(limit, WIDE_TICK).quantize(Decimal("0.01"))


@dataclass(slots=True)
class DirectFlatten:
    """One run: cancels entries, turns exits into closing ones, places what no exit covers, reads until flat."""

    broker: Broker
    clocks: Clocks
    journal: Path
    #: machine seconds between two looks
    wait: Callable[[float], object]
    day: str
    _changed: dict[str, int] = field(default_factory=dict)
    #: tags that the book or an earlier run's journal names
    _known: set[str] = field(default_factory=set)
    #: what was placed last for a holding: its tag, and until when (monotonic) the book may lack it
    _awaited: dict[Holding, tuple[str, float]] = field(default_factory=dict)

    @classmethod
    def begin(
        cls, broker: Broker, clocks: Clocks, journal: Path, wait: Callable[[float], object]
    ) -> "DirectFlatten":
        run = cls(broker, clocks, journal, wait, f"{clocks.market_now():%Y-%m-%d}")
        if journal.exists():
            run._known.update(_TAG.findall(journal.read_text(encoding="utf-8")))
        return run

    def run(self, within_s: float = 30.0) -> bool:
        """True when nothing of ours is held or works any more."""
        until_s = self.clocks.monotonic_s() + within_s
        while self.clocks.monotonic_s() < until_s:
            try:
                reports = self.broker.order_reports()
                left = exposures(reports, self.broker.position_reports())
            except BrokerError:
                self.wait(0.5)
                continue
            shown = {report.tag for report in reports}
            self._known |= shown
            self._awaited = {name: sent for name, sent in self._awaited.items() if sent[0] not in shown}
            if all(one.is_done for one in left):
                return True
            for one in sorted(left, key=lambda each: abs(each.held) * each.last_price, reverse=True):
                self._step(one)
            self.wait(0.3)
        return False

    def _step(self, one: Exposure) -> None:
        """Bring one holding nearer to flat. An order is changed at most every third look: the book lags."""
        for report in one.entries:
            self._once(report, partial(self._cancel, report))
        side = Side.SELL if one.held > 0 else Side.BUY
        for report in one.exits:
            if one.held == 0 or report.side is not side:
                self._once(report, partial(self._cancel, report))
            else:
                self._once(report, partial(self._close, report, one.last_price))
        bare = abs(one.held) - one.covered
        _, until_s = self._awaited.get(one.holding, ("", 0.0))
        if one.held and bare > 0 and not one.exits and self.clocks.monotonic_s() >= until_s:
            self._place(one, side, bare)

    def _once(self, report: OrderReport, act: Callable[[], None]) -> None:
        looks = self._changed.get(report.broker_order_id, 0)
        self._changed[report.broker_order_id] = looks + 1
        if looks % 3 == 0:
            act()

    def _close(self, report: OrderReport, last_price: Decimal) -> None:
        price = closing_price(report.side, last_price, report.price)
        change = OrderChange(order_type=OrderType.LIMIT, price=price)
        self._send(
            {"kind": "MODIFY", "broker_order_id": report.broker_order_id, "price": str(price)},
            lambda: self.broker.modify(report.broker_order_id, change),
        )

    def _cancel(self, report: OrderReport) -> None:
        self._send(
            {"kind": "CANCEL", "broker_order_id": report.broker_order_id},
            lambda: self.broker.cancel(report.broker_order_id),
        )

    def _place(self, one: Exposure, side: Side, quantity: int) -> None:
        """A closing order for what nothing covers. Its id is made from the holding and was never used before."""
        exchange, tradingsymbol, product = one.holding
        plan = plan_client_id({"direct": self.day, "holding": ":".join(one.holding), "side": str(side)})
        ids = (order_client_id(plan, Role.EXIT, attempt=attempt) for attempt in count())
        client_order_id = next(name for name in ids if kite_tag(Role.EXIT, name) not in self._known)
        request = OrderRequest(
            client_order_id=client_order_id,
            role=Role.EXIT,
            exchange=Exchange(exchange),
            tradingsymbol=tradingsymbol,
            side=side,
            quantity=quantity,
            product=Product(product),
            order_type=OrderType.LIMIT,
            price=closing_price(side, one.last_price),
            tag=kite_tag(Role.EXIT, client_order_id),
        )
        told = {
            "kind": "PLACE", "client_order_id": client_order_id, "tag": request.tag, "exchange": exchange,
            "tradingsymbol": tradingsymbol, "product": product, "side": str(side), "quantity": quantity,
            "price": str(request.price),
        }  # fmt: skip
        self._known.add(request.tag)
        if self._send(told, lambda: self.broker.place(request)):
            self._awaited[one.holding] = (request.tag, self.clocks.monotonic_s() + BOOK_LAGS_S)

    def _send(self, told: dict[str, Any], call: Callable[[], object]) -> bool:
        """The intent on disk first, then the call, then how it ended. False where nothing was done."""
        self._write({**told, "at": self.clocks.machine_now().isoformat(), "state": "intent"})
        try:
            outcome = {"outcome": "ACCEPTED", "value": str(call() or "")}
        except BrokerError as error:
            outcome = {"outcome": type(error).__name__, "value": str(error)}
        self._write({**told, **outcome, "at": self.clocks.machine_now().isoformat(), "state": "outcome"})
        return outcome["outcome"] in ("ACCEPTED", OutcomeUnknown.__name__)

    def _write(self, line: dict[str, Any]) -> None:
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with self.journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _holding(report: OrderReport) -> Holding:
    return (report.exchange.value, report.tradingsymbol, report.product)
