from dataclasses import replace
from decimal import Decimal

import pytest

from oco.plan import finish_reason, is_covered, problems
from oco.views import ExitPolicy
from tests.oco.plan_builders import closing, group, short, stop
from trading.core.enums import ExitReason, GroupState, OrderStatus, Role

FILLED = stop(status=OrderStatus.FILLED, filled_quantity=75)


@pytest.mark.parametrize(
    "view",
    [
        group(),
        short(),
        group(state=GroupState.OPENING, exit=None),
        group(stop_paise=99_500),
        group(state=GroupState.CLOSED, exit=FILLED, exited_quantity=75),
        group(taken_by_others_quantity=50, exit=stop(has_unconfirmed_change=True)),
        group(state=GroupState.CLOSING, exit=closing()),
        group(
            state=GroupState.CLOSING,
            exit=closing(role=Role.EXIT),
            exits_unknown=(stop(has_unconfirmed_change=True),),
        ),
    ],
)
def test_a_sound_group_has_no_problems(view):
    assert problems(view) == []


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        (group(exit=FILLED, exited_quantity=80), "5 units more were exited than entered"),
        (group(entered_quantity=76, exit=stop(quantity=76)), "76 units entered of a plan of 75"),
        (group(stop_paise=98_995), "the stop was loosened from 99000 to 98995"),
        (short(stop_paise=101_005), "the stop was loosened from 101000 to 101005"),
        (group(state=GroupState.CLOSED), "closed with 75 units held"),
        (group(state=GroupState.CLOSING, exit=None), "closing without an exit order"),
        (group(taken_by_others_quantity=50), "exits of 75 units work against 25 held"),
        (group(exits_unknown=(stop(),)), "exits of 150 units work against 75 held"),
        (group(exit=stop(status=OrderStatus.REJECTED)), "armed, but the stop is REJECTED"),
        (group(exit=stop(filled_quantity=25)), "counts fewer exited units"),
        (group(exit=stop(trails=12, resizes=5, closings=9)), "modified 26 times, 25 are allowed"),
        (group(exit=stop(price_paise=99_005)), "limit is on the wrong side"),
        (short(exit=stop(trigger_price_paise=101_000, price_paise=100_995)), "limit is on the wrong side"),
        (group(exit=stop(role=Role.EXIT)), "a closing order is SL"),
    ],
)
def test_each_problem_is_told_in_a_sentence(view, problem):
    assert [one for one in problems(view) if problem in one]


def test_covered_means_that_working_orders_can_close_all_that_is_held():
    assert is_covered(group())
    assert not is_covered(group(exit=stop(quantity=50)))
    assert not is_covered(group(exit=stop(status=OrderStatus.UNKNOWN)))
    assert not is_covered(group(exit=None))
    assert is_covered(group(exit=FILLED, exited_quantity=75))
    assert is_covered(group(exit=stop(status=OrderStatus.REJECTED), exits_unknown=(stop(),)))


def test_the_reason_of_a_finished_group():
    assert finish_reason(group(exit=FILLED)) is ExitReason.STOP
    assert finish_reason(group(exit=FILLED, stop_paise=99_500)) is ExitReason.TRAIL
    assert finish_reason(group(exit=FILLED, close_reason=ExitReason.TARGET)) is ExitReason.TARGET
    assert finish_reason(group(exit=None, taken_by_others_quantity=75)) is ExitReason.OTHERS
    assert finish_reason(group(exit=None, entered_quantity=0)) is None


@pytest.mark.parametrize(
    "numbers",
    [
        {"stop_limit_gap_pct": Decimal(0)},
        {"trail_atr": Decimal("-1.2")},
        {"unknown_after_s": -1.0},
        {"protection_max_pct": Decimal("0.5")},
        {"trail_budget": 13},
        {"closing_budget": 0},
    ],
)
def test_a_policy_with_an_impossible_number_is_refused(numbers):
    with pytest.raises(ValueError, match="exit policy"):
        replace(ExitPolicy(), **numbers)
