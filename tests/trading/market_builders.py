"""Builders for market tests: instruments, sessions, frames and bars that say only what matters."""

from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np

from trading.core.candles import Bars
from trading.core.enums import Exchange
from trading.core.market_state import MarketState
from trading.core.session import IST, at, ordinary_session
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec

#: instrument, price in paise, the day's volume, and the exchange's wall time where it is not the frame's
Tick = tuple[Any, ...]

DAY = date(2026, 11, 23)
MARKET_DATA = Path(__file__).resolve().parents[3] / "shared" / "market-data"


def share(number: int = 1594, *, tick_size_paise: int = 5, has_derivatives: bool = False) -> InstrumentSpec:
    return InstrumentSpec(
        exchange=Exchange.NSE,
        tradingsymbol=f"SHARE{number}",
        instrument_token=(number << 8) + 1,
        name="SHARE",
        instrument_type="EQ",
        segment="NSE",
        lot_size=1,
        tick_size_paise=tick_size_paise,
        has_derivatives=has_derivatives,
    )


def future(number: int, name: str, lot_size: int = 50) -> InstrumentSpec:
    return InstrumentSpec(
        exchange=Exchange.NFO,
        tradingsymbol=f"{name}FUT",
        instrument_token=(number << 8) + 2,
        name=name,
        instrument_type="FUT",
        segment="NFO-FUT",
        lot_size=lot_size,
        tick_size_paise=5,
    )


def market_of(*specs: InstrumentSpec, day: date = DAY, **settings) -> MarketState:
    return MarketState(specs, [ordinary_session(day, spec) for spec in specs], **settings)


def moment(wall: str, day: date = DAY) -> datetime:
    return at(day, time.fromisoformat(wall))


def second(wall: str, day: date = DAY) -> int:
    return int(moment(wall, day).timestamp())


def frame(wall: str, *ticks: Tick, received: str | None = None) -> TickFrame:
    """One frame; bid and ask are 5 paise around each price."""
    prices = np.array([tick[1] for tick in ticks], np.int64)
    stamps = [_stamp(*tick[3:] or (wall,)) for tick in ticks]
    nothing = np.zeros((len(ticks), 5), np.int64)
    return TickFrame(
        received_at=moment(received or wall),
        tokens=np.array([tick[0].instrument_token for tick in ticks], np.int64),
        last_price_paise=prices,
        volume=np.array([tick[2] for tick in ticks], np.int64),
        average_price_paise=prices,
        open_interest=np.zeros(len(ticks), np.int64),
        exchange_time_s=np.array(stamps, np.int64),
        bid_price_paise=nothing + prices[:, None] - 5,
        bid_quantity=nothing,
        ask_price_paise=nothing + prices[:, None] + 5,
        ask_quantity=nothing,
    )


def _stamp(wall: str | None) -> int:
    return second(wall) if wall else 0


def minutes(start: str, closes: list[int], *, day: date = DAY, reach: int = 0, volume: int = 100) -> Bars:
    """One-minute bars from `start`, each opening at the close before, `reach` paise beyond body both ways."""
    close = np.array(closes, np.int64)
    open_ = np.concatenate((close[:1], close[:-1]))
    return Bars(
        opened_at_s=second(start, day) + 60 * np.arange(len(close)),
        open=open_,
        high=np.maximum(open_, close) + reach,
        low=np.minimum(open_, close) - reach,
        close=close,
        volume=np.full(len(close), volume),
    )


def joined(*parts: Bars) -> Bars:
    return Bars.from_rows(np.concatenate([part.to_rows() for part in parts]))


def recorded_days(name: str, month: str) -> dict[date, Bars]:
    """Real minutes of a month by day: labels become opening times, the pre-open auction is left out."""
    days: dict[date, list[list[int]]] = {}
    for line in (MARKET_DATA / f"{name}-{month}.txt").read_text().splitlines():
        _, day_text, end, *prices, _, _ = line.split(",")
        if "09:16" <= end <= "15:30":
            day = date.fromisoformat(day_text)
            closed_at_s = int(datetime.combine(day, time.fromisoformat(end), IST).timestamp())
            row = [closed_at_s - 60, *(round(float(price) * 100) for price in prices), 10]
            days.setdefault(day, []).append(row)
    return {day: Bars.from_rows(np.array(rows, np.int64)) for day, rows in days.items()}
