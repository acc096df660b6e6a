from datetime import date
from pathlib import Path

import pytest

from trading.core.holidays import default_calendar
from trading.exchange.gfdl import BrokenMarketData
from trading.exchange.markets import Market

MARKET_DATA = Path(__file__).resolve().parents[4] / "shared" / "market-data"
SYNTHETIC = Market(name="synthetic", calendar=default_calendar())


@pytest.mark.parametrize(
    ("today", "first"),
    [
        (date(2026, 11, 23), date(2026, 11, 23)),
        (date(2026, 11, 22), date(2026, 11, 23)),
        (date(2026, 11, 24), date(2026, 11, 25)),
    ],
)
def test_a_synthetic_market_begins_today_or_on_the_next_trading_day(today, first):
    assert SYNTHETIC.first_day(today) == first


def test_a_synthetic_market_goes_on_where_the_calendar_ends():
    assert SYNTHETIC.day_after(date(2026, 11, 23)) == date(2026, 11, 25)
    assert SYNTHETIC.day_after(date(2040, 6, 1)) == date(2040, 6, 4)


@pytest.mark.skipif(not MARKET_DATA.is_dir(), reason="no recorded market data beside the project")
def test_a_replay_begins_with_three_days_of_history_and_ends_with_the_last_recorded_day():
    market = Market(name="replay", calendar=default_calendar(), data=MARKET_DATA)
    assert market.first_day(date(2026, 11, 23)) == date(2022, 1, 6)
    assert market.day_after(date(2022, 3, 15)) == date(2022, 3, 16)
    assert market.day_after(date(2022, 6, 30)) is None
    assert market.source(date(2022, 3, 15)).trading_date == date(2022, 3, 15)


def test_a_folder_without_recorded_minutes_is_refused(tmp_path):
    with pytest.raises(BrokenMarketData, match="no .txt or .csv file"):
        Market(name="replay", calendar=default_calendar(), data=tmp_path).first_day(date(2026, 11, 23))
