from dataclasses import fields, replace
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.core.enums import Side
from trading.core.ranking import (
    Candidate,
    MarketPicture,
    Ramp,
    RankingSettings,
    Weights,
    rank,
    score,
    shortlist,
)
from trading.core.values import Score

BEST = MarketPicture(
    side=Side.BUY,
    rsi=70,
    adx=35,
    ema_gap_atr=1.5,
    spread_pct=0.01,
    traded_inr_per_min=20_000_000,
    atr_ratio=1.0,
    vwap_distance_pct=0.5,
    reward_risk=2.5,
)
MIDDLING = MarketPicture(
    side=Side.BUY,
    rsi=60,  # momentum 0.5
    adx=25,
    ema_gap_atr=0.3,  # trend (0.5 + 0.2) / 2 = 0.35
    spread_pct=0.055,
    traded_inr_per_min=5_000_000,  # liquidity (0.5 + 0.25) / 2 = 0.375
    atr_ratio=2.0,  # regime 0.5
    vwap_distance_pct=-1.0,
    reward_risk=1.75,  # 0.5
)


def test_a_perfect_signal_scores_one():
    assert score(BEST) == Score(
        momentum=1.0, trend=1.0, liquidity=1.0, regime=1.0, reward_risk=1.0, penalty=0.0, total=1.0
    )


def test_the_parts_are_weighted_by_hand():
    found = score(MIDDLING)
    assert found.momentum == 0.5
    assert found.trend == pytest.approx(0.35)
    assert found.liquidity == pytest.approx(0.375)
    assert found.regime == 0.5
    assert found.reward_risk == 0.5
    assert found.penalty == 0.0
    # 0.125 + 0.0875 + 0.075 + 0.075 + 0.075
    assert found.total == pytest.approx(0.4375)


@pytest.mark.parametrize(
    ("lost", "total"),
    [
        ({"rsi": 50.0}, 0.75),
        ({"adx": 15.0, "ema_gap_atr": 0.0}, 0.75),
        ({"spread_pct": 0.2, "traded_inr_per_min": 100_000.0}, 0.8005),
        ({"atr_ratio": 0.4}, 0.85),
        ({"atr_ratio": 2.5}, 0.85),
        ({"reward_risk": 1.0}, 0.85),
    ],
)
def test_a_part_that_earns_nothing_costs_its_weight(lost, total):
    assert score(replace(BEST, **lost)).total == pytest.approx(total)


@pytest.mark.parametrize(
    ("flaw", "penalty"),
    [
        ({"spread_pct": 0.51}, 0.3),
        ({"traded_inr_per_min": 99_999.0}, 0.3),
        ({"spread_pct": nan}, 0.3),
        ({"vwap_distance_pct": 2.01}, 0.2),
        ({"vwap_distance_pct": -2.01}, 0.2),
        ({"vwap_distance_pct": nan}, 0.2),
        ({"vwap_distance_pct": 3.0, "spread_pct": 0.6}, 0.5),
        ({"vwap_distance_pct": 2.0, "spread_pct": 0.5, "traded_inr_per_min": 100_000.0}, 0.0),
    ],
)
def test_flaws_are_penalised(flaw, penalty):
    assert score(replace(BEST, **flaw)).penalty == pytest.approx(penalty)


def test_a_penalty_is_taken_from_the_sum():
    assert score(replace(BEST, vwap_distance_pct=2.5)).total == pytest.approx(0.8)


def test_a_short_is_scored_in_its_own_direction():
    mirrored = replace(BEST, side=Side.SELL, rsi=30.0, ema_gap_atr=-1.5)
    assert score(mirrored).total == 1.0
    against = score(replace(BEST, side=Side.SELL))
    assert against.momentum == 0.0
    assert against.trend == 0.5  # the trend is strong, but the other way


def test_what_is_not_known_earns_nothing():
    blind = replace(
        BEST, rsi=nan, adx=nan, ema_gap_atr=nan, spread_pct=nan, traded_inr_per_min=nan, atr_ratio=nan
    )
    assert score(blind) == Score(
        momentum=0.0, trend=0.0, liquidity=0.0, regime=0.0, reward_risk=1.0, penalty=0.3, total=0.0
    )


def test_the_weights_add_up_to_one():
    weights = Weights()
    parts = weights.momentum, weights.trend, weights.liquidity, weights.regime, weights.reward_risk
    assert parts == (0.25, 0.25, 0.20, 0.15, 0.15)
    assert sum(parts) == pytest.approx(1.0)


wild = st.floats(allow_nan=True, allow_infinity=True)


pictures = st.fixed_dictionaries(
    {"side": st.sampled_from(Side)}
    | {field.name: wild for field in fields(MarketPicture) if field.name != "side"}
)


@given(pictures)
def test_every_score_lies_between_zero_and_one(figures):
    found = score(MarketPicture(**figures))
    parts = (found.momentum, found.trend, found.liquidity, found.regime, found.reward_risk, found.total)
    assert all(0.0 <= part <= 1.0 for part in parts)


@given(st.floats(0, 100), st.floats(0, 100))
def test_more_momentum_never_scores_less(one, other):
    low, high = sorted([one, other])
    assert score(replace(BEST, rsi=low)).total <= score(replace(BEST, rsi=high)).total


@pytest.mark.parametrize(("value", "height"), [(0, 0), (1, 0), (2, 0.25), (5, 1), (9, 1), (nan, 0)])
def test_a_ramp_is_straight_between_its_ends(value, height):
    assert Ramp(nothing=1, full=5).at(value) == height


def candidate(key: str, total: float, reward_risk: float = 0.5) -> Candidate:
    whole = Score(momentum=0, trend=0, liquidity=0, regime=0, reward_risk=reward_risk, penalty=0, total=total)
    return Candidate(key, whole)


def test_the_best_come_first_and_ties_are_settled_the_same_way_each_time():
    found = rank([candidate("c", 0.5), candidate("b", 0.5), candidate("a", 0.4), candidate("d", 0.5, 0.9)])
    assert [one.key for one in found] == ["d", "b", "c", "a"]


def test_five_are_looked_at_and_three_entered_unless_settings_say_otherwise():
    seven = [candidate(key, 0.1 * rank_) for rank_, key in enumerate("abcdefg")]
    assert [one.key for one in shortlist(seven)] == ["g", "f", "e", "d", "c"]
    assert [one.key for one in shortlist(seven, RankingSettings(looked_at=2))] == ["g", "f"]
    assert RankingSettings().entered == 3
