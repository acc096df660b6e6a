"""Limits at the broker, with literal days at and just beyond each of them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from reporting import exposure
from reporting.facts import EventFact
from risk.limits import Limits
from tests.reporting.day_builders import another, books, clock, day, fill_report, order, order_report, place
from trading.core.enums import CommandOutcome, OrderStatus, Role, Side


def with_entries(*entries, **changes):
    """The sound day's trade and these further entries, which are never left."""
    rows, reports, fills = zip(*entries, strict=True)
    ordered = sorted((fill_report(), fill_report(Role.STOP), *fills), key=lambda fill: fill.filled_at)
    return day(
        orders=(order(), order(Role.STOP), *rows),
        books=books(orders=(order_report(), order_report(Role.STOP), *reports), fills=tuple(ordered)),
        **changes,
    )


def test_as_many_positions_as_the_limit_allows_are_no_breach():
    facts = with_entries(
        *(another(number, "10:05:00") for number in (1, 2, 3)), limits=Limits(open_positions=4)
    )
    assert exposure.breaches(facts) == []


def test_one_position_more_than_the_limit_is_a_breach_with_its_moment():
    facts = with_entries(
        *(another(number, "10:05:00") for number in (1, 2, 3)), limits=Limits(open_positions=3)
    )
    assert exposure.breaches(facts) == ["4 positions open or on their way at 10:05:00, the limit is 3"]


def test_an_entry_that_only_rests_counts_until_it_is_cancelled():
    row, report, _ = another(1, "10:05:00", filled_quantity=0)
    resting = replace(report, status=OrderStatus.CANCELED, filled_quantity=0, updated_at=clock("10:05:10"))
    facts = day(
        orders=(order(), order(Role.STOP), row),
        books=books(orders=(order_report(), order_report(Role.STOP), resting)),
        limits=Limits(open_positions=1),
    )
    assert exposure.breaches(facts) == ["2 positions open or on their way at 10:05:00, the limit is 1"]
    after = replace(resting, order_at=clock("10:20:05"), updated_at=clock("10:20:15"))
    facts = replace(facts, books=books(orders=(order_report(), order_report(Role.STOP), after)))
    assert exposure.breaches(facts) == []


def test_a_position_left_and_another_entered_in_one_second_are_never_two():
    facts = with_entries(another(1, "10:20:00"), limits=Limits(open_positions=1))
    assert exposure.breaches(facts) == []


def test_round_trips_are_counted_against_the_days_trades():
    facts = with_entries(another(1, "10:30:00"), another(2, "10:40:00"), limits=Limits(trades_per_day=2))
    assert exposure.breaches(facts) == ["3 trades at 10:40:00, the limit is 2"]


def test_heat_is_what_all_stops_together_would_lose():
    # 50 units with 20.00 to the stop: 1,000.00 a position.
    facts = with_entries(
        another(1, "10:05:00"), capital_inr=Decimal("100000"), limits=Limits(heat_pct=Decimal("1.99"))
    )
    over = "₹2000.00 lost if every stop fills at its trigger at 10:05:00, the limit is 1990"
    assert [one for one in exposure.breaches(facts) if "lost if" in one] == [over + ".00"]
    enough = replace(facts, limits=Limits(heat_pct=Decimal("2.00"), risk_per_trade_pct=Decimal("1.00")))
    assert exposure.breaches(enough) == []


def test_one_trades_risk_is_held_against_its_own_budget():
    facts = day(capital_inr=Decimal("100000"), limits=Limits(risk_per_trade_pct=Decimal("0.99")))
    assert exposure.breaches(facts) == [
        "decision 7 of NFO:NIFTY22MARFUT risked ₹1000.00, the limit is ₹990.00"
    ]
    assert exposure.breaches(replace(facts, limits=Limits(risk_per_trade_pct=Decimal("1.00")))) == []


def test_writes_within_any_second_are_counted_wherever_it_begins():
    start = clock("10:05:00.900")
    spread = tuple(place(start + timedelta(milliseconds=99 * step)) for step in range(11))
    busy = order(Role.STOP, commands=spread)
    assert exposure.breaches(day(orders=(order(), busy))) == [
        "11 orders in a second at 10:05:01, the limit is 10"
    ]
    thinner = tuple(place(start + timedelta(milliseconds=100 * step)) for step in range(11))
    assert exposure.breaches(day(orders=(order(), order(Role.STOP, commands=thinner)))) == []


def test_entries_have_a_rate_of_their_own_and_unwritten_commands_none():
    start = clock("10:05:00")
    five = tuple(place(start + timedelta(milliseconds=step)) for step in range(5))
    assert exposure.breaches(day(orders=(order(commands=five), order(Role.STOP)))) == [
        "5 entries in a second at 10:05:00, the limit is 4"
    ]
    unwritten = (*five[:4], place(start + timedelta(milliseconds=5), CommandOutcome.EXPIRED))
    assert exposure.breaches(day(orders=(order(commands=unwritten), order(Role.STOP)))) == []


def test_kites_minute_is_never_exceeded_even_by_a_flatten():
    start = clock("10:05:00")
    many = tuple(place(start + timedelta(milliseconds=149 * step)) for step in range(401))
    assert exposure.breaches(day(orders=(order(), order(Role.STOP, commands=many)))) == [
        "401 orders in a minute at 10:05:59, the limit is 400"
    ]


def somebody_else(side, quantity, at, symbol="SHARE1"):
    return fill_report(
        broker_order_id="HAND",
        broker_trade_id=f"H{at}",
        side=side,
        quantity=quantity,
        tradingsymbol=symbol,
        filled_at=clock(at),
    )


def with_hands(*hands):
    """Two more entries, at 10:25 and 10:40, where one position is allowed at a time, and somebody else's fills."""
    (row, report, fill), (next_row, next_report, next_fill) = another(1, "10:25:00"), another(2, "10:40:00")
    fills = sorted(
        (fill_report(), fill_report(Role.STOP), fill, next_fill, *hands), key=lambda f: f.filled_at
    )
    return day(
        orders=(order(), order(Role.STOP), row, next_row),
        books=books(
            orders=(order_report(), order_report(Role.STOP), report, next_report), fills=tuple(fills)
        ),
        limits=Limits(open_positions=1, heat_pct=Decimal("1.00"), risk_per_trade_pct=Decimal("1.00")),
        capital_inr=Decimal("100000"),
    )


def test_what_somebody_else_closed_is_at_stake_no_more():
    assert exposure.breaches(with_hands(somebody_else(Side.SELL, 50, "10:30:00"))) == []


def test_what_somebody_else_left_of_a_position_is_still_at_stake():
    # 30 of 50 were closed: the 20 left would lose 400.00 beside the next entry's 1,000.00.
    assert exposure.breaches(with_hands(somebody_else(Side.SELL, 30, "10:30:00"))) == [
        "2 positions open or on their way at 10:40:00, the limit is 1",
        "₹1400.00 lost if every stop fills at its trigger at 10:40:00, the limit is 1000.00",
    ]


def test_somebody_elses_own_round_trip_takes_nothing_of_ours_away():
    own = (somebody_else(Side.BUY, 50, "10:10:00"), somebody_else(Side.SELL, 50, "10:30:00"))
    assert exposure.breaches(with_hands(*own))[0] == (
        "2 positions open or on their way at 10:40:00, the limit is 1"
    )


def test_an_entry_against_somebody_elses_position_is_nothing_at_the_broker():
    assert exposure.breaches(with_hands(somebody_else(Side.SELL, 50, "10:10:00"))) == []


def called_over_and_executed(executed: str):
    """An entry of 10:05:00 that the broker's book called cancelled at 10:05:20; 50 units executed all the same."""
    row, report, fill = another(1, "10:05:00")
    told = (
        EventFact(from_status="", to_status=OrderStatus.SUBMITTED, filled_quantity=0),
        EventFact(
            from_status="SUBMITTED",
            to_status=OrderStatus.CANCELED,
            filled_quantity=0,
            who="broker",
            at=clock("10:05:20"),
        ),
    )
    executed_at = clock(executed)
    return (
        replace(row, events=told),
        replace(report, updated_at=executed_at),
        replace(fill, filled_at=executed_at),
    )


def test_what_executed_after_the_broker_had_called_it_over_is_held_against_no_limit():
    late = called_over_and_executed("10:05:40")
    assert exposure.breaches(with_entries(late, limits=Limits(open_positions=2, trades_per_day=1))) == []
    # ₹1,000 a trade: 50 x 20 rupees to its stop; two of them are more than 0.06 % of 25 lakh.
    narrow = Limits(heat_pct=Decimal("0.06"))
    assert exposure.breaches(with_entries(late, limits=narrow)) == []
    early = called_over_and_executed("10:05:10")
    assert exposure.breaches(with_entries(early, limits=narrow)) != []


def test_an_exit_of_what_was_unforeseen_takes_nothing_away_from_what_was_not():
    row, report, fill = called_over_and_executed("10:05:40")
    left = replace(
        fill, broker_order_id="X9", broker_trade_id="V9", side=Side.SELL, filled_at=clock("10:05:50")
    )
    exit_row = replace(
        row, id=999, role=Role.EXIT, broker_order_id="X9", side=Side.SELL, events=(), commands=()
    )
    facts = with_entries((row, report, fill), (exit_row, replace(report, broker_order_id="X9"), left))
    again = with_entries(
        (row, report, fill),
        (exit_row, replace(report, broker_order_id="X9"), left),
        *(another(number, "10:06:00") for number in (2, 3)),
        limits=Limits(open_positions=3),
    )
    assert exposure.breaches(facts) == []
    assert exposure.breaches(again) == []
