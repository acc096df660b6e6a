"""What the market shows: the instrument file, quotes, candles."""

from datetime import datetime, timedelta
from typing import Any, Final

from trading.core.enums import Exchange, Side
from trading.exchange import answers
from trading.exchange.day_prices import INTERVALS_MIN
from trading.exchange.kite_rows import IST
from trading.exchange.rules import bad_input
from trading.exchange.server.floor import Floor
from trading.exchange.server.request import Csv, Request, route

TOKEN_DIGITS: Final = 10
#: longest span of one historical request, days
LONGEST_DAYS: Final = {
    "minute": 60,
    "3minute": 100,
    "5minute": 100,
    "10minute": 100,
    "15minute": 200,
    "30minute": 200,
    "60minute": 400,
    "day": 2000,
}


def instruments(floor: Floor, request: Request) -> Any:
    exchange = request.parts.get("exchange")
    if exchange is not None and exchange not in tuple(Exchange):
        raise bad_input(f"Invalid exchange. Should be one of {', '.join(Exchange)}.")
    specs = floor.day.prices.specs.values()
    return Csv(answers.instruments_csv(spec for spec in specs if exchange in (None, spec.exchange)))


def quote(floor: Floor, request: Request) -> Any:
    day = floor.settle()
    what = request.parts.get("what") or answers.QUOTE
    return answers.quote_rows(
        request.query.get("i", []), what, day.prices.specs, day.prices, day.venue.circuits_of
    )


def historical(floor: Floor, request: Request) -> Any:
    interval, digits = request.parts["interval"], request.parts["token"]
    token = int(digits) if len(digits) <= TOKEN_DIGITS else 0
    if interval not in INTERVALS_MIN:
        raise bad_input(f"Invalid interval. Should be one of {', '.join(INTERVALS_MIN)}.")
    begin, end = _moment(request, "from"), _moment(request, "to")
    if begin > end:
        raise bad_input("Invalid `from`. Should not be after `to`.")
    if end - begin > timedelta(days=LONGEST_DAYS[interval]):
        raise bad_input(f"interval exceeds max limit: {LONGEST_DAYS[interval]} days")
    day = floor.settle()
    if not day.prices.has(token):
        raise bad_input("invalid token")
    bars = day.prices.candles(token, day.history, interval)
    return {"candles": answers.candle_rows(bars, begin, end, with_oi=request.first("oi") == "1")}


def trigger_range(floor: Floor, request: Request) -> Any:
    day = floor.settle()
    side = request.parts["side"].upper()
    if side not in tuple(Side):
        raise bad_input("Invalid `transaction_type`. Should be buy or sell.")
    names = request.query.get("i", [])
    return answers.trigger_range_rows(names, Side(side), day.prices.specs, day.prices, day.venue.circuits_of)


def _moment(request: Request, name: str) -> datetime:
    text = request.first(name)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=IST)
        except ValueError:
            continue
    raise bad_input(f"Invalid `{name}`. Should be a time such as 2026-11-23 09:15:00.")


MARKET_ROUTES: Final = (
    route("GET", "/instruments", instruments),
    route("GET", "/instruments/{exchange:[A-Z]+}", instruments),
    route("GET", r"/instruments/historical/{token:\d+}/{interval}", historical, "historical"),
    route("GET", "/instruments/trigger_range/{side}", trigger_range),
    route("GET", "/quote", quote, "quote"),
    route("GET", "/quote/{what:ohlc|ltp}", quote, "quote"),
)
