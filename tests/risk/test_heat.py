"""Heat to the paisa, against sums made by hand."""

from decimal import Decimal

import pytest

from trading.core.enums import Side
from trading.core.sizing import OpenRisk, heat_inr

#: side, units, entry, stop, and the rupees that are lost between the two
TABLE = [
    ("BUY", 75, "25000.30", "24900.00", "7522.50"),
    ("BUY", 150, "24999.95", "24951.35", "7290.00"),
    ("SELL", 75, "24998.85", "25101.10", "7668.75"),
    ("SELL", 35, "54321.05", "54400.00", "2763.25"),
    ("BUY", 1, "1000.05", "990.00", "10.05"),
    ("BUY", 3, "333.35", "333.30", "0.15"),
    ("BUY", 7, "0.10", "0.05", "0.35"),
    # An average that does not end at a paisa.
    ("BUY", 3, "100.0033", "99.00", "3.0099"),
    # A stop beyond its entry locks a profit in; it makes no room for another.
    ("BUY", 75, "25000.00", "25050.00", "0"),
    ("SELL", 75, "25000.00", "24950.00", "0"),
    ("BUY", 0, "25000.00", "24900.00", "0"),
]


def risk_of(side: str, quantity: int, entry: str, stop: str) -> OpenRisk:
    return OpenRisk(side=Side(side), quantity=quantity, entry_price=Decimal(entry), stop_price=Decimal(stop))


@pytest.mark.parametrize(("side", "quantity", "entry", "stop", "lost"), TABLE)
def test_the_heat_of_one_is_the_rupees_lost_at_its_stop(side, quantity, entry, stop, lost):
    assert heat_inr([risk_of(side, quantity, entry, stop)]) == Decimal(lost)


def test_the_heat_of_all_is_their_sum_and_no_gain_is_set_off():
    assert heat_inr(risk_of(*row[:4]) for row in TABLE) == Decimal("25258.0599")
    assert heat_inr([]) == 0
