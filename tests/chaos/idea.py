"""A strategy that opens positions often, so that faults meet them: a function of seed and candle alone."""

from dataclasses import replace
from random import Random

from trading.core.candles import Candle
from trading.core.enums import Side
from trading.core.history import History
from trading.core.values import Setup
from trading.strategies.base import Strategy, Warming, priced_setup

#: how many of an instrument's minutes have a setup
OFTEN = 0.3
#: distance of the stop, in parts of the price, and what the target pays for it
STOP_SHARE = (0.0012, 0.0060)
REWARD_RISK = 1.5
#: minutes after which a position is left anyway
TIME_STOP_MIN = (4, 25)


class OftenIdea(Strategy):
    """Some setup somewhere at every minute, on either side."""

    name = "OFTEN"
    interval_min = 1
    summary = "setups at random, for the kill test"
    seed = ""

    def on_candle(self, candle: Candle, history: History) -> Setup | Warming | None:
        stream = Random(f"{self.seed}/{history.spec.tradingsymbol}/{candle.opened_at.isoformat()}")
        if stream.random() >= OFTEN:
            return None
        share = stream.uniform(*STOP_SHARE)
        found = priced_setup(
            history.spec,
            stream.choice((Side.BUY, Side.SELL)),
            entry_paise=candle.close_paise,
            risk_paise=candle.close_paise * share,
            reward_risk=REWARD_RISK,
            atr_paise=candle.close_paise * share / 2,
            reason="at random",
        )
        return found and replace(found, time_stop_min=stream.randint(*TIME_STOP_MIN))
