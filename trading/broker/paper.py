"""The paper exchange's core as a broker, in this process: for whole-day replays and the fault simulation.

Its rows and refusals go through the same translation as Kite's: a replay reads its books as the live program
does.
"""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from random import Random
from typing import TypeVar

from trading.broker.base import BrokerError
from trading.broker.kite import parse
from trading.broker.kite.books import Book
from trading.broker.kite.errors import KiteFailure, Stage, read_error, write_error
from trading.core.clocks import VirtualClocks
from trading.core.values import FillReport, Funds, OrderChange, OrderReport, OrderRequest, PositionReport
from trading.exchange.rules import Latency, VenueRefusal
from trading.exchange.venue import Venue

Answer = TypeVar("Answer")
Report = TypeVar("Report", OrderReport, FillReport, PositionReport)

#: one way of an HTTP call; a round trip has two
ONE_WAY = Latency(mean_ms=30.0, least_ms=8.0, most_ms=200.0)


class PaperBroker:
    """`Broker` over a Venue. Each call costs drawn time: clocks and venue go on before it acts and after.

    `seed` names the stream of latencies, so the same seed gives the same day. `latency` is one way of a call;
    a mean of 0 makes calls free.
    """

    is_real_money = False

    def __init__(self, venue: Venue, clocks: VirtualClocks, *, seed: int, latency: Latency = ONE_WAY) -> None:
        self.venue_session: str = venue.venue_session
        self._venue = venue
        self._clocks = clocks
        self._latency = latency
        self._stream = Random(f"{seed}/http")
        self._orders = Book(parse.order_reports, "order_id")
        self._fills = Book(parse.fill_reports, "trade_id")

    def place(self, request: OrderRequest) -> str:
        fields = parse.place_fields(request)
        return self._write(lambda: self._venue.place(fields, self._clocks.market_now()))

    def modify(self, broker_order_id: str, change: OrderChange) -> None:
        fields = parse.change_fields(change)
        self._write(lambda: self._venue.modify(broker_order_id, fields, self._clocks.market_now()))

    def cancel(self, broker_order_id: str) -> None:
        self._write(lambda: self._venue.cancel(broker_order_id, self._clocks.market_now()))

    def order_reports(self) -> list[OrderReport]:
        return _all(self._orders.read(self._read(self._venue.order_rows), self._today()))

    def order_history(self, broker_order_id: str) -> list[OrderReport]:
        rows = self._read(lambda: self._venue.order_history_rows(broker_order_id))
        return _all(parse.order_reports(rows, self._today()))

    def fill_reports(self) -> list[FillReport]:
        return _all(self._fills.read(self._read(self._venue.trade_rows), self._today()))

    def position_reports(self) -> list[PositionReport]:
        return _all(parse.position_reports(self._read(self._venue.position_rows)["net"]))

    def funds(self) -> Funds:
        return parse.funds(self._read(self._venue.margin_rows))

    def margin_required_inr(self, requests: Sequence[OrderRequest]) -> Decimal:
        orders = [parse.margin_fields(request) for request in requests]
        rows = self._read(lambda: self._venue.order_margin_rows(orders, self._clocks.market_now()))
        return parse.margin_required_inr(rows)

    def order_updates(self) -> list[OrderReport]:
        """What the update socket said since the last call, for free. It only wakes; the books are true."""
        return _all(parse.order_reports(self._venue.drain_updates(), self._today()))

    def _today(self) -> date:
        return self._clocks.market_now().date()

    def _read(self, call: Callable[[], Answer]) -> Answer:
        return self._call(call, read_error)

    def _write(self, call: Callable[[], Answer]) -> Answer:
        return self._call(call, write_error)

    def _call(self, call: Callable[[], Answer], error_of: Callable[[KiteFailure], BrokerError]) -> Answer:
        self._travel()
        try:
            return call()
        except VenueRefusal as refusal:
            failure = KiteFailure(
                refusal.message,
                stage=Stage.ANSWERED,
                http_status=refusal.http_status,
                error_type=refusal.error_type,
            )
            raise error_of(failure) from refusal
        finally:
            self._travel()

    def _travel(self) -> None:
        """One way of a call: time passes, and the venue does what is due by then."""
        self._clocks.move_by_ms(self._latency.draw_ms(self._stream))
        self._venue.advance(self._clocks.market_now())


def _all(read: tuple[list[Report], list[str]]) -> list[Report]:
    """Our own venue writes no row that cannot be read; one that does is a defect, not weather."""
    reports, problems = read
    if problems:
        raise parse.UnreadableRow("; ".join(problems))
    return reports
