"""The parts of a long list: its dates and its lines of CSV."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from aitrapp_site import lists
from trading.core.session import IST


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (-3, "-3"),
        (Decimal("-3753.75"), "-3753.75"),
        (datetime(2026, 11, 23, 10, 31, tzinfo=IST), "2026-11-23T10:31:00+05:30"),
        (date(2026, 11, 23), "2026-11-23"),
        ({"why": "₹5"}, '{"why": "₹5"}'),
        ("=1+1", "'=1+1"),
        ("+91", "'+91"),
        ("-1 beyond the range", "'-1 beyond the range"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("M&M", "M&M"),
    ],
)
def test_a_cell_is_a_number_a_time_or_a_text_that_no_spreadsheet_runs(value, cell):
    assert lists.csv_cell(value) == cell


def test_a_line_is_quoted_where_it_must_be():
    assert list(lists.csv_lines(["id", "why"], iter([(1, 'said "no", twice')]))) == [
        "id,why\r\n",
        '1,"said ""no"", twice"\r\n',
    ]


def test_dates_go_from_the_first_to_the_last_within_what_is_chosen():
    first, last = date(2025, 11, 29), date(2026, 2, 2)
    assert [day.isoformat() for day in lists.dates_between(first, last, "month")] == [
        "2025-11-01", "2025-12-01", "2026-01-01", "2026-02-01",
    ]  # fmt: skip
    assert [day.year for day in lists.dates_between(first, last, "year")] == [2025, 2026]
    assert lists.clipped(first, last, 2025, None) == (date(2025, 11, 29), date(2025, 12, 31))
    assert lists.clipped(first, last, 2026, 2) == (date(2026, 2, 1), date(2026, 2, 2))
    assert lists.dates_between(*lists.clipped(first, last, 2025, 11), "day") == [
        date(2025, 11, 29), date(2025, 11, 30),
    ]  # fmt: skip
    assert lists.dates_between(*lists.clipped(first, last, 2027, None), "month") == []
