"""One literal view, the one thing to do: how a position is protected, closed and finished.

One per cent under the usual last price of 100,500 is 99,495: nearer than the stop's own limit of 98,700.
"""

import pytest

from oco.plan import next_actions
from oco.views import (
    CancelExit,
    CloseExit,
    FinishGroup,
    MarketView,
    PlaceExit,
    RepriceExit,
    RestStop,
    TakeBack,
)
from tests.oco.plan_builders import NOW, POLICY, UNKNOWN, ago, closing, group, market, short, stop
from trading.core.enums import ExitReason, GroupState, OrderStatus, Role

STOP, TRAIL, OPERATOR, OTHERS = ExitReason.STOP, ExitReason.TRAIL, ExitReason.OPERATOR, ExitReason.OTHERS
UNPROTECTED, SQUARE_OFF, DEAD_MAN = ExitReason.UNPROTECTED, ExitReason.SQUARE_OFF, ExitReason.DEAD_MAN

STALE = market(age_s=9.0)
BARE = {"exit": None, "state": GroupState.OPENING}
CLOSING = {"state": GroupState.CLOSING, "close_reason": OPERATOR}


def exit_order(**changes):
    """A closing order of its own, the second order of the group."""
    return closing(**{"client_order_id": "exit-2", "role": Role.EXIT, "attempt": 1, "closings": 0} | changes)


def back(**changes):
    """What takes back 75 units that were exited too much, a LIMIT to buy 1 % above the last price."""
    usual = {
        "client_order_id": "exit-3",
        "attempt": 2,
        "price_paise": 101_505,
        "changed_at": None,
        "is_return": True,
    }
    return exit_order(**(usual | {"submitted_at": ago(0.5)} | changes))


#: 75 were entered and 150 exited: by the closing order, and by the stop that had been given up
TURNED = {"state": GroupState.CLOSING, "close_reason": UNPROTECTED, "exited_quantity": 150}


CASES = {
    # turned round
    "what was exited too much is taken back at once": (
        group(**TURNED, exit=exit_order(status=OrderStatus.FILLED, filled_quantity=75)),
        market(),
        [TakeBack(75, 101_505)],
    ),
    "a short is taken back by a sale": (
        short(**TURNED, exit=exit_order(status=OrderStatus.FILLED, filled_quantity=75)),
        market(),
        [TakeBack(75, 99_495)],
    ),
    "nothing is sent beside what takes back, neither while it is unknown": (
        group(**TURNED, exit=back(status=OrderStatus.UNKNOWN, first_seen_at=None, submitted_at=ago(30))),
        market(),
        [],
    ),
    "nor while it works": (group(**TURNED, exit=back()), market(), []),
    "what takes back and hangs goes further": (
        group(**TURNED, exit=back(submitted_at=ago(2))),
        market(101_600),
        [RepriceExit(102_615)],
    ),
    "what takes back too much is cancelled": (
        group(**(TURNED | {"exited_quantity": 100}), exit=back()),
        market(),
        [CancelExit("exit-3")],
    ),
    "what takes back is cancelled where the position is right again": (
        group(**(TURNED | {"exited_quantity": 50}), exit=back()),
        market(),
        [CancelExit("exit-3")],
    ),
    "a refused one is asked for again after a while": (
        group(**TURNED, exit=back(status=OrderStatus.REJECTED, submitted_at=ago(4))),
        market(),
        [TakeBack(75, 101_505)],
    ),
    "and not at once": (
        group(**TURNED, exit=back(status=OrderStatus.REJECTED, submitted_at=ago(3))),
        market(),
        [],
    ),
    "taken back, the group is done": (
        group(**(TURNED | {"exited_quantity": 75}), exit=back(status=OrderStatus.FILLED, filled_quantity=75)),
        market(),
        [FinishGroup(UNPROTECTED)],
    ),
    # opening
    "a filled entry gets its stop with a computed limit": (
        group(**BARE),
        market(),
        [RestStop(75, 99_000, 98_700)],
    ),
    "a short gets its stop above": (short(**BARE), market(), [RestStop(75, 101_000, 101_305)]),
    "a stop needs no tick": (group(**BARE), MarketView(market_now=NOW), [RestStop(75, 99_000, 98_700)]),
    "a partly filled entry is protected for what it has": (
        group(**BARE, entered_quantity=25, entry_is_working=True),
        market(),
        [RestStop(25, 99_000, 98_700)],
    ),
    "a stop beyond the circuit rests at the circuit": (
        group(**BARE, lower_circuit_paise=99_500),
        market(),
        [RestStop(75, 99_500, 99_500)],
    ),
    # 98,900 is under the trigger; the stop's own limit 98,700 goes further than the bid and is inside 1 %
    "a market already beyond the stop closes": (group(**BARE), market(98_900), [PlaceExit(75, 98_700, STOP)]),
    "a group asked to close before it has a stop closes": (
        group(**BARE, close_reason=OPERATOR),
        market(),
        [PlaceExit(75, 99_495, OPERATOR)],
    ),
    "a group whose entry has not filled waits": (
        group(**BARE, entered_quantity=0, entry_is_working=True),
        market(),
        [],
    ),
    "a stop just sent is waited for": (
        group(exit=stop(status=OrderStatus.SUBMITTED, first_seen_at=None, submitted_at=ago(0.4))),
        market(),
        [],
    ),
    # the stop is lost, refused or taken away
    "a stop unknown for five seconds and two books closes the position": (
        group(exit=stop(**UNKNOWN)),
        market(),
        [PlaceExit(75, 99_495, UNPROTECTED)],
    ),
    "one empty book proves nothing": (group(exit=stop(**UNKNOWN | {"books_without": 1})), market(), []),
    "four seconds prove nothing": (group(exit=stop(**UNKNOWN | {"submitted_at": ago(4.9)})), market(), []),
    "a stop the book has only as pending is waited for": (
        group(exit=stop(status=OrderStatus.PENDING_NEW, submitted_at=ago(9.9))),
        market(),
        [],
    ),
    "a stop pending for ten seconds protects nobody": (
        group(exit=stop(status=OrderStatus.PENDING_NEW, submitted_at=ago(10))),
        market(),
        [PlaceExit(75, 99_495, UNPROTECTED)],
    ),
    "a refused stop closes the position": (
        group(exit=stop(status=OrderStatus.REJECTED)),
        market(),
        [PlaceExit(75, 99_495, UNPROTECTED)],
    ),
    "a stop cancelled by others closes, never a second stop": (
        group(exit=stop(status=OrderStatus.CANCELED)),
        market(),
        [PlaceExit(75, 99_495, UNPROTECTED)],
    ),
    "a lost stop closes the position": (
        group(exit=stop(status=OrderStatus.LOST)),
        STALE,
        [PlaceExit(75, 98_700, UNPROTECTED)],
    ),
    "a stop cancelled after a partial fill closes the rest": (
        group(exit=stop(status=OrderStatus.CANCELED, filled_quantity=25), exited_quantity=25),
        market(98_950),
        [PlaceExit(50, 98_700, STOP)],
    ),
    "a late entry fill after the stop was filled is closed": (
        group(
            planned_quantity=100,
            entered_quantity=100,
            exit=stop(status=OrderStatus.FILLED, filled_quantity=75),
            exited_quantity=75,
        ),
        market(98_950),
        [PlaceExit(25, 98_700, STOP)],
    ),
    "a fill sum that lags its order is no position": (
        group(exit=stop(status=OrderStatus.FILLED, filled_quantity=75), exited_quantity=0),
        market(),
        [FinishGroup(STOP)],
    ),
    # closing orders
    "an unknown closing order is never sent twice: a stop guards the position beside it": (
        group(
            **CLOSING,
            exit=exit_order(
                status=OrderStatus.UNKNOWN, first_seen_at=None, submitted_at=ago(60), books_without=9
            ),
        ),
        market(),
        [RestStop(75, 990_00, 987_00)],
    ),
    "a guarding stop that the broker refused unseen goes half a per cent further away at its second attempt": (
        group(
            **CLOSING,
            exit=stop(status=OrderStatus.REJECTED, submitted_at=ago(2), attempt=2),
            exits_unknown=(exit_order(status=OrderStatus.UNKNOWN, submitted_at=ago(60), books_without=9),),
        ),
        STALE,
        [RestStop(75, 98_505, 98_205)],
    ),
    "a refused closing order is placed again after two seconds": (
        group(**CLOSING, exit=exit_order(status=OrderStatus.REJECTED, submitted_at=ago(2))),
        market(),
        [PlaceExit(75, 99_495, OPERATOR)],
    ),
    "but not before": (
        group(**CLOSING, exit=exit_order(status=OrderStatus.REJECTED, submitted_at=ago(1.9))),
        market(),
        [],
    ),
    "a fourth refusal waits sixteen": (
        group(**CLOSING, exit=exit_order(status=OrderStatus.REJECTED, submitted_at=ago(15.9), attempt=4)),
        market(),
        [],
    ),
    "a stray that is alive covers the rest until it is cancelled": (
        group(**CLOSING, exit=exit_order(status=OrderStatus.REJECTED), exits_unknown=(stop(),)),
        market(),
        [CancelExit("stop-1")],
    ),
    "an unknown stop that appears is cancelled beside the closing order": (
        group(**CLOSING, exit=exit_order(), exits_unknown=(stop(),)),
        market(),
        [CancelExit("stop-1")],
    ),
    "its cancel is not repeated at once": (
        group(
            **CLOSING,
            exit=exit_order(),
            exits_unknown=(stop(status=OrderStatus.PENDING_CANCEL, changed_at=ago(1.9)),),
        ),
        market(),
        [],
    ),
    "a closed group still cancels what appears": (
        group(
            state=GroupState.CLOSED,
            exited_quantity=75,
            exit=exit_order(status=OrderStatus.FILLED, filled_quantity=75),
            exits_unknown=(stop(),),
        ),
        market(),
        [CancelExit("stop-1")],
    ),
    # asked to close
    "asked to close, the stop becomes a closing limit": (
        group(close_reason=OPERATOR),
        market(),
        [CloseExit(99_495, OPERATOR)],
    ),
    "without a fresh price the stop's own limit closes": (
        group(close_reason=SQUARE_OFF),
        STALE,
        [CloseExit(98_700, SQUARE_OFF)],
    ),
    "without any price at all too": (
        group(close_reason=DEAD_MAN),
        MarketView(market_now=NOW),
        [CloseExit(98_700, DEAD_MAN)],
    ),
    "closing waits for a change in flight": (
        group(close_reason=OPERATOR, exit=stop(has_unconfirmed_change=True, trails=1, changed_at=ago(0.9))),
        market(),
        [],
    ),
    "but a second at most": (
        group(close_reason=OPERATOR, exit=stop(has_unconfirmed_change=True, trails=1, changed_at=ago(1))),
        market(),
        [CloseExit(99_495, OPERATOR)],
    ),
    "a broken group can be closed": (
        group(state=GroupState.BROKEN, close_reason=OPERATOR),
        market(),
        [CloseExit(99_495, OPERATOR)],
    ),
    "a closing change that was refused is tried again": (
        group(**CLOSING, exit=stop(closings=1, changed_at=ago(1))),
        market(),
        [CloseExit(99_495, OPERATOR)],
    ),
    "but not at once": (group(**CLOSING, exit=stop(closings=1, changed_at=ago(0.9))), market(), []),
    "an untouched stop that cannot be changed eight times is cancelled": (
        group(**CLOSING, exit=stop(closings=8, changed_at=ago(3))),
        market(),
        [CancelExit("stop-1")],
    ),
    # hanging
    "a closing limit that hangs for a second goes further": (
        # 2 % under 99,000 is 97,020
        group(**CLOSING, exit=closing(changed_at=ago(1))),
        market(99_000),
        [RepriceExit(97_020)],
    ),
    "its second price has two seconds": (
        group(**CLOSING, exit=closing(closings=2, changed_at=ago(1.9))),
        market(99_000),
        [],
    ),
    "a triggered stop that hangs is re-priced": (
        group(exit=stop(triggered_at=ago(1))),
        market(98_000),
        [RepriceExit(97_020)],
    ),
    "a partly filled stop is re-priced too": (
        group(
            exit=stop(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=25, triggered_at=ago(3)),
            exited_quantity=25,
        ),
        market(98_000),
        [RepriceExit(97_020)],
    ),
    # own limit 98,700; through the bid of 97,895 is 97,885, inside 1 % of 97,900
    "a stop jumped by a gap is re-priced before the book says so": (
        group(),
        market(97_900),
        [CloseExit(97_885, STOP)],
    ),
    "without a market a hanging exit goes on from the stop": (
        # 2 % under 99,000
        group(**CLOSING, exit=closing(changed_at=ago(1), price_paise=98_700)),
        STALE,
        [RepriceExit(97_020)],
    ),
    "an exit at the circuit has nowhere to go": (
        group(**CLOSING, exit=closing(changed_at=ago(9), price_paise=99_000), lower_circuit_paise=99_000),
        market(99_000),
        [],
    ),
    "an exit out of prices is cancelled": (
        group(**CLOSING, exit=closing(closings=8, changed_at=ago(2))),
        market(99_000),
        [CancelExit("stop-1")],
    ),
    "and placed anew once it is gone": (
        # five per cent, the most there is, under 99,000
        group(**CLOSING, exit=closing(closings=8, status=OrderStatus.CANCELED)),
        market(99_000),
        [PlaceExit(75, 94_050, OPERATOR)],
    ),
    # flat
    "flat with a filled stop is finished": (
        group(exit=stop(status=OrderStatus.FILLED, filled_quantity=75), exited_quantity=75),
        market(),
        [FinishGroup(STOP)],
    ),
    "flat by a moved stop is a trail": (
        group(
            stop_paise=99_500, exit=stop(status=OrderStatus.FILLED, filled_quantity=75), exited_quantity=75
        ),
        market(),
        [FinishGroup(TRAIL)],
    ),
    "flat by others' hand leaves no order behind": (
        group(taken_by_others_quantity=75),
        market(),
        [CancelExit("stop-1")],
    ),
    "and is finished when it is gone": (
        group(taken_by_others_quantity=75, exit=stop(status=OrderStatus.CANCELED)),
        market(),
        [FinishGroup(OTHERS)],
    ),
    "flat with an unknown order waits": (
        group(
            **CLOSING,
            exit=exit_order(status=OrderStatus.FILLED, filled_quantity=75),
            exited_quantity=75,
            exits_unknown=(stop(**UNKNOWN),),
        ),
        market(),
        [],
    ),
    "flat while the entry works waits": (
        group(
            entry_is_working=True,
            exit=stop(status=OrderStatus.FILLED, filled_quantity=75),
            exited_quantity=75,
        ),
        market(),
        [],
    ),
    "an entry that never filled ends without a reason": (
        group(**BARE, entered_quantity=0),
        market(),
        [FinishGroup(None)],
    ),
}


@pytest.mark.parametrize(("view", "quotes", "expected"), CASES.values(), ids=CASES.keys())
def test_the_next_actions_of(view, quotes, expected):
    assert next_actions(view, quotes, POLICY, NOW) == expected
