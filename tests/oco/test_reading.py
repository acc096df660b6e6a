"""Soon after each write, now and then in any case, at once when something woke us."""

from datetime import datetime, timedelta

from oco.reading import ALERT, CALM, URGENT, ReadingPlan
from trading.core.session import IST

START = datetime(2025, 11, 3, 10, 0, tzinfo=IST)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_write_is_read_four_times_within_five_seconds():
    plan = ReadingPlan()
    plan.wrote("1", START)
    read_at = [tenths / 10 for tenths in range(80) if plan.orders_due(after(tenths / 10))]
    assert read_at == [0.3, 0.8, 2.0, 5.0]
    assert plan.next_at() is None


def test_readings_that_were_missed_are_made_up_by_one():
    plan = ReadingPlan()
    plan.wrote("1", START)
    assert plan.orders_due(after(3)) == ["1"]
    assert plan.orders_due(after(3)) == []
    assert plan.next_at() == after(5)


def test_what_woke_us_is_read_at_once_and_the_plan_goes_on():
    plan = ReadingPlan()
    plan.wrote("1", START)
    plan.woke("1", after(0.1))
    plan.woke("2", after(0.1))
    assert sorted(plan.orders_due(after(0.1))) == ["1", "2"]
    assert plan.next_at() == after(0.3)


def test_the_whole_book_is_read_at_first_and_then_every_so_often():
    plan = ReadingPlan()
    read_at = [second for second in range(40) if plan.whole_due(after(second), CALM)]
    assert read_at == [0, 15, 30]


def test_the_less_is_known_the_sooner_the_whole_book_is_read():
    plan = ReadingPlan()
    assert plan.whole_due(START, CALM)
    assert not plan.whole_due(after(1), ALERT)
    assert plan.next_at() == after(4)
    assert not plan.whole_due(after(2), URGENT)
    assert plan.whole_due(after(4), URGENT)
    assert (2 * URGENT).total_seconds() < 5


def test_after_a_reconnect_everything_is_read_at_once():
    plan = ReadingPlan()
    plan.whole_due(START, CALM)
    plan.read_all_now(after(1))
    assert plan.whole_due(after(1), CALM)
