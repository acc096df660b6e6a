from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.limits import Limits
from risk.rules import (
    RULES,
    SENTENCES,
    AccountSnapshot,
    Denial,
    EntryRequest,
    EntryWindow,
    RiskContext,
    check,
    denial,
)
from trading.core.enums import Exchange, PauseReason, Product, RiskReason, Side
from trading.core.sizing import OpenRisk, heat_inr
from trading.core.values import Quote

IST = ZoneInfo("Asia/Kolkata")
NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=IST)
NIFTY = (Exchange.NFO, "NIFTY26NOVFUT")

#: risks 40 x 260 = ₹10,400.00 for 72 x 260 = ₹18,720.00
ENTRY = EntryRequest(
    strategy="ORB",
    exchange=Exchange.NFO,
    tradingsymbol="NIFTY26NOVFUT",
    product=Product.MIS,
    side=Side.BUY,
    entry_price=Decimal("26000.00"),
    stop_price=Decimal("25960.00"),
    target_price=Decimal("26072.00"),
    quantity=260,
    lot_size=65,
    charges_inr=Decimal("4000.00"),
    slippage_inr=Decimal("312.00"),
    signal_at=NOW - timedelta(seconds=2),
)
SHORT = replace(ENTRY, side=Side.SELL, stop_price=Decimal("26040.00"), target_price=Decimal("25928.00"))
ACCOUNT = AccountSnapshot(capital_inr=Decimal("2500000"))
QUOTE = Quote(
    last_price_paise=26_000_00,
    bid_paise=25_999_90,
    ask_paise=26_000_10,
    exchange_time=NOW - timedelta(seconds=1),
)
WINDOW = EntryWindow(
    entries_from=datetime(2026, 11, 23, 9, 30, tzinfo=IST),
    entries_until=datetime(2026, 11, 23, 14, 30, tzinfo=IST),
)
CONTEXT = RiskContext(
    account=ACCOUNT, limits=Limits(), entries_off=frozenset(), window=WINDOW, quote=QUOTE, now=NOW
)


def with_account(**changes) -> RiskContext:
    return replace(CONTEXT, account=replace(ACCOUNT, **changes))


def with_quote(**changes) -> RiskContext:
    return replace(CONTEXT, quote=replace(QUOTE, **changes))


def at(hour: int, minute: int, second: int = 0) -> tuple[EntryRequest, RiskContext]:
    now = NOW.replace(hour=hour, minute=minute, second=second)
    return replace(ENTRY, signal_at=now), replace(with_quote(exchange_time=now), now=now)


R = RiskReason
DENIED = [
    (
        ENTRY,
        replace(CONTEXT, entries_off=frozenset({PauseReason.RISK, PauseReason.OPERATOR})),
        R.ENTRIES_OFF,
        "Entries are off: operator, risk.",
    ),
    (
        ENTRY,
        replace(CONTEXT, mode_problem="LIVE orders go to PRODUCTION only"),
        R.MODE_NOT_ALLOWED,
        "The mode does not allow it: LIVE orders go to PRODUCTION only.",
    ),
    (
        ENTRY,
        replace(CONTEXT, excluded="BAN_LIST, since 21 Nov"),
        R.EXCLUDED,
        "NFO:NIFTY26NOVFUT is watched and not entered: BAN_LIST, since 21 Nov.",
    ),
    (*at(9, 29, 59), R.SESSION_CLOSED, "It is 09:29:59; entries are allowed 09:30–14:30."),
    (*at(14, 30), R.SESSION_CLOSED, "It is 14:30:00; entries are allowed 09:30–14:30."),
    (
        ENTRY,
        replace(CONTEXT, window=None),
        R.SESSION_CLOSED,
        "It is 10:00:00; entries are allowed on trading days only.",
    ),
    (ENTRY, replace(CONTEXT, quote=None), R.NO_QUOTE, "There is no usable quote: no last price."),
    (ENTRY, with_quote(last_price_paise=0), R.NO_QUOTE, "There is no usable quote: no last price."),
    (ENTRY, with_quote(exchange_time=None), R.NO_QUOTE, "There is no usable quote: no exchange time."),
    (ENTRY, with_quote(ask_paise=0), R.NO_QUOTE, "There is no usable quote: nobody offers."),
    (SHORT, with_quote(bid_paise=0), R.NO_QUOTE, "There is no usable quote: nobody bids."),
    (
        ENTRY,
        with_quote(exchange_time=NOW - timedelta(seconds=5, milliseconds=100)),
        R.STALE_PRICE,
        "By exchange time the last price is 5.1 s old; 5 s is the most.",
    ),
    (
        ENTRY,
        with_quote(exchange_time=NOW - timedelta(minutes=3)),
        R.STALE_PRICE,
        "By exchange time the last price is 3.0 min old; 5 s is the most.",
    ),
    (
        ENTRY,
        with_quote(exchange_time=NOW + timedelta(seconds=12)),
        R.STALE_PRICE,
        "By exchange time the last price is 12.0 s ahead of our clock; 5 s is the most.",
    ),
    (
        ENTRY,
        with_quote(last_price_paise=25_896_40),  # 103.60 away, 0.4001 %
        R.PRICE_BAND,
        "The entry at ₹26,000.00 is 0.400 % from the last price ₹25,896.40; 0.40 % is the most.",
    ),
    (
        SHORT,
        with_quote(last_price_paise=26_200_00),
        R.PRICE_BAND,
        "The entry at ₹26,000.00 is 0.763 % from the last price ₹26,200.00; 0.40 % is the most.",
    ),
    (
        replace(ENTRY, stop_price=Decimal("26010.00")),
        CONTEXT,
        R.PRICE_BAND,
        "The entry at ₹26,000.00 is not on the right side of its stop at ₹26,010.00.",
    ),
    (
        replace(ENTRY, quantity=0),
        CONTEXT,
        R.BELOW_ONE_LOT,
        "0 units are not whole lots of 65; one trade may risk ₹12,500.00.",
    ),
    (
        replace(ENTRY, quantity=259),
        CONTEXT,
        R.BELOW_ONE_LOT,
        "259 units are not whole lots of 65; one trade may risk ₹12,500.00.",
    ),
    (
        replace(ENTRY, quantity=325),
        CONTEXT,
        R.HEAT_LIMIT,
        "The risk of this trade would be ₹13,000.00 of ₹12,500.00.",
    ),
    (
        ENTRY,
        with_account(open_heat_inr=Decimal("41900.00")),
        R.HEAT_LIMIT,
        "Heat would be ₹52,300.00 of ₹50,000.00.",
    ),
    (
        ENTRY,
        with_account(open_heat_inr=Decimal("39600.01")),
        R.HEAT_LIMIT,
        "Heat would be ₹50,000.01 of ₹50,000.00.",
    ),
    (
        ENTRY,
        with_account(day_pnl_inr=Decimal("-62500.00")),
        R.DAILY_LOSS_REACHED,
        "The day's result is -₹62,500.00; the limit is -₹62,500.00.",
    ),
    (
        ENTRY,
        with_account(open_positions=4),
        R.OPEN_POSITIONS_LIMIT,
        "4 positions are open or on their way; 4 is the most.",
    ),
    (
        ENTRY,
        with_account(trades_today=20),
        R.TRADES_PER_DAY_LIMIT,
        "20 trades were made today; 20 is the most.",
    ),
    (
        ENTRY,
        with_account(entries_last_s=4),
        R.ORDER_RATE,
        "4 entries were sent in the last second; 4 is the most.",
    ),
    (
        ENTRY,
        with_account(orders_last_s=10),
        R.ORDER_RATE,
        "10 orders were sent in the last second; 10 is the most.",
    ),
    (
        ENTRY,
        with_account(orders_last_min=360),
        R.ORDER_RATE,
        "360 orders were sent in the last minute; 360 is the most.",
    ),
    (ENTRY, with_account(orders_today=4500), R.ORDER_RATE, "4500 orders were sent today; 4500 is the most."),
    (
        replace(ENTRY, charges_inr=Decimal("5928.01")),  # with slippage 6,240.01 x 3 = 18,720.03
        CONTEXT,
        R.COSTS_TOO_HIGH,
        "The reward of ₹18,720.00 is below 3.00 times the costs of ₹6,240.01.",
    ),
    (
        replace(ENTRY, target_price=Decimal("25999.00")),
        CONTEXT,
        R.COSTS_TOO_HIGH,
        "The reward of -₹260.00 is below 3.00 times the costs of ₹4,312.00.",
    ),
    (
        ENTRY,
        with_account(last_loss_at={NIFTY: NOW - timedelta(seconds=299)}),
        R.COOLDOWN,
        "The last trade here lost 5.0 min ago; the pause is 5 min.",
    ),
    (
        ENTRY,
        with_account(last_loss_at={NIFTY: NOW - timedelta(seconds=45)}),
        R.COOLDOWN,
        "The last trade here lost 45.0 s ago; the pause is 5 min.",
    ),
    (
        ENTRY,
        with_account(losses_in_a_row=6),
        R.LOSSES_IN_A_ROW,
        "6 trades in a row lost; 6 end the day's entries.",
    ),
    (
        ENTRY,
        with_account(busy=frozenset({NIFTY})),
        R.INSTRUMENT_BUSY,
        "NFO:NIFTY26NOVFUT already has an open trade or entry.",
    ),
    (
        replace(ENTRY, required_margin_inr=Decimal("900000.05")),
        with_account(available_margin_inr=Decimal("900000.00")),
        R.MARGIN_SHORT,
        "The entry needs a margin of ₹9,00,000.05; ₹9,00,000.00 is available.",
    ),
    (
        replace(ENTRY, signal_at=NOW - timedelta(seconds=61)),
        CONTEXT,
        R.SIGNAL_TOO_OLD,
        "The signal is 61.0 s old; 60 s is the most.",
    ),
]


@pytest.mark.parametrize(("request_", "context", "reason", "text"), DENIED)
def test_an_entry_is_denied_for_one_reason_with_its_figures(request_, context, reason, text):
    assert check(request_, context) == (Denial(reason=reason, text=text),)


PASSED = [
    (ENTRY, CONTEXT),
    (SHORT, CONTEXT),
    at(9, 30),
    at(14, 29, 59),
    (ENTRY, with_quote(exchange_time=NOW - timedelta(seconds=5))),
    (ENTRY, with_quote(exchange_time=NOW + timedelta(seconds=5))),
    (ENTRY, with_quote(last_price_paise=25_896_50)),  # 103.50 away, 0.3997 %
    (ENTRY, with_quote(bid_paise=0)),
    (SHORT, with_quote(ask_paise=0)),
    (replace(ENTRY, quantity=65, charges_inr=Decimal(1000)), CONTEXT),
    (ENTRY, with_account(open_heat_inr=Decimal("39600.00"))),
    (ENTRY, with_account(day_pnl_inr=Decimal("-62499.99"))),
    (ENTRY, with_account(open_positions=3, trades_today=19, losses_in_a_row=5)),
    (ENTRY, with_account(entries_last_s=3, orders_last_s=9, orders_last_min=359, orders_today=4499)),
    (replace(ENTRY, charges_inr=Decimal("5928.00")), CONTEXT),  # with slippage 6,240.00 x 3 = 18,720.00
    (ENTRY, with_account(last_loss_at={NIFTY: NOW - timedelta(minutes=5)})),
    (ENTRY, with_account(last_loss_at={(Exchange.NFO, "BANKNIFTY26NOVFUT"): NOW})),
    (ENTRY, with_account(busy=frozenset({(Exchange.NFO, "BANKNIFTY26NOVFUT")}))),
    (replace(ENTRY, required_margin_inr=Decimal(900000)), with_account(available_margin_inr=Decimal(900000))),
    (replace(ENTRY, required_margin_inr=Decimal(900000)), CONTEXT),
    (ENTRY, with_account(available_margin_inr=Decimal(1))),
    (replace(ENTRY, signal_at=NOW - timedelta(seconds=60)), CONTEXT),
]


@pytest.mark.parametrize(("request_", "context"), PASSED)
def test_an_entry_just_inside_every_limit_passes(request_, context):
    assert check(request_, context) == ()


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
    denied_by = {rule for rule in RULES for request, context, _, _ in DENIED if rule(request, context)}
    assert denied_by == set(RULES)
    #: ranking happens before the rules
    assert {reason for _, _, reason, _ in DENIED} == set(RiskReason) - {R.NOT_RANKED}


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
