"""Kite as a broker, in any of its environments, over the official client."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

import structlog

from trading.broker.base import BrokerRefused
from trading.broker.kite import parse, venue_clock
from trading.broker.kite.books import Book
from trading.broker.kite.connection import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    KiteConnection,
    failures_as,
)
from trading.broker.kite.environment import KiteEnvironment
from trading.broker.kite.errors import KiteFailure, Stage, read_error, write_error
from trading.broker.kite.recorder import Recorder
from trading.broker.kite.venue_clock import VenueState
from trading.core.candles import Bars
from trading.core.clocks import Clocks
from trading.core.enums import Exchange, OrderType
from trading.core.values import (
    FillReport,
    Funds,
    OrderChange,
    OrderReport,
    OrderRequest,
    PositionReport,
    Quote,
)

log = structlog.get_logger(__name__)

Report = TypeVar("Report", OrderReport, FillReport, PositionReport)

VARIETY = "regular"
QUOTES_PER_CALL = 500
VENUE_STATE_PATH = "/_exchange/state"


class KiteBroker:
    """`Broker` over HTTP. Not for several threads at once: give each loop its own.

    A write is sent once and never again here; what its failure means is decided in `errors.write_error`.
    """

    def __init__(
        self,
        environment: KiteEnvironment,
        *,
        api_key: str,
        access_token: str,
        clocks: Clocks,
        venue_session: str = "",
        timeouts_s: tuple[float, float] = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
    ) -> None:
        self.environment = environment
        self.is_real_money = environment.is_real_money
        self._clocks = clocks
        self._kite = KiteConnection(
            environment, api_key=api_key, access_token=access_token, timeouts_s=timeouts_s
        )
        self._kite.venue_session = venue_session
        self._orders = Book(parse.order_reports, "order_id")
        self._fills = Book(parse.fill_reports, "trade_id")

    @property
    def venue_session(self) -> str:
        """The session of the books read last: a venue that begins a new one says so with its next answer."""
        return str(self._kite.venue_session)

    def record_to(self, recorder: Recorder | None) -> None:
        """Tell a recorder every order call and its answer."""
        self._kite.recorder = recorder

    def place(self, request: OrderRequest) -> str:
        self._check_type(request.order_type)
        with failures_as(write_error):
            return str(self._kite.place_order(**parse.place_fields(request)))

    def modify(self, broker_order_id: str, change: OrderChange) -> None:
        if change.order_type is not None:
            self._check_type(change.order_type)
        fields = parse.change_fields(change)
        with failures_as(write_error):
            self._kite.modify_order(variety=VARIETY, order_id=broker_order_id, **fields)

    def cancel(self, broker_order_id: str) -> None:
        with failures_as(write_error):
            self._kite.cancel_order(variety=VARIETY, order_id=broker_order_id)

    def order_reports(self) -> list[OrderReport]:
        return self._noting(self._orders.read(self._rows("orders"), self._today()))

    def order_history(self, broker_order_id: str) -> list[OrderReport]:
        rows = self._rows("order.info", order_id=broker_order_id)
        return self._noting(parse.order_reports(rows, self._today()))

    def fill_reports(self) -> list[FillReport]:
        # Not the client's own trades(): one row of the year 0 makes it lose the whole book.
        return self._noting(self._fills.read(self._rows("trades"), self._today()))

    def position_reports(self) -> list[PositionReport]:
        with failures_as(read_error):
            return self._noting(parse.position_reports(_list(_dict(self._kite.positions()).get("net"))))

    def funds(self) -> Funds:
        with failures_as(read_error), _readable():
            return parse.funds(_dict(self._kite.margins()))

    def margin_required_inr(self, requests: Sequence[OrderRequest]) -> Decimal:
        orders = [parse.margin_fields(request) for request in requests]
        with failures_as(read_error), _readable():
            rows = _list(self._kite.order_margins(orders))
            if len(rows) != len(orders):
                raise _unreadable(f"/margins/orders answered {len(rows)} of {len(orders)} orders")
            return parse.margin_required_inr(rows)

    def charges_inr(self, executed: Sequence[OrderReport]) -> list[Decimal]:
        """What the broker's virtual contract note says that each of these executed orders costs, in their order."""
        orders = [parse.note_fields(report) for report in executed]
        if not orders:
            return []
        with failures_as(read_error), _readable():
            rows = _list(self._kite.get_virtual_contract_note(orders))
            if len(rows) != len(orders):
                raise _unreadable(f"/charges/orders answered {len(rows)} of {len(orders)} orders")
            return [parse.note_charges_inr(row) for row in rows]

    def user_id(self) -> str:
        """Whose account the token opens: the cheap probe that the login is alive."""
        with failures_as(read_error):
            return str(_dict(self._kite.profile()).get("user_id") or "")

    def quotes(self, names: Sequence[str]) -> dict[str, Quote]:
        """The market of up to 500 instruments named "NSE:INFY", circuit limits included; Kite allows one call
        a second.

        An instrument without data is absent from the answer. Raises ValueError for more than 500.
        """
        if len(names) > QUOTES_PER_CALL:
            raise ValueError(f"{len(names)} quotes in one call; Kite takes {QUOTES_PER_CALL}: ask in parts")
        with failures_as(read_error), _readable():
            rows = _dict(self._kite._get("market.quote", params={"i": list(names)}))
            return {name: parse.quote(row, self._today()) for name, row in rows.items()}

    def minute_bars(self, instrument_token: int, begin: datetime, end: datetime) -> Bars:
        """Closed one-minute bars from `begin` to before `end`: at most 60 days, three calls a second."""
        now = self._clocks.market_now()
        params = {"from": parse.stamp(begin), "to": parse.stamp(end), "continuous": 0, "oi": 0}
        args = {"instrument_token": instrument_token, "interval": "minute"}
        with failures_as(read_error), _readable():
            answer = _dict(self._kite._get("market.historical", url_args=args, params=params))
            return parse.minute_bars(_list_of_lists(answer.get("candles")), until=min(end, now))

    def instrument_lines(self, exchange: Exchange) -> Iterator[str]:
        """The lines of the day's instrument file of one exchange, for `instruments.read_specs`."""
        with failures_as(read_error):
            yield from self._kite.lines("market.instruments", exchange=exchange.value)

    def _rows(self, route: str, **url_args: str) -> list[Mapping[str, Any]]:
        with failures_as(read_error):
            return _list(self._kite._get(route, url_args=url_args))

    def _today(self) -> date:
        return self._clocks.market_now().date()

    def _noting(self, read: tuple[list[Report], list[str]]) -> list[Report]:
        reports, problems = read
        for problem in problems:
            log.error("broker_row_unreadable", broker=self.environment.name, problem=problem)
        return reports

    def _check_type(self, order_type: OrderType) -> None:
        if order_type not in self.environment.order_types:
            takes = ", ".join(sorted(self.environment.order_types))
            raise BrokerRefused(f"{self.environment.name} takes no {order_type} orders, only {takes}")


def venue_state(environment: KiteEnvironment) -> VenueState:
    """Ask the paper exchange which session and market time it has. Raises BrokerUnavailable."""
    with failures_as(read_error):
        state = KiteConnection(environment, api_key="").json_at(VENUE_STATE_PATH)
        try:
            return venue_clock.venue_state(state)
        except parse.UnreadableRow as error:
            raise _unreadable(f"{VENUE_STATE_PATH} of {environment.root_url}: {error}") from error


@contextmanager
def _readable() -> Iterator[None]:
    """An answer that cannot be translated is no answer."""
    try:
        yield
    except parse.UnreadableRow as problem:
        raise _unreadable(str(problem)) from problem


def _list(data: Any) -> list[Mapping[str, Any]]:
    """Kite sends null for an empty book."""
    if data is None:
        return []
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise _unreadable("a list of rows was asked for and something else came")
    return data


def _list_of_lists(data: Any) -> list[list[Any]]:
    if not isinstance(data, list) or not all(isinstance(row, list) for row in data):
        raise _unreadable("a list of candles was asked for and something else came")
    return data


def _dict(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise _unreadable("an object was asked for and something else came")
    return data


def _unreadable(message: str) -> KiteFailure:
    return KiteFailure(message, stage=Stage.UNANSWERED)
