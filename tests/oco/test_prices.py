import pytest

from oco.prices import (
    closing_limit_paise,
    furthest_limit_paise,
    is_target_touched,
    stop_limit_paise,
    take_limit_paise,
    within_circuits,
)
from oco.views import MarketView, PriceGrid
from tests.oco.plan_builders import NOW, POLICY, market
from trading.core.enums import Side

GRID = PriceGrid(tick_size_paise=5)
BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("exit_side", "trigger", "limit"),
    [
        (SELL, 99_000, 98_700),  # 98,703
        (BUY, 101_000, 101_305),  # 101,303
        (SELL, 100_000, 99_700),  # on the tick already
        (BUY, 1_000, 1_005),  # 1,003
    ],
)
def test_a_stops_limit_is_thirty_basis_points_beyond_its_trigger(exit_side, trigger, limit):
    assert stop_limit_paise(exit_side, trigger, POLICY, GRID) == limit


def test_a_stops_limit_stays_inside_the_circuit():
    grid = PriceGrid(tick_size_paise=5, lower_circuit_paise=98_801, upper_circuit_paise=101_204)
    assert stop_limit_paise(SELL, 99_000, POLICY, grid) == 98_805
    assert stop_limit_paise(BUY, 101_000, POLICY, grid) == 101_200


def test_a_price_is_never_below_one_tick():
    assert within_circuits(0, GRID) == 5


def test_the_furthest_price_is_one_per_cent_and_one_more_for_each_that_hung():
    quotes = market(100_020)
    assert furthest_limit_paise(SELL, quotes, 99_000, POLICY, GRID) == 99_020  # 99,019.80, kept inside
    assert furthest_limit_paise(SELL, quotes, 99_000, POLICY, GRID, hung=2) == 97_020  # 97,019.40
    assert furthest_limit_paise(BUY, quotes, 101_000, POLICY, GRID) == 101_020  # 101,020.20


def test_the_furthest_price_ends_at_five_per_cent():
    assert furthest_limit_paise(SELL, market(100_000), 99_000, POLICY, GRID, hung=50) == 95_000
    assert furthest_limit_paise(BUY, market(100_000), 101_000, POLICY, GRID, hung=50) == 105_000


@pytest.mark.parametrize(
    ("last", "exit_side", "stop", "furthest"),
    [
        (100_500, SELL, 99_000, 98_010),  # the stop is worse than the old price
        (98_000, SELL, 99_000, 97_020),  # the old price is worse than the stop
        (0, SELL, 99_000, 98_010),
        (100_500, BUY, 101_000, 102_010),
        (0, BUY, 101_000, 102_010),
    ],
)
def test_without_a_fresh_price_the_worse_of_stop_and_last_price_counts(last, exit_side, stop, furthest):
    stale = MarketView(market_now=NOW, last_paise=last, age_s=60.0)
    assert furthest_limit_paise(exit_side, stale, stop, POLICY, GRID) == furthest


@pytest.mark.parametrize(
    ("exit_side", "quotes", "own", "limit"),
    [
        (SELL, market(99_100), 98_700, 98_700),  # its own limit trades already
        (SELL, market(98_500, bid_paise=98_400), 98_700, 98_390),  # two ticks through the bid
        (SELL, market(98_500, bid_paise=90_000), 98_700, 97_515),  # 1 % of the last price and no further
        (SELL, market(98_500, bid_paise=0), 98_700, 98_700),
        (SELL, market(100_000), 0, 99_000),
        (BUY, market(100_900), 101_305, 101_305),
        (BUY, market(101_500, ask_paise=101_600), 101_305, 101_610),
        (BUY, market(101_500, ask_paise=110_000), 101_305, 102_515),
    ],
)
def test_the_first_closing_price(exit_side, quotes, own, limit):
    stop = 99_000 if exit_side is SELL else 101_000
    assert closing_limit_paise(exit_side, quotes, own, stop, POLICY, GRID) == limit


def test_a_target_is_taken_at_the_stops_own_limit_or_as_far_as_the_protection_goes():
    assert take_limit_paise(SELL, market(99_500), 98_700, 99_000, POLICY, GRID) == 98_700
    assert take_limit_paise(SELL, market(102_000), 98_700, 99_000, POLICY, GRID) == 100_980
    assert take_limit_paise(BUY, market(98_000), 101_305, 101_000, POLICY, GRID) == 98_980


@pytest.mark.parametrize(
    ("side", "quotes", "touched"),
    [
        (BUY, market(102_000, bid_paise=102_000), True),
        (BUY, market(102_000, bid_paise=101_995), False),
        (SELL, market(102_000, ask_paise=102_000), True),
        (SELL, market(102_000, ask_paise=102_005), False),
        (SELL, market(102_000, ask_paise=0), False),
        (BUY, MarketView(market_now=NOW), False),
    ],
)
def test_a_target_is_touched_by_the_quote_we_would_trade_at(side, quotes, touched):
    assert is_target_touched(side, quotes, 102_000) is touched
