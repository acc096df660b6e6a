from datetime import date

from tests.trading.broker.kite.samples import data
from trading.broker.kite import parse
from trading.broker.kite.books import Book
from trading.core.enums import OrderStatus
from trading.core.values import OrderReport

TODAY = date(2026, 11, 23)


def order_book() -> "Book[OrderReport]":
    return Book(parse.order_reports, "order_id")


def test_a_book_read_again_gives_the_same_values_and_the_same_problems():
    book = order_book()
    rows = data("orders_odd.json")
    first, problems = book.read(rows, TODAY)
    again, still = book.read([dict(row) for row in rows], TODAY)
    assert (first, problems) == (again, still)
    assert [report.broker_order_id[-1] for report in again] == ["1", "2", "3"]
    assert len(still) == 3


def test_an_unchanged_row_is_not_translated_again_and_a_changed_one_is():
    book = order_book()
    rows = data("orders_odd.json")[:2]
    first, _ = book.read(rows, TODAY)
    filled = dict(rows[0], status="COMPLETE", filled_quantity=130, pending_quantity=0)
    again, _ = book.read([filled, dict(rows[1])], TODAY)
    assert (again[0].status, again[0].filled_quantity) == (OrderStatus.FILLED, 130)
    assert again[1] is first[1]


def test_an_order_of_an_unknown_status_is_looked_at_every_time():
    book = order_book()
    row = data("orders_odd.json")[2]
    assert len(book.read([row], TODAY)[1]) == 1
    assert len(book.read([row], TODAY)[1]) == 1
    (known,), problems = book.read([dict(row, status="OPEN")], TODAY)
    assert (known.status, problems) == (OrderStatus.PARTIALLY_FILLED, [])


def test_another_day_is_read_anew_since_it_completes_bare_times():
    book = order_book()
    row = data("orders_odd.json")[1]
    (today,), _ = book.read([row], TODAY)
    (tomorrow,), _ = book.read([row], date(2026, 11, 25))
    assert (today.order_at.day, tomorrow.order_at.day) == (23, 25)


def test_a_trade_book_is_read_the_same_way():
    book = Book(parse.fill_reports, "trade_id")
    rows = data("trades_odd.json")
    assert [fill.broker_trade_id for fill in book.read(rows, TODAY)[0]] == [
        "10001",
        "10002",
        "10003",
        "10005",
    ]
    assert len(book.read(rows, TODAY)[0]) == 4
