"""The seed's market: a few instruments, thirty minutes, frames each second to three, spikes and gaps."""

import pickle
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from random import Random

import numpy as np

from tests.days.market import NIFTY, STEEL
from trading.core.candles import Bars
from trading.core.enums import Exchange
from trading.core.market_state import MarketState
from trading.core.session import IST, ordinary_session
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange.sources import stream

DAY = date(2025, 11, 3)
OPENS = datetime.combine(DAY, time(10), IST)
#: the faults' time, then the healed world's
MINUTES = 24
HEALED_MINUTES = 6
BANK = InstrumentSpec(
    exchange=Exchange.NFO,
    tradingsymbol="BANKNIFTY25NOVFUT",
    instrument_token=1002 << 8 | 2,
    name="BANKNIFTY",
    instrument_type="FUT",
    segment="NFO-FUT",
    lot_size=35,
    tick_size_paise=20,
    expiry=date(2025, 11, 25),
    freeze_quantity=600,
    previous_close_paise=56_000_00,
)
SPECS = (NIFTY, BANK, STEEL)
#: standard deviation of a second's move, in parts of the price
WIGGLE = 0.00022
LEVELS = 5


@dataclass(frozen=True, slots=True)
class Path:
    """All frames of a seed's market, in time order."""

    specs: tuple[InstrumentSpec, ...]
    frames: tuple[TickFrame, ...]
    spikes: int


def draw(seed: int, spikes: int) -> Path:
    """Prices wander, jump `spikes` times by up to 1.5 % (half of the jumps come back), and the book thins at times."""
    plan = Random(f"{seed}/market")
    specs = SPECS[: plan.choice((2, 2, 3))]
    moments = _moments(plan)
    prices = _prices(seed, plan, specs, moments, spikes)
    numbers = stream(seed, "depth")
    count = len(moments)
    lots = np.array([spec.lot_size * (4 if spec.is_derivative else 800) for spec in specs])
    size = numbers.exponential(1.0, (2, count, len(specs), LEVELS)) + 0.25
    depth = np.maximum(np.rint(size * lots[:, None] / _lot(specs)), 1).astype(np.int64) * _lot(specs)
    traded = np.cumsum(numbers.integers(1, 10, (count, len(specs))) * _lot(specs)[:, 0], axis=0)
    tick = np.array([spec.tick_size_paise for spec in specs])
    away = tick[:, None] * np.arange(1, LEVELS + 1)
    tokens = np.array([spec.instrument_token for spec in specs], np.int64)
    frames = tuple(
        TickFrame(
            received_at=moment,
            tokens=tokens,
            last_price_paise=prices[row],
            volume=traded[row] + 1_000_000,
            average_price_paise=prices[row],
            open_interest=np.zeros(len(specs), np.int64),
            exchange_time_s=np.full(len(specs), int(moment.timestamp()), np.int64),
            bid_price_paise=prices[row][:, None] - away,
            bid_quantity=depth[0, row],
            ask_price_paise=prices[row][:, None] + away,
            ask_quantity=depth[1, row],
        )
        for row, moment in enumerate(moments)
    )
    return Path(specs, frames, spikes)


def warm_market(specs: tuple[InstrumentSpec, ...]) -> MarketState:
    """A market state of one's own, at the day's opening."""
    market: MarketState = pickle.loads(_warm_market(specs))
    return market


@lru_cache(maxsize=4)
def _warm_market(specs: tuple[InstrumentSpec, ...]) -> bytes:
    """Kept as bytes: each process that begins takes a copy, which is cheaper than two hours of candles."""
    market = MarketState(specs, [ordinary_session(DAY, spec) for spec in specs])
    market.warm_up(_warm_up(specs))
    return pickle.dumps(market)


def _warm_up(specs: tuple[InstrumentSpec, ...]) -> dict[int, Bars]:
    """Two quiet hours of the day before."""
    start = int((OPENS - timedelta(days=1) + timedelta(hours=3)).timestamp())
    return {
        spec.instrument_token: Bars(
            opened_at_s=start + 60 * np.arange(120),
            open=np.full(120, spec.previous_close_paise),
            high=np.full(120, round(spec.previous_close_paise * 1.001)),
            low=np.full(120, round(spec.previous_close_paise * 0.999)),
            close=np.full(120, spec.previous_close_paise),
            volume=np.full(120, 15_000),
        )
        for spec in specs
    }


def _lot(specs: tuple[InstrumentSpec, ...]) -> np.ndarray:
    return np.array([[spec.lot_size] for spec in specs])


def _moments(plan: Random) -> list[datetime]:
    moments, now = [], OPENS
    until = OPENS + timedelta(minutes=MINUTES + HEALED_MINUTES)
    while now < until:
        moments.append(now)
        now += timedelta(seconds=plan.choice((1.0, 2.0, 2.0, 3.0)), milliseconds=plan.randrange(400))
    return moments


def _prices(
    seed: int, plan: Random, specs: tuple[InstrumentSpec, ...], moments: list[datetime], spikes: int
) -> np.ndarray:
    numbers = stream(seed, "price")
    gaps = np.array([2.0] + [(b - a).total_seconds() for a, b in pairwise(moments)])
    moves = numbers.normal(0, WIGGLE, (len(moments), len(specs))) * np.sqrt(gaps)[:, None]
    last_faulty = int(len(moments) * MINUTES / (MINUTES + HEALED_MINUTES))
    for _ in range(spikes):
        row, column = plan.randrange(20, last_faulty - 20), plan.randrange(len(specs))
        jump = plan.choice((-1, 1)) * plan.uniform(0.003, 0.015)
        moves[row, column] += jump
        if plan.random() < 0.5:
            moves[row + plan.randint(1, 10), column] -= jump
    start = np.array([spec.previous_close_paise for spec in specs])
    # Pulled back softly, so that no path leaves the circuits in half an hour.
    path = np.tanh(np.cumsum(moves, axis=0) / 0.06) * 0.06
    tick = np.array([spec.tick_size_paise for spec in specs])
    prices: np.ndarray = np.rint(start * (1 + path) / tick).astype(np.int64) * tick
    return prices
