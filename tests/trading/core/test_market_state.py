from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from tests.trading.market_builders import (
    DAY,
    frame,
    future,
    joined,
    market_of,
    minutes,
    moment,
    second,
    share,
)
from trading.core.candles import join_minutes
from trading.core.indicators import Indicator, batch

A, B = share(1594), future(7, "NIFTY")


def closes(closed) -> list[tuple[Any, ...]]:
    """(minutes, slot, HH:MM, open, high, low, close, volume) of each closed candle."""
    return [
        (each.interval_min, slot, f"{c.opened_at:%H:%M}", *prices(c)) for each in closed for slot, c in each
    ]


def prices(candle) -> tuple[int, ...]:
    return (
        candle.open_paise,
        candle.high_paise,
        candle.low_paise,
        candle.close_paise,
        candle.volume,
    )


def test_a_candle_closes_with_the_instruments_own_next_minute():
    market = market_of(A, B)
    assert market.apply(frame("09:15:00", (A, 1000, 50), (B, 2000, 10))) == ()
    assert market.apply(frame("09:15:20", (A, 1040, 60))) == ()
    assert market.apply(frame("09:15:40", (A, 990, 75), (B, 1995, 10))) == ()
    closed = market.apply(frame("09:16:00", (A, 1010, 80), (B, 2005, 30), received="09:16:01"))
    assert closes(closed) == [
        (1, 0, "09:15", 1000, 1040, 990, 990, 25),
        (1, 1, "09:15", 2000, 2000, 1995, 1995, 0),
    ]


def test_an_instrument_without_a_tick_keeps_its_candle_until_the_clock_closes_it():
    market = market_of(A, B)
    market.apply(frame("09:15:10", (A, 1000, 0), (B, 2000, 0)))
    assert len(closes(market.apply(frame("09:16:00", (A, 1001, 0))))) == 1
    assert market.close_due(moment("09:16:01")) == ()
    assert closes(market.close_due(moment("09:16:02"))) == [(1, 1, "09:15", 2000, 2000, 2000, 2000, 0)]
    assert market.close_due(moment("09:16:03")) == ()


def test_a_tick_for_a_minute_the_clock_closed_is_a_quote_but_no_candle():
    market = market_of(A)
    market.apply(frame("09:15:10", (A, 1000, 10)))
    market.close_due(moment("09:16:02"))
    late = frame("09:15:59", (A, 1005, 30), received="09:16:03")
    assert market.apply(late) == ()
    assert market.dropped == {"late": 1}
    assert market.quote(0).last_price_paise == 1005
    assert closes(market.close_due(moment("09:18:00"))) == []


def test_five_minutes_close_together_with_their_last_minute():
    market = market_of(A)
    for step, price in enumerate([100, 110, 90, 105, 101]):
        market.apply(frame(f"09:{15 + step}:05", (A, price, step)))
    closed = market.apply(frame("09:20:00", (A, 107, 9)))
    assert closes(closed) == [
        (1, 0, "09:19", 101, 101, 101, 101, 1),
        (5, 0, "09:15", 100, 110, 90, 101, 4),
    ]


def test_five_minutes_close_by_the_clock_when_their_last_minute_had_no_tick():
    market = market_of(A)
    market.apply(frame("09:15:05", (A, 100, 1)))
    market.apply(frame("09:16:05", (A, 120, 5)))
    market.close_due(moment("09:17:30"))
    assert market.close_due(moment("09:19:59")) == ()
    assert closes(market.close_due(moment("09:20:02"))) == [(5, 0, "09:15", 100, 120, 100, 120, 4)]


def test_a_gap_leaves_no_candles_and_moves_no_indicator():
    market = market_of(A)
    market.warm_up({A.instrument_token: minutes("09:15", [1000] * 20, reach=10)})
    before = market.history(0).value(Indicator.ATR, 1)
    market.close_due(moment("10:15"))
    market.apply(frame("10:15:05", (A, 1000, 5)))
    assert market.history(0).count(1) == 20
    assert market.history(0).value(Indicator.ATR, 1) == before == 20


@pytest.mark.parametrize(
    ("kind", "tick", "received"),
    [
        ("zero_price", (A, 0, 10), "09:20:00"),
        ("out_of_order", (A, 1001, 10, "09:19:00"), "09:20:00"),
        ("stale", (A, 1001, 10, "09:19:30"), "09:21:00"),
        ("ahead", (A, 1001, 10, "09:25:00"), "09:20:00"),
        ("duplicate", (A, 1000, 5, "09:19:30"), "09:19:31"),
        ("unknown", (share(9), 1001, 10), "09:20:00"),
        ("unknown", (future(1594, "OTHER"), 1001, 10), "09:20:00"),
    ],
)
def test_a_tick_that_may_not_count_is_dropped_and_counted(kind, tick, received):
    market = market_of(A)
    market.apply(frame("09:19:30", (A, 1000, 5)))
    assert market.apply(frame(received, tick)) == ()
    assert market.dropped == {kind: 1}
    assert market.quote(0).last_price_paise == 1000
    assert closes(market.close_due(moment("09:21:30")))[0] == (1, 0, "09:19", 1000, 1000, 1000, 1000, 0)


def test_bad_ticks_do_not_take_good_ones_of_their_frame_with_them():
    market = market_of(A, B)
    market.apply(frame("09:15:00", (A, 0, 1), (share(9), 5, 5), (B, 2000, 1)))
    assert market.quote(1).last_price_paise == 2000
    assert market.dropped == {"zero_price": 1, "unknown": 1}


def test_a_token_twice_in_a_frame_is_two_ticks_in_their_order():
    market = market_of(A, B)
    market.apply(frame("09:15:00", (A, 1000, 0), (B, 2000, 0), (A, 1050, 3), (A, 990, 4), (B, 2001, 1)))
    closed = market.apply(frame("09:16:00", (A, 1000, 9), (A, 1001, 9, "09:16:00"), received="09:16:00"))
    assert closes(closed) == [(1, 0, "09:15", 1000, 1050, 990, 990, 4)]
    assert market.quote(1).last_price_paise == 2001


def test_ticks_before_the_open_and_after_the_close_make_quotes_only():
    market = market_of(A)
    market.apply(frame("09:08:00", (A, 900, 100)))
    assert market.quote(0).last_price_paise == 900
    market.apply(frame("15:29:59", (A, 1000, 150)))
    market.apply(frame("15:30:00", (A, 1100, 900)))
    assert market.dropped == {"out_of_session": 2}
    closed = market.close_due(moment("15:30:05"))
    assert closes(closed) == [
        (1, 0, "15:29", 1000, 1000, 1000, 1000, 50),
        (5, 0, "15:25", 1000, 1000, 1000, 1000, 50),
    ]


def test_volume_is_the_growth_of_the_days_total_and_a_reset_counts_nothing():
    market = market_of(A)
    for wall, total in [("10:00:00", 5000), ("10:00:10", 5040), ("10:00:20", 20), ("10:00:30", 25)]:
        market.apply(frame(wall, (A, 1000, total)))
    assert closes(market.close_due(moment("10:01:02")))[0][-1] == 45


def test_a_packet_without_exchange_time_takes_the_time_it_came():
    market = market_of(A)
    market.apply(frame("09:15:30", (A, 1000, 1, None)))
    assert market.quote(0).exchange_time == moment("09:15:30")


def test_a_quote_says_when_the_exchange_made_it_and_how_old_it_is():
    market = market_of(A)
    assert market.quote(0).exchange_time is None
    assert market.age_ms(0, moment("09:15:31")) is None
    market.apply(frame("09:15:30", (A, 1000, 1)))
    quote = market.quote(0)
    assert (quote.bid_paise, quote.last_price_paise, quote.ask_paise) == (995, 1000, 1005)
    assert quote.exchange_time == moment("09:15:30")
    assert market.age_ms(0, moment("09:15:31") + timedelta(milliseconds=250)) == 1250


def test_a_restart_in_the_middle_of_the_day_changes_no_indicator_and_no_candle():
    day = minutes("09:15", [1000 + 7 * (step * step % 31) for step in range(100)], reach=3)
    before = minutes("09:15", [1000 + 5 * (step % 17) for step in range(375)], day=DAY - timedelta(days=3))
    through, restarted = market_of(A), market_of(A)
    through.warm_up({A.instrument_token: before})
    for step in range(100):
        through.take_minutes(np.array([0]), day.to_rows()[step : step + 1])
    restarted.warm_up({A.instrument_token: joined(before, day[:62])})
    for step in range(62, 100):
        restarted.take_minutes(np.array([0]), day.to_rows()[step : step + 1])
    for interval_min in (1, 5):
        np.testing.assert_array_equal(
            through.history(0).values(interval_min, 50), restarted.history(0).values(interval_min, 50)
        )
        assert through.history(0).today(interval_min).to_rows().tolist() == (
            restarted.history(0).today(interval_min).to_rows().tolist()
        )


def test_warm_up_takes_instruments_of_different_lengths_and_equals_the_batch():
    long, short = minutes("09:15", list(range(1000, 1100))), minutes("09:15", list(range(2000, 2030)))
    market = market_of(A, B)
    market.warm_up({A.instrument_token: long, B.instrument_token: short})
    np.testing.assert_array_equal(market.history(0).values(1, 96), batch(long)[-96:])
    np.testing.assert_array_equal(market.history(1).values(5, 9), batch(join_minutes(short, 5)))


def test_a_minute_that_warm_up_brought_is_not_made_again_from_late_ticks():
    market = market_of(A)
    market.warm_up({A.instrument_token: minutes("09:15", [1000] * 5)})
    market.apply(frame("09:19:59", (A, 1001, 5), received="09:20:01"))
    assert market.dropped == {"late": 1}
    assert market.history(0).count(1) == 5


def test_a_day_that_ended_early_leaves_no_candle_for_the_next_morning():
    market = market_of(A)
    market.warm_up({A.instrument_token: minutes("15:25", [1000, 1001], day=DAY - timedelta(days=3))})
    market.apply(frame("09:15:00", (A, 1000, 5)))
    closed = market.apply(frame("09:16:00", (A, 1000, 6)))
    assert [line[:3] for line in closes(closed)] == [(1, 0, "09:15")]


def test_warming_up_twice_or_after_candles_is_refused():
    market = market_of(A)
    market.warm_up({A.instrument_token: minutes("09:15", [1000])})
    with pytest.raises(ValueError, match="before its first tick"):
        market.warm_up({A.instrument_token: minutes("09:15", [1000])})
    with pytest.raises(KeyError):
        market.warm_up({99: minutes("09:15", [1000])})


def test_warm_means_that_even_the_slow_average_of_five_minutes_is_known():
    market = market_of(A, B)
    day_before = minutes("09:15", [1000] * 375, day=DAY - timedelta(days=3))
    market.warm_up(
        {
            A.instrument_token: joined(day_before, minutes("09:15", [1000] * 70)),
            B.instrument_token: joined(day_before, minutes("09:15", [1000] * 69)),
        }
    )
    assert market.is_warm(0)  # 75 + 14 = 89 candles of five minutes
    assert not market.is_warm(1)  # 75 + 13
    assert np.isnan(market.history(1).value(Indicator.EMA_SLOW, 5))


def test_tokens_find_their_slots_and_strangers_none():
    market = market_of(A, B)
    tokens = np.array([B.instrument_token, (1594 << 8) + 2, A.instrument_token, (10**7 << 8) + 1, 9])
    assert market.slots_of(tokens).tolist() == [1, -1, 0, -1, -1]
    with pytest.raises(ValueError, match="listed twice"):
        market_of(A, A)


def test_an_empty_frame_changes_nothing():
    market = market_of(A)
    assert market.apply(frame("09:15:00")) == ()
    assert market.quote(0).last_price_paise == 0


def test_the_second_of_a_minutes_start_belongs_to_the_new_minute():
    market = market_of(A)
    market.apply(frame("09:15:59", (A, 1000, 0)))
    closed = market.apply(frame("09:16:00", (A, 1000, 0)))
    assert closed[0].rows[0, 0] == second("09:15")
