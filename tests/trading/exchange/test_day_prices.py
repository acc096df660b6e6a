import numpy as np
import pytest

from tests.trading.exchange.market_builders import FUTURE, SHARE, at, frame
from trading.core.candles import Bars
from trading.exchange.day_prices import DayPrices, join_days, join_interval


def prices_of(*frames):
    prices = DayPrices((SHARE, FUTURE), at("09:15:00"))
    for each in frames:
        prices.note(each)
    return prices


FOUR = (
    frame("09:15:00", "1000.0", "1000.0x50", "1000.1x60", volume=100),
    frame("09:15:57", "1004.0", "1003.9x50", "1004.0x60", volume=150),
    frame("09:17:00", "998.0", "998.0x50", "998.1x60", volume=400),
    frame("09:17:03", "999.0", "998.9x51", "999.0x61", volume=450),
)


def test_minutes_hold_open_high_low_close_and_the_volume_traded_in_them():
    rows = prices_of(*FOUR).minutes(SHARE.instrument_token).to_rows().tolist()
    opening_s = int(at("09:15:00").timestamp())
    assert rows == [
        [opening_s, 100_000, 100_400, 100_000, 100_400, 150],
        [opening_s + 120, 99_800, 99_900, 99_800, 99_900, 300],
    ]


def test_the_days_prices_are_open_high_low_and_the_close_before():
    prices = prices_of(*FOUR)
    assert prices.day_prices(np.array([SHARE.instrument_token])).tolist() == [
        [100_000, 100_400, 99_800, 100_000]
    ]


def test_a_snapshot_has_the_last_packet_of_what_was_seen():
    shown = prices_of(*FOUR).snapshot([FUTURE.instrument_token, 12345, SHARE.instrument_token])
    assert shown.tokens.tolist() == [SHARE.instrument_token]
    assert (shown.last_price_paise[0], shown.volume[0], shown.bid_quantity[0, 0]) == (99_900, 450, 51)
    assert shown.received_at == at("09:17:03")
    assert len(prices_of().snapshot([SHARE.instrument_token])) == 0


def test_an_instrument_of_another_day_is_an_error():
    with pytest.raises(KeyError):
        DayPrices((FUTURE,), at("09:15:00")).note(FOUR[0])


def bars_at(*clocks):
    times = np.array([int(at(clock).timestamp()) for clock in clocks], np.int64)
    prices = 100 + np.arange(len(clocks), dtype=np.int64)
    return Bars.from_columns(times, prices, prices + 5, prices - 5, prices + 1, prices * 0 + 10)


@pytest.mark.parametrize(
    ("interval", "labels"),
    [
        ("minute", ["09:15", "09:24", "09:25", "10:14", "10:15"]),
        ("5minute", ["09:15", "09:20", "09:25", "10:10", "10:15"]),
        ("10minute", ["09:15", "09:25", "10:05", "10:15"]),
        ("30minute", ["09:15", "09:45", "10:15"]),
        ("60minute", ["09:15", "10:15"]),
        ("day", ["00:00"]),
    ],
)
def test_intervals_are_counted_from_the_opening_and_days_from_midnight(interval, labels):
    bars = bars_at("09:15:00", "09:24:00", "09:25:00", "10:14:00", "10:15:00")
    joined = join_interval(bars, interval)
    midnight_s = int(at("00:00:00").timestamp())
    minutes = [(int(second) - midnight_s) // 60 for second in joined.opened_at_s]
    assert [f"{minute // 60:02d}:{minute % 60:02d}" for minute in minutes] == labels
    assert joined.volume.sum() == 50


def test_an_interval_that_kite_has_not_is_an_error():
    with pytest.raises(KeyError):
        join_interval(bars_at("09:15:00"), "2minute")


def test_days_are_joined_in_their_order():
    joined = join_days(bars_at("09:15:00"), bars_at("09:16:00", "09:17:00"))
    assert len(joined) == 3
    assert len(join_interval(Bars.empty(), "5minute")) == 0
