"""Dated facts of contracts."""

from dataclasses import replace
from datetime import date, time

import pytest

from tests.trading.exchange.market_builders import FUTURE, SHARE
from trading.exchange import contracts


@pytest.mark.parametrize(
    ("on", "expiry"),
    [
        (date(2022, 3, 15), date(2022, 3, 31)),
        (date(2022, 3, 31), date(2022, 3, 31)),
        (date(2022, 4, 1), date(2022, 4, 28)),
        (date(2022, 12, 30), date(2023, 1, 26)),
        (date(2025, 9, 1), date(2025, 9, 30)),
        (date(2026, 11, 23), date(2026, 11, 24)),
    ],
)
def test_the_front_month_expires_on_the_last_thursday_and_since_september_2025_tuesday(on, expiry):
    assert contracts.monthly_expiry(on) == expiry


def test_an_expiry_on_a_holiday_moves_to_the_trading_day_before():
    holidays = {date(2026, 11, 24)}
    assert contracts.monthly_expiry(date(2026, 11, 20), holidays) == date(2026, 11, 23)
    assert contracts.monthly_expiry(date(2026, 11, 24), holidays) == date(2026, 12, 29)


def test_a_future_is_named_by_year_and_month():
    assert contracts.future_symbol("NIFTY", date(2022, 3, 31)) == "NIFTY22MARFUT"


def test_lots_are_those_of_their_time():
    assert [contracts.lot_size(index, date(2022, 3, 15)) for index in ("NIFTY", "BANKNIFTY")] == [50, 25]
    assert [contracts.lot_size(index, date(2026, 11, 23)) for index in contracts.INDICES] == [65, 30, 60]
    with pytest.raises(ValueError, match="no lot size of NIFTY is known for 2019-01-01"):
        contracts.lot_size("NIFTY", date(2019, 1, 1))


@pytest.mark.parametrize(
    ("price_inr", "tick_paise"),
    [(249, 1), (250, 5), (1000, 5), (1001, 10), (5000, 10), (5001, 50), (10_001, 100), (20_001, 500)],
)
def test_a_shares_tick_follows_its_price(price_inr, tick_paise):
    assert contracts.share_tick_paise(price_inr * 100, date(2026, 11, 23)) == tick_paise
    assert contracts.share_tick_paise(price_inr * 100, date(2022, 3, 15)) == 5


def test_an_index_futures_tick_follows_its_price():
    ticks = [
        contracts.index_future_tick_paise(inr * 100, date(2026, 11, 23)) for inr in (15_000, 26_000, 58_000)
    ]
    assert ticks == [5, 10, 20]


def test_continuous_trading_ends_by_segment_since_the_closing_auction():
    plain = replace(SHARE, has_derivatives=False)
    ends = [contracts.continuous_close(spec, date(2026, 11, 23)) for spec in (SHARE, plain, FUTURE)]
    assert ends == [time(15, 15), time(15, 30), time(15, 40)]
    assert contracts.continuous_close(FUTURE, date(2022, 3, 15)) == time(15, 30)
