"""The market of `bench console`, in a process of its own: what the strategy's process does for the console, no more.

python -m tests.benchmarks.console_feed INSTRUMENTS BEGAN_S

Twenty frames a second go through a market's state and are offered to the publisher until the process is ended. A
frame's prices are its number, by which a listener knows when it was due: BEGAN_S, seconds since 1970, and
`PACE_S` for each frame.
"""

import sys
from datetime import UTC, date, datetime, timedelta
from threading import Event
from time import monotonic, time

import numpy as np
from django.conf import settings

from tests.trading.market_builders import market_of, moment, share
from trading.core.ticks import TickFrame
from trading.tick_bus import TickPublisher

DAY = date(2026, 11, 23)
PACE_S = 0.05
FIRST_PAISE = 100_000
OPENS = moment("10:30", DAY)
_pause = Event()


def main(instruments: int, began_s: float) -> None:
    specs = [share(number + 1) for number in range(instruments)]
    market = market_of(*specs, day=DAY)
    publisher = TickPublisher(settings.REDIS_URL, market)
    tokens = np.array([one.instrument_token for one in specs], np.int64)
    number = 0
    while True:
        number = max(number + 1, int((time() - began_s) / PACE_S))
        _pause.wait(max(began_s + number * PACE_S - time(), 0))
        frame = frame_of(tokens, number)
        market.apply(frame)
        publisher.offer(frame.received_at, monotonic(), datetime.now(UTC))


def frame_of(tokens: np.ndarray, number: int) -> TickFrame:
    """One tick of each instrument at the market time at which it is due."""
    at = OPENS + timedelta(seconds=number * PACE_S)
    prices = np.full(len(tokens), FIRST_PAISE + number, np.int64)
    depth = np.zeros((len(tokens), 5), np.int64)
    return TickFrame(
        received_at=at, tokens=tokens, last_price_paise=prices, volume=np.full(len(tokens), number, np.int64),
        average_price_paise=prices, open_interest=np.zeros(len(tokens), np.int64),
        exchange_time_s=np.full(len(tokens), int(at.timestamp()), np.int64),
        bid_price_paise=depth + prices[:, None] - 5, bid_quantity=depth + 10,
        ask_price_paise=depth + prices[:, None] + 5, ask_quantity=depth + 10,
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
