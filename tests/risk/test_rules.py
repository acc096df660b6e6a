from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.limits import Limits
from risk.rules import (
    RULES,
    SENTENCES,
    Denial,
    check,
    denial,
)
from tests.risk.rule_rows import (
    CONTEXT,
    DENIED,
    ENTRY,
    NIFTY,
    NOW,
    PASSED,
    SIX_LOST,
    P,
    R,
    with_account,
)
from trading.core.enums import PauseReason, RiskReason, Side
from trading.core.sizing import OpenRisk, heat_inr


@pytest.mark.parametrize(("request_", "context", "reason", "text"), DENIED)
def test_an_entry_is_denied_for_one_reason_with_its_figures(request_, context, reason, text):
    assert check(request_, context) == (Denial(reason=reason, text=text),)


@pytest.mark.parametrize(("request_", "context"), PASSED)
def test_an_entry_just_inside_every_limit_passes(request_, context):
    assert check(request_, context) == ()


def test_a_rule_stands_under_the_reason_it_gives():
    for request, context, reason, text in DENIED:
        assert RULES[reason](request, context) == Denial(reason=reason, text=text)


@pytest.mark.parametrize(
    "lifted",
    [
        (P.LOSSES_IN_A_ROW, None, NOW - timedelta(seconds=1)),
        (P.LOSSES_IN_A_ROW, NIFTY, NOW),
        (P.COOLDOWN, None, NOW),
    ],
)
def test_what_was_lifted_for_another_cause_lets_nothing_pass(lifted):
    found = check(ENTRY, with_account(**SIX_LOST, lifted=frozenset({lifted})))
    assert [one.reason for one in found] == [R.LOSSES_IN_A_ROW]


def test_the_days_own_limits_cannot_be_let_go_of():
    day = NOW.replace(hour=0)
    lifted = frozenset({(P.TRADES_PER_DAY, None, day), (P.DAILY_LOSS, None, day)})
    context = with_account(trades_today=20, day_pnl_inr=Decimal(-70000), lifted=lifted)
    assert [one.reason for one in check(ENTRY, context)] == [R.DAILY_LOSS_REACHED, R.TRADES_PER_DAY_LIMIT]


def test_all_reasons_are_told_not_the_first():
    context = replace(
        with_account(day_pnl_inr=Decimal(-70000), open_positions=5, losses_in_a_row=7),
        entries_off=frozenset({PauseReason.FLATTEN}),
        quote=None,
    )
    assert [found.reason for found in check(replace(ENTRY, quantity=0), context)] == [
        R.ENTRIES_OFF,
        R.NO_QUOTE,
        R.BELOW_ONE_LOT,
        R.DAILY_LOSS_REACHED,
        R.OPEN_POSITIONS_LIMIT,
        R.LOSSES_IN_A_ROW,
    ]


def test_an_unknown_quote_is_told_once_and_the_stop_is_still_looked_at():
    wrong = replace(ENTRY, stop_price=Decimal("26000.00"))
    assert [found.reason for found in check(wrong, replace(CONTEXT, quote=None))] == [
        R.NO_QUOTE,
        R.PRICE_BAND,
    ]


def test_the_first_live_day_denies_what_paper_allows():
    context = replace(CONTEXT, limits=Limits.day_one())
    assert check(ENTRY, context) == (
        Denial(reason=R.HEAT_LIMIT, text="The risk of this trade would be ₹10,400.00 of ₹6,250.00."),
    )


@pytest.mark.parametrize("reason", PauseReason)
def test_every_reason_to_be_off_keeps_entries_off(reason):
    found = check(ENTRY, replace(CONTEXT, entries_off=frozenset({reason})))
    assert found == (Denial(reason=R.ENTRIES_OFF, text=f"Entries are off: {reason.value}."),)


def test_every_reason_has_a_sentence():
    assert set(SENTENCES) == set(RiskReason)
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())


def test_every_rule_denies_somewhere_in_the_table():
    denied_by = {
        rule for rule in RULES.values() for request, context, _, _ in DENIED if rule(request, context)
    }
    assert denied_by == set(RULES.values())
    #: ranking happens before the rules, an operator's answer after them
    assert {reason for _, _, reason, _ in DENIED} == set(RiskReason) - {R.NOT_RANKED, R.NOT_AGREED}


def test_a_sentence_without_its_figures_is_an_error():
    assert denial(R.NOT_RANKED, place=6, limit=3).text == "Place 6 of this pass; 3 are entered at most."
    with pytest.raises(KeyError, match="limit"):
        denial(R.NOT_RANKED, place=6)


def risk(quantity: int, entry: str, stop: str) -> OpenRisk:
    return OpenRisk(side=Side.BUY, quantity=quantity, entry_price=Decimal(entry), stop_price=Decimal(stop))


def test_heat_counts_rupees_of_all_that_is_open_resting_or_on_its_way():
    open_heat_inr = heat_inr(
        [
            risk(65, "26000.35", "25960.10"),  # 2,616.25
            risk(333, "2480.30", "2467.85"),  # 4,145.85
            risk(195, "120.35", "60.15"),  # 11,739.00
            risk(30, "58400.40", "57680.40"),  # 21,600.00
        ]
    )
    assert check(ENTRY, with_account(open_heat_inr=open_heat_inr)) == (
        Denial(reason=R.HEAT_LIMIT, text="Heat would be ₹50,501.10 of ₹50,000.00."),
    )


amounts = st.decimals(min_value=0, max_value=200_000, places=2)


@given(amounts, st.integers(0, 8), st.integers(0, 30), st.decimals(-200_000, 200_000, places=2))
def test_what_passes_keeps_every_limit(heat, positions, trades, pnl):
    context = with_account(open_heat_inr=heat, open_positions=positions, trades_today=trades, day_pnl_inr=pnl)
    is_within = heat <= Decimal("39600.00") and positions < 4 and trades < 20 and pnl > Decimal("-62500.00")
    assert (check(ENTRY, context) == ()) is is_within
