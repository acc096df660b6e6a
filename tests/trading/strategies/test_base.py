from decimal import Decimal
from typing import Any

import pytest

from tests.trading.market_builders import share
from trading.core.enums import Side
from trading.strategies.base import priced_setup


def setup(side: Side, entry_paise: int, risk_paise: float, **more: Any):
    return priced_setup(
        share(),
        side,
        entry_paise=entry_paise,
        risk_paise=risk_paise,
        reward_risk=1.8,
        atr_paise=101.337,
        reason="a test",
        **more,
    )


@pytest.mark.parametrize(
    ("side", "entry_paise", "stop", "target"),
    [
        # the stop goes out to 1.35 away; 1.8 x 1.35 = 2.43 comes in to the tick before
        (Side.BUY, 10_080, "99.45", "103.20"),
        (Side.SELL, 9_920, "100.55", "96.80"),
    ],
)
def test_prices_off_the_grid_never_make_the_plan_look_better(side, entry_paise, stop, target):
    found = setup(side, entry_paise, 130.3)
    assert (found.stop_price, found.target_price) == (Decimal(stop), Decimal(target))
    assert found.atr == Decimal("1.01")


def test_an_entry_off_the_grid_goes_to_the_nearest_tick():
    assert setup(Side.BUY, 10_083, 130).entry_price == Decimal("100.85")


def test_the_first_target_lies_on_the_way_to_the_second():
    found = setup(Side.BUY, 10_080, 130, first_target_share=0.6)
    assert found.first_target_price == Decimal("102.20")
    assert setup(Side.BUY, 10_080, 130).first_target_price is None


@pytest.mark.parametrize(("entry_paise", "risk_paise"), [(100, 200.0), (10_000, 0.0)])
def test_a_stop_out_of_the_market_or_at_the_entry_makes_no_setup(entry_paise, risk_paise):
    assert setup(Side.BUY, entry_paise, risk_paise) is None
