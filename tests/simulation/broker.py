"""Kite as it may behave: a PaperBroker whose calls are lost, late, refused, and whose books lag."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol, TypeVar

from tests.simulation.rates import Fault, Happened, Rates
from tests.simulation.stage import Stage
from tests.simulation.venue import Hook, SimulatedVenue
from trading.broker.base import BrokerError
from trading.broker.kite import parse
from trading.broker.kite.errors import KiteFailure, read_error, write_error
from trading.broker.kite.errors import Stage as CallStage
from trading.broker.paper import PaperBroker
from trading.core.clocks import VirtualClocks
from trading.core.enums import Role
from trading.core.values import FillReport, OrderChange, OrderReport, OrderRequest, PositionReport
from trading.exchange.orders import KiteStatus
from trading.exchange.rules import Latency, VenueRefusal

Answer = TypeVar("Answer")
TIMEOUT_S = 7.0
REFUSALS = (
    (400, "OrderException", "RMS: blocked by the risk desk"),
    (400, "MarginException", "Insufficient funds. Check the orderbook for open orders."),
    (400, "InputException", "Invalid `price`."),
    (403, "PermissionException", "Insufficient permission for that call."),
)


class Listener(Protocol):
    """What the broker tells the world."""

    def seam(self, name: str) -> None: ...

    def is_open(self) -> bool: ...

    def trace(self, words: str) -> None: ...

    def sending(self, name: str, role: Role | None) -> None: ...

    def came_late(self, order_id: str) -> None: ...

    def swallowed(self, role: Role | None, late_s: float | None) -> None: ...


@dataclass(slots=True)
class Weather:
    """What the nemesis has in store for every connection of the account alike."""

    rates: Rates
    happened: Happened
    fault: Random
    latency: Random
    #: promised faults: each is spent by the first call it fits
    coming: list[Fault] = field(default_factory=list)
    burst_until: datetime | None = None
    token_dead: bool = False
    is_healed: bool = False
    #: orders executed whole that the order book calls cancelled
    odd_order_ids: set[str] = field(default_factory=set)
    #: (from, until) in which the broker refused all of ours
    refusing: list[tuple[datetime, datetime]] = field(default_factory=list)

    def strikes(self, fault: Fault, rate: float) -> bool:
        """Whether this fault comes now: it was promised, or the dice say so. Always takes one number."""
        rolled = self.fault.random() < rate
        if self.is_healed:
            return False
        if fault in self.coming:
            self.coming.remove(fault)
            return True
        return rolled


class FaultyBroker(PaperBroker):
    """One process's connection to the broker. Calls take virtual time, in which everybody else goes on."""

    def __init__(
        self,
        venue: SimulatedVenue,
        clocks: VirtualClocks,
        stage: Stage,
        weather: Weather,
        told: Listener,
        seed: int,
    ) -> None:
        super().__init__(venue, clocks, seed=seed, latency=Latency(mean_ms=0))
        self._sim = venue
        self._stage = stage
        self._weather = weather
        self._told = told
        self._way = Latency(mean_ms=weather.rates.latency_ms / 2, least_ms=5, most_ms=3_000, spread=0.8)

    def place(self, request: OrderRequest) -> str:
        fields = parse.place_fields(request)
        weather = self._weather
        hook = Hook()
        if weather.strikes(Fault.REJECTED, weather.rates.rejection):
            self._note(Fault.REJECTED, 3)
            hook.reject = True
        if weather.strikes(Fault.LATE_ORDER, weather.rates.late_order):
            hook.extra_delay_s = weather.fault.uniform(1, 90)
            self._note(Fault.LATE_ORDER, hook.extra_delay_s + 5)

        def apply() -> str:
            order_id = self._sim.place_hooked(fields, self._stage.now, hook)
            if hook.extra_delay_s:
                self._told.came_late(order_id)
            return order_id

        return self._send(
            f"place {request.role} {request.quantity} {request.tradingsymbol}", apply, request.role
        )

    def modify(self, broker_order_id: str, change: OrderChange) -> None:
        fields = parse.change_fields(change)
        is_odd = self._sim.rules.modified_quantity != "total"
        if is_odd and "quantity" in fields and self._sim.orders[broker_order_id].filled:
            self._note(Fault.ODD_QUANTITY, 5)
        self._send(
            f"modify {broker_order_id[-3:]} {fields}",
            lambda: self._sim.modify(broker_order_id, fields, self._stage.now),
        )

    def cancel(self, broker_order_id: str) -> None:
        self._send(
            f"cancel {broker_order_id[-3:]}", lambda: self._sim.cancel(broker_order_id, self._stage.now)
        )

    def order_reports(self) -> list[OrderReport]:
        rows = self._fetch("order book", lambda at: self._sim.order_rows_as_of(at))
        for row in rows:
            if row["order_id"] in self._weather.odd_order_ids:
                row["status"] = KiteStatus.CANCELLED.value
        return _sure(self._orders.read(rows, self._today()))

    def order_history(self, broker_order_id: str) -> list[OrderReport]:
        rows = self._fetch("history", lambda at: self._sim.order_history_as_of(broker_order_id, at))
        return _sure(parse.order_reports(rows, self._today()))

    def fill_reports(self) -> list[FillReport]:
        rows = self._fetch("trade book", lambda at: self._sim.trade_rows_as_of(at))
        return _sure(self._fills.read(rows, self._today()))

    def position_reports(self) -> list[PositionReport]:
        rows = self._fetch("positions", lambda at: self._sim.position_rows_as_of(at))
        return _sure(parse.position_reports(rows["net"]))

    def _call(self, call: Callable[[], Answer], error_of: Callable[[KiteFailure], BrokerError]) -> Answer:
        """The reads that no fault of its own meets: funds and margins."""
        if error_of is write_error:
            raise TypeError("a write must go through _send")
        answer: Answer = self._fetch("margins", lambda _: call())
        return answer

    # one call

    def _fetch(self, name: str, read: Callable[[datetime], Any]) -> Any:
        self._told.seam(f"before {name}")
        stall_s = self._stall_s()
        self._go_there(stall_s)
        try:
            if stall_s > TIMEOUT_S:
                raise read_error(KiteFailure("read timed out", stage=CallStage.UNANSWERED))
            self._stand_at_the_gate()
            answer = read(self._stage.now - self._lag(name))
        except VenueRefusal as refusal:
            self._go_there()
            raise read_error(_failure(refusal)) from refusal
        self._go_there()
        self._told.seam(f"after {name}")
        return answer

    def _lag(self, name: str) -> timedelta:
        weather = self._weather
        if not weather.strikes(Fault.BOOK_LAG, weather.rates.lag_share) or name == "margins":
            return timedelta()
        lag_s = weather.fault.uniform(0, 5)
        self._note(Fault.BOOK_LAG, 5)
        return timedelta(seconds=lag_s)

    def _send(self, name: str, apply: Callable[[], str], role: Role | None = None) -> str:
        weather = self._weather
        self._told.seam(f"before {name}")
        self._told.sending(name, role)
        began = self._stage.now
        stall_s = self._stall_s()
        self._go_there(min(stall_s, TIMEOUT_S - 1))
        is_lost = weather.strikes(Fault.CALL_LOST, weather.rates.call_lost)
        is_mute = weather.strikes(Fault.REPLY_LOST, weather.rates.reply_lost)
        is_late = weather.strikes(Fault.LATE_CALL, weather.rates.late_call)
        is_refused = weather.strikes(Fault.REFUSED, weather.rates.rejection)
        try:
            self._stand_at_the_gate()
            if is_refused:
                self._note(Fault.REFUSED, 3)
                raise VenueRefusal(*weather.fault.choice(REFUSALS))
            if is_lost or is_late or stall_s > TIMEOUT_S:
                self._lose(apply, began, role, is_late=is_late, stall_s=stall_s)
            answer = apply()
        except VenueRefusal as refusal:
            self._go_there()
            self._told.trace(f"  refused: {refusal.message}")
            self._told.seam(f"after {name}")
            raise write_error(_failure(refusal)) from refusal
        if is_mute:
            self._note(Fault.REPLY_LOST, 12)
            self._hear_nothing(began)
        self._go_there()
        self._told.seam(f"after {name}")
        return answer

    def _lose(
        self,
        apply: Callable[[], str],
        began: datetime,
        role: Role | None,
        *,
        is_late: bool,
        stall_s: float,
    ) -> None:
        """The request does not reach the broker now; a late one does so up to 90 s after, a stalled one sooner."""
        if is_late:
            wait_s = self._weather.fault.uniform(1, 90)
            self._note(Fault.LATE_CALL, wait_s + 10)
            self._told.swallowed(role, wait_s)
            self._stage.after(wait_s, lambda: self._arrive(apply))
        elif stall_s > TIMEOUT_S:
            self._stage.after(stall_s - TIMEOUT_S, lambda: self._arrive(apply))
        else:
            self._note(Fault.CALL_LOST, 12)
            self._told.swallowed(role, None)
        self._hear_nothing(began)

    def _arrive(self, apply: Callable[[], str]) -> None:
        try:
            self._told.came_late(apply())
        except VenueRefusal as refusal:
            self._told.trace(f"late call refused: {refusal.message}")
        else:
            self._told.trace("late call arrived")

    def _hear_nothing(self, began: datetime) -> None:
        """A time-out seven seconds after the call began, or a dead keep-alive socket at once."""
        is_reset = self._weather.fault.random() < 0.5
        left_s = TIMEOUT_S - (self._stage.now - began).total_seconds()
        self._stage.pass_time(20 if is_reset else max(left_s, 0.02) * 1000)
        self._told.seam("after no answer")
        words = "connection reset" if is_reset else "read timed out"
        raise write_error(KiteFailure(words, stage=CallStage.UNANSWERED))

    def _stand_at_the_gate(self) -> None:
        weather, now = self._weather, self._stage.now
        if weather.token_dead:
            raise VenueRefusal(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        if weather.burst_until is not None and now < weather.burst_until:
            raise VenueRefusal(429, "NetworkException", "Too many requests")

    def _stall_s(self) -> float:
        """How long this call hangs, beyond its ordinary latency."""
        weather = self._weather
        if not weather.strikes(Fault.STALL, weather.rates.stall):
            return 0.0
        stall_s = weather.fault.uniform(1, 30)
        self._note(Fault.STALL, stall_s + 2)
        return stall_s

    def _go_there(self, stall_s: float = 0.0) -> None:
        """One way of a call; nobody waits longer than the client's time-out."""
        ms = self._way.draw_ms(self._weather.latency) + min(stall_s, TIMEOUT_S) * 1000
        self._stage.pass_time(ms)

    def _note(self, fault: Fault, lasts_s: float) -> None:
        self._weather.happened.note(fault, self._stage.now, lasts_s, is_open=self._told.is_open())
        self._told.trace(f"! {fault}")


def _failure(refusal: VenueRefusal) -> KiteFailure:
    return KiteFailure(
        refusal.message,
        stage=CallStage.ANSWERED,
        http_status=refusal.http_status,
        error_type=refusal.error_type,
    )


def _sure(read: tuple[Sequence[Any], list[str]]) -> list[Any]:
    reports, problems = read
    if problems:
        raise ValueError("; ".join(problems))
    return list(reports)
