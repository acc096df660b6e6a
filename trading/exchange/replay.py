"""A recorded day once more: each minute walked through open, one extreme, the other extreme and close.

An index does not trade, so a front-month future on it takes its place: the index plus a basis that is the
same all day, with drawn volume and depth. Everything drawn comes from the seed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from trading.core.candles import IST, Bars
from trading.core.enums import Exchange
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange import contracts
from trading.exchange.gfdl import RecordedDays, find_days
from trading.exchange.sources import DepthShape, FirstExtreme, Ints, draw_depth, draw_volume, stream

MINUTES = 375
#: an index future stands above its index by about this much a year
CARRY_PCT_A_YEAR = 6
#: exchange tokens of the made-up contracts, by symbol; shares follow from 2001
FUTURE_TOKENS = {"NIFTY": 1001, "BANKNIFTY": 1002, "FINNIFTY": 1003}
MINUTE_UNITS = {"NIFTY": 60_000, "BANKNIFTY": 30_000, "FINNIFTY": 6_000}
SHARE_MINUTE_UNITS = 20_000
NFO_SEGMENT, NSE_SEGMENT = 2, 1


class NoSuchDay(ValueError):
    """A day that the folder does not hold; names what it holds."""


@dataclass(frozen=True, slots=True)
class _Day:
    """Prices of all instruments as (minutes by n) matrices; `is_there` is False for a minute not recorded."""

    is_there: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    recorded_volume: Ints


class ReplaySource:
    """A day of a folder of recorded minutes as a market (see `MarketSource`)."""

    def __init__(
        self,
        folder: Path,
        trading_date: date,
        *,
        seed: int | str = 1,
        symbols: tuple[str, ...] | None = None,
        frames_a_minute: int = 20,
    ) -> None:
        """Raises NoSuchDay, BrokenMarketData, or ValueError for frames that fall between seconds."""
        if frames_a_minute < 4 or 60 % frames_a_minute:
            raise ValueError(
                f"frames_a_minute is {frames_a_minute}; choose 4, 5, 6, 10, 12, 15, 20, 30 or 60"
            )
        self._days = find_days(folder)
        self._seed = seed
        self._pace = frames_a_minute
        self.trading_date = trading_date
        wanted = symbols or self._days.symbols
        self._symbols = tuple(symbol for symbol in wanted if (symbol, trading_date) in self._days.files)
        if not self._symbols:
            raise NoSuchDay(_no_such_day(self._days, trading_date, wanted))
        self.instruments = tuple(self._spec(symbol) for symbol in self._symbols)

    def describe(self) -> str:
        """One line: what is recorded and what was made up."""
        futures = [spec.tradingsymbol for spec in self.instruments if spec.is_derivative]
        made = (
            f"{', '.join(futures)}: index minutes plus a constant basis as front-month futures; "
            if futures
            else ""
        )
        return (
            f"replay of {self.trading_date} from {self._days.folder.name} ({', '.join(self._symbols)}): "
            f"recorded minutes walked in {self._pace} steps; {made}"
            f"volume where none was recorded, depth and basis are seeded ({self._seed})"
        )

    def basis_paise(self, symbol: str, day: date) -> int:
        """What a symbol's future adds to its index on a day: carry to expiry and a drawn bit, on the tick; a
        share 0.
        """
        if symbol not in contracts.INDICES:
            return 0
        bars = self._days.bars(symbol, day)
        days_left = (contracts.monthly_expiry(day) - day).days
        carry = int(bars.open[0]) * CARRY_PCT_A_YEAR * days_left // 36_500
        drawn = int(stream(self._seed, f"basis/{symbol}/{day}").integers(-100, 101)) * 5
        return (carry + drawn) // 10 * 10

    def warm_up(self, days: int) -> Mapping[int, Bars]:
        """One-minute bars of up to `days` recorded days before, by token, with that day's own basis and
        volume.
        """
        before = [day for day in self._days.dates if day < self.trading_date][-days:] if days > 0 else []
        bars: dict[int, list[Ints]] = {spec.instrument_token: [] for spec in self.instruments}
        for day in before:
            volume = self._volume(day).reshape(MINUTES, self._pace, -1).sum(axis=1)
            for column, (symbol, spec) in enumerate(zip(self._symbols, self.instruments, strict=True)):
                rows = self._days.bars(symbol, day).to_rows()
                if not len(rows):
                    continue
                rows[:, 1:5] = _on_grid(rows[:, 1:5], spec.tick_size_paise) + self.basis_paise(symbol, day)
                minutes = (rows[:, 0] - _opening_s(day)) // 60
                rows[:, 5] = np.where(rows[:, 5] > 0, rows[:, 5], volume[minutes, column])
                bars[spec.instrument_token].append(rows)
        return {
            token: Bars.from_rows(np.concatenate(parts)) if parts else Bars.empty()
            for token, parts in bars.items()
        }

    def frames(self, first_extreme: FirstExtreme, after: datetime | None = None) -> Iterator[TickFrame]:
        """Frames at an even pace through 09:15–15:30; a minute nobody recorded is silence.

        `first_extreme` is asked once a minute and instrument; without a wish a rising bar goes to its low
        first.
        """
        day = self._matrices()
        low_first, high_first = self._paths(day)
        volume = self._day_volume(day)
        count = len(self.instruments)
        tick, lot = self._column("tick_size_paise"), self._column("lot_size")
        price = np.where(day.is_there, day.close, 0).max(axis=0)
        depth = draw_depth(
            price, tick, lot, MINUTES * self._pace, stream(self._seed, f"depth/{self.trading_date}")
        )
        tokens = self._column("instrument_token")
        traded, value = np.zeros(count, np.int64), np.zeros(count, np.int64)
        rising = day.close >= day.open
        for minute in range(MINUTES):
            there = np.flatnonzero(day.is_there[minute])
            if not len(there):
                continue
            wishes = [first_extreme(token) for token in tokens.tolist()]
            low = [rising[minute, i] if wish is None else wish == "LOW" for i, wish in enumerate(wishes)]
            last = np.where(low, low_first[minute].T, high_first[minute].T)
            rows = slice(minute * self._pace, (minute + 1) * self._pace)
            cumulative = traded + np.cumsum(volume[rows], axis=0)
            worth = value + np.cumsum(volume[rows] * last, axis=0)
            traded, value = cumulative[-1], worth[-1]
            average = worth // np.maximum(cumulative, 1)
            yield from self._minute(minute, there, tokens, last, cumulative, average, depth, after)

    def _minute(
        self,
        minute: int,
        there: Ints,
        tokens: Ints,
        last: Ints,
        cumulative: Ints,
        average: Ints,
        depth: DepthShape,
        after: datetime | None,
    ) -> Iterator[TickFrame]:
        opening = datetime.fromtimestamp(_opening_s(self.trading_date) + minute * 60, IST)
        for step in range(self._pace):
            at = opening + timedelta(seconds=step * 60 // self._pace)
            if after is not None and at <= after:
                continue
            row = minute * self._pace + step
            price = last[step, there]
            yield TickFrame(
                received_at=at,
                tokens=tokens[there],
                last_price_paise=price,
                volume=cumulative[step, there],
                average_price_paise=average[step, there],
                open_interest=np.zeros(len(there), np.int64),
                exchange_time_s=np.full(len(there), int(at.timestamp()), np.int64),
                bid_price_paise=price[:, None] - depth.below_paise[row, there],
                bid_quantity=depth.bid_quantity[row, there].astype(np.int64),
                ask_price_paise=price[:, None] + depth.above_paise[row, there],
                ask_quantity=depth.ask_quantity[row, there].astype(np.int64),
            )

    def _spec(self, symbol: str) -> InstrumentSpec:
        day = self.trading_date
        earlier = [other for other in self._days.dates if other < day and (symbol, other) in self._days.files]
        bars = self._days.bars(symbol, earlier[-1] if earlier else day)
        close = int(bars.close[-1] if earlier else bars.open[0]) + self.basis_paise(symbol, day)
        if symbol not in contracts.INDICES:
            place = 2001 + self._days.symbols.index(symbol)
            tick = contracts.share_tick_paise(close, day)
            return InstrumentSpec(
                exchange=Exchange.NSE,
                tradingsymbol=symbol,
                instrument_token=place << 8 | NSE_SEGMENT,
                name=symbol,
                instrument_type="EQ",
                segment="NSE",
                lot_size=1,
                tick_size_paise=tick,
                previous_close_paise=close // tick * tick,
            )
        expiry = contracts.monthly_expiry(day)
        tick = contracts.index_future_tick_paise(close, day)
        return InstrumentSpec(
            exchange=Exchange.NFO,
            tradingsymbol=contracts.future_symbol(symbol, expiry),
            instrument_token=FUTURE_TOKENS[symbol] << 8 | NFO_SEGMENT,
            name=symbol,
            instrument_type="FUT",
            segment="NFO-FUT",
            lot_size=contracts.lot_size(symbol, day),
            tick_size_paise=tick,
            expiry=expiry,
            freeze_quantity=contracts.freeze_quantity(symbol, day),
            previous_close_paise=close // tick * tick,
        )

    def _column(self, name: str) -> Ints:
        return np.array([getattr(spec, name) for spec in self.instruments], np.int64)

    def _matrices(self) -> _Day:
        shape = (MINUTES, len(self.instruments))
        there = np.zeros(shape, np.bool_)
        columns = np.zeros((5, *shape), np.int64)
        for column, (symbol, spec) in enumerate(zip(self._symbols, self.instruments, strict=True)):
            bars = self._days.bars(symbol, self.trading_date)
            minutes = (bars.opened_at_s - _opening_s(self.trading_date)) // 60
            there[minutes, column] = True
            basis = self.basis_paise(symbol, self.trading_date)
            for field, prices in enumerate((bars.open, bars.high, bars.low, bars.close)):
                columns[field, minutes, column] = _on_grid(prices, spec.tick_size_paise) + basis
            columns[4, minutes, column] = bars.volume
        return _Day(there, *columns)

    def _paths(self, day: _Day) -> tuple[Ints, Ints]:
        """(minutes x n x steps) of each bar with its low first, and with its high first; on the tick grid."""
        numbers = stream(self._seed, f"path/{self.trading_date}")
        shape = (*day.open.shape, 1)
        steps = np.arange(self._pace)
        first = numbers.integers(1, self._pace // 2, shape)
        second = numbers.integers(self._pace // 2, self._pace - 1, shape)
        noise = numbers.normal(0, 0.04, (*day.open.shape, self._pace)) * (day.high - day.low)[..., None]
        tick = self._column("tick_size_paise")[:, None]
        ends = (day.open[..., None], day.close[..., None])
        low, high = day.low[..., None], day.high[..., None]
        return (
            _walk(steps, (first, second), (ends[0], low, high, ends[1]), noise, tick),
            _walk(steps, (first, second), (ends[0], high, low, ends[1]), noise, tick),
        )

    def _volume(self, day: date) -> Ints:
        units = np.array([MINUTE_UNITS.get(symbol, SHARE_MINUTE_UNITS) for symbol in self._symbols], np.int64)
        lots = self._column("lot_size")
        return draw_volume(units, lots, MINUTES, self._pace, stream(self._seed, f"volume/{day}"))

    def _day_volume(self, day: _Day) -> Ints:
        drawn = self._volume(self.trading_date)
        even = np.repeat(day.recorded_volume // self._pace, self._pace, axis=0)
        even[self._pace - 1 :: self._pace] += day.recorded_volume % self._pace
        recorded = np.repeat(day.recorded_volume > 0, self._pace, axis=0)
        return np.where(recorded, even, drawn) * np.repeat(day.is_there, self._pace, axis=0)


def _walk(
    steps: Ints, turns: tuple[Ints, Ints], prices: tuple[Ints, Ints, Ints, Ints], noise: Ints, tick: Ints
) -> Ints:
    """Straight between four prices with noise that never leaves the stretch it belongs to."""
    places = (np.zeros_like(turns[0]), *turns, np.full_like(turns[0], steps[-1]))
    path = np.broadcast_to(prices[0], np.broadcast_shapes(prices[0].shape, steps.shape)).copy()
    for place, until, price, goal in zip(places, places[1:], prices, prices[1:], strict=False):
        share = np.clip((steps - place) / np.maximum(until - place, 1), 0, 1)
        inner = np.clip(
            price + (goal - price) * share + noise, np.minimum(price, goal), np.maximum(price, goal)
        )
        on_grid = np.rint(inner / tick).astype(np.int64) * tick
        path = np.where((steps > place) & (steps < until), on_grid, path)
        path = np.where(steps == until, goal, path)
    return path


def _on_grid(prices: Ints, tick_paise: int) -> Ints:
    return (prices + tick_paise // 2) // tick_paise * tick_paise


def _opening_s(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 9, 15, tzinfo=IST).timestamp())


def _no_such_day(days: RecordedDays, day: date, symbols: tuple[str, ...]) -> str:
    dates = days.dates
    held = (
        f"{dates[0]} to {dates[-1]}, {len(dates)} days of {', '.join(days.symbols)}"
        if dates
        else "no day at all"
    )
    return f"{days.folder} has no minutes of {', '.join(symbols) or 'anything'} on {day}; it holds {held}"
