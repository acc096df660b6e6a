"""What the watcher sees of the market of one group: prices, their age, the candle that closed since the last look."""

from oco.groups import LiveGroup, with_best_close, with_circuits, write
from oco.views import MarketView
from trading.core.candles import CLOSE
from trading.core.indicators import Indicator
from trading.core.market_state import MarketState
from trading.core.money import to_inr
from trading.core.values import Quote
from trading.desk import Desk


class MarketEye:
    """Looks at one market for all groups; remembers which candles each has seen."""

    def __init__(self, desk: Desk, market: MarketState) -> None:
        self._desk = desk
        self._market = market
        self._slots = {
            (spec.exchange.value, spec.tradingsymbol): slot for slot, spec in enumerate(market.specs)
        }
        self._candles_seen: dict[int, int] = {}

    def quote(self, exchange: str, tradingsymbol: str) -> Quote | None:
        """The newest quote of an instrument, None when it is not watched."""
        slot = self._slots.get((exchange, tradingsymbol))
        return None if slot is None else self._market.quote(slot)

    def look(self, group: LiveGroup) -> MarketView:
        """The group's market now; a candle that closed since the last look also moves its best close."""
        slot = self._slots.get((group.spec.exchange.value, group.spec.tradingsymbol))
        if slot is None:
            return MarketView(market_now=self._desk.clocks.market_now())
        ring = self._market.rings[1]
        count = int(ring.count[slot])
        candle_closed = self._candles_seen.get(group.row.pk, count) != count
        self._candles_seen[group.row.pk] = count
        if candle_closed:
            self._note_close(group, int(ring.bars(slot, 1).to_rows()[0, CLOSE]))
        quote = self._market.quote(slot)
        group.view = with_circuits(group.view, quote)
        age_ms = self._market.age_ms(slot, self._desk.clocks.market_now())
        atr = self._market.rings[5].value(slot, Indicator.ATR)
        return MarketView(
            market_now=self._desk.clocks.market_now(),
            last_paise=quote.last_price_paise,
            bid_paise=quote.bid_paise,
            ask_paise=quote.ask_paise,
            age_s=None if age_ms is None else age_ms / 1000,
            atr_paise=int(atr) if atr == atr else 0,
            candle_closed=candle_closed,
        )

    def _note_close(self, group: LiveGroup, close_paise: int) -> None:
        best = group.view.best_close_paise
        sign = group.view.side.sign
        if best == 0 or (close_paise - best) * sign > 0:
            write(self._desk, group.row, best_close=to_inr(close_paise))
            group.view = with_best_close(group.view, close_paise)
