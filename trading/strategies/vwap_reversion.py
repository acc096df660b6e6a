"""VWAP reversion: in a market without a trend, the return to the session's average from far away. Off by
default.
"""

from trading.core.candles import Candle
from trading.core.enums import Side
from trading.core.history import History
from trading.core.indicators import Indicator
from trading.core.values import Setup
from trading.strategies.base import Strategy, Warming, priced_setup

FAR_DEVIATIONS = 1.5
TREND_ADX = 20.0
STOP_ATRS = 1.0
#: the average nearer than this is not worth its stop
MIN_REWARD_RISK = 1.0


class VwapReversion(Strategy):
    """For liquid shares: the first candle that closes back towards the average from beyond 1.5 deviations."""

    name = "VWAPReversion"
    interval_min = 5
    summary = "1.5 deviations from session VWAP with ADX under 20, stop 1 ATR, target VWAP"

    def on_candle(self, candle: Candle, history: History) -> Setup | Warming | None:
        if candle.closed_at_s < int(history.session.entries_from.timestamp()):
            return None
        bars = history.today(self.interval_min)
        if len(bars) < 2:
            return None
        before, now = history.values(self.interval_min, 2)
        if now[Indicator.ADX] != now[Indicator.ADX]:
            return Warming(needs="ADX 14 on 5 minutes: 28 candles")
        if now[Indicator.ADX] >= TREND_ADX or not now[Indicator.ATR] > 0:
            return None
        gap = int(bars.close[-2]) - float(before[Indicator.VWAP])
        side = Side.BUY if gap < 0 else Side.SELL
        turned = side.sign * (candle.close_paise - candle.open_paise) > 0
        if not (abs(gap) >= FAR_DEVIATIONS * before[Indicator.VWAP_DEVIATION] > 0 and turned):
            return None
        atr = float(now[Indicator.ATR])
        reward_risk = side.sign * (float(now[Indicator.VWAP]) - candle.close_paise) / (STOP_ATRS * atr)
        if reward_risk < MIN_REWARD_RISK:
            return None
        return priced_setup(
            history.spec,
            side,
            entry_paise=candle.close_paise,
            risk_paise=STOP_ATRS * atr,
            reward_risk=round(reward_risk, 4),
            atr_paise=atr,
            reason=f"{abs(gap) / before[Indicator.VWAP_DEVIATION]:.1f} deviations from VWAP, turning back",
        )
