"""A made-up trading day, drawn from a seed: three index futures and twenty liquid shares that move together.

Prices follow one market factor and one of their own, both with regimes (calm, trending, turning), volatility
that is higher near open and close, and now and then a jump. Nothing here is a statement about a real company.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np

from trading.core.candles import IST, Bars
from trading.core.enums import Exchange
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange import contracts
from trading.exchange.sources import (
    DepthShape,
    FirstExtreme,
    Floats,
    Ints,
    draw_depth,
    draw_volume,
    stream,
)

#: index: exchange token, price in rupees, units a minute, volatility of a day in per cent, weight of the
#: market factor
FUTURES = {
    "NIFTY": (1001, 25_800, 60_000, 0.85, 1.0),
    "BANKNIFTY": (1002, 58_200, 30_000, 1.05, 0.9),
    "FINNIFTY": (1003, 27_400, 6_000, 1.0, 0.9),
}

#: share: exchange token, price in rupees, units a minute, volatility of a day in per cent, weight of the
#: market factor
SHARES = {
    "RELIANCE": (2885, 1480, 22_000, 1.4, 0.7),
    "HDFCBANK": (1333, 985, 40_000, 1.2, 0.7),
    "ICICIBANK": (4963, 1365, 26_000, 1.3, 0.7),
    "INFY": (1594, 1520, 18_000, 1.6, 0.5),
    "TCS": (11536, 3120, 7_000, 1.4, 0.5),
    "SBIN": (3045, 960, 30_000, 1.5, 0.6),
    "AXISBANK": (5900, 1240, 18_000, 1.5, 0.6),
    "KOTAKBANK": (1922, 2090, 8_000, 1.3, 0.6),
    "BHARTIARTL": (10604, 2060, 12_000, 1.4, 0.5),
    "ITC": (1660, 408, 38_000, 1.1, 0.4),
    "LT": (11483, 3980, 5_000, 1.4, 0.6),
    "HINDUNILVR": (1394, 2430, 5_000, 1.1, 0.4),
    "BAJFINANCE": (317, 1030, 20_000, 1.8, 0.6),
    "MARUTI": (10999, 15_900, 1_200, 1.5, 0.5),
    "M&M": (2031, 3640, 6_000, 1.7, 0.5),
    "TATASTEEL": (3499, 172, 110_000, 2.0, 0.6),
    "SUNPHARMA": (3351, 1750, 7_000, 1.4, 0.4),
    "TITAN": (3506, 3850, 4_000, 1.4, 0.4),
    "NTPC": (11630, 330, 40_000, 1.5, 0.5),
    "HCLTECH": (7229, 1610, 9_000, 1.6, 0.5),
}
OPENS = time(9, 15)
NFO_SEGMENT, NSE_SEGMENT = 2, 1
#: how long a regime lasts, minutes
REGIME_MINUTES = 35
#: drift of a trending regime, in standard deviations of what diffusion does over the regime
TREND = 1.3
JUMPS_A_DAY = 1.5
#: brings regimes, jumps and diffusion together to the volatility stated above
CALIBRATION = 0.65
#: an opening's distance from the close before, in parts of a day's volatility
GAP = 0.25
#: days whose news a price still carries, and how much of it is left a day later
MEMORY_DAYS, MEMORY = 20, 0.9


@dataclass(frozen=True, slots=True)
class _DayPath:
    """Last prices and units traded of n instruments over t frames, t by n."""

    price_paise: Ints
    volume: Ints


class SyntheticSource:
    """A seeded day as a market (see `MarketSource`).

    The same seed and date give the same day, warm-up included.
    """

    def __init__(
        self,
        trading_date: date,
        *,
        seed: int | str = 1,
        step_s: int = 3,
        holidays: Container[date] = (),
        symbols: tuple[str, ...] | None = None,
    ) -> None:
        """`step_s` is the time between frames. Raises ValueError for one that does not divide a minute, a
        symbol that is not served, or a date at a weekend or on a holiday.
        """
        if step_s < 1 or 60 % step_s:
            raise ValueError(f"step_s is {step_s}; choose a divisor of 60")
        if trading_date.weekday() > 4 or trading_date in holidays:
            raise ValueError(f"{trading_date} is no trading day; give the next one of the calendar")
        everything = (*FUTURES, *SHARES)
        unknown = [symbol for symbol in symbols or () if symbol not in everything]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is not served; choose among {', '.join(everything)}")
        self.trading_date = trading_date
        self._seed = seed
        self._step_s = step_s
        self._pace = 60 // step_s
        self._holidays = holidays
        self._symbols = symbols or everything
        # Everything is drawn for all instruments, so a choice among them changes no price.
        self._chosen = np.array([everything.index(symbol) for symbol in self._symbols])
        self._facts = [(FUTURES | SHARES)[symbol] for symbol in everything]
        self._weights = np.array([facts[4] for facts in self._facts])
        self._daily = np.array([facts[3] for facts in self._facts]) / 100
        self._tick_paise = np.array([self._tick(symbol) for symbol in self._symbols], np.int64)
        before = self._on_grid(self._close_before(trading_date))
        self.instruments = tuple(
            self._spec(symbol, int(close)) for symbol, close in zip(self._symbols, before, strict=True)
        )
        self._lots = np.array([spec.lot_size for spec in self.instruments], np.int64)

    def describe(self) -> str:
        """One line for the operator."""
        return (
            f"synthetic market of {self.trading_date}, seed {self._seed}: {len(self._symbols)} instruments "
            f"with real names and made-up prices, a frame every {self._step_s} s; nothing in it is real"
        )

    def warm_up(self, days: int) -> Mapping[int, Bars]:
        """One-minute bars of the `days` trading days before, by token: what those days' frames would have
        made.
        """
        earlier: list[date] = []
        while len(earlier) < days:
            earlier.append(self._neighbour(earlier[-1] if earlier else self.trading_date, -1))
        parts: dict[int, list[Ints]] = {spec.instrument_token: [] for spec in self.instruments}
        for day in reversed(earlier):
            path = self._path(day)
            for column, spec in enumerate(self.instruments):
                minutes = self._minutes(spec)
                prices = path.price_paise[: minutes * self._pace, column].reshape(minutes, self._pace)
                volume = path.volume[: minutes * self._pace, column].reshape(minutes, self._pace)
                opened = _opening_s(day) + 60 * np.arange(minutes)
                parts[spec.instrument_token].append(
                    np.column_stack(
                        (opened, prices[:, 0], prices.max(1), prices.min(1), prices[:, -1], volume.sum(1))
                    )
                )
        return {
            token: Bars.from_rows(np.concatenate(days_)) if days_ else Bars.empty()
            for token, days_ in parts.items()
        }

    def frames(self, first_extreme: FirstExtreme, after: datetime | None = None) -> Iterator[TickFrame]:
        """Frames from 09:15 to the last close; each holds the instruments that traded or moved since the one
        before.

        The path is what happened, so `first_extreme` is not asked.
        """
        path = self._path(self.trading_date)
        frames = len(path.price_paise)
        price = path.price_paise[0]
        depth = draw_depth(price, self._tick_paise, self._lots, frames, self._stream("depth"))
        cumulative = np.cumsum(path.volume, axis=0)
        average = np.cumsum(path.volume * path.price_paise, axis=0) // np.maximum(cumulative, 1)
        closes = np.array([self._minutes(spec) * self._pace for spec in self.instruments])
        moved = np.ones(path.price_paise.shape, np.bool_)
        moved[1:] = (path.volume[1:] > 0) | (path.price_paise[1:] != path.price_paise[:-1])
        moved &= np.arange(frames)[:, None] < closes
        tokens = np.array([spec.instrument_token for spec in self.instruments], np.int64)
        opening = datetime.combine(self.trading_date, OPENS, IST)
        for row in range(frames):
            at = opening + timedelta(seconds=row * self._step_s)
            there = np.flatnonzero(moved[row])
            if len(there) and (after is None or at > after):
                prices, units = path.price_paise[row, there], cumulative[row, there]
                yield _frame(at, tokens[there], prices, units, average[row, there], depth, row, there)

    def _path(self, day: date) -> _DayPath:
        """From the close before (and an opening gap) to the close the next day knows, so days join."""
        minutes = max(self._minutes(spec) for spec in self.instruments)
        frames = minutes * self._pace
        market = _factor(frames, self._pace, 1, self._stream("market", day))
        own = _factor(frames, self._pace, len(self._facts), self._stream("own", day))
        wander = np.cumsum(self._mixed(market, own) * self._daily * CALIBRATION, axis=0)
        start = np.log(self._close_before(day))
        end = np.log(self._close_before(self._neighbour(day, 1)))
        start += GAP * self._daily * self._stream("gap", day).normal(size=len(self._facts))
        passed = np.linspace(0, 1, frames)[:, None]
        price = np.exp(start + wander + passed * (end - start - wander[-1]))
        units = np.array([facts[2] for facts in self._facts], np.int64)
        lots = np.array([self._lot(symbol) for symbol in (*FUTURES, *SHARES)], np.int64)
        volume = draw_volume(units, lots, minutes, self._pace, self._stream("volume", day))
        return _DayPath(self._on_grid(price), np.ascontiguousarray(volume[:, self._chosen]))

    def _mixed(self, market: Floats, own: Floats) -> Floats:
        return np.asarray(self._weights * market + np.sqrt(1 - self._weights**2) * own, np.float64)

    def _close_before(self, day: date) -> Floats:
        """Where each instrument closed before the day, paise: a sum over its last days' news, older ones
        fading.
        """
        level, share = np.zeros(len(self._facts)), 1.0
        for _ in range(MEMORY_DAYS):
            day = self._neighbour(day, -1)
            news = self._stream("news", day).normal(size=len(self._facts) + 1)
            level += share * self._mixed(news[:1], news[1:]) * self._daily
            share *= MEMORY
        return np.array([facts[1] * 100 for facts in self._facts]) * np.exp(level)

    def _on_grid(self, price_paise: Floats) -> Ints:
        chosen = price_paise[..., self._chosen] / self._tick_paise
        return np.rint(chosen).astype(np.int64) * self._tick_paise

    def _stream(self, name: str, day: date | None = None) -> np.random.Generator:
        return stream(self._seed, f"synthetic/{name}/{day or self.trading_date}")

    def _neighbour(self, day: date, way: int) -> date:
        """The trading day after (+1) or before (-1)."""
        day += timedelta(days=way)
        while day.weekday() > 4 or day in self._holidays:
            day += timedelta(days=way)
        return day

    def _minutes(self, spec: InstrumentSpec) -> int:
        close = contracts.continuous_close(spec, self.trading_date)
        return (close.hour - OPENS.hour) * 60 + close.minute - OPENS.minute

    def _tick(self, symbol: str) -> int:
        tick_of = contracts.index_future_tick_paise if symbol in FUTURES else contracts.share_tick_paise
        return tick_of((FUTURES | SHARES)[symbol][1] * 100, self.trading_date)

    def _lot(self, symbol: str) -> int:
        return contracts.lot_size(symbol, self.trading_date) if symbol in FUTURES else 1

    def _spec(self, symbol: str, previous_close_paise: int) -> InstrumentSpec:
        is_future = symbol in FUTURES
        expiry = contracts.monthly_expiry(self.trading_date, self._holidays) if is_future else None
        token = (FUTURES | SHARES)[symbol][0]
        return InstrumentSpec(
            exchange=Exchange.NFO if is_future else Exchange.NSE,
            tradingsymbol=contracts.future_symbol(symbol, expiry) if expiry else symbol,
            instrument_token=token << 8 | (NFO_SEGMENT if is_future else NSE_SEGMENT),
            name=symbol,
            instrument_type="FUT" if is_future else "EQ",
            segment="NFO-FUT" if is_future else "NSE",
            lot_size=self._lot(symbol),
            tick_size_paise=self._tick(symbol),
            expiry=expiry,
            freeze_quantity=contracts.freeze_quantity(symbol, self.trading_date) if is_future else None,
            has_derivatives=not is_future,
            previous_close_paise=previous_close_paise,
        )


def _factor(frames: int, pace: int, count: int, numbers: np.random.Generator) -> Floats:
    """Returns per frame of `count` factors whose day's sum has a standard deviation of about one."""
    minutes = frames // pace
    place = np.linspace(-1, 1, frames)[:, None]
    shape = 0.7 + 0.9 * place**2
    regimes = minutes // REGIME_MINUTES + 2
    loudness = np.exp(numbers.normal(0, 0.35, (regimes, count)))
    direction = numbers.choice([-1, 0, 1], (regimes, count))
    lengths = (np.arange(frames) + numbers.integers(0, REGIME_MINUTES * pace)) // (REGIME_MINUTES * pace)
    deviation = shape * loudness[lengths] / np.sqrt(frames)
    drift = direction[lengths] * deviation * TREND / np.sqrt(REGIME_MINUTES * pace)
    jumps = (numbers.random((frames, count)) < JUMPS_A_DAY / frames) * numbers.normal(0, 0.2, (frames, count))
    return np.asarray(drift + deviation * numbers.normal(0, 1, (frames, count)) + jumps, np.float64)


def _frame(
    at: datetime,
    tokens: Ints,
    price: Ints,
    volume: Ints,
    average: Ints,
    depth: DepthShape,
    row: int,
    there: Ints,
) -> TickFrame:
    return TickFrame(
        received_at=at,
        tokens=tokens,
        last_price_paise=price,
        volume=volume,
        average_price_paise=average,
        open_interest=np.zeros(len(tokens), np.int64),
        exchange_time_s=np.full(len(tokens), int(at.timestamp()), np.int64),
        bid_price_paise=price[:, None] - depth.below_paise[row, there],
        bid_quantity=depth.bid_quantity[row, there].astype(np.int64),
        ask_price_paise=price[:, None] + depth.above_paise[row, there],
        ask_quantity=depth.ask_quantity[row, there].astype(np.int64),
    )


def _opening_s(day: date) -> int:
    return int(datetime.combine(day, OPENS, IST).timestamp())
