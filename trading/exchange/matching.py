"""Honest fills: who trades, at what price and how much, when the market of an instrument moves or an order
arrives.
"""

from collections.abc import Callable
from datetime import datetime

from trading.core.enums import Side
from trading.core.ticks import TickFrame
from trading.exchange.depth import RestingOrders, VisibleMarket
from trading.exchange.orders import VenueOrder

#: (order, price_paise, quantity, now): books one execution and settles the order's state
Fill = Callable[[VenueOrder, int, int, datetime], None]
#: (order, now): a stop reached its trigger and must become a limit
Trigger = Callable[[VenueOrder, datetime], None]


class Packets:
    """The last packet of each instrument: (frame, row) by token. One for all accounts of a market."""

    def __init__(self) -> None:
        self.latest: dict[int, tuple[TickFrame, int]] = {}
        self._frame: TickFrame | None = None

    def take(self, frame: TickFrame) -> None:
        """A frame that was taken last changes nothing."""
        if frame is self._frame:
            return
        self._frame = frame
        tokens = frame.tokens.tolist()
        self.latest.update(zip(tokens, ((frame, row) for row in range(len(tokens))), strict=True))


class Matcher:
    """All instruments of a venue. It moves no status: fills and triggers are told to its owner."""

    def __init__(self, fill: Fill, trigger: Trigger, packets: Packets) -> None:
        self._fill = fill
        self._trigger = trigger
        self._packets = packets
        self._latest = packets.latest
        self._shown: dict[int, TickFrame] = {}
        self._markets: dict[int, VisibleMarket] = {}
        self._resting: dict[int, RestingOrders] = {}

    def apply_frame(self, frame: TickFrame) -> None:
        """Take new quotes. Only instruments in which an order rests cost more than a note of the packet."""
        self._packets.take(frame)
        for token in [token for token in self._resting if self._latest.get(token, (None,))[0] is frame]:
            self._match(token, frame.received_at)

    def last_paise(self, token: int) -> int:
        """Last price, 0 where no packet was seen."""
        seen = self._latest.get(token)
        return int(seen[0].last_price_paise[seen[1]]) if seen else 0

    def market(self, token: int) -> VisibleMarket:
        """The visible market as of the last packet, less what was taken since."""
        market = self._markets.get(token)
        if market is None:
            market = self._markets[token] = VisibleMarket()
        seen = self._latest.get(token)
        if seen is not None and self._shown.get(token) is not seen[0]:
            self._shown[token] = seen[0]
            market.show(*seen)
        return market

    def resting_stops(self, token: int) -> dict[Side, int]:
        """The trigger the market would reach first, by side of the stop."""
        resting = self._resting.get(token)
        if resting is None:
            return {}
        fronts = {side: ladder.front_price() for side, ladder in resting.stops.items()}
        return {side: price for side, price in fronts.items() if price is not None}

    def arrive(self, order: VenueOrder, now: datetime) -> None:
        """An order reaches the exchange (anew, changed, or triggered): it trades at once with what it can,
        then rests.

        A stop whose trigger the market has already passed is triggered on arrival.
        """
        market = self.market(order.spec.instrument_token)
        if order.is_stop:
            if market.last_paise and (market.last_paise - order.trigger_paise) * order.side.sign >= 0:
                self._trigger(order, now)
                self.arrive(order, now)
            else:
                self._rest(order)
            return
        order.is_passive, order.ahead = False, None
        self._sweep(order, market, now)
        if order.pending and order.validity != "IOC":
            self._rest(order)

    def withdraw(self, order: VenueOrder) -> None:
        """Take a resting order out; one that does not rest changes nothing."""
        token = order.spec.instrument_token
        resting = self._resting.get(token)
        if resting is None or not order.is_resting:
            return
        resting.remove(order)
        order.is_resting = False
        if not len(resting):
            del self._resting[token]

    def _rest(self, order: VenueOrder) -> None:
        self._resting.setdefault(order.spec.instrument_token, RestingOrders()).add(order)
        order.is_resting = True

    def _match(self, token: int, now: datetime) -> None:
        market = self.market(token)
        resting = self._resting[token]
        for side in Side:
            for order in resting.limits[side].reached(market.nearest(side)):
                self._match_limit(order, market, now)
        for side in Side:
            for order in resting.stops[side].reached(market.last_paise):
                self.withdraw(order)
                self._trigger(order, now)
                self.arrive(order, now)

    def _match_limit(self, order: VenueOrder, market: VisibleMarket, now: datetime) -> None:
        if not order.is_passive:
            self._sweep(order, market, now)
            return
        past = (order.price_paise - market.last_paise) * order.side.sign
        quote = market.opposite(order.side)
        is_crossed = bool(quote) and (order.price_paise - quote[0][0]) * order.side.sign >= 0
        if past > 0 or is_crossed:
            self._trade_through(order, market, now, is_past=past > 0)
        elif past == 0:
            self._take_turn(order, market, now)

    def _sweep(self, order: VenueOrder, market: VisibleMarket, now: datetime) -> None:
        """Take the quote at its own prices.

        What remains after it waits, or sweeps on where all of it was taken.
        """
        for price_paise, quantity in market.take(order.side, order.price_paise, order.pending):
            self._fill(order, price_paise, quantity, now)
        if order.pending:
            order.is_passive = not market.is_exhausted(order.side)
            order.ahead = market.ahead_at(order.side, order.price_paise)

    def _trade_through(
        self, order: VenueOrder, market: VisibleMarket, now: datetime, *, is_past: bool
    ) -> None:
        """The market came to a waiting order: it trades at its own price, up to what was offered and traded
        there.
        """
        order.ahead = 0
        offered = sum(quantity for _, quantity in market.take(order.side, order.price_paise, order.pending))
        traded = min(market.traded_left, order.pending - offered) if is_past else 0
        market.traded_left -= traded
        if offered + traded:
            self._fill(order, order.price_paise, offered + traded, now)

    def _take_turn(self, order: VenueOrder, market: VisibleMarket, now: datetime) -> None:
        """It traded at the order's price: what traded first serves those in front of it."""
        visible = market.ahead_at(order.side, order.price_paise)
        if order.ahead is None:
            order.ahead = visible
            return
        if visible is not None:
            order.ahead = min(order.ahead, visible)
        turn = min(market.traded - order.ahead, market.traded_left, order.pending)
        order.ahead = max(order.ahead - market.traded, 0)
        if turn > 0:
            market.traded_left -= turn
            self._fill(order, order.price_paise, turn, now)


def protected_limit(order: VenueOrder, last_paise: int) -> int:
    """Where market protection puts the limit of a MARKET or SL-M order: so many per cent beyond the last
    price, on the tick inside. Paise.
    """
    if order.protection_pct is None:
        raise ValueError(f"order {order.order_id} of type {order.order_type} has no market protection")
    distance = int(last_paise * order.protection_pct / 100)
    tick = order.spec.tick_size_paise
    return (last_paise + order.side.sign * (distance // tick * tick)) // tick * tick
