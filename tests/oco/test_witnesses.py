"""The verdict on what our rows, the broker's orders and its positions say, case by case."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from oco import witnesses
from oco.witnesses import OurOrder, Verdict
from trading.core.enums import Exchange, OrderStatus, Side
from trading.core.session import IST
from trading.core.values import OrderReport, PositionReport

AT = datetime(2026, 11, 23, 10, 0, tzinfo=IST)
TCS = ("NSE", "TCS", "MIS")
OURS = OurOrder(
    pk=1, broker_order_id="A1", tag="E1", words="ENTRY BUY 10 TCS", status=OrderStatus.FILLED, filled_quantity=10
)  # fmt: skip
REPORT = OrderReport(
    broker_order_id="A1", tag="E1", tags=("E1",), status=OrderStatus.FILLED, raw_status="COMPLETE", status_message="",
    exchange=Exchange.NSE, tradingsymbol="TCS", side=Side.BUY, product="MIS", order_type="LIMIT", quantity=10,
    filled_quantity=10, pending_quantity=0, price=Decimal(100), trigger_price=Decimal(0), average_price=Decimal(100),
    exchange_order_id="", placed_by="AB1234", order_at=AT, updated_at=AT,
)  # fmt: skip


def position(units: int) -> PositionReport:
    return PositionReport(
        exchange=Exchange.NSE, tradingsymbol="TCS", product="MIS", quantity=units, average_price=Decimal(100),
        last_price=Decimal(100),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "executed", "broker", "verdict"),
    [
        (10, 10, 10, "agree"),
        (0, 0, 0, "agree"),
        (10, 10, 0, "ours only"),
        (0, 0, 10, "broker only"),
        (10, 10, 4, "quantity differs"),
        (10, 4, 10, "quantity differs"),
        (10, 10, -10, "wrong way round"),
        (-10, -10, 3, "wrong way round"),
    ],
)
def test_each_holding_gets_the_verdict_of_three_numbers(ours, executed, broker, verdict):
    assert witnesses.verdict_on_holding(ours, executed, broker) == verdict


@pytest.mark.parametrize(
    ("status", "filled", "theirs", "their_filled", "verdict"),
    [
        ("FILLED", 10, "FILLED", 10, "agree"),
        ("ACCEPTED", 0, "PARTIALLY_FILLED", 4, "quantity differs"),
        ("ACCEPTED", 0, "CANCELED", 0, "status differs"),
        ("FILLED", 10, "ACCEPTED", 10, "status differs"),
        ("SUBMITTED", 0, "ACCEPTED", 0, "under way"),
        ("PENDING_NEW", 0, "FILLED", 10, "under way"),
        ("FILLED", 10, None, 0, "ours only"),
        ("ACCEPTED", 0, None, 0, "ours only"),
        ("UNKNOWN", 0, None, 0, "under way"),
        ("DENIED", 0, None, 0, "agree"),
        ("LOST", 0, None, 0, "agree"),
    ],
)
def test_each_order_gets_the_verdict_of_both_sides(status, filled, theirs, their_filled, verdict):
    ours = replace(OURS, status=OrderStatus(status), filled_quantity=filled)
    report = theirs and replace(REPORT, status=OrderStatus(theirs), filled_quantity=their_filled)
    assert witnesses.verdict_on_order(ours, report or None) == verdict


def test_an_order_whose_answer_was_lost_is_found_by_its_tag_and_a_strangers_is_the_brokers_only():
    stranger = replace(REPORT, broker_order_id="Z9", tag="", side=Side.SELL, filled_quantity=3)
    rows = witnesses.order_rows([replace(OURS, broker_order_id="")], [REPORT, stranger])
    assert [
        (row.ours is not None, row.broker.broker_order_id, row.verdict) for row in rows if row.broker
    ] == [
        (False, "Z9", "broker only"),
        (True, "A1", "agree"),
    ]
    assert "left alone" in rows[0].what_to_do
    (held,) = witnesses.holding_rows({TCS: 10}, rows, [position(7)])
    assert (held.ours, held.executed, held.others, held.broker) == (10, 10, -3, 7)
    assert held.verdict == "quantity differs"


def test_a_holding_that_an_answer_under_way_explains_is_no_alarm_yet():
    waiting = replace(OURS, status=OrderStatus.PENDING_NEW, filled_quantity=0)
    rows = witnesses.order_rows([waiting], [REPORT])
    assert [row.verdict for row in witnesses.holding_rows({}, rows, [position(10)])] == ["under way"]
    settled = witnesses.order_rows([OURS], [REPORT])
    assert [row.verdict for row in witnesses.holding_rows({TCS: 0}, settled, [position(10)])] == [
        "broker only"
    ]


def test_every_verdict_but_agreement_says_what_to_do():
    for words in (witnesses.DO_ABOUT_ORDER, witnesses.DO_ABOUT_HOLDING):
        assert [verdict for verdict, text in words.items() if not text] == [Verdict.AGREE]
