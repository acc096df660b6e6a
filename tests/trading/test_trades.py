"""Each execution counts once; a trade's result is its fills less its charges."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from tests.days.desk import Day
from trading import trades
from trading.core.enums import Role, Side
from trading.core.values import FillReport
from trading.models import Fill, Order, Trade

pytestmark = pytest.mark.django_db


def entry_fill(day: Day) -> FillReport:
    return day.broker.fill_reports()[0]


def test_6_an_execution_told_twice_is_applied_once():
    day = Day.opens()
    day.enters()
    assert trades.apply_fill(day.desk, entry_fill(day)) is None
    assert Fill.objects.count() == 1
    assert day.trades()[0].entered_quantity == 75


def test_an_execution_of_an_order_that_is_not_ours_is_left_alone():
    day = Day.opens()
    day.enters()
    report = replace(entry_fill(day), broker_order_id="999", broker_trade_id="1")
    assert trades.apply_fill(day.desk, report) is None
    assert (Fill.objects.count(), day.trades()[0].entered_quantity) == (1, 75)


def test_the_database_refuses_the_same_execution_twice():
    day = Day.opens()
    day.enters()
    fill = Fill.objects.get()
    fill.pk = None
    with pytest.raises(IntegrityError, match="fill_applied_once"), transaction.atomic():
        fill.save(force_insert=True)


def test_the_database_refuses_a_second_open_trade_in_an_instrument():
    day = Day.opens()
    day.enters()
    (trade,) = day.trades()
    trade.pk = None
    with pytest.raises(IntegrityError, match="one_open_trade_per_instrument"), transaction.atomic():
        trade.save(force_insert=True)


def test_the_result_is_the_fills_less_charges_to_the_paisa():
    day = Day.opens()
    day.enters()
    day.price_goes_to("25310")
    day.run_for(3)
    (trade,) = day.trades()
    assert [(fill.side, fill.quantity, fill.price) for fill in trade.fills.order_by("pk")] == [
        ("BUY", 75, Decimal("25000.10")),
        ("SELL", 75, Decimal("25309.90")),
    ]
    assert trade.gross_inr == Decimal("23235.00")
    # Bought for 18,75,007.50: 20 + 34.31 + 1.88 + GST 10.11 + stamp 37.50 = 103.80. Sold for 18,98,242.50:
    # 20 + 34.74 + 1.90 + GST 10.19 + STT 949.12 = 1,015.95.
    assert trade.charges_inr == Decimal("1119.75")
    assert trade.net_inr == Decimal("22115.25")


def test_charges_are_per_order_however_many_executions_it_took():
    day = Day.opens()
    day.market.offers(25, 25, 25)
    day.run_for(3)
    day.enters()
    (trade,) = day.trades()
    assert [fill.quantity for fill in trade.fills.all()] == [25, 25, 25]
    assert 40 < trades.charges_of_fills(trade) < 120


def test_a_trade_stays_open_while_its_entry_may_still_fill():
    day = Day.opens()
    day.enters()
    Order.objects.filter(role=Role.ENTRY).update(status="PARTIALLY_FILLED")
    Trade.objects.update(exited_quantity=75)
    assert not trades.close_if_flat(day.desk, day.trades()[0])
    Order.objects.filter(role=Role.ENTRY).update(status="CANCELED")
    assert trades.close_if_flat(day.desk, day.trades()[0])
    assert not trades.close_if_flat(day.desk, day.trades()[0])


def test_an_exit_that_executes_after_its_trade_was_closed_is_booked_there_and_priced():
    day = Day.opens()
    day.enters()
    day.price_goes_to("24899", frames=10)
    day.run_for(3)
    (trade,) = day.trades()
    assert trade.closed_at is not None
    (stop,) = day.orders(Role.STOP)
    sold = trade.exit_value_inr
    late = replace(entry_fill(day), broker_order_id=stop.broker_order_id, broker_trade_id="x", side=Side.SELL)
    assert trades.apply_fill(day.desk, late) is not None
    trade.refresh_from_db()
    assert trade.exited_quantity == 150
    assert trade.exit_value_inr == sold + 75 * late.price
    # Units that were sold too much count at the entry price until they are bought back.
    assert trade.gross_inr == sold - trade.entry_value_inr + 75 * (late.price - Decimal("25000.10"))
    assert not trades.close_if_flat(day.desk, trade)


def test_what_the_trade_book_never_told_is_estimated_once_and_makes_room_for_the_real_execution():
    day = Day.opens()
    day.enters()
    real = entry_fill(day)
    Fill.objects.all().delete()
    Trade.objects.update(entered_quantity=0, entry_value_inr=0)
    assert trades.fills_missing(day.desk)
    assert trades.estimate_missing(day.desk) == 1
    assert trades.estimate_missing(day.desk) == 0
    estimate = Fill.objects.get()
    assert (estimate.broker_trade_id, estimate.quantity, estimate.price) == (
        "book-75",
        75,
        Decimal("25000.10"),
    )
    trades.apply_fill(day.desk, replace(real, price=Decimal("25000.05")))
    told = Fill.objects.get()
    assert (told.broker_trade_id, told.price) == (real.broker_trade_id, Decimal("25000.05"))
    (trade,) = day.trades()
    assert (trade.entered_quantity, trade.entry_value_inr) == (75, Decimal("1875003.75"))
    assert not trades.fills_missing(day.desk)


def test_an_exit_told_in_parts_after_it_was_taken_back_is_booked_all_the_same():
    """The trade book may tell the take-back first: until the exit's own executions follow, less than nothing is out."""
    day = Day.opens()
    day.enters()
    day.price_goes_to("24899", frames=10)
    day.run_for(3)
    (stop,) = day.orders(Role.STOP)
    real = next(one for one in day.broker.fill_reports() if one.broker_order_id == stop.broker_order_id)
    back = Order.objects.get(pk=stop.pk)
    back.pk, back.client_order_id, back.tag, back.side = None, "back", "back", Side.BUY
    back.broker_order_id = "4711"
    back.save(force_insert=True)
    Fill.objects.filter(order=stop).update(broker_trade_id="book-75")
    bought = replace(real, broker_order_id="4711", broker_trade_id="b1", side=Side.BUY)
    for told in (bought, replace(real, quantity=30), replace(real, broker_trade_id="r2", quantity=45)):
        assert trades.apply_fill(day.desk, told) is not None
    (trade,) = day.trades()
    assert (trade.entered_quantity, trade.exited_quantity) == (75, 0)
    assert [fill.quantity for fill in trade.fills.filter(order=stop).order_by("pk")] == [30, 45]


def test_an_estimate_is_priced_by_what_is_missing_after_the_executions_that_were_told():
    day = Day.opens()
    day.enters(stop="24920")
    order = day.orders(Role.ENTRY)[0]
    (told,) = Fill.objects.all()
    Fill.objects.update(quantity=75, price=Decimal("25000.00"))
    Trade.objects.update(entered_quantity=75, entry_value_inr=Decimal("1875000"))
    assert (told.quantity, order.average_price) == (150, Decimal("25000.1000"))
    assert trades.estimate_missing(day.desk) == 1
    estimate = Fill.objects.get(broker_trade_id="book-150")
    assert (estimate.quantity, estimate.price) == (75, Decimal("25000.20"))
    assert day.trades()[0].entered_quantity == 150


def test_an_entry_that_fills_on_after_all_was_out_opens_its_own_trade_again():
    day = Day.opens()
    day.enters()
    day.price_goes_to("24899", frames=10)
    day.run_for(3)
    (trade,) = day.trades()
    assert trade.closed_at is not None
    (entry,) = day.orders(Role.ENTRY)
    assert trades.open_for(day.desk, entry).pk == trade.pk
    late = replace(entry_fill(day), broker_trade_id="late", quantity=10)
    assert trades.apply_fill(day.desk, late).trade_id == trade.pk
    trade.refresh_from_db()
    assert (trade.entered_quantity, trade.exited_quantity, trade.closed_at) == (85, 75, None)
    assert len(day.trades()) == 1
