from decimal import Decimal

import numpy as np
import pytest

from tests.trading.market_builders import DAY, minutes, second, share
from trading.core.candles import Bars, join_minutes
from trading.core.enums import Side
from trading.core.history import CandleRing, History, OpeningRanges
from trading.core.indicators import Indicator
from trading.core.session import ordinary_session
from trading.core.values import Setup
from trading.strategies.base import Warming
from trading.strategies.trend_pullback import TrendPullback

A = share()
YESTERDAY = join_minutes(minutes("09:15", [10_000] * 500, day=DAY.replace(day=20)), 5)
#: (open, high, low, close): a fall back to EMA 34, the turn, away, and a second pullback; EMA 34 is at 10,000
WALK = [
    (10_100, 10_125, 10_090, 10_120),  # 09:15
    (10_120, 10_125, 10_080, 10_100),
    (10_100, 10_105, 10_030, 10_040),
    (10_040, 10_045, 10_010, 10_030),  # 09:30
    (10_030, 10_048, 10_020, 10_045),  # 09:35 turns
    (10_045, 10_049, 10_040, 10_048),  # rises on, still near
    (10_048, 10_095, 10_045, 10_090),  # leaves
    (10_090, 10_091, 10_038, 10_040),
    (10_040, 10_050, 10_035, 10_049),  # 09:55 turns again
]


def answers(rows, *, fast=10_000.0, slow=9_900.0, atr=100.0, warm_candles=89) -> dict[str, object]:
    """What the strategy says after each of today's candles, by opening time; silence is left out."""
    session = ordinary_session(DAY, A)
    ring = CandleRing(1, candles=160, values=96)
    values = np.full((1, len(Indicator)), np.nan)
    values[0, [Indicator.EMA_FAST, Indicator.EMA_SLOW, Indicator.ATR]] = fast, slow, atr
    slot = np.zeros(1, np.int64)
    for row in YESTERDAY.to_rows()[:warm_candles]:
        ring.append(slot, row[None, :], values)
    history = History(
        spec=A, session=session, slot=0, rings={5: ring}, opening_ranges=OpeningRanges([session])
    )
    said: dict[str, object] = {}
    for number, prices in enumerate(rows):
        ring.append(slot, np.array([[second("09:15") + 300 * number, *prices, 10]]), values)
        candle = history.bars(5).candle(-1, 5)
        if (answer := TrendPullback().on_candle(candle, history)) is not None:
            said[f"{candle.opened_at:%H:%M}"] = answer
    return said


def mirrored(rows):
    return [(20_000 - o, 20_000 - low, 20_000 - high, 20_000 - c) for o, high, low, c in rows]


def test_one_signal_per_pullback_at_its_first_turn():
    assert list(answers(WALK)) == ["09:35", "09:55"]


def test_the_stop_is_one_atr_beyond_the_pullbacks_low_and_the_reward_twice_the_risk():
    setup = answers(WALK)["09:35"]
    assert isinstance(setup, Setup)
    assert setup.side is Side.BUY
    assert setup.entry_price == Decimal("100.45")
    assert setup.stop_price == Decimal("99.10")  # 100.10 - 1.00
    assert setup.target_price == Decimal("103.15")  # 100.45 + 2 x 1.35
    assert setup.atr == Decimal("1.00")
    assert setup.confirm_price is None
    assert setup.reason == "turned 0.5 ATR from EMA 34, 1.0 ATR beyond EMA 89, after 3 candles back"


def test_a_falling_market_is_the_mirror_image():
    said = answers(mirrored(WALK), slow=10_100.0)
    assert list(said) == ["09:35", "09:55"]
    setup = said["09:35"]
    assert isinstance(setup, Setup)
    assert setup.side is Side.SELL
    assert (setup.entry_price, setup.stop_price) == (Decimal("99.55"), Decimal("100.90"))
    assert setup.target_price == Decimal("96.85")


def test_without_a_trend_there_is_nothing_to_come_back_in():
    assert answers(WALK, slow=10_000.0) == {}


def test_a_fall_through_the_average_is_no_pullback():
    fall = [(10_040, 10_045, 9_900, 9_910), (9_910, 9_948, 9_905, 9_945)]
    assert answers([*WALK[:3], *fall]) == {}


def test_a_turn_before_half_past_nine_neither_signals_nor_spends_the_pullback():
    early = [(10_100, 10_105, 10_030, 10_035), (10_035, 10_048, 10_020, 10_044)]
    assert answers([*early, (10_044, 10_045, 10_030, 10_032), (10_032, 10_049, 10_030, 10_047)]).keys() == {
        "09:30"
    }


def test_a_candle_that_only_closes_below_its_open_does_not_turn():
    assert answers([*WALK[:4], (10_046, 10_048, 10_020, 10_045)]) == {}


@pytest.mark.parametrize(
    ("warm_candles", "says"), [(85, "EMA 89 on 5 minutes: 88 of 89 candles"), (86, None)]
)
def test_it_warms_until_the_slow_average_is_known(warm_candles, says):
    said = answers([WALK[0]] * 3, warm_candles=warm_candles)
    assert said == ({"09:25": Warming(needs=says)} if says else {})


def test_the_walk_is_what_the_builder_says():
    bars = Bars.from_rows(np.array([[60 * n, *row, 1] for n, row in enumerate(WALK)]))
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
