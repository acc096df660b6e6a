"""The visible market of one instrument, what our executions took from it, and the orders that rest in it."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from trading.core.enums import Side
from trading.core.ticks import TickFrame
from trading.exchange.orders import VenueOrder


@dataclass(slots=True)
class VisibleMarket:
    """Five levels a side, best first, as [price, quantity left] in paise and units, since the last frame.

    What an execution takes does not come back before the next frame. `traded_left` is what traded since the
    frame before and has not been given to a resting order of ours.
    """

    last_paise: int = 0
    volume: int = 0
    traded: int = 0
    traded_left: int = 0
    bids: list[list[int]] = field(default_factory=list)
    asks: list[list[int]] = field(default_factory=list)

    def show(self, frame: TickFrame, row: int) -> None:
        """Take over one packet. A smaller volume than before (a new day) counts as nothing traded."""
        volume = int(frame.volume[row])
        self.traded = max(volume - self.volume, 0) if self.volume else 0
        self.traded_left = self.traded
        self.volume = volume
        self.last_paise = int(frame.last_price_paise[row])
        self.bids = _levels(frame.bid_price_paise[row].tolist(), frame.bid_quantity[row].tolist())
        self.asks = _levels(frame.ask_price_paise[row].tolist(), frame.ask_quantity[row].tolist())

    def opposite(self, side: Side) -> list[list[int]]:
        """What an order of this side trades with."""
        return self.asks if side is Side.BUY else self.bids

    def own(self, side: Side) -> list[list[int]]:
        """Where an order of this side queues."""
        return self.bids if side is Side.BUY else self.asks

    def nearest(self, side: Side) -> int:
        """How far the market came towards a waiting order of this side: the last price or the quote,
        whichever more.
        """
        reached = [self.last_paise, *(price for price, _ in self.opposite(side)[:1])]
        return min(reached) if side is Side.BUY else max(reached)

    def take(self, side: Side, limit_paise: int, quantity: int) -> Iterator[tuple[int, int]]:
        """Trade with the visible quote up to a limit: (price, quantity) of each execution, best first."""
        for level in self.opposite(side):
            if quantity <= 0 or (level[0] - limit_paise) * side.sign > 0:
                return
            taken = min(level[1], quantity)
            if taken:
                level[1] -= taken
                quantity -= taken
                yield level[0], taken

    def is_exhausted(self, side: Side) -> bool:
        """Whether nothing is left to see of what an order of this side trades with."""
        return not any(quantity for _, quantity in self.opposite(side))

    def ahead_at(self, side: Side, price_paise: int) -> int | None:
        """Units in front of a new order of this side at its price; None where the price is beyond the fifth
        level.
        """
        levels = self.own(side)
        for price, quantity in levels:
            if price == price_paise:
                return quantity
        if not levels or (levels[-1][0] - price_paise) * side.sign < 0:
            return 0
        return None


def _levels(prices: list[int], quantities: list[int]) -> list[list[int]]:
    return [
        [price, quantity] for price, quantity in zip(prices, quantities, strict=True) if price and quantity
    ]


class Ladder:
    """Orders of one side waiting at prices, the one the market reaches first in front, then in time order."""

    def __init__(self, sign: int) -> None:
        """`sign` +1 puts the lowest price in front, -1 the highest."""
        self._sign = sign
        self._rows: list[tuple[int, int, VenueOrder]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, price_paise: int, order: VenueOrder) -> None:
        insort(self._rows, (price_paise * self._sign, order.sequence, order))

    def remove(self, price_paise: int, order: VenueOrder) -> None:
        """Raises ValueError when the order does not wait at that price."""
        place = bisect_left(self._rows, (price_paise * self._sign, order.sequence))
        if place == len(self._rows) or self._rows[place][2] is not order:
            raise ValueError(f"order {order.order_id} does not wait at {price_paise} paise")
        del self._rows[place]

    def reached(self, price_paise: int) -> list[VenueOrder]:
        """Those whose price the market has come to or gone past, in their order."""
        if not self._rows or self._rows[0][0] > price_paise * self._sign:
            return []
        end = bisect_left(self._rows, (price_paise * self._sign + 1, -1))
        return [row[2] for row in self._rows[:end]]

    def front_price(self) -> int | None:
        return self._rows[0][0] * self._sign if self._rows else None


class RestingOrders:
    """What rests in one instrument: limits and untriggered stops of both sides."""

    def __init__(self) -> None:
        self.limits = {Side.BUY: Ladder(-1), Side.SELL: Ladder(1)}
        self.stops = {Side.BUY: Ladder(1), Side.SELL: Ladder(-1)}

    def __len__(self) -> int:
        return sum(len(ladder) for ladder in (*self.limits.values(), *self.stops.values()))

    def add(self, order: VenueOrder) -> None:
        if order.is_stop:
            self.stops[order.side].add(order.trigger_paise, order)
        else:
            self.limits[order.side].add(order.price_paise, order)

    def remove(self, order: VenueOrder) -> None:
        if order.is_stop:
            self.stops[order.side].remove(order.trigger_paise, order)
        else:
            self.limits[order.side].remove(order.price_paise, order)
