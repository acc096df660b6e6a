"""Closing the whole account: every position of today, whoever opened it. Asked for apart, and asked for twice.

It comes after the flatten of what is ours. Its orders carry no tag of ours: what they close was nobody's trade here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from oco.direct import BOOK_LAGS_S, WORKING, Holding, closing_price
from trading.broker.base import Broker, BrokerError, BrokerRefused, BrokerUnavailable
from trading.core.clocks import Clocks
from trading.core.enums import Exchange, OrderType, Product, Role, Side
from trading.core.values import OrderChange, OrderReport, OrderRequest, PositionReport

#: an order is cancelled or priced again at most every so many looks: the book lags
LOOKS_BETWEEN = 4
LOOK_EVERY_S = 0.3


def open_positions(broker: Broker) -> list[PositionReport]:
    """Every position of the account that is not flat, whoever holds it. Raises BrokerError."""
    return [one for one in broker.position_reports() if one.quantity]


@dataclass(slots=True)
class WholeAccount:
    """One run over the instruments that are held when it begins.

    Cancels what works in them, then closes each position with one LIMIT for exactly what is held; never a second
    one beside an order that works or may still show itself.
    """

    broker: Broker
    clocks: Clocks
    #: machine seconds between two looks
    wait: Callable[[float], object]
    #: why a position could not be closed, by holding
    refused: dict[Holding, str] = field(default_factory=dict)
    _ours: dict[Holding, str] = field(default_factory=dict)
    _placed_s: dict[Holding, float] = field(default_factory=dict)
    _looks: dict[str, int] = field(default_factory=dict)

    def run(self, held: Sequence[PositionReport], within_s: float = 30.0) -> list[PositionReport]:
        """Close them; what is left when the time is over, empty when all are flat and nothing works in them.

        Raises BrokerError when the broker cannot even be asked what is left.
        """
        scope = {_holding(one) for one in held}
        until_s = self.clocks.monotonic_s() + within_s
        while self.clocks.monotonic_s() < until_s:
            try:
                if self._look(scope):
                    return []
            except BrokerError:
                self.wait(LOOK_EVERY_S)
            self.wait(LOOK_EVERY_S)
        return [one for one in open_positions(self.broker) if _holding(one) in scope]

    def _look(self, scope: set[Holding]) -> bool:
        """Bring each holding one step nearer to flat; whether all are there. The book is read before positions."""
        working = [one for one in self.broker.order_reports() if one.status in WORKING]
        net = {_holding(one): one for one in self.broker.position_reports()}
        is_done = True
        for holding in sorted(scope):
            mine = [one for one in working if _holding(one) == holding]
            position = net.get(holding)
            if mine or (position is not None and position.quantity):
                is_done = False
                self._step(holding, position, mine)
        return is_done

    def _step(self, holding: Holding, position: PositionReport | None, working: list[OrderReport]) -> None:
        closing = self._ours.get(holding, "")
        for report in working:
            is_ours = report.broker_order_id == closing
            if is_ours and position is not None and position.quantity:
                price = closing_price(report.side, position.last_price, report.price)
                self._once(report, partial(self._reprice, report, OrderChange(price=price)))
            else:
                self._once(report, partial(self.broker.cancel, report.broker_order_id))
        may_show = self.clocks.monotonic_s() < self._placed_s.get(holding, float("-inf")) + BOOK_LAGS_S
        if position is not None and position.quantity and not working and not may_show:
            self._place(holding, position)

    def _once(self, report: OrderReport, act: Callable[[], object]) -> None:
        looks = self._looks.get(report.broker_order_id, 0)
        self._looks[report.broker_order_id] = looks + 1
        is_new_of_ours = looks == 0 and report.broker_order_id in self._ours.values()
        if looks % LOOKS_BETWEEN == 0 and not is_new_of_ours:
            try:
                act()
            except BrokerError:
                return  # the next looks tell what became of it

    def _reprice(self, report: OrderReport, change: OrderChange) -> None:
        if change.price != report.price:
            self.broker.modify(report.broker_order_id, change)

    def _place(self, holding: Holding, position: PositionReport) -> None:
        if position.product not in set(Product):
            self.refused[holding] = (
                f"product {position.product} is not known here: close it in the broker's app"
            )
            return
        side = Side.SELL if position.quantity > 0 else Side.BUY
        request = OrderRequest(
            client_order_id="",
            role=Role.EXIT,
            exchange=Exchange(position.exchange),
            tradingsymbol=position.tradingsymbol,
            side=side,
            quantity=abs(position.quantity),
            product=Product(position.product),
            order_type=OrderType.LIMIT,
            price=closing_price(side, position.last_price),
        )
        self._placed_s[holding] = self.clocks.monotonic_s()
        try:
            self._ours[holding] = self.broker.place(request)
        except BrokerRefused as error:
            self.refused[holding] = str(error)
        except BrokerUnavailable:
            del self._placed_s[holding]
        except BrokerError:
            return  # it may have gone in: the book is watched before anything else is placed


def _holding(one: OrderReport | PositionReport) -> Holding:
    return (one.exchange.value, one.tradingsymbol, one.product)
