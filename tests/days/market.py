"""A market that a test writes while the day runs: prices by instruction, depth and silence at will."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import numpy as np

from trading.core.candles import Bars
from trading.core.enums import Exchange
from trading.core.money import to_paise
from trading.core.session import IST, at
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange.sources import FirstExtreme

DAY = date(2025, 11, 3)
PACE = timedelta(seconds=3)
CLOSES = time(15, 40)
#: units at each of the five levels
DEEP = (750,) * 5

NIFTY = InstrumentSpec(
    exchange=Exchange.NFO,
    tradingsymbol="NIFTY25NOVFUT",
    instrument_token=1001 << 8 | 2,
    name="NIFTY",
    instrument_type="FUT",
    segment="NFO-FUT",
    lot_size=75,
    tick_size_paise=10,
    expiry=date(2025, 11, 25),
    freeze_quantity=1800,
    previous_close_paise=25_000_00,
)
STEEL = InstrumentSpec(
    exchange=Exchange.NSE,
    tradingsymbol="STEEL",
    instrument_token=2001 << 8 | 1,
    name="STEEL",
    instrument_type="EQ",
    segment="NSE",
    lot_size=1,
    tick_size_paise=5,
    has_derivatives=True,
    previous_close_paise=1_000_00,
)


@dataclass(slots=True)
class Line:
    """One instrument's market as it is now, and the prices of the frames to come."""

    price_paise: int
    depth: tuple[int, ...] = DEEP
    is_silent: bool = False
    volume: int = 1_000_000
    path: deque[int] = field(default_factory=deque)


class ScriptedMarket:
    """A `MarketSource`. The last price is in the middle of a quote two ticks wide."""

    def __init__(self, *specs: InstrumentSpec, trading_date: date = DAY, opens: time = time(9, 45)) -> None:
        self.instruments = specs or (NIFTY,)
        self.trading_date = trading_date
        self.first_frame_at = at(trading_date, opens)
        self.lines = {spec.tradingsymbol: Line(spec.previous_close_paise) for spec in self.instruments}

    def line(self, spec: InstrumentSpec | None = None) -> Line:
        return self.lines[(spec or self.instruments[0]).tradingsymbol]

    def goes_to(self, price: str, *, frames: int = 1, spec: InstrumentSpec | None = None) -> None:
        """From the next frame on, straight to a price in rupees."""
        spec = spec or self.instruments[0]
        line, goal, tick = self.line(spec), to_paise(price), spec.tick_size_paise
        steps = [line.price_paise + (goal - line.price_paise) * (i + 1) // frames for i in range(frames)]
        line.path = deque([*(step // tick * tick for step in steps[:-1]), goal])

    def falls_silent(self, spec: InstrumentSpec | None = None) -> None:
        self.line(spec).is_silent = True

    def speaks_again(self, spec: InstrumentSpec | None = None) -> None:
        self.line(spec).is_silent = False

    def offers(self, *units: int, spec: InstrumentSpec | None = None) -> None:
        """From the next frame on, so many units at each level of both sides, best first."""
        self.line(spec).depth = (*units, *[0] * (5 - len(units)))

    def frame_at(self, moment: datetime) -> TickFrame | None:
        """The next frame; None where every instrument is silent."""
        spoken = [spec for spec in self.instruments if not self.lines[spec.tradingsymbol].is_silent]
        if not spoken:
            return None
        lines = [self.lines[spec.tradingsymbol] for spec in spoken]
        for line in lines:
            line.volume += 750
            line.price_paise = line.path.popleft() if line.path else line.price_paise
        price = np.array([line.price_paise for line in lines], np.int64)
        tick = np.array([spec.tick_size_paise for spec in spoken], np.int64)
        away = tick[:, None] * np.arange(1, 6)
        depth = np.array([line.depth for line in lines], np.int64)
        return TickFrame(
            received_at=moment,
            tokens=np.array([spec.instrument_token for spec in spoken], np.int64),
            last_price_paise=price,
            volume=np.array([line.volume for line in lines], np.int64),
            average_price_paise=price,
            open_interest=np.zeros(len(lines), np.int64),
            exchange_time_s=np.full(len(lines), int(moment.timestamp()), np.int64),
            bid_price_paise=price[:, None] - away,
            bid_quantity=depth,
            ask_price_paise=price[:, None] + away,
            ask_quantity=depth,
        )

    def frames(self, first_extreme: FirstExtreme, after: datetime | None = None) -> Iterator[TickFrame]:
        moment = self.first_frame_at
        while moment < at(self.trading_date, CLOSES):
            frame = self.frame_at(moment)
            if frame is not None and (after is None or moment > after):
                yield frame
            moment += PACE

    def warm_up(self, days: int) -> Mapping[int, Bars]:
        """A quiet stretch of the day before, enough for ATR on 5 minutes: ten rupees from low to high a minute."""
        start = int(datetime.combine(self.trading_date - timedelta(days=1), time(13), IST).timestamp())
        count = 75
        return {
            spec.instrument_token: Bars(
                opened_at_s=start + 60 * np.arange(count),
                open=np.full(count, spec.previous_close_paise),
                high=np.full(count, spec.previous_close_paise + 5_00),
                low=np.full(count, spec.previous_close_paise - 5_00),
                close=np.full(count, spec.previous_close_paise),
                volume=np.full(count, 15_000),
            )
            for spec in self.instruments
        }

    def describe(self) -> str:
        return "written by a test"
