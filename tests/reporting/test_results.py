"""Equity, drawdown and R multiples against sums done by hand."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from reporting import results
from reporting.results import ClosedTrade, Day, Point, Step
from trading.core.session import IST

MONDAY = date(2026, 11, 23)
MORNING = datetime(2026, 11, 23, 10, 0, tzinfo=IST)


def closed(minute: int, gross: str, charges: str, risk: str = "1000", day: date = MONDAY) -> ClosedTrade:
    at = MORNING + timedelta(minutes=minute)
    return ClosedTrade(
        trading_date=day,
        opened_at=at - timedelta(minutes=5),
        closed_at=at,
        risk_inr=Decimal(risk),
        gross_inr=Decimal(gross),
        charges_inr=Decimal(charges),
        net_inr=Decimal(gross) - Decimal(charges),
    )


#: net: -550, 1,950, -1,040, 480; so far: -550, 1,400, 360, 840
FOUR = (
    closed(10, "-500", "50"),
    closed(40, "2000", "50"),
    closed(50, "-1000", "40", day=MONDAY + timedelta(days=1)),
    closed(60, "500", "20", day=MONDAY + timedelta(days=1)),
)


def test_the_curve_adds_up_and_its_drawdown_counts_from_the_highest_so_far_or_from_the_beginning():
    at = [trade.closed_at for trade in FOUR]
    assert results.equity(reversed(FOUR)) == [
        Point(at[0], Decimal(-500), Decimal(-550), Decimal(-550)),
        Point(at[1], Decimal(1500), Decimal(1400), Decimal(0)),
        Point(at[2], Decimal(500), Decimal(360), Decimal(-1040)),
        Point(at[3], Decimal(1000), Decimal(840), Decimal(-560)),
    ]


def test_trades_that_close_in_one_moment_are_one_point_and_make_no_peak_between_them():
    both = (closed(10, "900", "0"), closed(10, "-1000", "0"))
    assert results.equity(both) == [Point(both[0].closed_at, Decimal(-100), Decimal(-100), Decimal(-100))]


def test_each_day_has_its_row_newest_first():
    assert results.days(FOUR) == [
        Day(date(2026, 11, 24), 2, Decimal(-500), Decimal(60), Decimal(-560)),
        Day(MONDAY, 2, Decimal(1500), Decimal(100), Decimal(1400)),
    ]


def test_r_is_counted_in_halves_gross_and_net_with_the_empty_steps_between():
    # gross -0.5, 2, -1, 0.5; net -0.55, 1.95, -1.04, 0.48
    assert results.r_steps(FOUR) == [
        Step(Decimal("-1.5"), 0, 1),
        Step(Decimal("-1.0"), 1, 1),
        Step(Decimal("-0.5"), 1, 0),
        Step(Decimal("0.0"), 0, 1),
        Step(Decimal("0.5"), 1, 0),
        Step(Decimal("1.0"), 0, 0),
        Step(Decimal("1.5"), 0, 1),
        Step(Decimal("2.0"), 1, 0),
    ]


def test_a_trade_without_a_known_risk_has_no_r_and_one_far_out_is_counted_at_the_end():
    assert results.r_steps([closed(1, "100", "0", risk="0")]) == []
    assert results.r_steps([closed(1, "-90000", "0"), closed(2, "90000", "0")])[0] == Step(Decimal(-5), 1, 1)
    assert results.r_steps([closed(2, "90000", "0")]) == [Step(Decimal(10), 1, 1)]


def test_the_range_in_one_line():
    whole = results.summary(FOUR)
    assert (whole.trades, whole.gross_inr, whole.charges_inr, whole.net_inr) == (4, 1000, 160, 840)
    assert whole.drawdown_inr == Decimal(-1040)
    assert whole.won_pct == Decimal("50.00")
    # -0.55 + 1.95 - 1.04 + 0.48 = 0.84 over four; 2,430 won for 1,590 lost
    assert (whole.average_r, whole.profit_factor) == (Decimal("0.21"), Decimal("1.53"))


def test_nothing_closed_says_nothing_and_nothing_lost_has_no_factor():
    empty = results.summary([])
    assert (empty.trades, empty.won_pct, empty.average_r, empty.profit_factor) == (0, None, None, None)
    assert results.summary([closed(1, "100", "0")]).profit_factor is None
