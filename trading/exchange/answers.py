"""Kite's answers that are not books: login, profile, instruments, quotes, candles, charges."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from trading.core.candles import Bars
from trading.core.charges import charges_of_value, segment_of
from trading.core.enums import Exchange, Side
from trading.core.money import to_inr
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange.day_prices import DayPrices
from trading.exchange.kite_rows import IST, Row, charges_row, number, stamp
from trading.exchange.rules import bad_input

COLUMNS = (
    "instrument_token",
    "exchange_token",
    "tradingsymbol",
    "name",
    "last_price",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)
#: lower and upper price limit of an instrument, paise; (0, 0) for none
Circuits = Callable[[InstrumentSpec], tuple[int, int]]
#: charges are reckoned for prices (rupees) and quantities below this
MOST_CHARGED = 10**9
QUOTE, OHLC, LTP = "quote", "ohlc", "ltp"
#: instruments in one call
MOST_ASKED = {QUOTE: 500, OHLC: 1000, LTP: 1000}


def profile_row(user_id: str) -> Row:
    """`/user/profile`."""
    return {
        "user_id": user_id,
        "user_type": "individual",
        "email": "paper@localhost",
        "user_name": "Paper Account",
        "user_shortname": "Paper",
        "broker": "PAPER",
        "exchanges": ["NSE", "NFO"],
        "products": ["CNC", "NRML", "MIS"],
        "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
        "avatar_url": None,
        "meta": {"demat_consent": "physical"},
    }


def full_profile_row(user_id: str) -> Row:
    """`/user/profile/full`."""
    row = profile_row(user_id) | {
        "twofa_type": "totp",
        "phone": "*0000",
        "bank_accounts": [],
        "dp_ids": [],
        "pan": "*0000",
        "tags": [],
        "password_timestamp": "1970-01-01 00:00:00",
        "twofa_timestamp": "1970-01-01 00:00:00",
    }
    return row | {"meta": {"poa": "physical", "silo": "", "account_blocks": []}}


def session_row(user_id: str, api_key: str, access_token: str, now: datetime) -> Row:
    """`POST /session/token`."""
    return profile_row(user_id) | {
        "api_key": api_key,
        "access_token": access_token,
        "public_token": "",
        "enctoken": "",
        "refresh_token": "",
        "silo": "",
        "login_time": stamp(now),
    }


def instruments_csv(specs: Iterable[InstrumentSpec]) -> str:
    """`/instruments`: the day's file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for spec in specs:
        writer.writerow(
            (
                spec.instrument_token,
                spec.instrument_token >> 8,
                spec.tradingsymbol,
                spec.name,
                to_inr(spec.previous_close_paise),
                spec.expiry or "",
                to_inr(spec.strike_paise),
                to_inr(spec.tick_size_paise),
                spec.lot_size,
                spec.instrument_type,
                spec.segment,
                spec.exchange,
            )
        )
    return text.getvalue()


def quote_rows(
    names: Sequence[str],
    what: str,
    specs: Mapping[tuple[str, str], InstrumentSpec],
    prices: DayPrices,
    circuits: Circuits,
) -> dict[str, Row]:
    """`/quote`, `/quote/ohlc` or `/quote/ltp` of names such as NSE:INFY.

    One without data is left out. Raises VenueRefusal when too many are asked for.
    """
    return {
        name: _quote_row(spec, what, frame, prices, circuits)
        for name, spec, frame in _seen(names, MOST_ASKED[what], specs, prices)
    }


def trigger_range_rows(
    names: Sequence[str],
    side: Side,
    specs: Mapping[tuple[str, str], InstrumentSpec],
    prices: DayPrices,
    circuits: Circuits,
) -> dict[str, Row]:
    """`/instruments/trigger_range`: where the stop of a cover order on this side may lie, between the last price
    and the circuit against it. One without data is left out. Raises VenueRefusal for too many.
    """
    rows: dict[str, Row] = {}
    for name, spec, frame in _seen(names, MOST_ASKED[QUOTE], specs, prices):
        last = int(frame.last_price_paise[0])
        lower, upper = circuits(spec)
        lowest, highest = (lower, last) if side is Side.BUY else (last, upper)
        rows[name] = {
            "instrument_token": spec.instrument_token,
            "lower": number(lowest),
            "upper": number(highest),
        }
    return rows


def _seen(
    names: Sequence[str], most: int, specs: Mapping[tuple[str, str], InstrumentSpec], prices: DayPrices
) -> Iterator[tuple[str, InstrumentSpec, TickFrame]]:
    """Those of the names that have a last packet, each with it. Raises VenueRefusal for too many."""
    if len(names) > most:
        raise bad_input(f"Too many instruments: {len(names)}. At most {most} in one request.")
    for name in names:
        exchange, _, symbol = name.partition(":")
        spec = specs.get((exchange, symbol))
        frame = prices.snapshot([spec.instrument_token]) if spec else None
        if spec is not None and frame is not None and len(frame):
            yield name, spec, frame


def _quote_row(
    spec: InstrumentSpec, what: str, frame: TickFrame, prices: DayPrices, circuits: Circuits
) -> Row:
    last = int(frame.last_price_paise[0])
    row: Row = {"instrument_token": spec.instrument_token, "last_price": number(last)}
    if what == LTP:
        return row
    opened, high, low, close = prices.day_prices(frame.tokens)[0].tolist()
    row["ohlc"] = {"open": number(opened), "high": number(high), "low": number(low), "close": number(close)}
    if what == OHLC:
        return row
    lower, upper = circuits(spec)
    traded_at = stamp(datetime.fromtimestamp(int(frame.exchange_time_s[0]), IST))
    return row | {
        "timestamp": traded_at,
        "last_trade_time": traded_at,
        "last_quantity": 0,
        "buy_quantity": int(frame.bid_quantity[0].sum()),
        "sell_quantity": int(frame.ask_quantity[0].sum()),
        "volume": int(frame.volume[0]),
        "average_price": number(int(frame.average_price_paise[0])),
        "oi": int(frame.open_interest[0]),
        "oi_day_high": 0,
        "oi_day_low": 0,
        "net_change": 0,
        "lower_circuit_limit": number(lower),
        "upper_circuit_limit": number(upper),
        "depth": {
            "buy": _levels(frame.bid_price_paise[0].tolist(), frame.bid_quantity[0].tolist()),
            "sell": _levels(frame.ask_price_paise[0].tolist(), frame.ask_quantity[0].tolist()),
        },
    }


def _levels(prices: list[int], quantities: list[int]) -> list[Row]:
    return [
        {"price": number(price), "quantity": quantity, "orders": 0}
        for price, quantity in zip(prices, quantities, strict=True)
    ]


def candle_rows(bars: Bars, begin: datetime, end: datetime, *, with_oi: bool) -> list[list[Any]]:
    """`/instruments/historical`: candles that open from `begin` to `end`, both included."""
    rows: list[list[Any]] = []
    for opened_at_s, *prices, volume in bars.to_rows().tolist():
        if begin.timestamp() <= opened_at_s <= end.timestamp():
            label = datetime.fromtimestamp(opened_at_s, IST).strftime("%Y-%m-%dT%H:%M:%S%z")
            row = [label, *(number(price) for price in prices), volume]
            rows.append([*row, 0] if with_oi else row)
    return rows


def contract_note_rows(orders: Iterable[Mapping[str, Any]], trade_date: date) -> list[Row]:
    """`POST /charges/orders`: what each executed order costs. Raises VenueRefusal for fields that cannot be."""
    return [_contract_note(order, trade_date) for order in orders]


def _contract_note(order: Mapping[str, Any], trade_date: date) -> Row:
    try:
        exchange, side = Exchange(str(order["exchange"])), Side(str(order["transaction_type"]))
        value_inr = _value_inr(order)
        spec = _any_spec(exchange, str(order["tradingsymbol"]))
        charges = charges_of_value(
            segment_of(spec), side, value_inr, trade_date=trade_date, exchange=exchange
        )
    except (KeyError, ValueError) as error:
        raise bad_input(f"Invalid order for charges: {error}.") from None
    names = ("transaction_type", "tradingsymbol", "exchange", "variety", "product", "order_type", "quantity")
    row = {name: order.get(name) for name in names}
    return row | {"price": order["average_price"], "charges": charges_row(charges)}


def _value_inr(order: Mapping[str, Any]) -> Decimal:
    try:
        price, quantity = Decimal(str(order["average_price"])), int(str(order["quantity"]))
        if 0 < price < MOST_CHARGED and 0 < quantity < MOST_CHARGED:
            return price * quantity
    except InvalidOperation:
        pass
    raise ValueError("average_price and quantity should be above 0 and below a billion")


def _any_spec(exchange: Exchange, symbol: str) -> InstrumentSpec:
    """Only its segment is asked for: a symbol's ending tells it."""
    ending = symbol[-2:]
    kind = ending if ending in ("CE", "PE") else "FUT"
    is_derivative = exchange in (Exchange.NFO, Exchange.BFO)
    return InstrumentSpec(
        exchange=exchange,
        tradingsymbol=symbol,
        instrument_token=0,
        name=symbol,
        instrument_type=kind if is_derivative else "EQ",
        segment="",
        lot_size=1,
        tick_size_paise=1,
    )


def basket_row(orders: Sequence[Row], *, is_compact: bool = False) -> Row:
    """`POST /margins/basket`: the sum of its orders; no hedge benefit is known here. Compact: the sums alone."""
    whole = _sum_of(orders)
    rows = [] if is_compact else list(orders)
    return {"initial": whole, "final": whole, "orders": rows, "charges": whole["charges"]}


_SUMMED = ("span", "exposure", "option_premium", "additional", "bo", "cash", "var", "total")
_CHARGED = (
    "transaction_tax",
    "exchange_turnover_charge",
    "sebi_turnover_charge",
    "brokerage",
    "stamp_duty",
    "total",
)


def _sum_of(orders: Sequence[Row]) -> Row:
    charges = [order["charges"] for order in orders]
    gst = [charge["gst"] for charge in charges]
    return {
        "type": "",
        "tradingsymbol": "",
        "exchange": "",
        **{name: _total(orders, name) for name in _SUMMED},
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": 0,
        "charges": {
            "transaction_tax_type": "",
            **{name: _total(charges, name) for name in _CHARGED},
            "gst": {name: _total(gst, name) for name in ("igst", "cgst", "sgst", "total")},
        },
    }


def _total(rows: Iterable[Row], name: str) -> int | float:
    return number(sum(int(Decimal(str(row[name])) * 100) for row in rows))
