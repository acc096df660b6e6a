from dataclasses import replace
from datetime import date

import numpy as np

from tests.trading.exchange.market_builders import FUTURE, OPTION, SHARE, at, frame
from trading.core.candles import Bars
from trading.exchange.day_prices import DayPrices
from trading.exchange.indices import bars_of, indices_of, widen

MONDAY = date(2026, 11, 23)
NIFTY_50 = 256265


def test_an_index_stands_below_its_nearest_future_by_the_interest_to_its_expiry():
    later = replace(FUTURE, tradingsymbol="NIFTY26DECFUT", instrument_token=256514, expiry=date(2026, 12, 29))
    (index,) = indices_of((SHARE, later, FUTURE, OPTION), MONDAY)
    assert (index.spec.tradingsymbol, index.spec.instrument_token) == ("NIFTY 50", NIFTY_50)
    assert (index.spec.segment, index.spec.lot_size) == ("INDICES", 0)
    # 26,000.00 less 7 days of 6 %: 26,000 * (1 - 0.06 * 7 / 365) = 25,970.08
    wide = widen(frame("10:00:00", "26000.0", "26000.0x50", "26000.1x60", spec=FUTURE), (index,))
    assert wide.tokens.tolist() == [FUTURE.instrument_token, NIFTY_50]
    assert wide.last_price_paise.tolist() == [2_600_000, 2_597_008]
    assert wide.volume.tolist() == [1000, 0]
    assert wide.bid_quantity.tolist() == [[50, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert wide.exchange_time_s.tolist() == [int(at("10:00:00").timestamp())] * 2


def test_a_frame_without_the_future_has_no_index():
    indices = indices_of((FUTURE,), MONDAY)
    shares = frame("10:00:00", "1000.0", "1000.0x50", "1000.1x60")
    assert widen(shares, indices) is shares
    assert indices_of((SHARE, OPTION), MONDAY) == ()


def test_a_market_that_has_the_index_itself_keeps_its_own():
    (index,) = indices_of((FUTURE,), MONDAY)
    assert indices_of((FUTURE, index.spec), MONDAY) == ()


def test_on_expiry_day_the_index_is_its_future():
    (index,) = indices_of((FUTURE,), FUTURE.expiry)
    assert index.spec.previous_close_paise == FUTURE.previous_close_paise
    bars = Bars.from_rows(np.array([[0, 100, 120, 90, 110, 7]], np.int64))
    assert bars_of(index, bars).to_rows().tolist() == [[0, 100, 120, 90, 110, 0]]


def test_the_days_prices_hold_the_index_and_its_candles():
    prices = DayPrices((SHARE, FUTURE), at("09:15:00"))
    prices.note(frame("09:15:00", "26000.0", "26000.0x50", "26000.1x60", spec=FUTURE))
    assert prices.has(NIFTY_50)
    assert prices.snapshot([NIFTY_50]).last_price_paise.tolist() == [2_597_008]
    history = {
        FUTURE.instrument_token: Bars.from_rows(
            np.array([[0, 100_000, 100_000, 100_000, 100_000, 7]], np.int64)
        )
    }
    rows = prices.candles(NIFTY_50, history, "minute").to_rows().tolist()
    # 1,000.00 less 0.1151 per cent is 998.84
    assert rows[0][1:] == [99_884, 99_884, 99_884, 99_884, 0]
    assert rows[1][1:] == [2_597_008, 2_597_008, 2_597_008, 2_597_008, 0]
