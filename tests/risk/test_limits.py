from dataclasses import fields, replace
from decimal import Decimal

import pytest

from risk.limits import BOUNDS, Limits, effective, problems


def test_the_defaults_are_the_paper_column_of_the_trading_rules():
    assert Limits() == Limits(
        risk_per_trade_pct=Decimal("0.50"),
        heat_pct=Decimal("2.00"),
        daily_loss_pct=Decimal("2.50"),
        open_positions=4,
        trades_per_day=20,
        entries_per_s=4,
        orders_per_s=10,
        orders_per_min=360,
        orders_per_day=4500,
        price_band_pct=Decimal("0.40"),
        stale_price_s=5,
        reward_to_costs=Decimal(3),
        cooldown_min=5,
        losses_in_a_row=6,
        signal_age_s=60,
        spread_pct=Decimal("0.50"),
        expiry_day_until_h=14,
        rejections_in_a_row=5,
        rejections_pause_min=15,
        order_latency_ms=2000,
        latency_pause_min=10,
    )


@pytest.mark.parametrize("limits", [Limits(), Limits.day_one()])
def test_the_shipped_limits_have_no_problems(limits):
    assert problems(limits) == []


def test_every_limit_has_bounds_and_a_name_for_people():
    assert set(BOUNDS) == {field.name for field in fields(Limits)}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (
            {"daily_loss_pct": Decimal("-2.50")},
            "daily loss is -2.50 %: a limit is a positive number, always; write 2.50",
        ),
        ({"daily_loss_pct": Decimal(0)}, "daily loss is 0 %: write a number from 0.1 to 10 %"),
        ({"daily_loss_pct": Decimal("12.5")}, "daily loss is 12.5 %: write a number from 0.1 to 10 %"),
        ({"daily_loss_pct": Decimal("NaN")}, "daily loss is NaN: write a number from 0.1 to 10 %"),
        ({"heat_pct": Decimal(200)}, "portfolio heat is 200 %: write a number from 0.05 to 10 %"),
        ({"open_positions": 0}, "open positions is 0: write a number from 1 to 50"),
        ({"trades_per_day": -20}, "trades per day is -20: a limit is a positive number, always; write 20"),
        ({"orders_per_s": 11}, "orders per second is 11: write a number from 1 to 10"),
        ({"orders_per_min": 401}, "orders per minute is 401: write a number from 1 to 400"),
        ({"orders_per_day": 5001}, "orders per day is 5001: write a number from 1 to 5000"),
        ({"stale_price_s": 61}, "stale price is 61 s: write a number from 1 to 60 s"),
        (
            {"cooldown_min": -5},
            "cooldown after a loss is -5 min: a limit is a positive number, always; write 5",
        ),
        (
            {"risk_per_trade_pct": Decimal("1.5"), "heat_pct": Decimal("1.0")},
            "risk per trade of 1.5 % is above portfolio heat of 1.0 %: lower the first",
        ),
        (
            {"risk_per_trade_pct": Decimal("1.5"), "daily_loss_pct": Decimal("1.0")},
            "risk per trade of 1.5 % is above daily loss of 1.0 %: lower the first",
        ),
        (
            {"entries_per_s": 6, "orders_per_s": 5},
            "entries per second of 6 are above orders per second of 5: lower the first, exits need room",
        ),
    ],
)
def test_a_wrong_limit_is_named_with_its_remedy(wrong, text):
    assert problems(replace(Limits(), **wrong)) == [text]


@pytest.mark.parametrize(
    "edge",
    [
        {"daily_loss_pct": Decimal("10")},
        {"heat_pct": Decimal("0.50")},
        {"daily_loss_pct": Decimal("0.50")},
        {"entries_per_s": 4, "orders_per_s": 4},
        {"open_positions": 1, "losses_in_a_row": 50, "reward_to_costs": Decimal(0), "cooldown_min": 0},
    ],
)
def test_a_limit_on_the_edge_is_right(edge):
    assert problems(replace(Limits(), **edge)) == []


def test_all_problems_are_told_at_once():
    wrong = replace(Limits(), heat_pct=Decimal(-2), losses_in_a_row=0)
    assert problems(wrong) == [
        "portfolio heat is -2 %: a limit is a positive number, always; write 2",
        "losses in a row is 0: write a number from 1 to 50",
    ]


def test_the_first_live_day_has_its_own_caps():
    assert effective(Limits(), is_first_live_day=True) == replace(
        Limits(),
        risk_per_trade_pct=Decimal("0.25"),
        heat_pct=Decimal("1.00"),
        daily_loss_pct=Decimal("1.00"),
        open_positions=2,
        trades_per_day=6,
        price_band_pct=Decimal("0.30"),
        cooldown_min=15,
        losses_in_a_row=3,
    )


def test_on_any_other_day_the_limits_are_the_operators():
    own = replace(Limits(), open_positions=9)
    assert effective(own, is_first_live_day=False) == own


def test_a_cap_cannot_be_raised_but_the_operator_may_be_stricter():
    own = replace(
        Limits(),
        open_positions=1,
        trades_per_day=100,
        cooldown_min=30,
        reward_to_costs=Decimal(5),
        stale_price_s=9,
    )
    found = effective(own, is_first_live_day=True)
    assert (found.open_positions, found.trades_per_day, found.cooldown_min) == (1, 6, 30)
    assert (found.reward_to_costs, found.stale_price_s) == (Decimal(5), 5)
