"""One literal view, the one thing to do while a stop rests: its quantity, the target, time and volatility."""

import pytest

from oco.plan import next_actions
from oco.views import CancelExit, CloseExit, RepriceExit, ResizeExit, TakeTarget
from tests.oco.plan_builders import NOW, POLICY, ago, closing, group, market, short, stop
from trading.core.enums import ExitReason, GroupState, OrderStatus

OPERATOR, UNPROTECTED = ExitReason.OPERATOR, ExitReason.UNPROTECTED
TIME, VOLATILITY = ExitReason.TIME, ExitReason.VOLATILITY
CLOSING = {"state": GroupState.CLOSING, "close_reason": OPERATOR}

CASES = {
    # quantities
    "a stop grows with its entry": (group(exit=stop(quantity=25)), market(), [ResizeExit(75)]),
    "crumbs are gathered for half a second": (
        group(exit=stop(quantity=25, resizes=1, changed_at=ago(0.4))),
        market(),
        [],
    ),
    "a stop shrinks when others close": (group(taken_by_others_quantity=50), market(), [ResizeExit(25)]),
    "shrinking comes before closing": (
        group(**CLOSING, taken_by_others_quantity=50),
        market(),
        [ResizeExit(25)],
    ),
    "a partly filled exit is cancelled, not shrunk": (
        group(
            exit=stop(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=25),
            exited_quantity=25,
            taken_by_others_quantity=10,
        ),
        market(),
        [CancelExit("stop-1")],
    ),
    "a closing limit is cancelled, not shrunk": (
        group(**CLOSING, exit=closing(changed_at=ago(1)), taken_by_others_quantity=10),
        market(),
        [CancelExit("stop-1")],
    ),
    "a partly filled exit never grows, it closes at once": (
        group(
            entered_quantity=100,
            planned_quantity=100,
            exit=stop(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=25, triggered_at=NOW),
            exited_quantity=25,
        ),
        market(98_900),
        [RepriceExit(97_915)],
    ),
    "resizes may use what trailing has left": (
        group(exit=stop(quantity=25, resizes=16)),
        market(),
        [ResizeExit(75)],
    ),
    "a stop that can be resized no more closes": (
        group(exit=stop(quantity=25, resizes=17)),
        market(),
        [CloseExit(99_495, UNPROTECTED)],
    ),
    # targets
    "a bid at the target takes it": (group(), market(102_005, bid_paise=102_000), [TakeTarget(100_985)]),
    "a trade at the target without a bid does not": (group(), market(102_000), []),
    "an ask at the target takes a short's": (short(), market(97_995, ask_paise=98_000), [TakeTarget(98_970)]),
    "a stop nearer than the protection lends its own limit": (
        group(stop_paise=101_500, exit=stop(trigger_price_paise=101_500, price_paise=101_195)),
        market(102_100),
        [TakeTarget(101_195)],
    ),
    "an old price takes no target": (group(), market(103_000, age_s=5.0), []),
    "a target waits until the stop has grown": (
        group(exit=stop(quantity=50)),
        market(103_000),
        [ResizeExit(75)],
    ),
    # time and volatility
    "time is up without a profit": (group(time_stop_at=NOW), market(100_000), [CloseExit(99_000, TIME)]),
    "a profit may run": (group(time_stop_at=NOW), market(100_005), []),
    "an old price shows no loss": (group(time_stop_at=NOW), market(99_500, age_s=6.0), []),
    "a doubled ATR closes": (group(), market(atr_paise=1_000), [CloseExit(99_495, VOLATILITY)]),
    "less than doubled does not": (group(), market(atr_paise=999), []),
}


@pytest.mark.parametrize(("view", "quotes", "expected"), CASES.values(), ids=CASES.keys())
def test_the_next_actions_of(view, quotes, expected):
    assert next_actions(view, quotes, POLICY, NOW) == expected
