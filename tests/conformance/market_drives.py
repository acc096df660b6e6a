"""The client's market, portfolio and margin methods, driven. Each answers what was not as Kite's."""

import csv
from datetime import datetime
from io import StringIO
from typing import Any

from tests.conformance.desk import NAME, SAMPLES, SYMBOL, TOKEN, Desk, sample
from tests.conformance.session_drives import Problems, refused
from tests.conformance.shape import differences

MISSING = "NSE:NOBODY"


def instruments(desk: Desk) -> Problems:
    everything = desk.ask("instruments")
    found = _columns(desk)
    shares = desk.ask("instruments", "NSE")
    found += _columns(desk)
    if TOKEN not in [row["instrument_token"] for row in shares]:
        found.append(f"{NAME} has not the token {TOKEN}")
    if {row["exchange"] for row in shares} != {"NSE"} or len(everything) <= len(shares):
        found.append(f"{len(everything)} instruments, {len(shares)} of them of NSE")
    indices = [row for row in shares if row["segment"] == "INDICES"]
    return found if indices else [*found, "there is no index"]


def _columns(desk: Desk) -> Problems:
    sample("profile.json")
    want = next(csv.reader(StringIO((SAMPLES / "instruments_all.csv").read_text())))
    have = next(csv.reader(StringIO(desk.body)))
    return [] if have == want else [f"the columns are {have}"]


def quote(desk: Desk) -> Problems:
    return _asked(desk, "quote", 500)


def ohlc(desk: Desk) -> Problems:
    return _asked(desk, "ohlc", 1000)


def ltp(desk: Desk) -> Problems:
    return _asked(desk, "ltp", 1000)


def _asked(desk: Desk, what: str, most: int) -> Problems:
    rows = desk.ask(what, NAME, MISSING)
    found = desk.like(what)
    if list(rows) != [NAME]:
        found.append(f"{list(rows)} came back")
    index = desk.ask(what, "NSE:NIFTY 50")
    found += desk.like(what)
    if index["NSE:NIFTY 50"]["instrument_token"] != 256265:
        found.append(f"the index came back as {index}")
    names = [f"NSE:X{number}" for number in range(most + 1)]
    if desk.ask(what, names[:most]) != {}:
        found.append("unknown names came back")
    return found + refused(desk, "InputException", 400, what, names)


def historical_data(desk: Desk) -> Problems:
    day = str(desk.ask("quote", NAME)[NAME]["timestamp"].date())
    begin, end = f"{day} 09:15:00", f"{day} 15:30:00"
    rows = desk.ask("historical_data", TOKEN, begin, end, "minute")
    found = desk.like("historical_minute")
    if not rows or not isinstance(rows[0]["date"], datetime):
        found.append(f"there are {len(rows)} candles")
    desk.ask("historical_data", TOKEN, begin, end, "5minute", oi=True)
    found += desk.like("historical_oi")
    return found + refused(
        desk, "InputException", 400, "historical_data", TOKEN, "2020-01-01 09:15:00", end, "minute"
    )


def trigger_range(desk: Desk) -> Problems:
    rows = desk.ask("trigger_range", "BUY", NAME, MISSING)
    found = desk.like("trigger_range")
    desk.ask("trigger_range", "sell", NAME)
    found += desk.like("trigger_range")
    row = rows.get(NAME, {"lower": 0, "upper": 0})
    return found if 0 < row["lower"] < row["upper"] else [*found, f"{rows}"]


def positions(desk: Desk) -> Problems:
    desk.filled()
    rows = desk.ask("positions")
    return desk.like("positions") + ([] if rows["net"] and rows["day"] else ["there is no position"])


def holdings(desk: Desk) -> Problems:
    desk.ask("holdings")
    return desk.like("holdings")


def get_auction_instruments(desk: Desk) -> Problems:
    rows = desk.ask("get_auction_instruments")
    return [] if isinstance(rows, list) else [f"{rows}"]


def convert_position(desk: Desk) -> Problems:
    desk.filled()
    held = [
        row
        for row in desk.ask("positions")["net"]
        if (row["tradingsymbol"], row["product"]) == (SYMBOL, "MIS")
    ]
    if held[0]["quantity"] < 1:
        desk.filled(quantity=1 - held[0]["quantity"])
    desk.ask("convert_position", "NSE", SYMBOL, "BUY", "day", 1, "MIS", "CNC")
    found = desk.like("convert_position")
    products = {row["product"] for row in desk.ask("positions")["net"] if row["tradingsymbol"] == SYMBOL}
    return found if "CNC" in products else [*found, f"the products held are {products}"]


def order(desk: Desk) -> dict[str, Any]:
    return {
        "exchange": "NSE",
        "tradingsymbol": SYMBOL,
        "transaction_type": "BUY",
        "variety": "regular",
        "product": "MIS",
        "order_type": "LIMIT",
        "quantity": 10,
        "price": round(desk.last_price()),
        "trigger_price": 0,
    }


def order_margins(desk: Desk) -> Problems:
    rows = desk.ask("order_margins", [order(desk)])
    return desk.like("order_margins") + ([] if rows[0]["total"] > 0 else [f"{rows}"])


def basket_order_margins(desk: Desk) -> Problems:
    basket = [order(desk), order(desk)]
    desk.ask("basket_order_margins", basket)
    found = differences([sample("basket_margins.json")], desk.body)
    compact = desk.ask("basket_order_margins", basket, consider_positions=False, mode="compact")
    return found if compact["initial"]["total"] > 0 else [*found, f"{compact}"]


def get_virtual_contract_note(desk: Desk) -> Problems:
    desk.ask("get_virtual_contract_note", [order(desk) | {"order_id": "1", "average_price": 1500}])
    return desk.like("virtual_contract_note") + refused(
        desk, "InputException", 400, "get_virtual_contract_note", [{"order_id": "1"}]
    )
