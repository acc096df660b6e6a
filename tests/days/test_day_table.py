"""Lessons section 6, 12 and 15: the day's times hold without a tick, on any host, on any kind of day."""

import os
import time as machine_time
from datetime import date, time, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from oco import day as day_table
from oco.models import DayStep, Flatten
from risk import state
from risk.models import RiskLimits
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL, ScriptedMarket
from trading import account
from trading.core.enums import ExitReason, PauseReason, Role
from trading.core.holidays import default_calendar
from trading.core.session import at
from trading.models import Account, Fill

pytestmark = pytest.mark.django_db


def denials(decision) -> list[str]:
    return [one["reason"] for one in decision.reasons]


def test_12_square_off_comes_without_a_tick():
    day = Day.opens(opens=time(14, 25))
    day.enters()
    day.market.falls_silent()
    day.run_until("15:09:59")
    assert day.net() == 75
    day.run_until("15:10:05")
    assert (day.net(), day.working()) == (0, [])
    assert [group.exit_reason for group in day.groups()] == [ExitReason.SQUARE_OFF]


def test_12_a_square_off_that_half_fills_goes_on_until_flat():
    day = Day.opens(opens=time(14, 25))
    day.enters(stop="24920", target="25300")
    day.market.falls_silent()
    day.run_until("15:09:54")
    day.market.offers(25)
    day.market.speaks_again()
    day.run_until("15:10:01")
    assert 0 < day.net() < 150
    day.run_until("15:11:00")
    assert (day.net(), day.working()) == (0, [])
    assert sum(fill.quantity for fill in Fill.objects.filter(side="SELL")) == 150
    assert min(net for _, net, _ in day.tape) >= 0


def test_12_shares_that_have_an_auction_are_left_ten_minutes_before_futures():
    day = Day.opens(NIFTY, STEEL, opens=time(14, 25))
    day.enters()
    day.enters(spec=STEEL, stop="990", target="1030")
    day.market.falls_silent(NIFTY)
    day.market.falls_silent(STEEL)
    day.run_until("15:00:06")
    assert (day.net(STEEL), day.net(NIFTY)) == (0, 75)
    day.run_until("15:10:06")
    assert day.net(NIFTY) == 0
    assert list(DayStep.objects.values_list("name", flat=True)) == [
        "day_roll",
        "square_off_1500",
        "square_off_1510",
    ]


def test_12_a_restart_after_the_square_off_does_not_run_it_again():
    day = Day.opens(opens=time(14, 25))
    day.enters()
    day.market.falls_silent()
    day.run_until("15:10:06")
    day.restarts()
    day.run_until("15:12:00")
    assert Flatten.objects.count() == 1


def test_12_a_restart_that_missed_the_square_off_catches_up_at_once():
    day = Day.opens(opens=time(14, 25))
    day.enters()
    day.market.falls_silent()
    day.run_until("15:09:00")
    day.replayed.clocks.move_to(at(day.market.trading_date, time(15, 12)))
    day.restarts()
    day.run_for(190)
    assert day.net() == 0
    assert [group.exit_reason for group in day.groups()] == [ExitReason.SQUARE_OFF]


def test_12_entries_are_allowed_from_half_past_nine_until_half_past_two():
    morning = Day.opens(opens=time(9, 29))
    assert denials(morning.enters()) == ["SESSION_CLOSED"]
    morning.run_until("09:30:03")
    assert morning.enters().approved
    afternoon = ScriptedMarket(trading_date=date(2025, 11, 4), opens=time(14, 29, 30))
    morning.ends()
    day = Day.opens(account=morning.account, market=afternoon)
    day.run_until("14:30:00")
    assert denials(day.enters()) == ["SESSION_CLOSED"]


def story(trading_date: date, name: str) -> list[tuple[str, int, Decimal]]:
    """What a short day came to, in wall times of the exchange."""
    owner = Account.objects.create(name=name, broker_user=name.upper())
    day = Day.opens(account=owner, market=ScriptedMarket(trading_date=trading_date, opens=time(9, 28)))
    refused = day.enters()
    day.run_until("09:31:00")
    day.enters()
    day.price_goes_to("25310", frames=10)
    day.run_for(3)
    fills = Fill.objects.filter(account=owner).order_by("filled_at", "pk")
    times = [fill.filled_at.astimezone(day.now.tzinfo).strftime("%H:%M:%S") for fill in fills]
    assert denials(refused) == ["SESSION_CLOSED"]
    return [(at_, fill.quantity, fill.price) for at_, fill in zip(times, fills, strict=True)]


@pytest.fixture
def host_zone(monkeypatch):
    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        machine_time.tzset()

    before = os.environ.get("TZ")
    yield set_zone
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    machine_time.tzset()


def test_12_a_host_in_another_time_zone_trades_at_the_same_times(host_zone):
    host_zone("UTC")
    in_utc = story(date(2025, 11, 3), "utc")
    host_zone("America/New_York")
    in_new_york = story(date(2025, 11, 3), "new-york")
    assert [entry[0][:5] for entry in in_utc] == ["09:31", "09:31"]
    assert in_utc == in_new_york


def test_12_a_holiday_has_no_session_and_a_special_hour_no_room_for_entries():
    calendar = default_calendar()
    assert calendar.session(date(2025, 10, 22), NIFTY) is None
    muhurat = calendar.session(date(2025, 10, 21), NIFTY)
    assert muhurat is not None
    assert (muhurat.opens_at.time(), muhurat.closes_at.time()) == (time(13, 45), time(14, 45))
    assert muhurat.entries_from == muhurat.entries_until
    assert muhurat.square_off_at < muhurat.closes_at


def test_12_on_a_special_day_entries_follow_its_own_times():
    market = ScriptedMarket(trading_date=date(2025, 10, 21), opens=time(14, 0))
    day = Day.opens(market=market)
    assert denials(day.enters()) == ["SESSION_CLOSED"]
    assert day.broker.asked == []


def test_15_a_loss_limit_with_the_wrong_sign_is_refused_when_it_is_saved():
    day = Day.opens()
    with pytest.raises(ValidationError, match=r"positive number, always; write 2\.50"):
        RiskLimits.objects.create(
            account=day.account, version=2, created_by="op", why="typo", daily_loss_pct=Decimal("-2.50")
        )
    assert day.enters().approved


def test_15_a_restart_in_mid_day_keeps_the_days_loss_and_its_losing_streak():
    day = Day.opens()
    day.enters()
    day.price_goes_to("24899", frames=5)
    day.run_for(3)
    before = account.snapshot(day.loop.desk, day.loop.quote, Decimal(2500000))
    day.restarts()
    day.run_for(3)
    after = account.snapshot(day.loop.desk, day.loop.quote, Decimal(2500000))
    (trade,) = day.trades()
    assert trade.net_inr < -7000
    assert (before.day_pnl_inr, after.day_pnl_inr) == (trade.net_inr, trade.net_inr)
    assert (after.losses_in_a_row, after.trades_today) == (1, 1)
    day.run_for(60)
    assert denials(day.enters(stop="24800", target="25200")) == ["COOLDOWN"]


def test_15_the_day_roll_lifts_what_the_limits_closed_and_nothing_of_the_operators():
    day = Day.opens()
    state.turn_off(day.account.pk, PauseReason.RISK, by="daily loss", why="reached", now=day.now)
    state.pause(day.account.pk, by="operator", why="lunch", now=day.now)
    roll = day_table.table([NIFTY], [day.loop.market.sessions[0]], day.now)[0]
    DayStep.objects.filter(name="day_roll").delete()
    assert day_table.run(day.desk, roll)
    assert state.reasons_off(day.account.pk) == {PauseReason.OPERATOR}
    state.turn_off(day.account.pk, PauseReason.RISK, by="daily loss", why="again", now=day.now)
    assert day_table.pending(day.desk, [roll]) == []


def test_a_position_that_does_not_win_is_left_after_forty_minutes():
    day = Day.opens()
    day.enters()
    day.market.falls_silent()
    day.run_until("10:25:00")
    day.market.speaks_again()
    day.run_until("10:25:12")
    assert [group.exit_reason for group in day.groups()] == [ExitReason.TIME]
    assert day.trades()[0].closed_at - day.trades()[0].opened_at < timedelta(minutes=41)
    assert day.broker_orders(Role.EXIT) == []
