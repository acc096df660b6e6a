"""Builders for the exchange's tests: a share, a future, an option, frames and requests."""

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from trading.core.candles import IST
from trading.core.enums import Exchange
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange.rules import Latency, VenueRules
from trading.exchange.venue import Venue

SHARE = InstrumentSpec(
    exchange=Exchange.NSE,
    tradingsymbol="RELIANCE",
    instrument_token=738561,
    name="RELIANCE",
    instrument_type="EQ",
    segment="NSE",
    lot_size=1,
    tick_size_paise=10,
    has_derivatives=True,
    previous_close_paise=100_000,
)
FUTURE = InstrumentSpec(
    exchange=Exchange.NFO,
    tradingsymbol="NIFTY26NOVFUT",
    instrument_token=256258,
    name="NIFTY",
    instrument_type="FUT",
    segment="NFO-FUT",
    lot_size=65,
    tick_size_paise=10,
    expiry=date(2026, 11, 30),
    freeze_quantity=1800,
    previous_close_paise=2_600_000,
)
OPTION = InstrumentSpec(
    exchange=Exchange.NFO,
    tradingsymbol="NIFTY26NOV26000CE",
    instrument_token=999938,
    name="NIFTY",
    instrument_type="CE",
    segment="NFO-OPT",
    lot_size=65,
    tick_size_paise=5,
    strike_paise=2_600_000,
    previous_close_paise=20_000,
)
INSTRUMENTS = (SHARE, FUTURE, OPTION)
NO_LATENCY = Latency(mean_ms=0)
Levels = str


def at(clock: str, ms: int = 0) -> datetime:
    """`at("09:30:01")` on Monday 23 November 2026, IST."""
    return datetime.fromisoformat(f"2026-11-23T{clock}").replace(tzinfo=IST) + timedelta(milliseconds=ms)


def levels(text: Levels) -> tuple[list[int], list[int]]:
    """`"1000.0x50 999.9x70"` as prices in paise and quantities, padded with zeros to five."""
    pairs = [part.split("x") for part in text.split()]
    prices = [round(float(price) * 100) for price, _ in pairs]
    quantities = [int(quantity) for _, quantity in pairs]
    short = 5 - len(pairs)
    return prices + [0] * short, quantities + [0] * short


def frame(
    clock: str, last: str, bids: Levels, asks: Levels, *, volume: int = 1_000, spec: InstrumentSpec = SHARE
) -> TickFrame:
    """One packet: `frame("09:30:00", "1000.0", "1000.0x50", "1000.1x60")`."""
    bid, ask = levels(bids), levels(asks)
    moment = at(clock)

    def column(*values: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array(values, np.int64)

    return TickFrame(
        received_at=moment,
        tokens=column(spec.instrument_token),
        last_price_paise=column(round(float(last) * 100)),
        volume=column(volume),
        average_price_paise=column(round(float(last) * 100)),
        open_interest=column(0),
        exchange_time_s=column(int(moment.timestamp())),
        bid_price_paise=np.array([bid[0]], np.int64),
        bid_quantity=np.array([bid[1]], np.int64),
        ask_price_paise=np.array([ask[0]], np.int64),
        ask_quantity=np.array([ask[1]], np.int64),
    )


def order(side: str, quantity: int, kind: str = "MARKET", **more: object) -> dict[str, Any]:
    """A place request for the share: MIS, a market order with automatic protection unless said otherwise."""
    fields: dict[str, Any] = {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "transaction_type": side,
        "order_type": kind,
        "quantity": quantity,
        "product": "MIS",
        "validity": "DAY",
        "variety": "regular",
    }
    if kind == "MARKET":
        fields["market_protection"] = -1
    return fields | more


def future_order(side: str, quantity: int, kind: str = "MARKET", **more: object) -> dict[str, Any]:
    names = {"exchange": "NFO", "tradingsymbol": "NIFTY26NOVFUT", "product": "NRML"}
    return order(side, quantity, kind, **(names | more))


def open_venue(rules: VenueRules | None = None, *, seed: int = 1, capital_inr: int = 25_00_000) -> Venue:
    """A venue without latency, so that what a test asks for has happened when it looks."""
    return Venue(
        INSTRUMENTS,
        rules or VenueRules(latency=NO_LATENCY),
        seed=seed,
        capital_paise=capital_inr * 100,
        user_id="AB1234",
        venue_session="test",
    )


def place(venue: Venue, request: dict[str, Any], clock: str) -> str:
    """Place and let it arrive."""
    order_id = venue.place(request, at(clock))
    venue.advance(at(clock))
    return order_id


def row(venue: Venue, order_id: str) -> dict[str, Any]:
    return next(each for each in venue.order_rows() if each["order_id"] == order_id)


def trades(venue: Venue, order_id: str) -> list[tuple[int, float]]:
    """(quantity, price) of each execution of an order."""
    return [(each["quantity"], each["average_price"]) for each in venue.trade_rows(order_id)]


def statuses(venue: Venue, order_id: str) -> list[str]:
    return [each["status"] for each in venue.order_history_rows(order_id)]
