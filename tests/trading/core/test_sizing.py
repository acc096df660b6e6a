from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.core.enums import Side
from trading.core.sizing import OpenRisk, heat_inr, quantity_for_risk, risk_budget_inr, slices

CAPITAL = Decimal("2500000")
HALF_PERCENT = Decimal("0.50")


def size(
    entry: str, stop: str, lot: int, capital: Decimal = CAPITAL, risk_pct: Decimal = HALF_PERCENT
) -> int:
    return quantity_for_risk(
        capital_inr=capital,
        risk_pct=risk_pct,
        entry_price=Decimal(entry),
        stop_price=Decimal(stop),
        lot_size=lot,
    )


@pytest.mark.parametrize(
    ("entry", "stop", "lot", "quantity"),
    [
        ("26000.00", "25960.00", 65, 260),  # 12,500 / 40 = 312.5: four lots
        ("26000.00", "26040.00", 65, 260),  # a short, the same distance
        ("26000.00", "25807.70", 65, 65),  # one lot risks 12,499.50
        ("26000.00", "25807.60", 65, 0),  # one lot would risk 12,506.00
        ("500.00", "487.50", 1, 1000),  # exactly the budget
        ("500.00", "487.49", 1, 999),
        ("120.00", "60.00", 65, 195),  # 12,500 / 60 = 208.3
    ],
)
def test_risk_is_floored_to_whole_lots(entry, stop, lot, quantity):
    assert size(entry, stop, lot) == quantity


def test_below_one_lot_there_is_no_trade():
    assert size("26000", "25800", 65, capital=Decimal("1000000")) == 0  # 5,000 / 200 = 25 units


@pytest.mark.parametrize("capital", [Decimal(0), Decimal("-100000")])
def test_without_capital_there_is_no_trade(capital):
    assert size("100", "90", 1, capital=capital) == 0


def test_entry_and_stop_at_one_price_is_an_error():
    with pytest.raises(ValueError, match=r"both 100\.00"):
        size("100.00", "100.00", 1)


def test_a_lot_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="refresh the instruments"):
        size("100", "90", 0)


prices = st.decimals(min_value=1, max_value=90_000, places=2)
lots = st.sampled_from([1, 15, 25, 30, 60, 65, 120])
percents = st.decimals(min_value=Decimal("0.01"), max_value=2, places=2)
capitals = st.integers(min_value=10_000, max_value=10_00_00_000).map(Decimal)


@given(prices, prices, lots, percents, capitals)
def test_a_size_never_risks_more_than_its_budget_and_one_lot_more_would(entry, stop, lot, percent, capital):
    if entry == stop:
        stop = entry + Decimal("0.05")
    quantity = size(str(entry), str(stop), lot, capital, percent)
    budget = capital * percent / 100
    assert quantity % lot == 0
    assert quantity * abs(entry - stop) <= budget < (quantity + lot) * abs(entry - stop)


@given(prices, lots, percents, capitals, capitals)
def test_more_capital_never_means_a_smaller_size(distance, lot, percent, one, other):
    small, large = sorted([one, other])
    at = (str(distance), "0", lot)
    assert size(*at, small, percent) <= size(*at, large, percent)


@given(prices, prices, lots)
def test_a_wider_stop_never_means_a_larger_size(one, other, lot):
    near, far = sorted([one, other])
    assert size("0", str(far), lot) <= size("0", str(near), lot)


@pytest.mark.parametrize(
    ("quantity", "freeze", "lot", "parts"),
    [
        (1800, 1800, 1, (1800,)),
        (1820, 1800, 65, (1755, 65)),  # 1800 is no multiple of 65: 27 lots are
        (3510, 1800, 65, (1755, 1755)),
        (4000, 1500, 50, (1500, 1500, 1000)),
        (65, None, 65, (65,)),
        (130, 65, 65, (65, 65)),
    ],
)
def test_a_quantity_above_the_freeze_is_sliced(quantity, freeze, lot, parts):
    assert slices(quantity, freeze, lot) == parts


@pytest.mark.parametrize(("quantity", "lot"), [(0, 65), (-65, 65), (64, 65), (65, 0)])
def test_only_whole_lots_are_sliced(quantity, lot):
    with pytest.raises(ValueError, match="whole lots"):
        slices(quantity, 1800, lot)


def test_a_freeze_below_one_lot_is_an_error():
    with pytest.raises(ValueError, match="freeze quantity of 50 is below one lot of 65"):
        slices(130, 50, 65)


@given(st.integers(1, 300), lots, st.integers(120, 5000))
def test_slices_lose_nothing_and_each_passes_the_freeze(lot_count, lot, freeze):
    parts = slices(lot_count * lot, freeze, lot)
    assert sum(parts) == lot_count * lot
    assert all(0 < part <= freeze and part % lot == 0 for part in parts)


def risk(side: str, quantity: int, entry: str, stop: str) -> OpenRisk:
    return OpenRisk(side=Side(side), quantity=quantity, entry_price=Decimal(entry), stop_price=Decimal(stop))


LONG_FUTURE = risk("BUY", 65, "26000.35", "25960.10")  # 40.25 x 65 = 2,616.25
SHORT_FUTURE = risk("SELL", 30, "58400.40", "58475.15")  # 74.75 x 30 = 2,242.50
SHARE = risk("BUY", 333, "2480.30", "2467.85")  # 12.45 x 333 = 4,145.85
OPTION = risk("BUY", 195, "120.35", "60.15")  # 60.20 x 195 = 11,739.00
LOCKED_IN = risk("BUY", 65, "26000.00", "26030.00")  # its stop is above its entry


@pytest.mark.parametrize(
    ("risks", "heat"),
    [
        ([], "0"),
        ([LONG_FUTURE], "2616.25"),
        ([SHORT_FUTURE], "2242.50"),
        ([SHARE], "4145.85"),
        ([OPTION], "11739.00"),
        ([LONG_FUTURE, SHORT_FUTURE, SHARE, OPTION], "20743.60"),
        ([LOCKED_IN], "0"),
        ([LOCKED_IN, SHORT_FUTURE], "2242.50"),
    ],
)
def test_heat_is_rupees_to_the_paisa(risks, heat):
    assert heat_inr(risks) == Decimal(heat)


def test_the_budget_is_a_percentage_of_capital():
    assert risk_budget_inr(Decimal("2500000"), Decimal("0.25")) == Decimal("6250")
