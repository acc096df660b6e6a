"""Dated facts of NSE contracts that a made or replayed market needs: lots, expiries, ticks, freeze, hours.

A live account takes all of these from the day's instrument file; these tables serve `synthetic` and `replay`
only.
"""

from collections.abc import Container
from datetime import date, datetime, time, timedelta

from trading.core.enums import Exchange
from trading.core.values import InstrumentSpec

INDICES = ("NIFTY", "BANKNIFTY", "FINNIFTY")

#: (in force from, lot) by index, oldest first. NSE circulars; 2026 from NSE/FAOP/70616.
LOTS: dict[str, tuple[tuple[date, int], ...]] = {
    "NIFTY": (
        (date(2021, 7, 1), 50),
        (date(2024, 4, 26), 25),
        (date(2024, 11, 20), 75),
        (date(2026, 1, 1), 65),
    ),
    "BANKNIFTY": (
        (date(2020, 1, 1), 25),
        (date(2023, 7, 1), 15),
        (date(2024, 11, 20), 30),
        (date(2025, 7, 1), 35),
        (date(2026, 1, 1), 30),
    ),
    "FINNIFTY": (
        (date(2021, 1, 11), 40),
        (date(2024, 4, 26), 25),
        (date(2024, 11, 20), 65),
        (date(2026, 1, 1), 60),
    ),
}

#: (in force from, units) by index: a larger order is refused.
FREEZES: dict[str, tuple[tuple[date, int], ...]] = {
    "NIFTY": ((date(2020, 1, 1), 1800),),
    "BANKNIFTY": ((date(2020, 1, 1), 900), (date(2026, 2, 1), 600)),
    "FINNIFTY": ((date(2021, 1, 11), 1800),),
}

EXPIRY_MOVED_TO_TUESDAY = date(2025, 9, 1)
TICKS_BY_PRICE_SINCE = date(2025, 4, 15)
CLOSING_AUCTION_SINCE = date(2026, 8, 3)
CONTINUOUS_SINCE = time(9, 15)
#: by then the closing auction has traded
AUCTION_MATCHED = time(15, 35)
_THURSDAY, _TUESDAY = 3, 1


def lot_size(index: str, on: date) -> int:
    """Units in one lot of the index's future. Raises ValueError for a date before the table."""
    return _in_force(LOTS, index, on, "lot size")


def freeze_quantity(index: str, on: date) -> int:
    """Largest quantity of one order, units. Raises ValueError for a date before the table."""
    return _in_force(FREEZES, index, on, "freeze quantity")


def _in_force(table: dict[str, tuple[tuple[date, int], ...]], index: str, on: date, what: str) -> int:
    values = [value for since, value in table[index] if since <= on]
    if not values:
        raise ValueError(
            f"no {what} of {index} is known for {on}; the table begins {table[index][0][0]}: "
            "add the earlier figure"
        )
    return values[-1]


def monthly_expiry(on: date, holidays: Container[date] = ()) -> date:
    """Last trading day of the front-month contract on that date (the date itself on expiry day)."""
    expiry = _expiry_of_month(on.year, on.month, holidays)
    if expiry >= on:
        return expiry
    return _expiry_of_month(on.year + on.month // 12, on.month % 12 + 1, holidays)


def _expiry_of_month(year: int, month: int, holidays: Container[date]) -> date:
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    weekday = _THURSDAY if last < EXPIRY_MOVED_TO_TUESDAY else _TUESDAY
    expiry = last - timedelta(days=(last.weekday() - weekday) % 7)
    while expiry in holidays or expiry.weekday() > 4:
        expiry -= timedelta(days=1)
    return expiry


def future_symbol(name: str, expiry: date) -> str:
    """NIFTY and 2022-03-31 give NIFTY22MARFUT."""
    return f"{name}{expiry:%y%b}FUT".upper()


def index_future_tick_paise(price_paise: int, on: date) -> int:
    """Up to 15,000 points 0.05, to 30,000 0.10, above 0.20; always 0.05 before 15 April 2025."""
    if on < TICKS_BY_PRICE_SINCE or price_paise <= 15_000_00:
        return 5
    return 10 if price_paise <= 30_000_00 else 20


def share_tick_paise(price_paise: int, on: date) -> int:
    """NSE's cash ticks by price since 15 April 2025; 0.05 before."""
    if on < TICKS_BY_PRICE_SINCE:
        return 5
    for below_inr, tick_paise in ((250, 1), (1000, 5), (5000, 10), (10_000, 50), (20_000, 100)):
        if price_paise <= below_inr * 100 - (below_inr == 250):
            return tick_paise
    return 500


def has_closing_auction(spec: InstrumentSpec, on: date) -> bool:
    """A share with F&O, since 3 August 2026."""
    return on >= CLOSING_AUCTION_SINCE and spec.has_derivatives and not spec.is_derivative


def is_continuous(spec: InstrumentSpec, now: datetime) -> bool:
    """Whether it trades continuously at that moment of a trading day, IST."""
    return CONTINUOUS_SINCE <= now.time() < continuous_close(spec, now.date())


def continuous_close(spec: InstrumentSpec, on: date) -> time:
    """When continuous trading ends, IST wall clock (shares with F&O: closing auction since 3 August 2026)."""
    if on < CLOSING_AUCTION_SINCE:
        return time(15, 30)
    if spec.exchange in (Exchange.NFO, Exchange.BFO):
        return time(15, 40)
    return time(15, 15) if spec.has_derivatives else time(15, 30)


def market_close(spec: InstrumentSpec, on: date) -> time:
    """When the last trade of an ordinary day may happen, IST wall clock."""
    return AUCTION_MATCHED if has_closing_auction(spec, on) else continuous_close(spec, on)
