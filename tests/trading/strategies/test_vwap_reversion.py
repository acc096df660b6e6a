from decimal import Decimal

import numpy as np
import pytest

from tests.trading.market_builders import DAY, second, share
from trading.core.enums import Side
from trading.core.history import CandleRing, History, OpeningRanges
from trading.core.indicators import Indicator
from trading.core.session import ordinary_session
from trading.core.values import Setup
from trading.strategies.base import Warming
from trading.strategies.vwap_reversion import VwapReversion

A = share()


def answer(before_close: int, now_open: int, now_close: int, *, adx=15.0, atr=50.0):
    """What it says at 10:05 with session VWAP at 10,000 and its deviation 100."""
    session = ordinary_session(DAY, A)
    ring = CandleRing(1, candles=20, values=20)
    values = np.full((1, len(Indicator)), np.nan)
    values[0, [Indicator.VWAP, Indicator.VWAP_DEVIATION]] = 10_000, 100
    values[0, [Indicator.ADX, Indicator.ATR]] = adx, atr
    for number, (open_, close) in enumerate([(before_close, before_close), (now_open, now_close)]):
        row = [second("10:00") + 300 * number, open_, max(open_, close), min(open_, close), close, 10]
        ring.append(np.zeros(1, np.int64), np.array([row]), values)
    ranges = OpeningRanges([session])
    history = History(spec=A, session=session, slot=0, rings={5: ring}, opening_ranges=ranges)
    return VwapReversion().on_candle(history.bars(5).candle(-1, 5), history)


def test_it_buys_the_turn_back_to_the_average_from_far_below():
    setup = answer(9_840, 9_840, 9_860)
    assert isinstance(setup, Setup)
    assert setup.side is Side.BUY
    assert (setup.entry_price, setup.stop_price) == (Decimal("98.60"), Decimal("98.10"))
    assert setup.target_price == Decimal("100.00")


def test_it_sells_the_turn_back_from_far_above():
    setup = answer(10_160, 10_160, 10_140)
    assert isinstance(setup, Setup)
    assert (setup.side, setup.target_price) == (Side.SELL, Decimal("100.00"))


@pytest.mark.parametrize(
    ("case", "settings"),
    [
        ((9_860, 9_860, 9_870), {}),  # 1.4 deviations
        ((9_840, 9_840, 9_830), {}),  # still falling
        ((9_840, 9_840, 9_860), {"adx": 20.0}),  # a trend
        ((9_840, 9_840, 9_980), {}),  # 0.4 times the risk is left to gain
    ],
)
def test_it_is_silent_without_all_its_conditions(case, settings):
    assert answer(*case, **settings) is None


def test_it_warms_until_the_trend_can_be_measured():
    assert answer(9_840, 9_840, 9_860, adx=float("nan")) == Warming(needs="ADX 14 on 5 minutes: 28 candles")
