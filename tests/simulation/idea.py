"""The strategy of a simulated world: it says what the seed's plan says, as a function of the candle alone."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from tests.simulation.market import HEALED_MINUTES, MINUTES, OPENS
from trading.core.candles import Candle
from trading.core.enums import Side
from trading.core.history import History
from trading.core.values import InstrumentSpec, Setup
from trading.strategies.base import Strategy, Warming, priced_setup

#: distance of the stop, in parts of the price, and what the target pays for it
STOP_SHARE = (0.0018, 0.004)
REWARD_RISK = 2.0


class PlannedIdea(Strategy):
    """About two setups in five minutes while faults happen; one a minute on every instrument when all is well again."""

    name = "SIMULATED"
    interval_min = 1
    summary = "what a seed's plan says"

    def __init__(self, seed: int, specs: tuple[InstrumentSpec, ...]) -> None:
        stream = Random(f"{seed}/signals")
        self._plan: dict[tuple[str, datetime], tuple[Side, float, int]] = {}
        for minute in range(1, MINUTES + HEALED_MINUTES - 1):
            is_healed = minute >= MINUTES + 1
            if not is_healed and (minute > MINUTES - 4 or stream.random() > 0.4):
                continue
            for spec in specs if is_healed else (stream.choice(specs),):
                side = stream.choice((Side.BUY, Side.SELL))
                share = stream.uniform(*STOP_SHARE)
                setup = (side, share, stream.randint(2, 6))
                self._plan[spec.tradingsymbol, OPENS + timedelta(minutes=minute)] = setup

    def on_candle(self, candle: Candle, history: History) -> Setup | Warming | None:
        planned = self._plan.get((history.spec.tradingsymbol, candle.opened_at))
        if planned is None:
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
