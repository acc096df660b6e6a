from dataclasses import replace

import pytest

from oco.plan import next_actions
from oco.views import MoveReason, MoveStop
from tests.oco.plan_builders import NOW, POLICY, ago, group, market, short, stop
from trading.core.enums import GroupState

TRAIL, BREAK_EVEN, REPEAT = MoveReason.TRAIL, MoveReason.BREAK_EVEN, MoveReason.REPEAT
ASKED = MoveReason.ASKED
#: one R ahead with an ATR of 500: 600 behind the best close
AHEAD = {"best_close_paise": 101_000}
CLOSED_CANDLE = market(101_000, candle_closed=True)


def test_the_stop_follows_from_one_r_on_behind_the_best_close():
    # 101,000 - 1.2 x 500 = 100,400; its limit 0.3 % lower is 100,098.80
    assert next_actions(group(**AHEAD), CLOSED_CANDLE, POLICY, NOW) == [MoveStop(100_400, 100_095, TRAIL)]


def test_a_shorts_stop_follows_from_above():
    # 99,000 + 600 = 99,600; its limit 99,898.80
    quotes = market(99_000, candle_closed=True)
    assert next_actions(short(best_close_paise=99_000), quotes, POLICY, NOW) == [
        MoveStop(99_600, 99_900, TRAIL)
    ]


@pytest.mark.parametrize(
    ("view", "quotes"),
    [
        (group(**AHEAD), market(101_000)),
        (group(best_close_paise=100_995), CLOSED_CANDLE),
        (group(), CLOSED_CANDLE),
        (group(**AHEAD), replace(CLOSED_CANDLE, atr_paise=0)),
        (group(**AHEAD), replace(CLOSED_CANDLE, age_s=5.0)),
        (group(**AHEAD), market(100_400, candle_closed=True)),
        (group(**AHEAD, state=GroupState.OPENING), CLOSED_CANDLE),
        (group(**AHEAD, state=GroupState.BROKEN), CLOSED_CANDLE),
        (group(**AHEAD, exit=stop(trails=12)), CLOSED_CANDLE),
        (group(**AHEAD, exit=stop(trails=2, resizes=15)), CLOSED_CANDLE),
        (group(**AHEAD, exit=stop(has_unconfirmed_change=True, changed_at=ago(4))), CLOSED_CANDLE),
    ],
    ids=[
        "no candle closed",
        "less than one R ahead",
        "no close since entry",
        "ATR unknown",
        "stale market",
        "the market has passed it",
        "not armed",
        "broken",
        "twelve trails",
        "resizes have eaten the budget",
        "a change is on its way",
    ],
)
def test_the_stop_stays_when(view, quotes):
    assert next_actions(view, quotes, POLICY, NOW) == []


@pytest.mark.parametrize(("stop_paise", "moves"), [(100_300, 1), (100_305, 0), (100_700, 0)])
def test_a_move_is_a_fifth_of_an_atr_or_none_and_never_loosens(stop_paise, moves):
    resting = stop(trigger_price_paise=stop_paise, price_paise=stop_paise - 300)
    view = group(**AHEAD, stop_paise=stop_paise, exit=resting)
    assert len(next_actions(view, CLOSED_CANDLE, POLICY, NOW)) == moves


def test_the_second_half_moves_to_break_even_when_the_first_took_its_target():
    # 100,003 is between ticks: the one that does not lose; its limit 99,704.985
    view = group(sibling_target_filled=True, entry_price_paise=100_003)
    assert next_actions(view, market(101_200), POLICY, NOW) == [MoveStop(100_005, 99_700, BREAK_EVEN)]


def test_break_even_waits_while_the_market_is_below_it():
    assert next_actions(group(sibling_target_filled=True), market(100_000), POLICY, NOW) == []


def test_break_even_never_takes_back_a_trail():
    resting = stop(trigger_price_paise=100_400, price_paise=100_095)
    view = group(sibling_target_filled=True, stop_paise=100_400, exit=resting)
    assert next_actions(view, market(101_200), POLICY, NOW) == []


def test_an_operators_stop_is_moved_at_once_and_the_nearest_of_all_wishes_wins():
    # 99,505 less 0.30 % is 99,206.485; between the candles' closes too
    wish = {"asked_stop_paise": 99_505}
    assert next_actions(group(**wish), market(100_000), POLICY, NOW) == [MoveStop(99_505, 99_205, ASKED)]
    assert next_actions(group(**AHEAD, **wish), CLOSED_CANDLE, POLICY, NOW) == [
        MoveStop(100_400, 100_095, TRAIL)
    ]
    # a short's stop is above: 100,495 plus 0.30 % is 100,796.485
    bought = next_actions(short(asked_stop_paise=100_495), market(100_000), POLICY, NOW)
    assert bought == [MoveStop(100_495, 100_800, ASKED)]


@pytest.mark.parametrize("wish", [98_995, 99_000, 100_000, 100_005])
def test_an_operators_stop_is_neither_loosened_nor_put_through_the_price(wish):
    assert next_actions(group(asked_stop_paise=wish), market(100_000), POLICY, NOW) == []


def test_a_wish_beyond_the_price_does_not_hold_up_the_trail():
    view = group(**AHEAD, asked_stop_paise=101_005)
    assert next_actions(view, CLOSED_CANDLE, POLICY, NOW) == [MoveStop(100_400, 100_095, TRAIL)]


def test_a_refused_move_is_repeated_after_five_seconds():
    view = group(stop_paise=100_400, exit=stop(trails=1, changed_at=ago(5)))
    assert next_actions(view, market(101_000), POLICY, NOW) == [MoveStop(100_400, 100_095, REPEAT)]
    early = replace(view, exit=stop(trails=1, changed_at=ago(4.9)))
    assert next_actions(early, market(101_000), POLICY, NOW) == []
