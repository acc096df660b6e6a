"""Opening range breakout: the first one-minute close beyond the range of the day's first fifteen minutes."""

from trading.core.candles import Candle
from trading.core.enums import Side
from trading.core.history import History, OpeningRange
from trading.core.indicators import Indicator
from trading.core.money import to_inr
from trading.core.values import Setup
from trading.strategies.base import RISK_INTERVAL_MIN, Strategy, Warming, priced_setup

STOP_ATRS = 1.5
REWARD_RISK = 1.8
FIRST_TARGET_SHARE = 0.6


class OpeningRangeBreakout(Strategy):
    """Once per side and day. It counts when three further ticks or the next close stay beyond the range."""

    name = "ORB"
    interval_min = 1
    summary = "First close beyond the 09:15-09:30 range, stop at its other side or 1.5 ATR, reward 1.8 x risk"

    def on_candle(self, candle: Candle, history: History) -> Setup | Warming | None:
        if candle.opened_at < history.session.entries_from:
            return None
        opening = history.opening_range()
        if opening is None:
            return Warming(needs="the opening range: too few of the first fifteen minutes have a candle")
        side = _first_breakout(candle.close_paise, opening)
        if side is None:
            return None
        atr = history.value(Indicator.ATR, RISK_INTERVAL_MIN)
        if not atr > 0:
            return Warming(needs="ATR 14 on 5 minutes: fifteen candles of five minutes")
        edge, far_edge, word = opening.high_paise, opening.low_paise, "high"
        if side is Side.SELL:
            edge, far_edge, word = opening.low_paise, opening.high_paise, "low"
        beyond = abs(candle.close_paise - edge) / atr
        return priced_setup(
            history.spec,
            side,
            entry_paise=candle.close_paise,
            risk_paise=min(abs(candle.close_paise - far_edge), STOP_ATRS * atr),
            reward_risk=REWARD_RISK,
            first_target_share=FIRST_TARGET_SHARE,
            atr_paise=atr,
            confirm_paise=edge,
            reason=f"closed {beyond:.1f} ATR beyond the opening {word} {to_inr(edge)}",
        )


def _first_breakout(close_paise: int, opening: OpeningRange) -> Side | None:
    """The side on which this close is the day's first beyond the range; the range's counts include it."""
    if close_paise > opening.high_paise and opening.closes_above == 1:
        return Side.BUY
    return Side.SELL if close_paise < opening.low_paise and opening.closes_below == 1 else None
