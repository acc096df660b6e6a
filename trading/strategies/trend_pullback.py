"""Trend pullback: in a trend by EMA 34 and 89 on five minutes, the turn after price came back to EMA 34."""

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Bars, Candle
from trading.core.enums import Side
from trading.core.history import History
from trading.core.indicators import SLOW_BARS, Floats, Indicator
from trading.core.values import Setup
from trading.strategies.base import Strategy, Warming, priced_setup

NEAR_ATRS = 0.5
STOP_ATRS = 1.0
REWARD_RISK = 2.0


class TrendPullback(Strategy):
    """One signal per pullback: its first candle that turns.

    A pullback ends with a candle that closes more than half an ATR beyond EMA 34 in the trend's direction,
    with the trend, and with the night.
    """

    name = "TrendPullback"
    interval_min = 5
    summary = "EMA 34 above 89 (mirrored), back within 0.5 ATR of EMA 34 and turning, reward 2.0 x risk"

    def on_candle(self, candle: Candle, history: History) -> Setup | Warming | None:
        if candle.closed_at_s < int(history.session.entries_from.timestamp()):
            return None
        if (count := history.count(self.interval_min)) < SLOW_BARS:
            return Warming(needs=f"EMA {SLOW_BARS} on 5 minutes: {count} of {SLOW_BARS} candles")
        fast, slow, atr = (
            history.value(indicator, self.interval_min)
            for indicator in (Indicator.EMA_FAST, Indicator.EMA_SLOW, Indicator.ATR)
        )
        side = Side.BUY if fast > slow else Side.SELL
        if fast == slow or not atr > 0 or side.sign * (candle.close_paise - candle.open_paise) <= 0:
            return None
        bars = history.today(self.interval_min)
        values = history.values(self.interval_min, len(bars))
        turns = _turns(side, bars, values)
        start = _pullback_start(side, bars, values)
        tradable = bars.opened_at_s + 60 * self.interval_min >= int(history.session.entries_from.timestamp())
        if not turns[-1] or (turns & tradable)[start:-1].any():
            return None
        extreme = int(bars.low[start:].min() if side is Side.BUY else bars.high[start:].max())
        return priced_setup(
            history.spec,
            side,
            entry_paise=candle.close_paise,
            risk_paise=abs(candle.close_paise - extreme) + STOP_ATRS * atr,
            reward_risk=REWARD_RISK,
            atr_paise=atr,
            reason=(
                f"turned {abs(candle.close_paise - fast) / atr:.1f} ATR from EMA 34, "
                f"{abs(fast - slow) / atr:.1f} ATR beyond EMA 89, after {len(bars) - start} candles back"
            ),
        )


def _pullback_start(side: Side, bars: Bars, values: Floats) -> int:
    """Row where the pullback that the last candle belongs to began: after the last one that was none."""
    fast, slow, atr = values[:, Indicator.EMA_FAST], values[:, Indicator.EMA_SLOW], values[:, Indicator.ATR]
    left = side.sign * (bars.close - fast) > NEAR_ATRS * atr
    other_trend = side.sign * (fast - slow) <= 0
    ended = np.flatnonzero((left | other_trend)[:-1])
    return int(ended[-1]) + 1 if len(ended) else 0


def _turns(side: Side, bars: Bars, values: Floats) -> NDArray[np.bool_]:
    """Which candles reached back to EMA 34 and turned: by their own body and against the close before.

    A close more than half an ATR beyond EMA 34 on the wrong side is a fall, not a pullback.
    """
    fast, atr = values[:, Indicator.EMA_FAST], values[:, Indicator.ATR]
    sign, reached = side.sign, bars.low if side is Side.BUY else bars.high
    before = np.concatenate((bars.open[:1], bars.close[:-1]))
    near = sign * (reached - fast) <= NEAR_ATRS * atr
    held = sign * (bars.close - fast) >= -NEAR_ATRS * atr
    turned = (sign * (bars.close - bars.open) > 0) & (sign * (bars.close - before) > 0)
    return near & held & turned
