"""The strategy of a simulated world: it says what the seed's plan says, of each candle the same however often asked."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from random import Random

from tests.simulation.market import MINUTES, OPENS
from trading.core.candles import Candle
from trading.core.enums import Side
from trading.core.history import History
from trading.core.values import InstrumentSpec, Setup
from trading.strategies.base import Strategy, Warming, priced_setup

#: distance of the stop, in parts of the price, and what the target pays for it
STOP_SHARE = (0.0018, 0.004)
REWARD_RISK = 2.0
#: now and then the stop is so far away that not one lot fits the risk
TOO_WIDE = 0.15
WIDE_SHARE = 0.009
#: entries that the setups of the troubled minutes are to bring, and how many of them one after the other
ENTRIES = (3, 4)
TOGETHER = (1, 2)
#: the first and the last minute with a setup while there is trouble
TROUBLED_SETUPS = (1, MINUTES - 4)
#: when all is well again every instrument has one at these
HEALED_SETUPS = (MINUTES + 1, MINUTES + 3)


class PlannedIdea(Strategy):
    """A few setups while faults happen; then some on every instrument, when all is well again."""

    name = "SIMULATED"
    interval_min = 1
    summary = "what a seed's plan says"

    def __init__(self, seed: int, specs: tuple[InstrumentSpec, ...], entries: Callable[[], int]) -> None:
        """`entries`: how many were filled so far. Hours without exposure prove nothing, too many setups cost time."""
        stream = Random(f"{seed}/signals")
        self._entries = entries
        self._wanted, self._together = stream.choice(ENTRIES), stream.choice(TOGETHER)
        self._is_spoken: dict[datetime, bool] = {}
        self._plan: dict[tuple[str, datetime], tuple[Side, float, int]] = {}
        for minute in (*range(TROUBLED_SETUPS[0], TROUBLED_SETUPS[1] + 1), *HEALED_SETUPS):
            for spec in specs if minute in HEALED_SETUPS else (stream.choice(specs),):
                side = stream.choice((Side.BUY, Side.SELL))
                is_wide = stream.random() < TOO_WIDE and minute not in HEALED_SETUPS
                share = WIDE_SHARE if is_wide else stream.uniform(*STOP_SHARE)
                setup = (side, share, stream.randint(2, 6))
                self._plan[spec.tradingsymbol, OPENS + timedelta(minutes=minute)] = setup

    def on_candle(self, candle: Candle, history: History) -> Setup | Warming | None:
        planned = self._plan.get((history.spec.tradingsymbol, candle.opened_at))
        if planned is None or not self._speaks(candle.opened_at):
            return None
        side, share, minutes = planned
        found = priced_setup(
            history.spec,
            side,
            entry_paise=candle.close_paise,
            risk_paise=candle.close_paise * share,
            reward_risk=REWARD_RISK,
            atr_paise=candle.close_paise * share / 2,
            reason="planned",
        )
        if found is None:
            return None
        return Setup(
            side=found.side,
            entry_price=found.entry_price,
            stop_price=found.stop_price,
            target_price=found.target_price,
            reason=found.reason,
            atr=found.atr.quantize(Decimal("0.01")),
            time_stop_min=minutes,
        )

    def _speaks(self, opened_at: datetime) -> bool:
        """Whether this minute's setup is wanted: decided when it is first asked for, and for good."""
        first, last = TROUBLED_SETUPS
        minute = (opened_at - OPENS) // timedelta(minutes=1)
        if minute > last:
            return True
        if opened_at not in self._is_spoken:
            share = self._wanted / self._together * (minute - first + 1) / (last - first + 1)
            self._is_spoken[opened_at] = self._entries() < ceil(share) * self._together
        return self._is_spoken[opened_at]
