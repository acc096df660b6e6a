"""What the market of one setup looked like, taken from the market state for ranking."""

from math import nan

import numpy as np

from trading.core.enums import Side
from trading.core.indicators import Indicator
from trading.core.market_state import MarketState
from trading.core.ranking import MarketPicture
from trading.core.values import Setup

#: minutes over which traded value and the ordinary ATR are taken
VALUE_MINUTES = 15
ORDINARY_ATR_BARS = 75


def picture_of(market: MarketState, slot: int, setup: Setup) -> MarketPicture:
    """The five parts' inputs for one setup. What is not known is NaN and earns nothing."""
    history = market.history(slot)
    quote = market.quote(slot)
    last = quote.last_price_paise
    atr = history.value(Indicator.ATR, 5)
    ema_gap = history.value(Indicator.EMA_FAST, 5) - history.value(Indicator.EMA_SLOW, 5)
    vwap = history.value(Indicator.VWAP, 1)
    ordinary = history.values(5, ORDINARY_ATR_BARS)[:, Indicator.ATR]
    ordinary_atr = float(np.nanmean(ordinary)) if np.isfinite(ordinary).any() else nan
    recent = history.bars(1, VALUE_MINUTES)
    traded_inr = (recent.volume * recent.close).mean() / 100 if len(recent) else nan
    middle = (quote.bid_paise + quote.ask_paise) / 2
    both_sides = quote.bid_paise > 0 and quote.ask_paise > 0
    risk = abs(setup.entry_price - setup.stop_price)
    return MarketPicture(
        side=Side(setup.side),
        rsi=history.value(Indicator.RSI, 5),
        adx=history.value(Indicator.ADX, 5),
        ema_gap_atr=ema_gap / atr if atr > 0 else nan,
        spread_pct=(quote.ask_paise - quote.bid_paise) / middle * 100 if both_sides else nan,
        traded_inr_per_min=traded_inr,
        atr_ratio=atr / ordinary_atr if ordinary_atr > 0 else nan,
        vwap_distance_pct=(last - vwap) / vwap * 100 if vwap > 0 else 0.0,
        reward_risk=float(abs(setup.target_price - setup.entry_price) / risk),
    )
