"""The broker's books applied to our rows: by id or tag, each fill once, what is not ours left alone."""

from dataclasses import replace

import pytest

from oco import books
from oco.books import OrderRead
from risk import state
from tests.days.desk import Day
from trading.core.enums import OrderStatus, PauseReason, Role
from trading.core.values import OrderReport
from trading.models import Fill, Order, OrderEvent

pytestmark = pytest.mark.django_db

NOBODY: frozenset[int] = frozenset()


def the_report(day: Day, role: Role) -> OrderReport:
    (order,) = day.orders(role)
    return next(report for report in day.broker.order_reports() if report.tag == order.tag)


def test_6_a_book_read_twice_changes_nothing_the_second_time():
    day = Day.opens()
    day.enters()
    books.read_all(day.desk, NOBODY)
    events = OrderEvent.objects.count()
    assert books.read_all(day.desk, NOBODY).changed == []
    assert books.read_fills(day.desk).applied == 0
    assert (OrderEvent.objects.count(), Fill.objects.count()) == (events, 1)


def test_6_a_book_in_any_order_gives_the_same_rows():
    day = Day.opens()
    day.enters(stop="24920", target="25300")
    day.broker.old_book = list(reversed(day.broker.order_reports()))
    assert books.read_all(day.desk, NOBODY).changed == []


def test_an_order_without_an_id_is_found_by_its_tag():
    day = Day.opens()
    day.enters()
    Order.objects.filter(role=Role.ENTRY).update(broker_order_id="", status=OrderStatus.UNKNOWN)
    assert len(books.read_all(day.desk, NOBODY).changed) == 1
    (entry,) = day.orders(Role.ENTRY)
    assert (entry.status, entry.broker_order_id) == (
        OrderStatus.FILLED,
        day.broker_orders(Role.ENTRY)[0].order_id,
    )


def test_an_order_with_a_tag_of_ours_and_no_row_calls_the_operator_and_pauses_entries():
    day = Day.opens()
    day.enters()
    stranger = replace(the_report(day, Role.STOP), broker_order_id="777", tag="S" + "0" * 19, tags=())
    day.broker.old_book = [*day.broker.order_reports(), stranger]
    books.read_all(day.desk, NOBODY)
    assert state.reasons_off(day.account.pk) == {PauseReason.RECONCILIATION}


def test_an_order_of_somebody_else_is_no_business_of_ours():
    day = Day.opens()
    day.enters()
    stranger = replace(the_report(day, Role.STOP), broker_order_id="777", tag="", tags=())
    day.broker.old_book = [*day.broker.order_reports(), stranger]
    assert books.read_all(day.desk, NOBODY).changed == []
    assert state.reasons_off(day.account.pk) == frozenset()
    assert Order.objects.count() == 2


def test_one_book_without_an_order_changes_no_status():
    day = Day.opens()
    day.enters()
    day.broker.old_book = [the_report(day, Role.ENTRY)]
    book = books.read_all(day.desk, NOBODY)
    (stop,) = day.orders(Role.STOP)
    assert (book.changed, book.is_complete) == ([], False)
    assert (stop.status, stop.books_without) == (OrderStatus.ACCEPTED, 1)
    day.broker.book_goes_on()
    books.read_all(day.desk, NOBODY)
    assert day.orders(Role.STOP)[0].books_without == 0


def test_an_order_nobody_knows_is_read_without_harm():
    day = Day.opens()
    day.enters()
    request = {
        "exchange": "NFO",
        "tradingsymbol": "NIFTY25NOVFUT",
        "transaction_type": "BUY",
        "order_type": "LIMIT",
        "product": "MIS",
        "validity": "DAY",
        "quantity": 75,
        "price": 24000,
    }
    hand = day.replayed.venue.place_as_other(request, day.now, "AB1234-WEB")
    day.run_for(1)
    assert books.read_order(day.desk, hand) == OrderRead([], is_ours=False)
