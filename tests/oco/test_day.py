"""The day's table: rows in the order of time, each run once, and again only where it was not noted."""

from dataclasses import replace
from datetime import timedelta

import pytest

from oco import day as day_table
from oco.day import DayRow
from oco.models import DayStep, Flatten
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from trading.core.session import ordinary_session

pytestmark = pytest.mark.django_db


def table(day: Day) -> list[DayRow]:
    sessions = [ordinary_session(day.market.trading_date, spec) for spec in (STEEL, NIFTY)]
    return day_table.table([STEEL, NIFTY], sessions, day.now)


def test_there_is_one_square_off_for_each_time_and_the_last_takes_everything():
    day = Day.opens()
    rows = {row.name: f"{row.due_at:%H:%M}" for row in table(day)}
    assert rows == {"day_roll": "09:45", "square_off_1500": "15:00", "square_off_1510": "15:10"}
    for row in table(day)[1:]:
        row.run(day.desk)
    scopes = [flatten.tradingsymbols for flatten in Flatten.objects.order_by("pk")]
    assert scopes == [["STEEL"], []]


def test_a_row_that_was_noted_is_done_for_the_date():
    day = Day.opens()
    rows = table(day)[1:]
    assert day_table.run(day.desk, rows[0])
    assert [row.name for row in day_table.pending(day.desk, rows)] == ["square_off_1510"]
    assert not day_table.run(day.desk, rows[0])
    assert DayStep.objects.filter(name="square_off_1500").count() == 1


def test_rows_of_another_date_are_open_again():
    day = Day.opens()
    rows = table(day)[1:]
    day_table.run(day.desk, rows[0])
    tomorrow = replace(day.desk, trading_date=day.desk.trading_date + timedelta(days=1))
    assert len(day_table.pending(tomorrow, rows)) == 2


def test_a_row_that_crashed_before_it_was_noted_runs_again():
    day = Day.opens()
    count = 0

    def once_broken(_: object) -> dict[str, object]:
        nonlocal count
        count += 1
        if count == 1:
            raise ConnectionError("the database went away")
        return {"count": count}

    row = DayRow("probe", day.now, once_broken)
    with pytest.raises(ConnectionError):
        day_table.run(day.desk, row)
    assert day_table.pending(day.desk, [row]) == [row]
    assert day_table.run(day.desk, row)
    assert DayStep.objects.get(name="probe").result == {"count": 2}
