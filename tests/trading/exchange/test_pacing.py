from datetime import datetime, timedelta

import pytest

from trading.core.session import IST
from trading.exchange.pacing import Attendance, MarketClock, ReadLimits
from trading.exchange.rules import VenueRefusal

OPENING = datetime(2026, 11, 23, 9, 15, tzinfo=IST)


class Machine:
    """A monotonic clock that the test moves."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


def at_second(seconds):
    return OPENING + timedelta(seconds=seconds)


def test_market_time_runs_at_its_speed_up_to_the_limit_and_stands_there():
    machine = Machine()
    clock = MarketClock(OPENING, 60, machine)
    clock.run_to(at_second(3))
    machine.now_s += 0.025
    assert clock.now() == at_second(1.5)
    assert clock.seconds_until(at_second(3)) == pytest.approx(0.025)
    machine.now_s += 10
    assert clock.now() == at_second(3)


def test_time_spent_waiting_at_a_limit_is_not_caught_up():
    machine = Machine()
    clock = MarketClock(OPENING, 60, machine)
    clock.run_to(at_second(3))
    machine.now_s += 0.300  # 50 ms to the limit, 250 ms of waiting
    clock.run_to(at_second(6))
    assert at_second(3) <= clock.now() < at_second(3.5)


def test_lateness_of_a_timer_is_made_good_by_the_next_step():
    machine = Machine()
    clock = MarketClock(OPENING, 1, machine)
    for step in range(1, 101):
        clock.run_to(at_second(step))
        machine.now_s = 1000.0 + step + 0.004
    assert clock.now() == at_second(100)
    clock.run_to(at_second(200))
    assert clock.now() == at_second(100.004)


def test_at_the_markets_own_pace_the_work_of_a_frame_is_made_good():
    machine = Machine()
    clock = MarketClock(OPENING, 1, machine)
    for step in range(1, 101):
        clock.run_to(at_second(step / 2))
        machine.now_s = 1000.0 + step / 2 + 0.120
    clock.run_to(at_second(200))
    assert clock.now() == at_second(50.120)


def test_a_limit_that_lies_behind_never_turns_time_back():
    machine = Machine()
    clock = MarketClock(OPENING, 60, machine)
    clock.run_to(at_second(30))
    machine.now_s += 5
    clock.run_to(at_second(10))
    assert clock.now() == at_second(30)


def test_a_speed_of_nothing_is_refused():
    with pytest.raises(ValueError, match="leads nowhere"):
        MarketClock(OPENING, 0, Machine())


def test_everybody_who_was_sent_a_frame_must_acknowledge_it_or_a_later_one():
    attendance = Attendance()
    attendance.hello(1, "strategy")
    attendance.hello(2, "watcher")
    attendance.sent(1, 100)
    attendance.sent(2, 100)
    attendance.acknowledged(1, 100)
    assert not attendance.has_caught_up(0)
    attendance.acknowledged(2, 103)
    assert attendance.has_caught_up(0)
    attendance.acknowledged(2, 90)
    assert attendance.has_caught_up(0)


def test_who_was_sent_nothing_or_never_said_hello_is_not_waited_for():
    attendance = Attendance()
    attendance.hello(1, "strategy")
    attendance.sent(7, 100)
    attendance.acknowledged(7, 1)
    assert attendance.has_caught_up(0)


def test_a_role_that_went_away_is_waited_for_half_a_minute_or_until_another_takes_it():
    attendance = Attendance()
    attendance.hello(1, "watcher")
    attendance.goodbye(1, 50.0)
    assert not attendance.has_caught_up(79.9)
    assert attendance.has_caught_up(80.0)
    attendance.hello(2, "watcher")
    attendance.hello(3, "watcher")
    assert attendance.has_caught_up(50.0)
    attendance.goodbye(3, 60.0)
    assert attendance.has_caught_up(60.0)


def test_a_day_is_ready_when_strategy_and_watcher_have_said_hello():
    attendance = Attendance()
    attendance.hello(1, "strategy")
    assert not attendance.is_ready()
    attendance.hello(2, "watcher")
    assert attendance.is_ready()
    with pytest.raises(ValueError, match="strategy or watcher"):
        attendance.hello(3, "auditor")


@pytest.mark.parametrize(("kind", "most"), [("quote", 1), ("historical", 3), ("other", 10)])
def test_reading_is_limited_in_each_sliding_second(kind, most):
    limits = ReadLimits(1)
    for _ in range(most):
        limits.take(kind, 5.0)
    with pytest.raises(VenueRefusal) as refusal:
        limits.take(kind, 5.999)
    assert refusal.value.http_status == 429
    limits.take(kind, 6.0)


def test_a_faster_market_may_be_read_as_much_more_often():
    limits = ReadLimits(60)
    for _ in range(60):
        limits.take("quote", 5.0)
    with pytest.raises(VenueRefusal):
        limits.take("quote", 5.0)
