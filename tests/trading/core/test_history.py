from datetime import timedelta

import numpy as np
import pytest

from tests.trading.market_builders import DAY, joined, market_of, minutes, second, share
from trading.core.indicators import Indicator

A = share()


def history_of(bars, **settings):
    market = market_of(A, **settings)
    market.warm_up({A.instrument_token: bars})
    return market.history(0)


def test_a_full_ring_keeps_the_newest_candles_in_order():
    history = history_of(minutes("09:15", list(range(1000, 1025))), candles_kept={1: 10, 5: 3}, values_kept=4)
    assert history.bars(1).close.tolist() == list(range(1015, 1025))
    assert history.bars(1, 3).close.tolist() == [1022, 1023, 1024]
    assert history.bars(5).opened_at_s.tolist() == [second("09:25"), second("09:30"), second("09:35")]
    assert history.values(1, 100).shape == (4, 14)
    assert history.count(1) == 25


def test_today_leaves_the_days_before_out():
    yesterday = minutes("09:15", [900] * 375, day=DAY - timedelta(days=3))
    history = history_of(joined(yesterday, minutes("09:15", [1000, 1001, 1002])))
    assert history.today(1).close.tolist() == [1000, 1001, 1002]
    assert len(history.today(5)) == 0
    assert len(history.bars(5)) == 75


def test_a_value_is_that_of_the_last_closed_candle_and_nan_before_any():
    assert np.isnan(market_of(A).history(0).value(Indicator.CHANNEL_HIGH, 1))
    history = history_of(minutes("09:15", list(range(1000, 1030)), reach=4))
    assert history.value(Indicator.CHANNEL_HIGH, 1) == 1033
    assert history.rings[1].latest(Indicator.CHANNEL_LOW).tolist() == [1005]


def test_the_opening_range_is_of_today_from_quarter_past_until_half_past():
    yesterday = minutes("09:15", [5000] * 30, day=DAY - timedelta(days=3), reach=900)
    today = minutes("09:15", [1000, 1020, 990, *[1000] * 12, 3000, 200])
    opening = history_of(joined(yesterday, today)).opening_range()
    assert opening is not None
    assert (opening.high_paise, opening.low_paise) == (1020, 990)
    assert (opening.closes_above, opening.closes_below) == (1, 1)


@pytest.mark.parametrize(("first", "candles", "known"), [("09:20", 10, True), ("09:21", 9, False)])
def test_a_feed_that_came_late_has_no_opening_range(first, candles, known):
    history = history_of(minutes(first, [1000] * (candles + 20)))
    assert (history.opening_range() is not None) is known
