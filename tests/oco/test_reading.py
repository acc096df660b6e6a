"""Soon after each write, now and then in any case, at once when something woke us."""

from datetime import datetime, timedelta

from oco.reading import ALERT, CALM, IDLE, URGENT, ReadingPlan
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


def reads(plan: ReadingPlan, now: datetime, every: timedelta) -> bool:
    """A reading that succeeds where one is due."""
    is_due = plan.whole_due(now, every)
    if is_due:
        plan.whole_read(now, every)
    return is_due


def test_the_whole_book_is_read_at_first_and_then_every_so_often():
    plan = ReadingPlan()
    read_at = [second for second in range(40) if reads(plan, after(second), CALM)]
    assert read_at == [0, 15, 30]


def test_a_reading_that_failed_stays_due():
    plan = ReadingPlan()
    assert reads(plan, START, CALM)
    assert [second for second in range(14, 18) if plan.whole_due(after(second), CALM)] == [15, 16, 17]


def test_the_less_is_known_the_sooner_the_whole_book_is_read():
    plan = ReadingPlan()
    assert reads(plan, START, CALM)
    assert not plan.whole_due(after(1), ALERT)
    assert plan.next_at() == after(4)
    assert not plan.whole_due(after(2), URGENT)
    assert plan.whole_due(after(4), URGENT)
    assert (2 * URGENT).total_seconds() < 5


def test_after_a_group_has_closed_the_book_is_read_soon_until_one_twelve_seconds_later_was_read():
    plan = ReadingPlan()
    assert reads(plan, START, IDLE)
    plan.group_closed(after(5))
    read_at = [second for second in range(5, 60) if reads(plan, after(second), IDLE)]
    assert read_at == [5, 8, 11, 14, 17]


def test_an_order_that_its_history_does_not_know_is_asked_for_again_and_the_book_at_once():
    plan = ReadingPlan()
    assert reads(plan, START, CALM)
    plan.missed("1", after(3))
    assert plan.whole_due(after(3), CALM)
    assert plan.orders_due(after(3.9)) == []
    assert plan.orders_due(after(4)) == ["1"]


def test_after_a_reconnect_everything_is_read_at_once():
    plan = ReadingPlan()
    assert reads(plan, START, CALM)
    plan.read_all_now(after(1))
    assert plan.whole_due(after(1), CALM)
