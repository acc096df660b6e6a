"""Translate Kite's rows into our values and our requests into Kite's fields: all that knows Kite's words.

Kite sends prices as JSON floats and times as IST strings without a zone. Floats become exact decimals of what
was printed, and times become aware. Rows of exchanges outside `Exchange` (currency, commodity) are not ours
and are passed over.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import numpy as np

from trading.core.candles import Bars
from trading.core.enums import Exchange, OrderStatus, OrderType, Side
from trading.core.session import IST
from trading.core.values import (
    FillReport,
    Funds,
    OrderChange,
    OrderReport,
    OrderRequest,
    PositionReport,
    Quote,
)

PAISA = Decimal("0.01")

#: auto: the broker converts a market order into a limit inside its own protection range
MARKET_PROTECTION_AUTO = -1
#: Kite's order types that become market orders, and so must carry a protection
UNPRICED_TYPES = frozenset({OrderType.MARKET, OrderType.SL_M})
STOP_TYPES = frozenset({OrderType.SL, OrderType.SL_M})

Row = Mapping[str, Any]
Report = TypeVar("Report", OrderReport, FillReport, PositionReport)

STATUS = {
    "PUT ORDER REQ RECEIVED": OrderStatus.PENDING_NEW,
    "VALIDATION PENDING": OrderStatus.PENDING_NEW,
    "OPEN PENDING": OrderStatus.PENDING_NEW,
    "AMO REQ RECEIVED": OrderStatus.PENDING_NEW,
    "OPEN": OrderStatus.ACCEPTED,
    "TRIGGER PENDING": OrderStatus.ACCEPTED,
    "UPDATE": OrderStatus.ACCEPTED,
    "MODIFY VALIDATION PENDING": OrderStatus.PENDING_MODIFY,
    "MODIFY PENDING": OrderStatus.PENDING_MODIFY,
    # the row still shows the old price here; OPEN or TRIGGER PENDING, which follows, shows the new one
    "MODIFIED": OrderStatus.PENDING_MODIFY,
    "CANCEL PENDING": OrderStatus.PENDING_CANCEL,
    "COMPLETE": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
}


class UnreadableRow(ValueError):
    """A row of Kite's that cannot be translated. The message names the field and the row's id."""


class UnknownStatus(UnreadableRow):
    """Kite used a status that is not in `STATUS`. The order stays as it was and is read again."""


def order_report(row: Row, trading_date: date) -> OrderReport:
    """Read one row of the order book, of an order's history, of an update or of a postback.

    `trading_date` completes times that come without a date. Kite has no "partially filled": an open order's
    filled_quantity says so. Raises UnknownStatus and UnreadableRow.
    """
    name = f"order {row.get('order_id')}"
    raw_status = str(row.get("status") or "")
    if raw_status not in STATUS:
        raise UnknownStatus(
            f"{name}: Kite's status {raw_status!r} is not in the status table; keep the order as it is"
        )
    return _order_report(row, trading_date, STATUS[raw_status])


def _order_report(row: Row, trading_date: date, status: OrderStatus) -> OrderReport:
    name = f"order {row.get('order_id')}"
    filled_quantity = _whole(row, "filled_quantity", name)
    if status is OrderStatus.ACCEPTED and filled_quantity:
        status = OrderStatus.PARTIALLY_FILLED
    updated_at = _first_moment(row, ("exchange_update_timestamp", "exchange_timestamp"), trading_date, name)
    order_at = _first_moment(row, ("order_timestamp",), trading_date, name) or updated_at
    return OrderReport(
        broker_order_id=_text(row, "order_id", name),
        tag=str(row.get("tag") or ""),
        tags=tuple(str(tag) for tag in row.get("tags") or ()),
        status=status,
        raw_status=str(row.get("status") or ""),
        status_message=str(row.get("status_message") or ""),
        exchange=_exchange(row, name),
        tradingsymbol=_text(row, "tradingsymbol", name),
        side=_side(row, name),
        product=str(row.get("product") or ""),
        order_type=str(row.get("order_type") or ""),
        quantity=_whole(row, "quantity", name),
        filled_quantity=filled_quantity,
        pending_quantity=_whole(row, "pending_quantity", name),
        price=_decimal(row, "price", name),
        trigger_price=_decimal(row, "trigger_price", name),
        average_price=_decimal(row, "average_price", name),
        exchange_order_id=str(row.get("exchange_order_id") or ""),
        placed_by=str(row.get("placed_by") or ""),
        order_at=order_at or datetime.combine(trading_date, time(), IST),
        updated_at=updated_at,
    )


def fill_report(row: Row, trading_date: date) -> FillReport:
    """Read one row of the trade book; the first whole time in it wins.

    Live rows carry `order_timestamp` as "09:16:39" or in the year 0000. Raises UnreadableRow.
    """
    name = f"trade {row.get('trade_id')}"
    fields = ("fill_timestamp", "exchange_timestamp", "order_timestamp")
    filled_at = _first_moment(row, fields, trading_date, name)
    if filled_at is None:
        raise UnreadableRow(f"{name}: none of {', '.join(fields)} holds a time")
    return FillReport(
        broker_trade_id=_text(row, "trade_id", name),
        broker_order_id=_text(row, "order_id", name),
        exchange=_exchange(row, name),
        tradingsymbol=_text(row, "tradingsymbol", name),
        side=_side(row, name),
        product=str(row.get("product") or ""),
        quantity=_whole(row, "quantity", name),
        price=_decimal(row, "average_price", name),
        filled_at=filled_at,
    )


def position_report(row: Row) -> PositionReport:
    """Read one row of `net` in /portfolio/positions. Raises UnreadableRow."""
    name = f"position {row.get('tradingsymbol')}"
    return PositionReport(
        exchange=_exchange(row, name),
        tradingsymbol=_text(row, "tradingsymbol", name),
        product=str(row.get("product") or ""),
        quantity=_whole(row, "quantity", name),
        average_price=_decimal(row, "average_price", name),
        last_price=_decimal(row, "last_price", name),
    )


def funds(margins: Row) -> Funds:
    """Read /user/margins, whole or its equity segment alone. Rupees to the paisa. Raises UnreadableRow."""
    segment: Row = margins.get("equity") or margins
    available: Row = segment.get("available") or {}
    if "net" not in segment or not available:
        raise UnreadableRow("margins: neither `equity` nor `net` and `available` are there")
    return Funds(
        opening_balance_inr=_inr(available, "opening_balance"),
        intraday_payin_inr=_inr(available, "intraday_payin"),
        collateral_inr=_inr(available, "collateral"),
        available_inr=_inr(segment, "net"),
    )


def margin_required_inr(rows: Iterable[Row]) -> Decimal:
    """Sum the totals of a /margins/orders answer, rupees."""
    return sum((_inr(row, "total") for row in rows), Decimal(0))


def quote(row: Row, trading_date: date) -> Quote:
    """Read one instrument of /quote: prices in paise, 0 where there is none. Raises UnreadableRow."""
    name = f"quote {row.get('instrument_token')}"
    depth: Row = row.get("depth") or {}
    return Quote(
        last_price_paise=_paise(row, "last_price", name),
        bid_paise=_best_paise(depth, "buy", name),
        ask_paise=_best_paise(depth, "sell", name),
        exchange_time=_first_moment(row, ("timestamp", "last_trade_time"), trading_date, name),
        lower_circuit_paise=_paise(row, "lower_circuit_limit", name),
        upper_circuit_paise=_paise(row, "upper_circuit_limit", name),
        previous_close_paise=_paise(row.get("ohlc") or {}, "close", name),
    )


def minute_bars(candles: Iterable[Sequence[Any]], *, until: datetime) -> Bars:
    """Read /instruments/historical's minute candles that had closed by `until`: the last one is still
    forming.

    Kite labels a candle by its start. Raises UnreadableRow.
    """
    rows = []
    for candle in candles:
        try:
            opened_at_s = int(moment(str(candle[0]), until.date()).timestamp())
            prices = [int((Decimal(str(price)) * 100).to_integral_value()) for price in candle[1:5]]
            if opened_at_s + 60 <= until.timestamp():
                rows.append((opened_at_s, *prices, int(candle[5])))
        except (IndexError, TypeError, ValueError, InvalidOperation) as error:
            raise UnreadableRow(f"candle {list(candle)!r}: {error}") from error
    columns = np.array(rows, np.int64).reshape(-1, 6).T
    try:
        return Bars(
            **dict(zip(("opened_at_s", "open", "high", "low", "close", "volume"), columns, strict=True))
        )
    except ValueError as error:
        raise UnreadableRow(f"candles: {error}") from error


def order_reports(rows: Iterable[Row], trading_date: date) -> tuple[list[OrderReport], list[str]]:
    """Read a whole order book: the reports, and a sentence for each row that could not be read.

    An order whose status is unknown is still reported, with OrderStatus.UNKNOWN and Kite's word in
    `raw_status`: it was seen, so it must not count as missing from the book, and its state stays what it was.
    """

    def lenient(row: Row) -> OrderReport:
        try:
            return order_report(row, trading_date)
        except UnknownStatus as unknown:
            problems.append(str(unknown))
            return _order_report(row, trading_date, OrderStatus.UNKNOWN)

    problems: list[str] = []
    reports, unreadable = _each(rows, lenient)
    return reports, problems + unreadable


def fill_reports(rows: Iterable[Row], trading_date: date) -> tuple[list[FillReport], list[str]]:
    """Read a whole trade book: the fills, and a sentence for each row that could not be read."""
    return _each(rows, lambda row: fill_report(row, trading_date))


def position_reports(rows: Iterable[Row]) -> tuple[list[PositionReport], list[str]]:
    """Read the net positions, and a sentence for each row that could not be read."""
    return _each(rows, position_report)


def place_fields(request: OrderRequest) -> dict[str, Any]:
    """The keyword arguments of the client's `place_order`: Kite's form fields. Prices stay decimals."""
    fields: dict[str, Any] = {
        "variety": "regular",
        "exchange": request.exchange.value,
        "tradingsymbol": request.tradingsymbol,
        "transaction_type": request.side.value,
        "quantity": request.quantity,
        "product": request.product.value,
        "order_type": request.order_type.value,
        "validity": "DAY",
    }
    if request.order_type in UNPRICED_TYPES:
        fields["market_protection"] = MARKET_PROTECTION_AUTO
    else:
        fields["price"] = request.price
    if request.order_type in STOP_TYPES:
        fields["trigger_price"] = request.trigger_price
    if request.tag:
        fields["tag"] = request.tag
    return fields


def change_fields(change: OrderChange) -> dict[str, Any]:
    """The keyword arguments of the client's `modify_order`; what stays as it is, is left out."""
    fields: dict[str, Any] = {}
    if change.order_type is not None:
        fields["order_type"] = change.order_type.value
        if change.order_type in UNPRICED_TYPES:
            fields["market_protection"] = MARKET_PROTECTION_AUTO
    for name in ("quantity", "price", "trigger_price"):
        value = getattr(change, name)
        if value is not None:
            fields[name] = value
    return fields


def margin_fields(request: OrderRequest) -> dict[str, Any]:
    """One order of a /margins/orders question. It is JSON, whose numbers are not decimals."""
    return {
        "exchange": request.exchange.value,
        "tradingsymbol": request.tradingsymbol,
        "transaction_type": request.side.value,
        "variety": "regular",
        "product": request.product.value,
        "order_type": request.order_type.value,
        "quantity": request.quantity,
        "price": json.loads(str(request.price)),
        "trigger_price": json.loads(str(request.trigger_price)),
    }


def note_fields(report: OrderReport) -> dict[str, Any]:
    """One executed order of a /charges/orders question: the virtual contract note."""
    return {
        "order_id": report.broker_order_id, "exchange": report.exchange.value, "tradingsymbol": report.tradingsymbol,
        "transaction_type": report.side.value, "variety": "regular", "product": report.product,
        "order_type": report.order_type, "quantity": report.filled_quantity,
        "average_price": json.loads(str(report.average_price)),
    }  # fmt: skip


def note_charges_inr(row: Row) -> Decimal:
    """All charges of one order of a virtual contract note. Raises UnreadableRow."""
    charges = row.get("charges")
    if not isinstance(charges, Mapping):
        raise UnreadableRow(f"a contract note of {row.get('tradingsymbol')} without charges")
    return _decimal(charges, "total", "charges")


def moment(text: str, trading_date: date) -> datetime:
    """One of Kite's times, aware IST; without a believable date it gets `trading_date`. Raises ValueError."""
    if len(text) == len("09:16:39"):
        return datetime.combine(trading_date, time.fromisoformat(text), IST)
    if text.startswith("0000-"):
        return datetime.combine(trading_date, time.fromisoformat(text[11:19]), IST)
    read = datetime.fromisoformat(text)
    return read.astimezone(IST) if read.tzinfo else read.replace(tzinfo=IST)


def stamp(at: datetime) -> str:
    """A moment as Kite's questions want it: `2026-11-23 09:15:00`, IST."""
    return at.astimezone(IST).strftime("%Y-%m-%d %H:%M:%S")


def _each(rows: Iterable[Row], read: Callable[[Row], Report]) -> tuple[list[Report], list[str]]:
    reports: list[Report] = []
    problems: list[str] = []
    for row in rows:
        if row.get("exchange") not in Exchange.__members__:
            continue
        try:
            reports.append(read(row))
        except UnreadableRow as problem:
            problems.append(str(problem))
    return reports, problems


def _first_moment(row: Row, fields: tuple[str, ...], trading_date: date, name: str) -> datetime | None:
    """The first of `fields` with a date and time, failing that with a time alone; None when all are empty."""
    texts = [str(row[field]) for field in fields if row.get(field)]
    dated = [text for text in texts if len(text) > len("09:16:39") and not text.startswith("0000-")]
    for text in dated or texts:
        try:
            return moment(text, trading_date)
        except ValueError as error:
            raise UnreadableRow(f"{name}: {text!r} is not a time ({error})") from error
    return None


def _text(row: Row, field: str, name: str) -> str:
    value = row.get(field)
    if value in (None, ""):
        raise UnreadableRow(f"{name}: {field} is missing")
    return str(value)


def _exchange(row: Row, name: str) -> Exchange:
    try:
        return Exchange(str(row.get("exchange")))
    except ValueError as error:
        raise UnreadableRow(f"{name}: exchange {row.get('exchange')!r} is not traded here") from error


def _side(row: Row, name: str) -> Side:
    try:
        return Side(str(row.get("transaction_type")))
    except ValueError as error:
        raise UnreadableRow(
            f"{name}: transaction_type {row.get('transaction_type')!r} is neither BUY nor SELL"
        ) from error


def _whole(row: Row, field: str, name: str) -> int:
    value = _decimal(row, field, name)
    if value != int(value):
        raise UnreadableRow(f"{name}: {field} {row[field]!r} is not a whole number")
    return int(value)


def _decimal(row: Row, field: str, name: str) -> Decimal:
    value = row.get(field)
    if value in (None, ""):
        return Decimal(0)
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise UnreadableRow(f"{name}: {field} {value!r} is not a number") from error
    if not number.is_finite():
        raise UnreadableRow(f"{name}: {field} {value!r} is not a finite number")
    return number


def _best_paise(depth: Row, side: str, name: str) -> int:
    levels = depth.get(side) or ()
    return _paise(levels[0], "price", name) if levels else 0


def _paise(row: Row, field: str, name: str) -> int:
    return int((_decimal(row, field, name) * 100).to_integral_value())


def _inr(row: Row, field: str) -> Decimal:
    return _decimal(row, field, "margins").quantize(PAISA)
