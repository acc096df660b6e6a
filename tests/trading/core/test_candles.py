from datetime import datetime

import numpy as np
import pytest

from tests.trading.market_builders import minutes, second
from trading.core.candles import IST, Bars, ClosedCandles, join_minutes


def test_bars_give_a_candle_as_a_value():
    candle = minutes("09:15", [100, 103, 99], reach=2).candle(-1, 1)
    assert candle.opened_at == datetime(2026, 11, 23, 9, 17, tzinfo=IST)
    assert (candle.open_paise, candle.high_paise, candle.low_paise, candle.close_paise) == (103, 105, 97, 99)
    assert candle.closed_at_s == second("09:18")


def test_bars_out_of_order_or_of_different_lengths_are_refused():
    bars = minutes("09:15", [100, 101])
    with pytest.raises(ValueError, match="time order"):
        Bars.from_rows(bars.to_rows()[::-1])
    with pytest.raises(ValueError, match="one length"):
        Bars.from_columns(bars.opened_at_s[:1], *bars.columns[1:])


def test_minutes_join_into_five_minutes_and_a_part_stays():
    bars = join_minutes(minutes("09:15", [100, 104, 98, 101, 103, 110, 90], volume=10), 5)
    assert bars.opened_at_s.tolist() == [second("09:15"), second("09:20")]
    assert bars.open.tolist() == [100, 103]
    assert bars.high.tolist() == [104, 110]
    assert bars.low.tolist() == [98, 90]
    assert bars.close.tolist() == [103, 90]
    assert bars.volume.tolist() == [50, 20]


def test_nothing_joins_into_nothing():
    assert len(join_minutes(Bars.empty(), 5)) == 0


def test_closed_candles_iterate_as_slot_and_candle():
    rows = minutes("09:15", [100, 101]).to_rows()
    closed = ClosedCandles(interval_min=1, slots=np.array([7, 3]), rows=rows)
    assert [(slot, candle.close_paise) for slot, candle in closed] == [(7, 100), (3, 101)]
    assert len(closed) == 2
