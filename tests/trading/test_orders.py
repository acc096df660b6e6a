"""Lessons section 6, 6: reports in any order and any number bring an order to what is true, once."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from risk import state
from risk.check import Approved
from tests.days.broker import Trouble
from tests.days.desk import Day
from trading import orders
from trading.core.enums import (
    CommandOutcome,
    Exchange,
    OrderStatus,
    OrderType,
    PauseReason,
    Product,
    Role,
    Side,
)
from trading.core.order_ids import kite_tag
from trading.core.order_states import IllegalTransition
from trading.core.values import OrderChange, OrderReport, OrderRequest
from trading.models import Order, OrderEvent
from trading.orders import order_exists

pytestmark = pytest.mark.django_db


def resting_entry(day: Day) -> tuple[Order, OrderReport]:
    """An entry of one lot that rests unfilled, and what the book says of it."""
    day.market.offers(0)
    day.run_for(3)
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    day.decides(signal)
    day.run_for(2)
    (order,) = day.orders(Role.ENTRY)
    (report,) = day.broker.order_history(order.broker_order_id)[-1:]
    assert order.status == OrderStatus.ACCEPTED
    return order, report


def filled(report: OrderReport, quantity: int, status: OrderStatus) -> OrderReport:
    return replace(
        report,
        status=status,
        filled_quantity=quantity,
        average_price=Decimal("25000.10") if quantity else Decimal(0),
    )


def test_6_the_same_report_twice_changes_nothing():
    day = Day.opens()
    order, report = resting_entry(day)
    partly = filled(report, 25, OrderStatus.PARTIALLY_FILLED)
    assert orders.apply_report(day.desk, order.pk, partly)
    events = OrderEvent.objects.filter(order=order).count()
    assert not orders.apply_report(day.desk, order.pk, partly)
    assert OrderEvent.objects.filter(order=order).count() == events


@pytest.mark.parametrize(
    ("known", "late"),
    [
        ((50, OrderStatus.PARTIALLY_FILLED), (25, OrderStatus.PARTIALLY_FILLED)),
        ((75, OrderStatus.FILLED), (50, OrderStatus.PARTIALLY_FILLED)),
        ((75, OrderStatus.FILLED), (0, OrderStatus.ACCEPTED)),
        ((75, OrderStatus.FILLED), (75, OrderStatus.PARTIALLY_FILLED)),
        ((0, OrderStatus.CANCELED), (0, OrderStatus.ACCEPTED)),
        ((0, OrderStatus.CANCELED), (0, OrderStatus.PENDING_CANCEL)),
        ((25, OrderStatus.CANCELED), (25, OrderStatus.PARTIALLY_FILLED)),
        ((0, OrderStatus.ACCEPTED), (0, OrderStatus.PENDING_NEW)),
    ],
)
def test_6_a_report_that_comes_after_a_newer_one_changes_nothing(known, late):
    day = Day.opens()
    order, report = resting_entry(day)
    orders.apply_report(day.desk, order.pk, filled(report, *known))
    assert not orders.apply_report(day.desk, order.pk, filled(report, *late))
    order.refresh_from_db()
    assert (order.filled_quantity, order.status) == known


def test_6_a_fill_after_a_cancel_is_counted():
    day = Day.opens()
    order, report = resting_entry(day)
    orders.apply_report(day.desk, order.pk, filled(report, 0, OrderStatus.CANCELED))
    assert orders.apply_report(day.desk, order.pk, filled(report, 75, OrderStatus.FILLED))
    order.refresh_from_db()
    assert (order.filled_quantity, order.status) == (75, OrderStatus.FILLED)


def test_a_status_word_nobody_knows_keeps_the_status_and_counts_the_quantity():
    day = Day.opens()
    order, report = resting_entry(day)
    assert orders.apply_report(day.desk, order.pk, filled(report, 25, OrderStatus.UNKNOWN))
    order.refresh_from_db()
    assert (order.filled_quantity, order.status) == (25, OrderStatus.ACCEPTED)


def test_an_order_that_was_refused_to_our_face_and_works_all_the_same_is_no_old_news():
    day = Day.opens()
    day.broker.will(Trouble.REFUSED, Role.ENTRY)
    day.enters()
    (order,) = day.orders(Role.ENTRY)
    other = Day.opens(account=ended(day))
    _, report = resting_entry(other)
    with pytest.raises(IllegalTransition):
        orders.apply_report(day.desk, order.pk, report)


def ended(day: Day):
    day.ends()
    return day.account


def test_a_poisoned_order_is_parked_and_blocks_no_other():
    day = Day.opens()
    day.enters()
    (entry,) = day.orders(Role.ENTRY)
    day.broker.old_book = [
        replace(report, status=OrderStatus.REJECTED) if report.tag == entry.tag else report
        for report in day.broker.order_reports()
    ]
    day.run_for(18)
    assert state.reasons_off(day.account.pk) == {PauseReason.RECONCILIATION}
    assert Order.objects.get(pk=entry.pk).status == OrderStatus.FILLED
    day.price_goes_to("25310", frames=3)
    day.run_for(3)
    assert day.net() == 0


def test_a_status_has_an_event_with_who_and_why_for_each_change():
    day = Day.opens()
    day.enters()
    (entry,) = day.orders(Role.ENTRY)
    told = [(event.from_status, event.to_status, event.who) for event in entry.events.order_by("pk")]
    assert told == [
        ("", "SUBMITTED", day.loop.desk.lease.holder),
        ("SUBMITTED", "PENDING_NEW", "broker"),
        ("PENDING_NEW", "FILLED", "broker"),
    ]


def test_order_exists_takes_the_three_words_and_no_other():
    day = Day.opens()
    order, report = resting_entry(day)
    assert order_exists(order.client_order_id)
    assert order_exists(order.client_order_id, status_in=["PLACED"])
    assert not order_exists(order.client_order_id, status_in=["FILLED", "PARTIAL"])
    orders.apply_report(day.desk, order.pk, filled(report, 25, OrderStatus.PARTIALLY_FILLED))
    assert order_exists(order.client_order_id, status_in=["PARTIAL"])
    assert not order_exists("f" * 24)
    with pytest.raises(ValueError, match="REJECTED"):
        order_exists(order.client_order_id, status_in=["REJECTED"])


def entry_request(client_order_id: str) -> OrderRequest:
    return OrderRequest(
        client_order_id=client_order_id,
        role=Role.ENTRY,
        exchange=Exchange.NFO,
        tradingsymbol="NIFTY25NOVFUT",
        side=Side.BUY,
        quantity=75,
        product=Product.MIS,
        order_type=OrderType.LIMIT,
        price=Decimal("25000.30"),
        tag=kite_tag(Role.ENTRY, client_order_id),
    )


def test_an_id_is_used_once_and_the_second_use_sends_nothing():
    day = Day.opens()
    decision = day.enters()
    (entry,) = day.orders(Role.ENTRY)
    asked = len(day.broker.asked)
    with pytest.raises(IntegrityError, match="order_asked_once"), transaction.atomic():
        request = entry_request(entry.client_order_id)
        orders.submit(day.loop.desk, Approved(request), decided=lambda _: decision, slice=1)
    assert len(day.broker.asked) == asked


def test_a_decision_has_one_entry_in_the_database_too():
    day = Day.opens()
    decision = day.enters()
    asked = len(day.broker.asked)
    with pytest.raises(IntegrityError, match="one_entry_per_decision_and_slice"), transaction.atomic():
        orders.submit(day.loop.desk, Approved(entry_request("a" * 24)), decided=lambda _: decision)
    assert len(day.broker.asked) == asked


def test_a_change_counts_as_done_only_when_the_book_shows_it():
    day = Day.opens()
    order, report = resting_entry(day)
    change = OrderChange(price=Decimal("24990.00"))
    command = orders.modify(day.desk, order, change, purpose="trail")
    assert (command.outcome, command.confirmed_at) == (CommandOutcome.ACCEPTED, None)
    orders.apply_report(day.desk, order.pk, report)
    command.refresh_from_db()
    assert command.confirmed_at is None
    orders.apply_report(day.desk, order.pk, replace(report, price=Decimal("24990.00")))
    command.refresh_from_db()
    assert command.confirmed_at is not None


def test_a_change_the_book_does_not_show_after_three_seconds_was_refused_by_the_exchange():
    day = Day.opens()
    order, report = resting_entry(day)
    command = orders.modify(day.desk, order, OrderChange(price=Decimal("24990.00")), purpose="trail")
    day.replayed.clocks.move_by_ms(3100)
    orders.apply_report(day.desk, order.pk, report)
    command.refresh_from_db()
    assert (command.outcome, command.reason) == (
        CommandOutcome.REFUSED,
        "the book still shows the old values",
    )


def test_one_absence_changes_nothing_and_an_acknowledged_order_is_never_lost():
    day = Day.opens()
    order, _ = resting_entry(day)
    assert orders.note_absence(day.desk, order) == OrderStatus.ACCEPTED
    day.replayed.clocks.move_by_ms(600_000)
    assert orders.note_absence(day.desk, order) == OrderStatus.ACCEPTED
    order.refresh_from_db()
    assert order.books_without == 2


def test_an_unknown_order_is_lost_after_two_minutes_and_two_books_and_never_rejected():
    day = Day.opens()
    day.broker.will(Trouble.CALL_LOST, Role.ENTRY)
    day.enters(within_s=0)
    (order,) = day.orders(Role.ENTRY)
    assert orders.note_absence(day.desk, order) == OrderStatus.UNKNOWN
    day.replayed.clocks.move_to(order.asked_at + timedelta(seconds=121))
    assert orders.note_absence(day.desk, order) == OrderStatus.LOST
    assert order in orders.unresolved_entries(day.desk)
