"""A paper broker with troubles to come: each is spent by the first call that it fits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import TypeVar

from trading.broker.base import BrokerRefused, BrokerUnavailable, OutcomeUnknown
from trading.broker.paper import PaperBroker
from trading.core.enums import Role
from trading.core.order_ids import role_of_tag
from trading.core.values import FillReport, Funds, OrderChange, OrderReport, OrderRequest, PositionReport
from trading.exchange.venue import Venue

Answer = TypeVar("Answer")


class SimulatedCrash(BaseException):
    """The process ends here; no handler of the program may see it."""


class Trouble(Enum):
    CALL_LOST = auto()
    CALL_LATE = auto()
    REPLY_LOST = auto()
    REFUSED = auto()
    UNAVAILABLE = auto()
    CRASH_BEFORE = auto()
    CRASH_AFTER = auto()


@dataclass(frozen=True, slots=True)
class Coming:
    trouble: Trouble
    verb: str
    role: Role


class TroubledBroker:
    """`Broker` over a PaperBroker. `asked` remembers every call that would write: (verb, role)."""

    is_real_money = False

    def __init__(self, paper: PaperBroker, venue: Venue) -> None:
        self.paper = paper
        self.venue = venue
        self.coming: list[Coming] = []
        self.asked: list[tuple[str, Role]] = []
        #: what a lagging whole book shows; None: it shows what is
        self.old_book: list[OrderReport] | None = None
        #: what lagging positions show; None: they show what is
        self.old_positions: list[PositionReport] | None = None
        #: so many readings of a single order find nothing
        self.histories_missing = 0
        self.trades_are_held_back = False
        #: so many readings of the trade book fail
        self.trade_books_that_fail = 0
        self.tells_updates = True
        self.margin_is_unknown = False
        self._late: list[Callable[[], object]] = []

    @property
    def venue_session(self) -> str:
        return self.paper.venue_session

    def will(self, trouble: Trouble, role: Role, verb: str = "place", times: int = 1) -> None:
        """The next `times` calls of this verb for an order of this role end so."""
        self.coming += [Coming(trouble, verb, role)] * times

    def late_calls_arrive(self) -> None:
        """What was held up on its way reaches the broker now."""
        while self._late:
            self._late.pop(0)()

    def book_stands_still(self) -> None:
        """From now on the whole book shows this moment; single orders are still told as they are."""
        self.old_book = self.paper.order_reports()

    def book_goes_on(self) -> None:
        self.old_book = None

    def place(self, request: OrderRequest) -> str:
        return self._write("place", request.role, lambda: self.paper.place(request))

    def modify(self, broker_order_id: str, change: OrderChange) -> None:
        self._write(
            "modify", self._known(broker_order_id), lambda: self.paper.modify(broker_order_id, change)
        )

    def cancel(self, broker_order_id: str) -> None:
        self._write("cancel", self._known(broker_order_id), lambda: self.paper.cancel(broker_order_id))

    def order_reports(self) -> list[OrderReport]:
        return self.paper.order_reports() if self.old_book is None else list(self.old_book)

    def order_history(self, broker_order_id: str) -> list[OrderReport]:
        if self.histories_missing:
            self.histories_missing -= 1
            raise BrokerUnavailable("Couldn't find that `order_id`.", http_status=400)
        return self.paper.order_history(broker_order_id)

    def fill_reports(self) -> list[FillReport]:
        if self.trade_books_that_fail:
            self.trade_books_that_fail -= 1
            raise BrokerUnavailable("read timed out")
        return [] if self.trades_are_held_back else self.paper.fill_reports()

    def position_reports(self) -> list[PositionReport]:
        return self.paper.position_reports() if self.old_positions is None else list(self.old_positions)

    def funds(self) -> Funds:
        return self.paper.funds()

    def margin_required_inr(self, requests: Sequence[OrderRequest]) -> Decimal:
        if self.margin_is_unknown:
            raise BrokerUnavailable("read timed out")
        return self.paper.margin_required_inr(requests)

    def order_updates(self) -> list[OrderReport]:
        told = self.paper.order_updates()
        return told if self.tells_updates else []

    def _known(self, broker_order_id: str) -> Role:
        found = role_of_tag(self.venue.orders[broker_order_id].tag)
        assert found is not None, f"order {broker_order_id} is not ours: nothing of ours may touch it"
        return found

    def _write(self, verb: str, role: Role, call: Callable[[], Answer]) -> Answer:
        self.asked.append((verb, role))
        found = next((one for one in self.coming if (one.verb, one.role) == (verb, role)), None)
        if found is None:
            return call()
        self.coming.remove(found)
        match found.trouble:
            case Trouble.CALL_LOST:
                raise OutcomeUnknown("no answer within 7 s")
            case Trouble.CALL_LATE:
                self._late.append(call)
                raise OutcomeUnknown("no answer within 7 s")
            case Trouble.REFUSED:
                raise BrokerRefused("the broker says no")
            case Trouble.UNAVAILABLE:
                raise BrokerUnavailable("Too many requests", http_status=429)
            case Trouble.CRASH_BEFORE:
                raise SimulatedCrash
            case _:
                call()
        if found.trouble is Trouble.CRASH_AFTER:
            raise SimulatedCrash
        raise OutcomeUnknown("the connection was reset after the request")
