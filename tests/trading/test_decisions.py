"""A signal is sized, priced by the quote, checked by every rule, and its answer kept with all reasons."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from risk import locks, self_test, state
from risk.models import Lock, RuleTally
from tests.days.broker import Trouble
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from trading import decisions
from trading.core.enums import RiskReason, Role, Side
from trading.core.values import Quote
from trading.models import Decision, Order, Trade

pytestmark = pytest.mark.django_db


def reasons(decision: Decision) -> list[str]:
    return [one["reason"] for one in decision.reasons]


def test_an_approved_decision_keeps_what_it_was_made_of():
    day = Day.opens()
    decision = day.enters()
    assert (decision.approved, decision.quantity, decision.reasons) == (True, 75, [])
    assert decision.limit_price == Decimal("25000.30")
    assert decision.risk_inr == Decimal("7522.50")
    assert decision.reward_inr == Decimal("22477.50")
    assert decision.capital_inr == Decimal("2500000.00")
    assert decision.limits_version == 1
    (order,) = day.orders(Role.ENTRY)
    assert (order.price, order.quantity, order.order_type) == (Decimal("25000.30"), 75, "LIMIT")


def test_a_refusal_names_every_reason_and_sends_nothing():
    day = Day.opens()
    state.pause(day.account.pk, by="operator", why="lunch", now=day.now)
    day.market.falls_silent()
    day.run_for(9)
    decision = day.enters(stop="24800", target="25010")
    assert not decision.approved
    assert reasons(decision) == ["ENTRIES_OFF", "STALE_PRICE", "BELOW_ONE_LOT"]
    assert all(one["text"] for one in decision.reasons)
    assert Order.objects.count() == 0


def test_an_instrument_with_an_open_trade_is_busy():
    day = Day.opens()
    day.enters()
    day.run_for(60)
    assert reasons(day.enters()) == ["INSTRUMENT_BUSY"]
    assert len(day.broker_orders(Role.ENTRY)) == 1


def test_two_trades_together_never_risk_more_than_the_heat_limit():
    day = Day.opens()
    limits = state.limits_in_force(day.account.pk)
    limits.pk, limits.version, limits.heat_pct = None, 2, Decimal("0.500")
    limits.save(force_insert=True)
    assert day.enters(stop="24840", target="25600").approved
    day.run_for(60)
    found = day.enters()
    assert "HEAT_LIMIT" in reasons(found)


def test_an_entry_the_broker_has_no_margin_for_is_refused_with_both_amounts():
    day = Day.opens()
    day.account.paper_capital_inr = Decimal(80000000)
    decision = day.enters(stop="24980", target="25100")
    assert reasons(decision) == ["MARGIN_SHORT"]
    assert "25,00,000.00 is available" in decision.reasons[0]["text"]
    assert day.broker.asked == []


def test_without_an_answer_about_margin_there_is_no_entry():
    day = Day.opens()
    day.broker.margin_is_unknown = True
    decision = day.enters()
    assert reasons(decision) == ["MARGIN_SHORT"]
    assert "unknown" in decision.reasons[0]["text"]
    assert day.broker.asked == []


def set_limits(day: Day, **changed: object) -> None:
    newest = state.limits_in_force(day.account.pk)
    newest.pk, newest.version = None, newest.version + 1
    for name, value in changed.items():
        setattr(newest, name, value)
    newest.save(force_insert=True)


def between_check_and_intent(day: Day, happens: Callable[[], object]) -> None:
    """The broker is asked about margin after the check; what happens then, another process did."""
    real = day.broker.margin_required_inr

    def margin_required_inr(requests):
        day.broker.margin_required_inr = real
        happens()
        return real(requests)

    day.broker.margin_required_inr = margin_required_inr  # type: ignore[method-assign]  # a seam of the test


@pytest.mark.parametrize(
    ("limits", "reason", "text"),
    [
        (
            {"open_positions": 1},
            "OPEN_POSITIONS_LIMIT",
            "1 positions are open or on their way; 1 is the most.",
        ),
        ({"trades_per_day": 1}, "TRADES_PER_DAY_LIMIT", "1 trades were made today; 1 is the most."),
        ({"heat_pct": Decimal("0.6")}, "HEAT_LIMIT", "Heat would be"),
        ({"entries_per_s": 1}, "ORDER_RATE", "1 entries in the last second"),
    ],
)
def test_what_another_process_used_up_since_the_check_refuses_the_entry(limits, reason, text):
    day = Day.opens(NIFTY, STEEL)
    set_limits(day, **limits)
    mine = day.sees(stop="24900", target="25300")
    other = day.sees(stop="990", target="1030", spec=STEEL)
    assert mine is not None
    assert other is not None
    between_check_and_intent(day, lambda: day.decides(other, STEEL))
    refused = day.decides(mine)
    assert Decision.objects.get(signal=other).approved
    assert (refused.approved, reasons(refused)) == (False, [reason])
    assert text in refused.reasons[0]["text"]
    assert refused.limits_version == 2
    assert [order.tradingsymbol for order in day.orders(Role.ENTRY)] == ["STEEL"]
    assert day.broker.asked == [("place", Role.ENTRY)]
    assert RuleTally.objects.get(rule=reason).refusals == 1


def test_an_instrument_another_process_entered_since_the_check_is_busy():
    day = Day.opens()
    mine = day.sees(stop="24900", target="25300")
    other = day.sees(stop="24900", target="25300", strategy="another")
    assert mine is not None
    assert other is not None
    between_check_and_intent(day, lambda: day.decides(other))
    assert reasons(day.decides(mine)) == ["INSTRUMENT_BUSY"]
    assert len(day.orders(Role.ENTRY)) == 1


def test_a_limit_counts_for_the_next_entry_and_a_wrong_one_changes_nothing():
    day = Day.opens(NIFTY, STEEL)
    assert day.enters().limits_version == 1
    with pytest.raises(ValidationError, match="a limit is a positive number, always; write 1"):
        set_limits(day, open_positions=-1)
    assert state.limits_now(day.account.pk) == (state.limits_in_force(day.account.pk).value(), 1)
    set_limits(day, open_positions=1)
    refused = day.enters(spec=STEEL, stop="990", target="1030")
    assert (reasons(refused), refused.limits_version) == (["OPEN_POSITIONS_LIMIT"], 2)


def test_a_limit_changed_between_check_and_intent_holds_already():
    day = Day.opens()
    mine = day.sees(stop="24900", target="25300")
    assert mine is not None
    between_check_and_intent(
        day,
        lambda: set_limits(day, risk_per_trade_pct=Decimal("0.1")),
    )
    refused = day.decides(mine)
    assert (reasons(refused), refused.limits_version) == (["HEAT_LIMIT"], 2)
    assert "The risk of this trade would be" in refused.reasons[0]["text"]
    assert day.broker.asked == []


def test_a_signal_that_waited_too_long_is_history():
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    day.run_for(66)
    assert reasons(day.decides(signal)) == ["SIGNAL_TOO_OLD"]


def test_a_setup_whose_stop_the_market_has_passed_is_refused_and_not_sized():
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    day.market.goes_to("24890")
    day.run_for(3)
    decision = day.decides(signal)
    assert {"PRICE_BAND", "BELOW_ONE_LOT"} <= set(reasons(decision))
    assert decision.quantity == 0


def test_a_signal_out_of_the_ranking_is_answered_too():
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    decision = decisions.refuse_unranked(day.loop.desk, signal, place=6, limit=3)
    assert reasons(decision) == ["NOT_RANKED"]
    assert decision.reasons[0]["text"] == "Place 6 of this pass; 3 are entered at most."


@pytest.mark.parametrize(
    ("side", "bid", "ask", "limit"),
    [
        (Side.BUY, 2_500_000, 2_500_020, "25000.40"),
        (Side.SELL, 2_500_000, 2_500_020, "24999.80"),
        (Side.BUY, 2_500_000, 0, "25000.00"),
        (Side.SELL, 0, 2_500_020, "25000.00"),
    ],
)
def test_the_limit_is_the_far_touch_and_two_ticks_or_the_setups_price_without_one(side, bid, ask, limit):
    quote = Quote(last_price_paise=2_500_010, bid_paise=bid, ask_paise=ask, exchange_time=None)
    assert decisions.entry_limit(side, quote, NIFTY, Decimal("25000.00")) == Decimal(limit)
    assert decisions.entry_limit(side, None, NIFTY, Decimal("25000.00")) == Decimal("25000.00")


def test_a_refused_entry_leaves_the_instrument_free_again():
    day = Day.opens()
    day.broker.will(Trouble.REFUSED, Role.ENTRY)
    day.enters()
    day.run_for(60)
    assert day.enters().approved
    assert day.net() == 75


def test_a_loss_locks_its_instrument_before_the_next_signal_and_a_person_lets_go():
    day = Day.opens()
    day.enters()
    day.run_for(5)
    day.price_goes_to("24880")
    day.run_for(10)
    lock = Lock.objects.get()
    (trade,) = day.trades()
    assert (lock.protection, lock.tradingsymbol, lock.cause_at) == (
        "COOLDOWN",
        NIFTY.tradingsymbol,
        trade.closed_at,
    )
    assert lock.until == lock.cause_at + timedelta(minutes=5)
    day.run_for(60)
    refused = day.enters(stop="24800", target="25300")
    assert "COOLDOWN" in reasons(refused)
    locks.lift(lock, by="asha", now=day.now)
    day.run_for(60)
    assert "COOLDOWN" not in reasons(day.enters(stop="24800", target="25300"))


def test_entries_refused_one_after_the_other_are_not_tried_a_sixth_time():
    day = Day.opens()
    for _ in range(5):
        day.broker.will(Trouble.REFUSED, Role.ENTRY)
        day.enters()
        day.run_for(60)
    asked = len(day.broker.asked)
    assert reasons(day.enters()) == ["REJECTIONS_IN_A_ROW"]
    assert len(day.broker.asked) == asked
    assert Lock.objects.get().protection == "REJECTIONS_IN_A_ROW"
    day.run_for(14 * 60)
    assert day.enters().approved


def test_each_rule_was_asked_about_each_entry_and_its_answer_counted():
    day = Day.opens()
    day.enters()
    day.run_for(60)
    day.enters()
    tallies = {row.rule: (row.passes, row.refusals) for row in RuleTally.objects.all()}
    assert tallies.pop("INSTRUMENT_BUSY") == (1, 1)
    assert set(tallies) == set(RiskReason) - {"NOT_RANKED", "NOT_AGREED", "INSTRUMENT_BUSY"}
    assert set(tallies.values()) == {(2, 0)}
    assert self_test.unasked(day.desk.session.pk, day.now.date()) == frozenset()
    # A rule that fell out of the table is an alarm, not a silence.
    RuleTally.objects.filter(rule="HEAT_LIMIT").delete()
    assert self_test.unasked(day.desk.session.pk, day.now.date()) == {"HEAT_LIMIT"}


def test_a_loss_that_comes_while_the_broker_is_asked_for_the_margin_counts():
    day = Day.opens(NIFTY, STEEL)
    day.enters()
    day.run_for(60)

    def the_first_trade_ends() -> None:
        Trade.objects.update(closed_at=day.now, exited_quantity=75, net_inr=Decimal("-62500"))

    between_check_and_intent(day, the_first_trade_ends)
    refused = day.enters(stop="990", target="1030", spec=STEEL)
    assert (refused.approved, reasons(refused)) == (False, ["DAILY_LOSS_REACHED"])
    assert len(day.broker_orders(Role.ENTRY)) == 1
