from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.trading.market_builders import DAY, joined, market_of, minutes, share
from trading.core.enums import Side
from trading.strategies.bar_walk import Seen, walk
from trading.strategies.base import Warming
from trading.strategies.orb import OpeningRangeBreakout

A = share()
#: flat at ₹100 and reaching half a rupee both ways: every true range is ₹1, so is ATR
YESTERDAY = minutes("09:15", [10_000] * 375, day=DAY - timedelta(days=3), reach=50)
RANGE = minutes("09:15", [10_000] * 15, reach=50)  # 99.50 to 100.50


def seen_after(closes: list[int], *, warm_up=YESTERDAY, opening=RANGE, start="09:30") -> list[Any]:
    market = market_of(A)
    market.warm_up({A.instrument_token: warm_up})
    today = joined(opening, minutes(start, closes)) if closes else opening
    return list(walk(market, {A.instrument_token: today}, [OpeningRangeBreakout()]))


def test_the_first_close_above_the_range_buys_with_the_stop_at_its_other_side():
    (seen,) = seen_after([10_000, 10_080])
    setup = seen.setup
    assert f"{seen.candle.opened_at:%H:%M}" == "09:31"
    assert setup.side is Side.BUY
    assert setup.entry_price == Decimal("100.80")
    assert setup.stop_price == Decimal("99.50")
    # risk 1.30: 1.8 times it is 2.34, 60 % of that 1.404; both end on the tick towards the entry
    assert setup.target_price == Decimal("103.10")
    assert setup.first_target_price == Decimal("102.20")
    assert setup.confirm_price == Decimal("100.50")
    assert setup.atr == Decimal("1.00")
    assert setup.reason == "closed 0.3 ATR beyond the opening high 100.50"


def test_the_first_close_below_the_range_sells():
    (seen,) = seen_after([9_920])
    setup = seen.setup
    assert setup.side is Side.SELL
    assert (setup.entry_price, setup.stop_price) == (Decimal("99.20"), Decimal("100.50"))
    assert (setup.target_price, setup.first_target_price) == (Decimal("96.90"), Decimal("97.80"))
    assert setup.confirm_price == Decimal("99.50")


def test_a_wide_range_does_not_push_the_stop_further_than_one_and_a_half_atr():
    (seen,) = seen_after([10_120])
    assert seen.setup.stop_price == Decimal("99.70")
    assert seen.setup.target_price == Decimal("103.90")


def test_each_side_signals_once_a_day_even_after_coming_back():
    seen = seen_after([10_080, 10_090, 10_000, 10_085, 9_930, 9_900, 10_000, 9_900])
    assert [(each.setup.side, f"{each.candle.opened_at:%H:%M}") for each in seen] == [
        (Side.BUY, "09:30"),
        (Side.SELL, "09:34"),
    ]


def test_a_close_on_the_edge_is_not_beyond_it():
    assert seen_after([10_050, 9_950]) == []


def test_nothing_is_signalled_while_the_range_forms():
    assert seen_after([], opening=minutes("09:15", [10_000, 10_500, 9_000, *[10_000] * 12])) == []


def test_without_an_opening_range_it_says_that_it_is_warming():
    seen = seen_after([10_080], opening=minutes("09:21", [10_000] * 9, reach=50))
    assert seen == [
        Warming(needs="the opening range: too few of the first fifteen minutes have a candle"),
    ]


def test_without_enough_five_minute_candles_it_says_that_it_is_warming():
    (seen,) = seen_after([10_080], warm_up=minutes("15:25", [10_000] * 5, day=DAY - timedelta(days=3)))
    assert isinstance(seen, Warming)


def test_after_a_restart_a_side_that_signalled_before_stays_spent():
    market = market_of(A)
    market.warm_up({A.instrument_token: joined(YESTERDAY, RANGE, minutes("09:30", [10_080, 10_000]))})
    again = walk(market, {A.instrument_token: minutes("09:32", [10_090, 9_900])}, [OpeningRangeBreakout()])
    assert [each.setup.side for each in again if isinstance(each, Seen)] == [Side.SELL]
