"""What an operator asks of one position: it is closed, or its stop is moved nearer, by the leader of the exits."""

from decimal import Decimal

import pytest

from oco import flatten, stop_moves
from oco.models import Flatten, StopMove
from oco.stop_moves import CannotBeMoved
from oco.views import MarketView
from risk import state
from tests.days.broker import SimulatedCrash, Trouble
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from trading.core.enums import ExitReason, FlattenState, GroupState, MoveState, PauseReason, Role
from trading.core.values import InstrumentSpec

pytestmark = pytest.mark.django_db


def asks_to_close(day: Day, spec: InstrumentSpec) -> Flatten:
    row = flatten.request(
        day.account, day.desk.session, ExitReason.OPERATOR,
        asked_by="asha", clocks=day.desk.clocks, tradingsymbols=[spec.tradingsymbol],
    )  # fmt: skip
    day.watcher.wake()
    day.watcher.run_pass()
    return row


def asks_for_stop(day: Day, price: str, *, market: MarketView | None = None) -> StopMove:
    """As a web process asks that knows no price, unless `market` tells it."""
    (group,) = day.watcher.live
    row = stop_moves.request(
        group.row, market or MarketView(market_now=day.now), Decimal(price),
        asked_by="asha", clocks=day.desk.clocks,
    )  # fmt: skip
    day.watcher.wake()
    return row


def answer(row: StopMove) -> tuple[str, str]:
    row.refresh_from_db()
    return row.state, row.why


def resting(day: Day) -> list[Decimal]:
    """Triggers of the stops at the exchange, in rupees."""
    return [
        Decimal(order.trigger_paise).scaleb(-2)
        for order in day.broker_orders(Role.STOP)
        if not order.is_closed
    ]


def test_closing_one_position_leaves_the_other_protected_and_entries_on():
    day = Day.opens(NIFTY, STEEL)
    day.enters()
    assert day.enters(spec=STEEL, stop="990", target="1030").quantity > 0
    first, second = asks_to_close(day, STEEL), asks_to_close(day, STEEL)
    day.run_for(6)
    first.refresh_from_db()
    assert first.pk == second.pk
    assert (first.state, first.latches, first.positions_at_start) == (FlattenState.FLAT, False, 1)
    assert first.verdict == {"unknown_entries": [], "not_ours": {}}
    assert (day.net(STEEL), day.net(NIFTY)) == (0, 75)
    assert day.working() == [("SELL", 75)]
    assert state.reasons_off(day.account.pk) == frozenset()
    assert [one.exit_reason for one in day.groups()] == ["", *[ExitReason.OPERATOR] * 2]


def test_closing_one_position_cancels_its_entry_that_still_works():
    day = Day.opens()
    day.market.offers(0)
    day.run_for(3)
    day.decides(day.sees(stop="24900", target="25300"))
    day.run_for(1)
    assert day.working() == [("BUY", 75)]
    asks_to_close(day, NIFTY)
    day.run_for(3)
    assert (day.net(), day.working()) == (0, [])


def test_the_daily_loss_is_watched_while_one_position_cannot_be_closed():
    day = Day.opens()
    limits = state.limits_in_force(day.account.pk)
    limits.pk, limits.version, limits.daily_loss_pct = None, 2, limits.risk_per_trade_pct
    limits.save(force_insert=True)
    day.enters()
    day.market.offers(0)
    day.run_for(3)
    asks_to_close(day, NIFTY)
    assert state.reasons_off(day.account.pk) == frozenset()
    # 75 units lose more than 0.5 % of Rs 25 lakh, Rs 12,500, from 167 rupees on.
    day.price_goes_to("24800", frames=2)
    day.run_for(3)
    assert [row.reason for row in Flatten.objects.order_by("pk")] == ["OPERATOR", "DAILY_LOSS"]
    assert state.reasons_off(day.account.pk) == {PauseReason.RISK}


def test_a_close_that_a_crash_interrupted_goes_on_after_the_restart():
    day = Day.opens()
    day.enters()
    day.broker.will(Trouble.CRASH_BEFORE, Role.STOP, "modify")
    with pytest.raises(SimulatedCrash):
        asks_to_close(day, NIFTY)
    day.restarts()
    day.run_for(12)
    assert Flatten.objects.get().state == FlattenState.FLAT
    assert [order.filled for order in day.broker_orders(Role.STOP)] == [75]
    assert (day.net(), day.working()) == (0, [])


def test_a_stop_is_moved_nearer_and_the_row_says_so_when_the_book_shows_it():
    day = Day.opens()
    day.enters()
    row = asks_for_stop(day, "24950.00")
    day.watcher.run_pass()
    assert answer(row) == (MoveState.ASKED, "")
    day.run_for(3)
    assert answer(row) == (MoveState.MOVED, "The broker's book shows it at ₹24,950.00.")
    (group,), (order,) = day.groups(), day.orders(Role.STOP)
    assert (group.stop_price, group.initial_stop_price) == (Decimal("24950.00"), Decimal("24900.00"))
    # 0.30 % below the trigger is 24,875.15; the tick of 0.10 below is 24,875.10
    assert (order.trigger_price, order.price) == (Decimal("24950.00"), Decimal("24875.10"))
    assert day.broker.asked.count(("modify", Role.STOP)) == 1
    assert day.working() == [("SELL", 75)]
    day.price_goes_to("24940", frames=3)
    day.run_for(3)
    assert (day.net(), day.groups()[0].exit_reason) == (0, ExitReason.TRAIL)


@pytest.mark.parametrize(
    ("price", "last_paise", "why"),
    [
        ("24899.90", 0, "A stop only tightens: it is at ₹24,900.00, ask for a higher one than that."),
        ("24900.00", 0, "The stop is at ₹24,900.00 already."),
        ("24950.05", 0, "Prices of this instrument go in steps of ₹0.10."),
        ("24950.001", 0, "₹24950.001 has a fraction of a paisa: round it to a tick first."),
        (
            "25000.10",
            2_500_000,
            "The last price is ₹25,000.00: a stop at ₹25,000.10 would sell or buy at once. "
            "Close the position instead.",
        ),
    ],
)  # fmt: skip
def test_a_stop_that_may_not_be_asked_for_is_refused_at_once(price, last_paise, why):
    day = Day.opens()
    day.enters()
    market = MarketView(market_now=day.now, last_paise=last_paise, age_s=0.5 if last_paise else None)
    with pytest.raises(CannotBeMoved) as refused:
        asks_for_stop(day, price, market=market)
    assert str(refused.value) == why
    assert not StopMove.objects.exists()


def test_the_leader_refuses_a_stop_that_the_market_has_reached_and_moves_nothing():
    day = Day.opens()
    day.enters()
    row = asks_for_stop(day, "25000.10")
    day.run_for(3)
    assert answer(row) == (
        MoveState.REFUSED,
        "The last price is ₹25,000.00: a stop at ₹25,000.10 would sell or buy at once. "
        "Close the position instead.",
    )
    assert (day.groups()[0].stop_price, resting(day)) == (Decimal("24900.00"), [Decimal("24900.00")])
    assert ("modify", Role.STOP) not in day.broker.asked


def test_a_position_that_is_being_closed_keeps_its_stop_and_its_second_wish_waits_its_turn():
    day = Day.opens()
    day.enters()
    asks_for_stop(day, "24950.00")
    with pytest.raises(CannotBeMoved, match=r"asha is moving this stop to ₹24,950\.00"):
        asks_for_stop(day, "24960.00")
    row = StopMove.objects.get()
    asks_to_close(day, NIFTY)
    day.run_for(3)
    assert answer(row) == (MoveState.REFUSED, "The position is to be closed (OPERATOR).")
    assert (day.net(), day.working()) == (0, [])


def test_a_move_is_refused_where_the_orders_modifications_are_kept_for_closing():
    day = Day.opens()
    day.enters()
    for number in range(1, 13):
        asks_for_stop(day, f"{24900 + number}")
        day.run_for(3)
    assert resting(day) == [Decimal("24912.00")]
    with pytest.raises(CannotBeMoved, match="moved 12 and resized 0 times; the rest of its modifications"):
        asks_for_stop(day, "24913.00")
    day.presses_flatten()
    day.run_for(6)
    assert (day.net(), day.working()) == (0, [])


@pytest.mark.parametrize("crash", [Trouble.CRASH_BEFORE, Trouble.CRASH_AFTER])
def test_a_move_that_a_crash_interrupted_is_done_once_after_the_restart(crash):
    day = Day.opens()
    day.enters()
    row = asks_for_stop(day, "24950.00")
    day.broker.will(crash, Role.STOP, "modify")
    with pytest.raises(SimulatedCrash):
        day.watcher.run_pass()
    assert (day.groups()[0].stop_price, answer(row)[0]) == (Decimal("24950.00"), MoveState.ASKED)
    day.restarts()
    day.run_for(9)
    assert answer(row)[0] == MoveState.MOVED
    assert (day.groups()[0].state, resting(day)) == (GroupState.ARMED, [Decimal("24950.00")])
    assert day.working() == [("SELL", 75)]


def test_a_wish_that_nobody_took_up_in_time_ends_and_moves_nothing():
    day = Day.opens()
    day.enters()
    row = asks_for_stop(day, "24950.00")
    # Whoever led is gone for eleven seconds.
    day.replayed.clocks.move_to(day.now + stop_moves.TAKEN_WITHIN * 1.1)
    day.restarts()
    day.run_for(3)
    assert answer(row)[0] == MoveState.EXPIRED
    day.run_for(9)
    assert (day.groups()[0].stop_price, resting(day)) == (Decimal("24900.00"), [Decimal("24900.00")])
