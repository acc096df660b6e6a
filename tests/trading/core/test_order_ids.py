"""Pinned ids are SHA-1 sums of canonical texts written by hand: a change of the form is noticed here."""

from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.core.enums import Mode, Role, Side
from trading.core.order_ids import kite_tag, order_client_id, plan_client_id, role_of_tag
from trading.core.values import Plan

IST = ZoneInfo("Asia/Kolkata")
LOOSE = {"symbol": "NIFTY", "side": "LONG", "entry": 100.0, "sl": 95, "tp": 110, "qty": 50, "strategy": "ORB"}
PLAN = Plan(
    installation="desk-1",
    broker_user="AB1234",
    venue_session="vs-7",
    mode="PAPER",
    trading_date=date(2026, 11, 23),
    strategy="ORB",
    exchange="NFO",
    tradingsymbol="NIFTY26NOVFUT",
    side="BUY",
    signal_candle_at=datetime(2026, 11, 23, 9, 40, tzinfo=IST),
    entry_price=Decimal("26000.50"),
    stop_price=Decimal("25960.00"),
    target_price=Decimal("26073.40"),
)
PLAN_ID = "e46f2245f4f1faa956209c5f"
OTHERS: dict[str, Any] = {
    "installation": "desk-2",
    "broker_user": "AB1235",
    "venue_session": "",
    "mode": "LIVE",
    "trading_date": date(2026, 11, 24),
    "strategy": "TrendPullback",
    "exchange": "BFO",
    "tradingsymbol": "NIFTY26DECFUT",
    "side": "SELL",
    "signal_candle_at": datetime(2026, 11, 23, 9, 41, tzinfo=IST),
    "entry_price": Decimal("26000.55"),
    "stop_price": Decimal("25959.90"),
    "target_price": Decimal("26073.50"),
}


def test_a_plan_keeps_its_id_for_ever():
    assert plan_client_id(PLAN) == PLAN_ID
    assert plan_client_id(LOOSE) == "e8f48dfdb240df1d203a9078"


def test_a_plan_and_the_mapping_of_its_fields_are_the_same_plan():
    fields = asdict(PLAN)
    assert plan_client_id(fields) == PLAN_ID
    assert plan_client_id(dict(reversed(fields.items()))) == PLAN_ID


@pytest.mark.parametrize("name", OTHERS)
def test_any_differing_field_of_a_plan_gives_another_id(name):
    assert plan_client_id(replace(PLAN, **{name: OTHERS[name]})) != PLAN_ID


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "BANKNIFTY"},
        {"side": "SHORT"},
        {"entry": 100.05},
        {"sl": 94},
        {"tp": 111},
        {"qty": 75},
        {"strategy": "TREND"},
        {"note": None},
    ],
)
def test_any_differing_field_of_a_mapping_gives_another_id(change):
    assert plan_client_id(LOOSE | change) != plan_client_id(LOOSE)


@pytest.mark.parametrize(
    "same", [100, 100.0, Decimal(100), Decimal("100.00"), Decimal("1E+2"), Decimal("100.000000")]
)
def test_a_price_is_the_same_however_it_is_written(same):
    assert plan_client_id(LOOSE | {"entry": same}) == plan_client_id(LOOSE)


def test_a_float_stands_for_the_number_it_prints_as():
    assert plan_client_id({"entry": 100.1}) == plan_client_id({"entry": Decimal("100.10")})
    assert plan_client_id({"entry": -0.0}) == plan_client_id({"entry": 0})


def test_kinds_are_kept_apart():
    values = [100, "100", True, "True", 1, None, "", date(2026, 11, 23), "2026-11-23"]
    assert len({plan_client_id({"value": value}) for value in values}) == len(values)


def test_a_moment_is_the_same_in_every_time_zone():
    in_utc = PLAN.signal_candle_at.astimezone(UTC)
    assert plan_client_id(replace(PLAN, signal_candle_at=in_utc)) == PLAN_ID


def test_an_enum_member_is_its_value():
    class Lots(Enum):
        TWO = 2

    assert plan_client_id(replace(PLAN, side=Side.BUY, mode=Mode.PAPER)) == PLAN_ID
    assert plan_client_id({"lots": Lots.TWO}) == plan_client_id({"lots": 2})


def test_the_same_prices_on_the_next_day_are_another_trade():
    next_day = replace(
        PLAN,
        trading_date=date(2026, 11, 24),
        signal_candle_at=PLAN.signal_candle_at + timedelta(days=1),
    )
    assert plan_client_id(next_day) != PLAN_ID


def test_a_plan_with_a_forgotten_field_has_no_id():
    fields = asdict(PLAN)
    del fields["trading_date"], fields["stop_price"]
    with pytest.raises(
        ValueError, match="the plan lacks trading_date, stop_price: all 13 fields make the id"
    ):
        plan_client_id(fields)


def test_a_plan_with_a_field_too_many_has_no_id():
    with pytest.raises(ValueError, match="the plan has no fields scanned_at; it is made of installation, "):
        plan_client_id(asdict(PLAN) | {"scanned_at": 1})


@pytest.mark.parametrize(
    ("plan", "error", "words"),
    [
        ({}, ValueError, "an empty plan has no id"),
        ({"at": datetime(2026, 11, 23, 9, 40)}, ValueError, "at has no time zone"),
        ({"entry": float("nan")}, ValueError, "entry is nan"),
        ({"entry": Decimal("Infinity")}, ValueError, "entry is Infinity"),
        ({"legs": [1, 2]}, TypeError, "legs is a list: a plan holds text"),
        ({1: "NIFTY"}, TypeError, "field names are text, got 1"),
        ("NIFTY", TypeError, "a Plan or a mapping of its fields, got str"),
    ],
)
def test_what_cannot_be_hashed_safely_is_refused(plan, error, words):
    with pytest.raises(error, match=words):
        plan_client_id(plan)


numbers = st.integers(-(10**9), 10**9) | st.decimals(allow_nan=False, allow_infinity=False, places=2)
words = st.text(max_size=12)
plain = numbers | words | st.booleans() | st.none() | st.dates()
mappings = st.dictionaries(st.text(min_size=1, max_size=8).map("f_".__add__), plain, min_size=1, max_size=6)


@given(mappings, st.data())
def test_changing_one_field_changes_the_id_and_only_then(values, data):
    name = data.draw(st.sampled_from(sorted(values)))
    other = data.draw(plain)
    old = values[name]
    is_same = old == other and isinstance(old, bool) == isinstance(other, bool)
    assert (plan_client_id(values | {name: other}) == plan_client_id(values)) is is_same


@pytest.mark.parametrize(
    ("arguments", "pinned"),
    [
        ((Role.ENTRY,), "0328d40b0f7a8a0efb8197c2"),
        ((Role.STOP, 1), "afa68258b59c4eaf4993740b"),
        ((Role.TARGET, "1", 0, 0), "877b7fc6ebc0896c3c0f364c"),
        ((Role.EXIT, 2, 1, 3), "45a3c15f95d84c02a2ac2e3b"),
    ],
)
def test_an_order_keeps_its_id_for_ever(arguments, pinned):
    assert order_client_id(PLAN_ID, *arguments) == pinned


@given(
    st.sets(
        st.tuples(
            st.sampled_from([PLAN_ID, "0" * 24]),
            st.sampled_from(Role),
            st.none() | st.integers(0, 3),
            st.integers(0, 3),
            st.integers(0, 3),
        ),
        min_size=2,
        max_size=40,
    )
)
def test_orders_that_differ_in_anything_differ_in_id_and_tag(orders):
    ids = {order_client_id(*order) for order in orders}
    tags = {kite_tag(order[1], order_client_id(*order)) for order in orders}
    assert len(ids) == len(tags) == len(orders)


@pytest.mark.parametrize("plan_id", ["", "ABC", PLAN_ID.upper(), PLAN_ID + "0"])
def test_an_order_needs_the_id_of_a_plan(plan_id):
    with pytest.raises(ValueError, match="a plan's id is 24 hex characters"):
        order_client_id(plan_id, Role.ENTRY)


@pytest.mark.parametrize("counts", [{"attempt": -1}, {"slice": -1}])
def test_attempts_and_slices_count_from_zero(counts):
    with pytest.raises(ValueError, match="count from 0"):
        order_client_id(PLAN_ID, Role.ENTRY, **counts)


@pytest.mark.parametrize(
    ("role", "tag"),
    [
        (Role.ENTRY, "Ee46f2245f4f1faa9562"),
        (Role.STOP, "Se46f2245f4f1faa9562"),
        (Role.TARGET, "Te46f2245f4f1faa9562"),
        (Role.EXIT, "Xe46f2245f4f1faa9562"),
    ],
)
def test_a_tag_is_the_roles_letter_and_nineteen_characters(role, tag):
    assert kite_tag(role, PLAN_ID) == tag
    assert len(tag) == 20
    assert role_of_tag(tag) is role


def test_a_tag_is_made_of_an_id_only():
    with pytest.raises(ValueError, match="a client order id is 24 hex characters, got 'short'"):
        kite_tag(Role.ENTRY, "short")


@pytest.mark.parametrize(
    "tag", ["", "autoslice", "Ze46f2245f4f1faa9562", "Ee46f2245f4f1faa956", "EE46F2245F4F1FAA9562"]
)
def test_a_tag_that_is_not_ours_has_no_role(tag):
    assert role_of_tag(tag) is None
