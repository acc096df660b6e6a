"""Expected figures are worked out by hand from the list of charges, line by line."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from trading.core import charges
from trading.core.charges import (
    Segment,
    charges_of_order,
    charges_of_value,
    describe,
    round_trip_charges_inr,
    round_trip_slippage_inr,
    segment_of,
    sum_charges,
    table_on,
)
from trading.core.enums import Exchange, Side
from trading.core.values import Charges, InstrumentSpec

DAY = date(2026, 11, 23)
KINDS = {"shares": Segment.SHARES_INTRADAY, "futures": Segment.FUTURES, "options": Segment.OPTIONS}

# kind exchange side quantity price | brokerage stt exchange sebi stamp gst | total
NOTES = """
shares  NSE BUY   100   500.00 | 15.00   0.00  1.54 0.05  1.50  2.99 |   21.08
shares  NSE SELL  100   510.00 | 15.30  12.75  1.57 0.05  0.00  3.05 |   32.72
shares  NSE BUY   200  2500.00 | 20.00   0.00 15.35 0.50 15.00  6.45 |   57.30
shares  NSE SELL    1    99.95 |  0.03   0.02  0.00 0.00  0.00  0.01 |    0.06
shares  NSE BUY  1000    66.66 | 20.00   0.00  2.05 0.07  2.00  3.98 |   28.10
shares  BSE BUY   100   500.00 | 15.00   0.00  1.88 0.05  1.50  3.05 |   21.48
shares  BSE SELL  300  1234.55 | 20.00  92.59 13.89 0.37  0.00  6.17 |  133.02
futures NFO BUY    65 26000.00 | 20.00   0.00 30.93 1.69 33.80  9.47 |   95.89
futures NFO SELL   65 26050.20 | 20.00 846.63 30.99 1.69  0.00  9.48 |  908.79
futures NFO BUY    30 58400.40 | 20.00   0.00 32.06 1.75 35.04  9.69 |   98.54
futures NFO SELL   30 58300.00 | 20.00 874.50 32.01 1.75  0.00  9.68 |  937.94
futures NFO BUY    25   100.05 |  0.75   0.00  0.05 0.00  0.05  0.14 |    0.99
futures BFO SELL   20 85000.00 | 20.00 850.00  0.00 1.70  0.00  3.91 |  875.61
futures BFO BUY    20 84900.00 | 20.00   0.00  0.00 1.70 33.96  3.91 |   59.57
options NFO BUY    65   120.35 | 20.00   0.00  2.78 0.01  0.23  4.10 |   27.12
options NFO SELL   65   150.00 | 20.00  14.63  3.46 0.01  0.00  4.23 |   42.33
options NFO SELL 1755    85.60 | 20.00 225.34 53.38 0.15  0.00 13.23 |  312.10
options BFO BUY    20   310.10 | 20.00   0.00  2.02 0.01  0.19  3.96 |   26.18
options BFO SELL   20   299.95 | 20.00   9.00  1.95 0.01  0.00  3.95 |   34.91
options NFO BUY    30     0.05 | 20.00   0.00  0.00 0.00  0.00  3.60 |   23.60
"""


@pytest.mark.parametrize("row", NOTES.strip().splitlines())
def test_an_order_costs_what_its_contract_note_says(row):
    order, lines, total = row.split("|")
    kind, exchange, side, quantity, price = order.split()
    brokerage, stt, exchange_fee, sebi, stamp, gst = map(Decimal, lines.split())
    note = charges_of_order(
        KINDS[kind],
        Side(side),
        int(quantity),
        Decimal(price),
        trade_date=DAY,
        exchange=Exchange(exchange),
    )
    assert note == Charges(
        brokerage_inr=brokerage,
        stt_inr=stt,
        exchange_inr=exchange_fee,
        sebi_inr=sebi,
        stamp_inr=stamp,
        gst_inr=gst,
        total_inr=Decimal(total.strip()),
    )


def test_half_a_paisa_goes_up_and_stays_to_the_paisa():
    note = charges_of_value(
        Segment.SHARES_INTRADAY, Side.BUY, Decimal(50_000), trade_date=DAY, exchange=Exchange.NSE
    )
    assert str(note.exchange_inr) == "1.54"  # 1.535


def test_gst_is_taken_on_fees_and_never_on_taxes():
    note = charges_of_value(
        Segment.OPTIONS, Side.SELL, Decimal(10_00_000), trade_date=DAY, exchange=Exchange.NFO
    )
    assert (note.brokerage_inr, note.exchange_inr, note.sebi_inr) == (
        Decimal("20.00"),
        Decimal("355.30"),
        Decimal("1.00"),
    )
    assert note.gst_inr == Decimal("67.73")  # 18 % of 376.30; the STT of 1500.00 is not in it
    assert note.stt_inr == Decimal("1500.00")


def test_an_order_that_filled_nothing_costs_nothing():
    note = charges_of_value(Segment.OPTIONS, Side.BUY, Decimal(0), trade_date=DAY, exchange=Exchange.NFO)
    assert note == Charges()


def test_a_negative_value_is_refused_with_its_remedy():
    with pytest.raises(ValueError, match="side says which way"):
        charges_of_value(Segment.FUTURES, Side.SELL, Decimal(-1), trade_date=DAY, exchange=Exchange.NFO)


def test_a_round_trip_is_the_sum_of_its_two_notes():
    cost = round_trip_charges_inr(
        Segment.FUTURES,
        Side.BUY,
        entry_price=Decimal("26000.00"),
        exit_price=Decimal("26050.20"),
        entry_quantities=[65],
        exit_quantities=[65],
        trade_date=DAY,
        exchange=Exchange.NFO,
    )
    assert cost == Decimal("1004.68")  # 95.89 + 908.79


def test_a_short_round_trip_pays_stt_on_its_entry():
    cost = round_trip_charges_inr(
        Segment.FUTURES,
        Side.SELL,
        entry_price=Decimal("26050.20"),
        exit_price=Decimal("26000.00"),
        entry_quantities=[65],
        exit_quantities=[65],
        trade_date=DAY,
        exchange=Exchange.NFO,
    )
    assert cost == Decimal("1004.68")


def test_two_exit_orders_pay_brokerage_twice():
    cost = round_trip_charges_inr(
        Segment.FUTURES,
        Side.BUY,
        entry_price=Decimal("26000"),
        exit_price=Decimal("26000"),
        entry_quantities=[130],
        exit_quantities=[65, 65],
        trade_date=DAY,
        exchange=Exchange.NFO,
    )
    assert cost == Decimal("1982.35")  # 168.17 + 2 x 907.09


def test_a_round_trip_that_does_not_end_flat_is_refused():
    with pytest.raises(ValueError, match="130 units go in, 65 come out"):
        round_trip_charges_inr(
            Segment.FUTURES,
            Side.BUY,
            entry_price=Decimal(100),
            exit_price=Decimal(100),
            entry_quantities=[130],
            exit_quantities=[65],
            trade_date=DAY,
            exchange=Exchange.NFO,
        )


def test_sums_add_each_line():
    first = Charges(brokerage_inr=Decimal("20.00"), gst_inr=Decimal("3.60"), total_inr=Decimal("23.60"))
    second = Charges(
        brokerage_inr=Decimal("1.05"),
        stt_inr=Decimal("0.10"),
        exchange_inr=Decimal("0.02"),
        sebi_inr=Decimal("0.01"),
        stamp_inr=Decimal("0.03"),
        total_inr=Decimal("1.21"),
    )
    assert sum_charges([first, second]) == Charges(
        brokerage_inr=Decimal("21.05"),
        stt_inr=Decimal("0.10"),
        exchange_inr=Decimal("0.02"),
        sebi_inr=Decimal("0.01"),
        stamp_inr=Decimal("0.03"),
        gst_inr=Decimal("3.60"),
        total_inr=Decimal("24.81"),
    )
    assert sum_charges([]) == Charges()


def test_the_table_of_a_day_is_the_last_one_that_began(monkeypatch):
    later = replace(charges.TABLES[0], effective_from=date(2027, 4, 1), name="the next budget")
    monkeypatch.setattr(charges, "TABLES", (*charges.TABLES, later))
    assert table_on(date(2026, 4, 1)).effective_from == date(2026, 4, 1)
    assert table_on(date(2027, 3, 31)).effective_from == date(2026, 4, 1)
    assert table_on(date(2027, 4, 1)).name == "the next budget"


def test_an_old_day_is_charged_at_todays_rates_and_says_so():
    assert table_on(date(2022, 3, 15)).effective_from == date(2026, 4, 1)
    assert describe(date(2022, 3, 15)) == (
        "charges: Zerodha, NSE and BSE, 2026-04-01; "
        "2022-03-15 is before it, so the day is charged at today's rates"
    )
    assert describe(date(2026, 4, 1)) == "charges: Zerodha, NSE and BSE, 2026-04-01"


def instrument(instrument_type: str) -> InstrumentSpec:
    return InstrumentSpec(
        exchange=Exchange.NFO,
        tradingsymbol="NIFTY26NOVFUT",
        instrument_token=1,
        name="NIFTY",
        instrument_type=instrument_type,
        segment="NFO-FUT",
        lot_size=65,
        tick_size_paise=10,
    )


@pytest.mark.parametrize(
    ("instrument_type", "segment"),
    [
        ("EQ", Segment.SHARES_INTRADAY),
        ("FUT", Segment.FUTURES),
        ("CE", Segment.OPTIONS),
        ("PE", Segment.OPTIONS),
    ],
)
def test_the_instrument_file_says_the_segment(instrument_type, segment):
    assert segment_of(instrument(instrument_type)) is segment


def test_a_type_without_rates_is_named():
    with pytest.raises(
        ValueError, match="NFO:NIFTY26NOVFUT is of type 'BOND'; charges are known for EQ, FUT"
    ):
        segment_of(instrument("BOND"))


def test_a_round_trip_crosses_the_spread_once():
    assert round_trip_slippage_inr(65, 120) == Decimal("78.00")
