"""Only what was checked can be sent, and an exit is let through only where it reduces the position."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from risk import check, rules
from risk.check import Approved, Refused
from risk.limits import Limits
from risk.rules import AccountSnapshot, EntryRequest, EntryWindow, RiskContext
from trading.core.enums import Exchange, OrderType, PauseReason, Product, RiskReason, Role, Side
from trading.core.session import IST
from trading.core.values import OrderRequest, Quote

NOW = datetime(2025, 11, 3, 10, 0, tzinfo=IST)
ASKED = EntryRequest(
    strategy="test",
    exchange=Exchange.NFO,
    tradingsymbol="NIFTY25NOVFUT",
    product=Product.MIS,
    side=Side.BUY,
    entry_price=Decimal("25000.30"),
    stop_price=Decimal("24900"),
    target_price=Decimal("25300"),
    quantity=75,
    lot_size=75,
    charges_inr=Decimal(1100),
    slippage_inr=Decimal(15),
    signal_at=NOW,
)
ORDER = OrderRequest(
    client_order_id="a" * 24,
    role=Role.ENTRY,
    exchange=Exchange.NFO,
    tradingsymbol="NIFTY25NOVFUT",
    side=Side.BUY,
    quantity=75,
    product=Product.MIS,
    order_type=OrderType.LIMIT,
    price=Decimal("25000.30"),
)
STOP = replace(ORDER, role=Role.STOP, side=Side.SELL, order_type=OrderType.SL)
CONTEXT = RiskContext(
    account=AccountSnapshot(capital_inr=Decimal(2500000)),
    limits=Limits(),
    entries_off=frozenset(),
    window=EntryWindow(entries_from=NOW, entries_until=NOW.replace(hour=14)),
    quote=Quote(last_price_paise=2_500_000, bid_paise=2_499_990, ask_paise=2_500_010, exchange_time=NOW),
    now=NOW,
)


EVERY_RULE = tuple(rules.RULES)


def test_every_reason_but_the_rankings_and_the_operators_is_a_rules():
    assert set(EVERY_RULE) == set(RiskReason) - {RiskReason.NOT_RANKED, RiskReason.NOT_AGREED}


def test_an_entry_nothing_speaks_against_is_approved_as_it_would_be_sent():
    assert check.check_entry(ASKED, ORDER, CONTEXT) == Approved(ORDER, EVERY_RULE)


def test_every_reason_against_an_entry_is_given():
    off = replace(CONTEXT, entries_off=frozenset({PauseReason.OPERATOR}), window=None)
    verdict = check.check_entry(ASKED, ORDER, off)
    assert isinstance(verdict, Refused)
    assert [one.reason for one in verdict.denials] == ["ENTRIES_OFF", "SESSION_CLOSED"]


def test_with_the_row_locked_only_what_others_may_have_used_up_is_asked_again():
    full = replace(
        CONTEXT,
        account=replace(CONTEXT.account, open_positions=4, busy=frozenset({ASKED.instrument})),
        entries_off=frozenset({PauseReason.OPERATOR}),
        window=None,
    )
    found = rules.check_counts(ASKED, full)
    assert [one.reason for one in found] == ["OPEN_POSITIONS_LIMIT", "INSTRUMENT_BUSY"]
    assert rules.check_counts(ASKED, CONTEXT) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"price": Decimal("25000.40")},
        {"side": Side.SELL},
        {"tradingsymbol": "BANKNIFTY25NOVFUT"},
        {"role": Role.STOP},
        {"quantity": 150},
    ],
)
def test_an_order_that_is_not_the_entry_that_was_checked_is_an_error(change):
    with pytest.raises(ValueError, match="is not the entry that was checked"):
        check.check_entry(ASKED, replace(ORDER, **change), CONTEXT)


def test_a_slice_of_the_entry_may_be_smaller():
    part = replace(ORDER, quantity=75)
    assert check.check_entry(replace(ASKED, quantity=75), part, CONTEXT) == Approved(part, EVERY_RULE)


def test_an_exit_that_reduces_the_position_is_approved_whatever_stands_against_entries():
    assert check.allow_exit(STOP, position_quantity=75, position_sign=1) == Approved(STOP)
    cover = replace(STOP, side=Side.BUY)
    assert check.allow_exit(cover, position_quantity=150, position_sign=-1) == Approved(cover)


@pytest.mark.parametrize(
    ("order", "quantity", "sign", "words"),
    [
        (STOP, 50, 1, "would turn it round"),
        (STOP, 0, 1, "would turn it round"),
        (replace(STOP, quantity=0), 75, 1, "would turn it round"),
        (STOP, 75, -1, "does not reduce the position"),
        (ORDER, 75, -1, "does not reduce the position"),
    ],
)
def test_what_would_add_to_a_position_or_turn_it_round_is_no_exit(order, quantity, sign, words):
    with pytest.raises(ValueError, match=words):
        check.allow_exit(order, position_quantity=quantity, position_sign=sign)
