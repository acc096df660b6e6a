"""The strategy of a simulated world: it says what the seed's plan says, as a function of the candle alone."""

from datetime import datetime, timedelta
from decimal import Decimal
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
#: how many minutes have a setup while there is trouble; when all is well again every instrument has one at these
SETUPS = 9
HEALED_SETUPS = (MINUTES + 1, MINUTES + 3)


class PlannedIdea(Strategy):
    """A few setups while faults happen; then some on every instrument, when all is well again."""

    name = "SIMULATED"
    interval_min = 1
    summary = "what a seed's plan says"

    def __init__(self, seed: int, specs: tuple[InstrumentSpec, ...]) -> None:
        stream = Random(f"{seed}/signals")
        self._plan: dict[tuple[str, datetime], tuple[Side, float, int]] = {}
        troubled = sorted(stream.sample(range(1, MINUTES - 4), SETUPS))
        for minute in (*troubled, *HEALED_SETUPS):
            for spec in specs if minute in HEALED_SETUPS else (stream.choice(specs),):
                side = stream.choice((Side.BUY, Side.SELL))
                is_wide = stream.random() < TOO_WIDE and minute not in HEALED_SETUPS
                share = WIDE_SHARE if is_wide else stream.uniform(*STOP_SHARE)
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
