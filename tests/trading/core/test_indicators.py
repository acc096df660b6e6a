from datetime import date

import numpy as np
import pytest
import talib

from tests.trading.market_builders import joined, minutes, second
from trading.core.candles import Bars
from trading.core.indicators import Indicator, Indicators, batch


def random_bars(seed: int, count: int = 400) -> Bars:
    random = np.random.default_rng(seed)
    close = 2_000_000 + np.cumsum(random.integers(-300, 301, count)) // 5 * 5
    open_ = close + random.integers(-20, 21, count) * 5
    return Bars(
        opened_at_s=second("09:15") + 60 * np.arange(count),
        open=open_,
        high=np.maximum(open_, close) + random.integers(0, 40, count) * 5,
        low=np.minimum(open_, close) - random.integers(0, 40, count) * 5,
        close=close,
        volume=random.integers(0, 1000, count),
    )


BARS = random_bars(1)
VALUES = batch(BARS)
HIGHS, LOWS, CLOSES = (column.astype(float) for column in (BARS.high, BARS.low, BARS.close))


@pytest.mark.parametrize(
    ("indicator", "oracle"),
    [
        (Indicator.ATR, talib.ATR(HIGHS, LOWS, CLOSES, timeperiod=14)),
        (Indicator.RSI, talib.RSI(CLOSES, timeperiod=14)),
        (Indicator.ADX, talib.ADX(HIGHS, LOWS, CLOSES, timeperiod=14)),
        (Indicator.EMA_FAST, talib.EMA(CLOSES, timeperiod=34)),
        (Indicator.EMA_SLOW, talib.EMA(CLOSES, timeperiod=89)),
        (Indicator.BAND_UPPER, talib.BBANDS(CLOSES, 20, 2, 2)[0]),
        (Indicator.BAND_MIDDLE, talib.BBANDS(CLOSES, 20, 2, 2)[1]),
        (Indicator.BAND_LOWER, talib.BBANDS(CLOSES, 20, 2, 2)[2]),
        (Indicator.CHANNEL_HIGH, talib.MAX(HIGHS, 20)),
        (Indicator.CHANNEL_LOW, talib.MIN(LOWS, 20)),
    ],
)
def test_values_equal_talibs_and_begin_at_the_same_candle(indicator, oracle):
    mine = VALUES[:, indicator]
    assert np.isnan(mine).tolist() == np.isnan(oracle).tolist()
    assert np.nanmax(np.abs(mine - oracle)) < 1e-6


def test_many_slots_that_close_at_different_times_give_the_same_numbers_as_each_alone():
    singles = [random_bars(seed, 120 + 10 * seed) for seed in range(5)]
    state = Indicators(5)
    found: list[list[np.ndarray]] = [[] for _ in singles]
    random = np.random.default_rng(9)
    while any(len(found[slot]) < len(bars) for slot, bars in enumerate(singles)):
        ready = [slot for slot, bars in enumerate(singles) if len(found[slot]) < len(bars)]
        slots = np.array(sorted(random.permutation(ready)[: random.integers(1, len(ready) + 1)]))
        rows = np.stack([singles[slot].to_rows()[len(found[slot])] for slot in slots])
        for slot, values in zip(slots, state.update(slots, rows), strict=True):
            found[slot].append(values)
    for bars, values in zip(singles, found, strict=True):
        np.testing.assert_array_equal(np.array(values), batch(bars))


def test_a_market_that_never_moves_has_neither_strength_nor_range():
    values = batch(minutes("09:15", [10_000] * 120))[-1]
    assert values[Indicator.RSI] == 50
    assert values[Indicator.ADX] == 0
    assert values[Indicator.ATR] == 0
    assert values[Indicator.BAND_UPPER] == values[Indicator.BAND_LOWER] == 10_000


def test_atr_after_fifteen_candles_is_the_mean_of_fourteen_true_ranges():
    # Every candle reaches 10 beyond a body of 5, a true range of 25; the first has none.
    values = batch(minutes("09:15", [1000 + 5 * step for step in range(16)], reach=10))[:, Indicator.ATR]
    assert np.isnan(values[13])
    assert values[14] == 25
    assert values[15] == 25


def test_a_gap_overnight_counts_into_the_true_range():
    quiet = minutes("09:15", [1000] * 15, reach=7)
    jump = minutes("09:30", [1140], reach=0)
    # Fourteen ranges of 14, then one of 140: (13 x 14 + 140) / 14 = 23.
    assert batch(joined(quiet, jump))[-1, Indicator.ATR] == pytest.approx(23)


def test_session_vwap_weighs_by_volume_and_starts_anew_each_day():
    yesterday = minutes("09:15", [5000, 5000], day=date(2026, 11, 20))
    first = minutes("09:15", [1000], volume=100)
    second_bar = minutes("09:16", [1300], volume=300)
    values = batch(joined(yesterday, first, second_bar))
    assert values[1, Indicator.VWAP] == 5000
    assert values[2, Indicator.VWAP] == 1000
    # (100 x 1000 + 300 x 1300) / 400; deviation: sqrt((100 x 225^2 + 300 x 75^2) / 400)
    assert values[3, Indicator.VWAP] == 1225
    assert values[3, Indicator.VWAP_DEVIATION] == pytest.approx(129.9038106)


def test_vwap_is_unknown_while_nothing_traded():
    assert np.isnan(batch(minutes("09:15", [1000, 1010], volume=0))[:, Indicator.VWAP]).all()


def test_supertrend_follows_a_rise_and_turns_when_the_close_falls_through_its_line():
    # ATR is 30 throughout the rise (body 10, reach 10 both ways): line = middle - 90.
    rise = [1000 + 10 * step for step in range(20)]
    bars = minutes("09:15", [*rise, 1090], reach=10)
    values = batch(bars)[:, [Indicator.SUPERTREND, Indicator.SUPERTREND_SIDE]]
    assert np.isnan(values[9]).all()
    assert values[10].tolist() == [1095 - 90, 1]
    assert values[19].tolist() == [1185 - 90, 1]
    # From 1190 to 1090: true range 120, ATR (9 x 30 + 120) / 10 = 39; 1090 is under the line of 1095.
    assert values[20].tolist() == [1140 + 3 * 39, -1]


def naive_supertrend(bars: Bars) -> list[float]:
    high, low, close_ = (column.astype(float) for column in (bars.high, bars.low, bars.close))
    atr = talib.ATR(high, low, close_, timeperiod=10)
    upper, lower, side, lines = np.inf, -np.inf, 1, []
    for row in range(len(bars)):
        if np.isnan(atr[row]):
            lines.append(np.nan)
            continue
        middle = (bars.high[row] + bars.low[row]) / 2
        before, close = bars.close[row - 1], bars.close[row]
        upper = middle + 3 * atr[row] if middle + 3 * atr[row] < upper or before > upper else upper
        lower = middle - 3 * atr[row] if middle - 3 * atr[row] > lower or before < lower else lower
        crossed = close < lower if side > 0 else close > upper
        side = -side if crossed else side
        lines.append(lower if side > 0 else upper)
    return lines


def test_supertrend_equals_a_plain_loop_on_random_bars():
    np.testing.assert_allclose(VALUES[:, Indicator.SUPERTREND], naive_supertrend(BARS), atol=1e-6)
    assert set(VALUES[20:, Indicator.SUPERTREND_SIDE].tolist()) == {1.0, -1.0}


def test_no_bars_give_no_values():
    assert batch(Bars.empty()).shape == (0, 14)
