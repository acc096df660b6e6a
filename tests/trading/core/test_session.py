from datetime import date, datetime, time

import pytest

from tests.trading.market_builders import future, share
from trading.core.holidays import DEFAULT_HOLIDAYS, default_calendar
from trading.core.session import (
    IST,
    Calendar,
    DayTimes,
    MissingCalendarYear,
    SpecialSession,
    next_weekday,
    ordinary_session,
)

CALENDAR = default_calendar()
MONDAY = date(2026, 11, 23)


def wall(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %z}"


def test_an_ordinary_share_trades_until_half_past_three():
    session = CALENDAR.session(MONDAY, share())
    assert session is not None
    assert wall(session.opens_at) == "2026-11-23 09:15 +0530"
    assert wall(session.entries_from) == "2026-11-23 09:30 +0530"
    assert wall(session.entries_until) == "2026-11-23 14:30 +0530"
    assert wall(session.square_off_at) == "2026-11-23 15:10 +0530"
    assert wall(session.square_off_done_by) == "2026-11-23 15:20 +0530"
    assert wall(session.closes_at) == "2026-11-23 15:30 +0530"


def test_a_share_with_derivatives_is_left_before_its_closing_auction():
    session = CALENDAR.session(MONDAY, share(has_derivatives=True))
    assert session is not None
    assert wall(session.square_off_at) == "2026-11-23 15:00 +0530"
    assert wall(session.square_off_done_by) == "2026-11-23 15:10 +0530"
    assert wall(session.closes_at) == "2026-11-23 15:15 +0530"


def test_a_future_trades_ten_minutes_longer():
    session = CALENDAR.session(MONDAY, future(1, "NIFTY"))
    assert session is not None
    assert wall(session.square_off_at) == "2026-11-23 15:10 +0530"
    assert wall(session.closes_at) == "2026-11-23 15:40 +0530"


def test_open_and_entry_windows_include_their_start_and_exclude_their_end():
    session = ordinary_session(MONDAY, share())
    assert session.is_open(session.opens_at)
    assert not session.is_open(session.closes_at)
    assert session.takes_entries(session.entries_from)
    assert not session.takes_entries(session.entries_until)
    assert not session.takes_entries(session.opens_at)


def test_a_computer_on_utc_sees_the_same_moment():
    session = ordinary_session(MONDAY, share())
    assert session.is_open(datetime.fromisoformat("2026-11-23T03:45:00+00:00"))
    assert not session.is_open(datetime.fromisoformat("2026-11-23T03:44:59+00:00"))


@pytest.mark.parametrize(
    ("day", "trades"),
    [
        (date(2026, 11, 23), True),
        (date(2026, 11, 24), False),  # Gurunanak Jayanti
        (date(2026, 11, 22), False),  # Sunday
        (date(2026, 1, 15), False),  # announced late
        (date(2026, 2, 1), True),  # a Sunday with the Budget
        (date(2022, 3, 18), False),
        (date(2022, 3, 7), True),
        (date(2024, 11, 1), True),  # Diwali: Muhurat only
        (date(2023, 11, 12), True),  # Muhurat on a Sunday
    ],
)
def test_the_calendar_knows_which_days_trade(day, trades):
    assert CALENDAR.is_trading_day(day) is trades


def test_every_year_from_2021_to_2027_is_known_and_only_the_last_is_provisional():
    assert CALENDAR.years == {2021, 2022, 2023, 2024, 2025, 2026, 2027}
    assert CALENDAR.is_provisional(date(2027, 5, 3))
    assert not CALENDAR.is_provisional(date(2026, 5, 4))


def test_no_shipped_holiday_falls_on_a_weekend_or_is_listed_twice():
    days = [day for day, _ in DEFAULT_HOLIDAYS]
    assert [day for day in days if day.weekday() > 4] == []
    assert len(set(days)) == len(days)


def test_a_year_without_a_list_says_what_to_do():
    with pytest.raises(MissingCalendarYear, match="no holidays for 2028: enter NSE's list") as error:
        CALENDAR.session(date(2028, 1, 3), share())
    assert error.value.year == 2028


def test_a_holiday_has_no_session():
    assert CALENDAR.session(date(2026, 12, 25), share()) is None


def test_a_muhurat_hour_opens_but_has_no_room_for_entries():
    session = CALENDAR.session(date(2025, 10, 21), share())
    assert session is not None
    assert wall(session.opens_at) == "2025-10-21 13:45 +0530"
    assert wall(session.closes_at) == "2025-10-21 14:45 +0530"
    assert session.entries_from == session.entries_until
    assert wall(session.square_off_at) == "2025-10-21 14:25 +0530"


def test_a_budget_saturday_has_the_ordinary_hours():
    session = CALENDAR.session(date(2025, 2, 1), share())
    assert session is not None
    assert wall(session.closes_at) == "2025-02-01 15:30 +0530"


def test_the_next_trading_day_skips_weekends_holidays_and_muhurat():
    assert CALENDAR.next_trading_day(date(2026, 11, 20)) == date(2026, 11, 23)
    assert CALENDAR.next_trading_day(date(2026, 11, 23)) == date(2026, 11, 25)
    assert CALENDAR.next_trading_day(date(2025, 10, 20)) == date(2025, 10, 23)


def test_previous_trading_days_come_oldest_first():
    assert CALENDAR.previous_trading_days(date(2022, 3, 21), 3) == [
        date(2022, 3, 15),
        date(2022, 3, 16),
        date(2022, 3, 17),
    ]


def test_a_special_session_of_the_operator_wins_over_a_holiday():
    muhurat = SpecialSession(day=date(2026, 11, 8), name="Muhurat", opens=time(18, 0), closes=time(19, 0))
    calendar = Calendar.of([(date(2026, 12, 25), "Christmas")], [muhurat])
    session = calendar.session(date(2026, 11, 8), share())
    assert session is not None
    assert session.opens_at == datetime(2026, 11, 8, 18, 0, tzinfo=IST)


def test_the_next_weekday_asks_no_calendar():
    assert next_weekday(date(2030, 3, 1)) == date(2030, 3, 4)
    assert next_weekday(date(2030, 3, 4)) == date(2030, 3, 5)


def test_the_default_times_are_in_order_and_a_wrong_one_is_named():
    assert DayTimes().problems() == []
    assert DayTimes(entries_until=time(15, 5)).problems() == [
        "auction_square_off (15:00) must come after entries_until (15:05)"
    ]
