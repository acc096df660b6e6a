from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.core.money import format_inr, round_paise_to_tick, round_to_tick, to_inr, to_paise


@pytest.mark.parametrize(
    ("amount", "paise"),
    [("0.05", 5), (Decimal("19999.95"), 1_999_995), (-3, -300), ("1E+3", 100_000), ("12.340", 1234)],
)
def test_rupees_become_exact_paise(amount, paise):
    assert to_paise(amount) == paise


@pytest.mark.parametrize("amount", ["0.001", 1.5, True, "ten", "NaN", "Infinity", None])
def test_what_is_no_exact_amount_is_refused(amount):
    with pytest.raises(ValueError, match="paisa|rupees"):
        to_paise(amount)


def test_paise_become_rupees_with_two_decimals():
    assert str(to_inr(np.int64(123456700))) == "1234567.00"
    assert str(to_inr(-5)) == "-0.05"


def test_a_float_is_no_number_of_paise():
    with pytest.raises(TypeError):
        to_inr(100.5)


@given(st.integers(-(10**15), 10**15))
def test_paise_survive_the_way_there_and_back(paise):
    assert to_paise(to_inr(paise)) == paise


@pytest.mark.parametrize(
    ("price", "tick", "down", "up", "nearest"),
    [
        (10_003, 5, 10_000, 10_005, 10_005),
        (10_002, 5, 10_000, 10_005, 10_000),
        (10_005, 5, 10_005, 10_005, 10_005),
        (10_005, 10, 10_000, 10_010, 10_010),
        (-7, 5, -10, -5, -5),
        (2_512_345, 100, 2_512_300, 2_512_400, 2_512_300),
    ],
)
def test_a_price_goes_to_its_tick_grid(price, tick, down, up, nearest):
    assert round_paise_to_tick(price, tick, "down") == down
    assert round_paise_to_tick(price, tick, "up") == up
    assert round_paise_to_tick(price, tick, "nearest") == nearest


@pytest.mark.parametrize(
    ("price", "tick", "rounding", "expected"),
    [
        ("100.0333", "0.05", "down", "100.00"),
        ("100.0333", "0.05", "up", "100.05"),
        ("100.025", "0.05", "nearest", "100.05"),
        ("5003.4", "5", "nearest", "5005.00"),
        ("1.00251", "0.0025", "up", "1.0050"),
    ],
)
def test_a_rupee_price_with_any_fraction_goes_to_its_tick_grid(price, tick, rounding, expected):
    assert str(round_to_tick(Decimal(price), Decimal(tick), rounding)) == expected


def test_a_tick_of_nothing_is_refused():
    with pytest.raises(ValueError, match="tick_size"):
        round_paise_to_tick(100, 0, "up")
    with pytest.raises(ValueError, match="tick_size"):
        round_to_tick(Decimal(1), Decimal(0), "up")


@given(st.integers(-(10**12), 10**12), st.sampled_from([1, 5, 10, 50, 100, 500]))
def test_rounding_down_and_up_enclose_the_price_within_one_tick(price, tick):
    down, up = round_paise_to_tick(price, tick, "down"), round_paise_to_tick(price, tick, "up")
    assert down <= price <= up
    assert up - down in (0, tick)
    assert down % tick == up % tick == 0


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("1234567.5"), "₹12,34,567.50"),
        (Decimal("999"), "₹999.00"),
        (1000, "₹1,000.00"),
        (100000, "₹1,00,000.00"),
        (-25_00_00_000, "-₹25,00,00,000.00"),
        (Decimal("-0.004"), "₹0.00"),
        (Decimal("0.005"), "₹0.01"),
        (0, "₹0.00"),
    ],
)
def test_amounts_are_written_in_indian_groups(amount, text):
    assert format_inr(amount) == text


def test_a_gain_may_carry_its_plus():
    assert format_inr(5, sign=True) == "+₹5.00"
    assert format_inr(-5, sign=True) == "-₹5.00"
    assert format_inr(0, sign=True) == "₹0.00"
