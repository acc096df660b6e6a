"""Setups that wait for the market to agree: three further ticks beyond a price, or the next close beyond it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from trading.core.candles import Candle
from trading.core.enums import Side
from trading.core.market_state import MarketState
from trading.core.money import to_paise
from trading.core.ticks import TickFrame
from trading.core.values import Setup

TICKS_TO_CONFIRM = 3

Found = tuple[int, Candle, str, Setup]


@dataclass(slots=True)
class _Waiting:
    candle: Candle
    setup: Setup
    confirm_paise: int
    ticks: int = 0

    def is_beyond(self, price_paise: int) -> bool:
        """Beyond the edge on the setup's side; the edge itself is not beyond."""
        return (price_paise - self.confirm_paise) * self.setup.side.sign > 0


@dataclass(slots=True)
class Confirmations:
    """What waits, by (slot, strategy, side). Held in memory only: after a restart the next close asks anew."""

    _waiting: dict[tuple[int, str, Side], _Waiting] = field(default_factory=dict)

    def wait(self, slot: int, candle: Candle, strategy: str, setup: Setup) -> None:
        """Hold a setup whose `confirm_price` is set until the market agrees, or the next close does not."""
        if setup.confirm_price is None:
            raise ValueError(f"{strategy}'s setup has no confirm_price: it needs no waiting")
        self._waiting[slot, strategy, setup.side] = _Waiting(candle, setup, to_paise(setup.confirm_price))

    def on_ticks(self, market: MarketState, frame: TickFrame) -> Iterator[Found]:
        """Count this frame's ticks: three in a row beyond its price confirm a setup, one back inside starts anew."""
        if not self._waiting:
            return
        ticked = set(np.asarray(market.slots_of(frame.tokens)).tolist())
        for key in [key for key in self._waiting if key[0] in ticked]:
            held = self._waiting[key]
            price = int(market.last_price_paise[key[0]])
            held.ticks = held.ticks + 1 if held.is_beyond(price) else 0
            if held.ticks >= TICKS_TO_CONFIRM:
                del self._waiting[key]
                yield key[0], held.candle, key[1], held.setup

    def on_close(self, slot: int, candle: Candle) -> Iterator[Found]:
        """The next close of the instrument decides what still waits: beyond confirms, inside drops."""
        for key in [key for key in self._waiting if key[0] == slot]:
            held = self._waiting[key]
            if candle.opened_at <= held.candle.opened_at:
                continue
            del self._waiting[key]
            if held.is_beyond(candle.close_paise):
                yield slot, held.candle, key[1], held.setup
