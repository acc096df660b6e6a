from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oco.plan import allocate_fills, split_quantity, targets
from oco.views import ExitPolicy
from trading.core.enums import Side

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("quantity", "lot_size", "groups"),
    [
        (75, 75, (75,)),
        (150, 75, (75, 75)),
        (225, 75, (75, 150)),
        (101, 1, (50, 51)),
        (1, 1, (1,)),
    ],
)
def test_two_lots_or_more_become_two_groups(quantity, lot_size, groups):
    assert split_quantity(quantity, lot_size) == groups


@pytest.mark.parametrize(("quantity", "lot_size"), [(0, 75), (-75, 75), (80, 75), (75, 0)])
def test_what_is_no_whole_number_of_lots_is_refused(quantity, lot_size):
    with pytest.raises(ValueError, match="size the entry in whole lots"):
        split_quantity(quantity, lot_size)


@pytest.mark.parametrize(
    ("filled", "shares"), [(0, (0, 0)), (40, (40, 0)), (75, (75, 0)), (100, (75, 25)), (225, (75, 150))]
)
def test_fills_go_to_the_first_group_before_the_second(filled, shares):
    assert allocate_fills(filled, (75, 150)) == shares


@pytest.mark.parametrize("filled", [-1, 226])
def test_fills_beyond_the_plan_are_refused(filled):
    with pytest.raises(ValueError, match="compare it with the broker's book"):
        allocate_fills(filled, (75, 150))


@given(st.lists(st.integers(1, 500), min_size=1, max_size=2), st.data())
def test_a_group_never_gives_back_what_it_got(planned, data):
    fills = sorted(data.draw(st.lists(st.integers(0, sum(planned)), min_size=2, max_size=6)))
    shares = [allocate_fills(filled, planned) for filled in fills]
    assert [sum(share) for share in shares] == fills
    assert all(a <= b for old, new in pairwise(shares) for a, b in zip(old, new, strict=True))


def goals(side, entry, stop, target=None, first=None, groups=2):
    return targets(side, entry, stop, target, first, groups=groups, policy=ExitPolicy(), tick_paise=5)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((BUY, 100_000, 99_000), (101_200, 102_000)),
        ((SELL, 100_000, 101_000), (98_800, 98_000)),
        ((BUY, 100_003, 99_000), (101_205, 102_005)),  # 101,206.60 and 102,009: towards the entry
        ((SELL, 100_003, 101_000), (98_810, 98_010)),  # 98,806.60 and 98,009
        ((BUY, 100_000, 99_000, 101_800, 101_080), (101_080, 101_800)),
        ((BUY, 100_000, 99_000, 101_000), (101_000, 101_000)),  # the first is never beyond the second
        ((BUY, 100_000, 99_000, 99_900, 99_800), (101_200, 102_000)),  # a bad fill has passed both
        ((BUY, 98_900, 99_000), (98_905, 98_905)),  # a fill beyond the stop
        ((SELL, 101_100, 101_000), (101_095, 101_095)),
    ],
)
def test_the_targets_of_two_groups(asked, expected):
    assert goals(*asked) == expected


def test_one_group_has_the_setups_target_or_two_r():
    assert goals(BUY, 100_000, 99_000, groups=1) == (102_000,)
    assert goals(BUY, 100_000, 99_000, 101_800, 101_080, groups=1) == (101_800,)
