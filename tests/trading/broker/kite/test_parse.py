from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.trading.broker.kite.samples import data
from trading.broker.kite import parse
from trading.core.enums import Exchange, OrderStatus, OrderType, Product, Role, Side
from trading.core.values import Funds, OrderChange, OrderRequest, PositionReport

TODAY = date(2026, 11, 23)
IST = ZoneInfo("Asia/Kolkata")
P = OrderStatus


def ist(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=IST)


def brief(report):
    return (report.broker_order_id, report.status, report.filled_quantity, report.price, report.order_at)


ORDERS = [
    pytest.param(
        "orders.json",
        [
            ("300000000000000", P.FILLED, 1, Decimal("109.4"), ist(2021, 5, 31, 15, 20, 28)),
            ("500000000000000", P.FILLED, 1, Decimal("0"), ist(2021, 5, 31, 15, 20, 51)),
            ("220524001859672", P.REJECTED, 0, Decimal("463"), ist(2022, 5, 24, 12, 26, 52)),
            ("98000000000000000", P.CANCELED, 0, Decimal("85"), ist(2023, 6, 12, 14, 0, 58)),
            ("250117800776785", P.CANCELED, 0, Decimal("702"), ist(2025, 1, 17, 11, 49, 45)),
            ("1953341975595868160", P.FILLED, 1, Decimal("159.82"), ist(2025, 8, 7, 11, 56, 33)),
            ("1953367517686685697", P.FILLED, 150, Decimal("0"), ist(2025, 8, 7, 13, 38, 2)),
        ],
        [],
        id="the published book, without its currency and commodity rows",
    ),
    pytest.param(
        "order_info.json",
        [
            ("171229000724687", P.PENDING_NEW, 0, Decimal("300"), ist(2017, 12, 29, 11, 6, 52)),
            ("171229000724687", P.PENDING_NEW, 0, Decimal("300"), ist(2017, 12, 29, 11, 6, 52)),
            ("171229000724687", P.PENDING_NEW, 0, Decimal("300"), ist(2017, 12, 29, 11, 6, 52)),
            ("171229000724687", P.ACCEPTED, 0, Decimal("300"), ist(2017, 12, 29, 11, 6, 52)),
            ("171229000724687", P.PENDING_MODIFY, 0, Decimal("300"), ist(2017, 12, 29, 11, 8, 16)),
            ("171229000724687", P.PENDING_MODIFY, 0, Decimal("300"), ist(2017, 12, 29, 11, 8, 16)),
            ("171229000724687", P.PENDING_MODIFY, 0, Decimal("300"), ist(2017, 12, 29, 11, 8, 16)),
            ("171229000724687", P.ACCEPTED, 0, Decimal("300.1"), ist(2017, 12, 29, 11, 8, 16)),
        ],
        [],
        id="the history of a modified order",
    ),
    pytest.param(
        "orders_odd.json",
        [
            ("261123000000001", P.PARTIALLY_FILLED, 65, Decimal("26010.1"), ist(2026, 11, 23, 9, 45, 10)),
            ("261123000000002", P.ACCEPTED, 0, Decimal("25900"), ist(2026, 11, 23, 9, 45, 12)),
            ("261123000000003", P.UNKNOWN, 4, Decimal("1500.0"), ist(2026, 11, 23, 9, 45, 13)),
        ],
        [
            (
                "order 261123000000003: Kite's status 'FROZEN BY EXCHANGE' is not in the status table; "
                "keep the order as it is"
            ),
            "order 261123000000004: quantity 'ten' is not a number",
            "order 261123000000006: 'yesterday' is not a time (Invalid isoformat string: 'yesterday')",
        ],
        id="partial fills, odd times, nulls, an unknown status, broken rows",
    ),
]


@pytest.mark.parametrize(("name", "expected", "problems"), ORDERS)
def test_an_order_book_is_read(name, expected, problems):
    reports, found = parse.order_reports(data(name), TODAY)
    assert [brief(report) for report in reports] == expected
    assert sorted(found) == problems


def test_the_order_row_of_a_rejection_is_read_whole():
    row = next(row for row in data("orders.json") if row["status"] == "REJECTED")
    report = parse.order_report(row, TODAY)
    assert report.status_message.startswith("Insufficient funds. Required margin is 95417.84")
    assert (report.tag, report.tags, report.exchange) == ("icebergord", ("icebergord",), Exchange.NSE)
    assert (report.side, report.product, report.order_type) == (Side.BUY, "CNC", "LIMIT")
    assert (report.exchange_order_id, report.updated_at, report.raw_status) == ("", None, "REJECTED")


def test_a_postback_is_read_like_a_row():
    report = parse.order_report(data("postback.json"), TODAY)
    assert brief(report) == ("220303000308932", P.FILLED, 1, Decimal(0), ist(2022, 3, 3, 9, 24, 25))
    assert (report.average_price, report.placed_by) == (Decimal(470), "AB1234")


@pytest.mark.parametrize(
    ("status", "filled", "expected"),
    [
        ("PUT ORDER REQ RECEIVED", 0, P.PENDING_NEW),
        ("VALIDATION PENDING", 0, P.PENDING_NEW),
        ("OPEN PENDING", 0, P.PENDING_NEW),
        ("AMO REQ RECEIVED", 0, P.PENDING_NEW),
        ("OPEN", 0, P.ACCEPTED),
        ("OPEN", 5, P.PARTIALLY_FILLED),
        ("TRIGGER PENDING", 0, P.ACCEPTED),
        ("TRIGGER PENDING", 5, P.PARTIALLY_FILLED),
        ("UPDATE", 0, P.ACCEPTED),
        ("UPDATE", 5, P.PARTIALLY_FILLED),
        ("MODIFY VALIDATION PENDING", 5, P.PENDING_MODIFY),
        ("MODIFY PENDING", 0, P.PENDING_MODIFY),
        ("MODIFIED", 0, P.PENDING_MODIFY),
        ("CANCEL PENDING", 5, P.PENDING_CANCEL),
        ("COMPLETE", 10, P.FILLED),
        ("CANCELLED", 5, P.CANCELED),
        ("REJECTED", 0, P.REJECTED),
    ],
)
def test_every_status_of_kites_has_one_of_ours(status, filled, expected):
    row = dict(data("orders_odd.json")[0], status=status, filled_quantity=filled)
    assert parse.order_report(row, TODAY).status is expected


def test_an_unknown_status_is_named_and_not_guessed():
    with pytest.raises(parse.UnknownStatus, match=r"261123000000003.*FROZEN BY EXCHANGE"):
        parse.order_report(data("orders_odd.json")[2], TODAY)


TRADES = [
    pytest.param(
        "trades.json",
        [("10000000", "200000000000000", Side.BUY, 1, Decimal("420.65"), ist(2021, 5, 31, 9, 16, 39))],
        [],
        id="the published trades, without currency and commodity",
    ),
    pytest.param(
        "trades_odd.json",
        [
            ("10001", "261123000000001", Side.BUY, 65, Decimal("26010.05"), ist(2026, 11, 23, 9, 45, 11)),
            ("10002", "261123000000001", Side.BUY, 65, Decimal("26010.1"), ist(2026, 11, 23, 9, 45, 36)),
            ("10003", "261123000000007", Side.SELL, 3, Decimal("1500"), ist(2026, 11, 23, 9, 16, 39)),
            ("10005", "261123000000007", Side.SELL, 2, Decimal("1500"), ist(2026, 11, 23, 9, 20, 1)),
        ],
        ["trade 10004: none of fill_timestamp, exchange_timestamp, order_timestamp holds a time"],
        id="the year 0, times without a date, no time",
    ),
]


@pytest.mark.parametrize(("name", "expected", "problems"), TRADES)
def test_a_trade_book_is_read(name, expected, problems):
    fills, found = parse.fill_reports(data(name), TODAY)
    assert [
        (fill.broker_trade_id, fill.broker_order_id, fill.side, fill.quantity, fill.price, fill.filled_at)
        for fill in fills
    ] == expected
    assert found == problems


def test_net_positions_are_read_without_commodities():
    reports, problems = parse.position_reports(data("positions.json")["net"])
    assert reports == [
        PositionReport(
            exchange=Exchange.NSE,
            tradingsymbol="SBIN",
            product="CO",
            quantity=0,
            average_price=Decimal(0),
            last_price=Decimal("308.4"),
        )
    ]
    assert problems == []


@pytest.mark.parametrize("name", ["margins.json", "margins_equity.json"])
def test_funds_are_read_to_the_paisa(name):
    assert parse.funds(data(name)) == Funds(
        opening_balance_inr=Decimal("245431.60"),
        intraday_payin_inr=Decimal("0.00"),
        collateral_inr=Decimal("0.00"),
        available_inr=Decimal("99725.05"),
    )


def test_margins_without_an_equity_segment_are_refused():
    with pytest.raises(parse.UnreadableRow, match="equity"):
        parse.funds({"commodity": {}})


def test_a_quote_is_paise_with_its_circuit_limits():
    quote = parse.quote(data("quote.json")["NSE:INFY"], TODAY)
    assert (quote.last_price_paise, quote.bid_paise, quote.ask_paise) == (141295, 0, 141295)
    assert (quote.lower_circuit_paise, quote.upper_circuit_paise) == (125070, 152860)
    assert quote.exchange_time == ist(2021, 6, 8, 15, 45, 56)


def test_minute_candles_are_bars_of_what_had_closed():
    candles = data("historical_minute.json")["candles"]
    bars = parse.minute_bars(candles, until=ist(2017, 12, 15, 9, 17, 30))
    assert bars.opened_at_s.tolist() == [1513309500, 1513309560]  # 09:15 and 09:16 IST
    assert (bars.open.tolist(), bars.high.tolist()) == ([170450, 170200], [170500, 170200])
    assert (bars.low.tolist(), bars.close.tolist()) == ([169925, 169815], [170280, 169815])
    assert bars.volume.tolist() == [2499, 1271]


def test_no_candles_are_no_bars():
    assert len(parse.minute_bars([], until=ist(2017, 12, 15, 9, 17, 30))) == 0


@pytest.mark.parametrize(
    "candles",
    [
        [["2017-12-15T09:15:00+0530", 1, 2, 3]],
        [["soon", 1, 2, 3, 4, 5]],
        [["2017-12-15T09:15:00+0530", "dear", 2, 3, 4, 5]],
        [["2017-12-15T09:15:00+0530", 1, 2, 3, 4, 5]] * 2,
    ],
)
def test_broken_candles_are_named(candles):
    with pytest.raises(parse.UnreadableRow, match="candle"):
        parse.minute_bars(candles, until=ist(2017, 12, 15, 10, 0, 0))


def test_the_margin_of_several_orders_is_their_sum():
    assert parse.margin_required_inr([{"total": 1498}, {"total": 12.345}]) == Decimal("1510.34")
    assert parse.margin_required_inr(data("order_margins.json")) == Decimal("1498.00")


def request(**changes):
    terms = {
        "client_order_id": "e" * 24,
        "role": Role.ENTRY,
        "exchange": Exchange.NFO,
        "tradingsymbol": "NIFTY26NOVFUT",
        "side": Side.BUY,
        "quantity": 65,
        "product": Product.MIS,
        "order_type": OrderType.LIMIT,
        "price": Decimal("26010.10"),
        "tag": "Eeeeeeeeeeeeeeeeeeee",
    }
    return OrderRequest(**{**terms, **changes})


def test_a_limit_order_goes_out_with_its_price_and_no_trigger():
    assert parse.place_fields(request()) == {
        "variety": "regular",
        "exchange": "NFO",
        "tradingsymbol": "NIFTY26NOVFUT",
        "transaction_type": "BUY",
        "quantity": 65,
        "product": "MIS",
        "order_type": "LIMIT",
        "validity": "DAY",
        "price": Decimal("26010.10"),
        "tag": "Eeeeeeeeeeeeeeeeeeee",
    }


def test_a_market_order_always_carries_protection_and_no_price():
    fields = parse.place_fields(request(order_type=OrderType.MARKET))
    assert fields["market_protection"] == -1
    assert "price" not in fields


def test_a_stop_carries_trigger_and_limit():
    fields = parse.place_fields(request(order_type=OrderType.SL, trigger_price=Decimal("26000")))
    assert (fields["price"], fields["trigger_price"]) == (Decimal("26010.10"), Decimal("26000"))
    assert "market_protection" not in fields


def test_a_change_sends_only_what_changes():
    assert parse.change_fields(OrderChange(price=Decimal("25900.5"))) == {"price": Decimal("25900.5")}
    assert parse.change_fields(OrderChange(order_type=OrderType.LIMIT, quantity=65)) == {
        "order_type": "LIMIT",
        "quantity": 65,
    }
    assert parse.change_fields(OrderChange(order_type=OrderType.MARKET)) == {
        "order_type": "MARKET",
        "market_protection": -1,
    }


def test_a_margin_question_is_made_of_json_numbers():
    fields = parse.margin_fields(request())
    assert (fields["price"], fields["trigger_price"], fields["variety"]) == (26010.1, 0, "regular")


def test_the_published_contract_note_is_read_to_the_last_place():
    charges = [parse.note_charges_inr(row) for row in data("virtual_contract_note.json")]
    assert charges[:2] == [Decimal("0.5826968"), Decimal("2.84811132")]


def test_a_contract_note_without_charges_is_unreadable():
    with pytest.raises(parse.UnreadableRow, match="INFY without charges"):
        parse.note_charges_inr({"tradingsymbol": "INFY"})
