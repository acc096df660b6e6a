"""NSE's holidays and special sessions 2021-2027, as the calendar's first rows. The operator's table wins
afterwards.

2021-2026: NSE's yearly lists with their later additions (elections, mourning, moved festivals). 2027 is
provisional: fixed days and festivals by the lunar almanac, to be replaced by NSE's list when it appears
(usually in December). Weekend holidays are left out, they change nothing.
"""

from datetime import date, time

from trading.core.session import Calendar, DayTimes, SpecialSession

_DAYS: dict[int, tuple[tuple[int, int, str], ...]] = {
    2021: (
        (1, 26, "Republic Day"),
        (3, 11, "Mahashivratri"),
        (3, 29, "Holi"),
        (4, 2, "Good Friday"),
        (4, 14, "Dr. Ambedkar Jayanti"),
        (4, 21, "Ram Navami"),
        (5, 13, "Id-ul-Fitr"),
        (7, 21, "Bakri Id"),
        (8, 19, "Muharram"),
        (9, 10, "Ganesh Chaturthi"),
        (10, 15, "Dussehra"),
        (11, 4, "Diwali Laxmi Pujan"),
        (11, 5, "Diwali Balipratipada"),
        (11, 19, "Gurunanak Jayanti"),
    ),
    2022: (
        (1, 26, "Republic Day"),
        (3, 1, "Mahashivratri"),
        (3, 18, "Holi"),
        (4, 14, "Dr. Ambedkar Jayanti, Mahavir Jayanti"),
        (4, 15, "Good Friday"),
        (5, 3, "Id-ul-Fitr"),
        (8, 9, "Muharram"),
        (8, 15, "Independence Day"),
        (8, 31, "Ganesh Chaturthi"),
        (10, 5, "Dussehra"),
        (10, 24, "Diwali Laxmi Pujan"),
        (10, 26, "Diwali Balipratipada"),
        (11, 8, "Gurunanak Jayanti"),
    ),
    2023: (
        (1, 26, "Republic Day"),
        (3, 7, "Holi"),
        (3, 30, "Ram Navami"),
        (4, 4, "Mahavir Jayanti"),
        (4, 7, "Good Friday"),
        (4, 14, "Dr. Ambedkar Jayanti"),
        (5, 1, "Maharashtra Day"),
        (6, 29, "Bakri Id"),
        (8, 15, "Independence Day"),
        (9, 19, "Ganesh Chaturthi"),
        (10, 2, "Mahatma Gandhi Jayanti"),
        (10, 24, "Dussehra"),
        (11, 14, "Diwali Balipratipada"),
        (11, 27, "Gurunanak Jayanti"),
        (12, 25, "Christmas"),
    ),
    2024: (
        (1, 22, "Special holiday (Ram temple)"),
        (1, 26, "Republic Day"),
        (3, 8, "Mahashivratri"),
        (3, 25, "Holi"),
        (3, 29, "Good Friday"),
        (4, 11, "Id-ul-Fitr"),
        (4, 17, "Ram Navami"),
        (5, 1, "Maharashtra Day"),
        (5, 20, "General election, Mumbai"),
        (6, 17, "Bakri Id"),
        (7, 17, "Muharram"),
        (8, 15, "Independence Day"),
        (10, 2, "Mahatma Gandhi Jayanti"),
        (11, 1, "Diwali Laxmi Pujan"),
        (11, 15, "Gurunanak Jayanti"),
        (11, 20, "Assembly election, Maharashtra"),
        (12, 25, "Christmas"),
    ),
    2025: (
        (2, 26, "Mahashivratri"),
        (3, 14, "Holi"),
        (3, 31, "Id-ul-Fitr"),
        (4, 10, "Mahavir Jayanti"),
        (4, 14, "Dr. Ambedkar Jayanti"),
        (4, 18, "Good Friday"),
        (5, 1, "Maharashtra Day"),
        (8, 15, "Independence Day"),
        (8, 27, "Ganesh Chaturthi"),
        (10, 2, "Mahatma Gandhi Jayanti, Dussehra"),
        (10, 21, "Diwali Laxmi Pujan"),
        (10, 22, "Diwali Balipratipada"),
        (11, 5, "Gurunanak Jayanti"),
        (12, 25, "Christmas"),
    ),
    2026: (
        (1, 15, "Municipal election, Maharashtra"),
        (1, 26, "Republic Day"),
        (3, 3, "Holi"),
        (3, 26, "Ram Navami"),
        (3, 31, "Mahavir Jayanti"),
        (4, 3, "Good Friday"),
        (4, 14, "Dr. Ambedkar Jayanti"),
        (5, 1, "Maharashtra Day"),
        (5, 28, "Bakri Id"),
        (6, 26, "Muharram"),
        (9, 14, "Ganesh Chaturthi"),
        (10, 2, "Mahatma Gandhi Jayanti"),
        (10, 20, "Dussehra"),
        (11, 10, "Diwali Balipratipada"),
        (11, 24, "Gurunanak Jayanti"),
        (12, 25, "Christmas"),
    ),
    2027: (
        (1, 26, "Republic Day"),
        (3, 10, "Id-ul-Fitr"),
        (3, 22, "Holi"),
        (3, 26, "Good Friday"),
        (4, 14, "Dr. Ambedkar Jayanti"),
        (4, 15, "Ram Navami"),
        (4, 19, "Mahavir Jayanti"),
        (5, 17, "Bakri Id"),
        (6, 16, "Muharram"),
        (10, 29, "Diwali Laxmi Pujan"),
    ),
}

PROVISIONAL_YEARS = frozenset({2027})

DEFAULT_HOLIDAYS: tuple[tuple[date, str], ...] = tuple(
    (date(year, month, day), name) for year, days in _DAYS.items() for month, day, name in days
)

#: Muhurat hours of 2026 come by a circular of their own, so that day has no session here until the operator
#: adds it.
DEFAULT_SPECIAL_SESSIONS: tuple[SpecialSession, ...] = (
    SpecialSession(day=date(2021, 11, 4), name="Muhurat", opens=time(18, 15), closes=time(19, 15)),
    SpecialSession(day=date(2022, 10, 24), name="Muhurat", opens=time(18, 15), closes=time(19, 15)),
    SpecialSession(day=date(2023, 11, 12), name="Muhurat", opens=time(18, 15), closes=time(19, 15)),
    SpecialSession(day=date(2024, 1, 20), name="Saturday before a special holiday"),
    SpecialSession(day=date(2024, 11, 1), name="Muhurat", opens=time(18, 0), closes=time(19, 0)),
    SpecialSession(day=date(2025, 2, 1), name="Union Budget"),
    SpecialSession(day=date(2025, 10, 21), name="Muhurat", opens=time(13, 45), closes=time(14, 45)),
    SpecialSession(day=date(2026, 2, 1), name="Union Budget"),
)


def default_calendar(times: DayTimes | None = None) -> Calendar:
    """The shipped rows as a calendar."""
    return Calendar.of(
        DEFAULT_HOLIDAYS, DEFAULT_SPECIAL_SESSIONS, provisional_years=PROVISIONAL_YEARS, times=times
    )
