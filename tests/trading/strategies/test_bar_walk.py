"""Strategies over real minutes. Expected prices were read off the recorded rows by hand."""

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from tests.trading.market_builders import MARKET_DATA, future, joined, market_of, recorded_days, second
from trading.core.enums import Side
from trading.core.indicators import Indicator
from trading.strategies.bar_walk import Seen, walk
from trading.strategies.registry import strategies

pytestmark = pytest.mark.skipif(
    not MARKET_DATA.is_dir(), reason="recorded minutes are not beside this project"
)

SPECS = {"NIFTY": future(1001, "NIFTY"), "BANKNIFTY": future(1002, "BANKNIFTY", 25)}


@pytest.fixture(scope="module")
def recorded():
    return {name: recorded_days(name, "2022-MAR") for name in SPECS}


def seen_on(recorded, day: date, name: str | None = None) -> list[Seen]:
    names = [name] if name else list(SPECS)
    market = market_of(*(SPECS[each] for each in names), day=day)
    earlier = sorted(other for other in recorded["NIFTY"] if other < day)[-2:]
    market.warm_up(
        {SPECS[each].instrument_token: joined(*(recorded[each][d] for d in earlier)) for each in names}
    )
    today = {SPECS[each].instrument_token: recorded[each][day] for each in names}
    return [each for each in walk(market, today, strategies()) if isinstance(each, Seen)]


def test_the_fifteenth_of_march_breaks_its_opening_range_where_the_rows_say(recorded):
    breakouts = [each for each in seen_on(recorded, date(2022, 3, 15), "NIFTY") if each.strategy == "ORB"]
    assert [
        (each.setup.side, f"{each.candle.opened_at:%H:%M}", each.setup.entry_price, each.setup.confirm_price)
        for each in breakouts
    ] == [(Side.SELL, "09:39", Decimal("16841.80"), Decimal("16852.15"))]


def test_real_days_give_setups_of_both_strategies_within_bounds(recorded):
    days = [date(2022, 3, day) for day in (10, 14, 15)]
    for day in days:
        seen = seen_on(recorded, day)
        by_strategy = Counter(each.strategy for each in seen)
        assert 1 <= by_strategy["ORB"] <= 4, day
        assert 1 <= by_strategy["TrendPullback"] <= 25, day
        assert min(each.candle.closed_at_s for each in seen) >= second("09:30", day)
        assert all(each.setup.entry_price % Decimal("0.05") == 0 for each in seen)


def test_the_day_that_lacks_forty_minutes_is_walked_and_keeps_its_range(recorded):
    day = date(2022, 3, 7)
    assert len(recorded["NIFTY"][day]) < 340
    market = market_of(SPECS["NIFTY"], day=day)
    token = SPECS["NIFTY"].instrument_token
    market.warm_up({token: joined(recorded["NIFTY"][date(2022, 3, 3)], recorded["NIFTY"][date(2022, 3, 4)])})
    list(walk(market, {token: recorded["NIFTY"][day]}, strategies()))
    assert market.history(0).value(Indicator.ATR, 5) > 1000
