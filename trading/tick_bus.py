"""Live ticks on their way to the browsers: conflated snapshots on a Redis channel, and the newest one as a key.

A convenience, not the truth: with Redis away nothing but the live display stops.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

import numpy as np
import redis

from trading.core.market_state import MarketState

log = logging.getLogger(__name__)

CHANNEL = "ticks"
NEWEST_KEY = "ticks:newest"
#: a snapshot that nobody renewed says nothing any more
KEPT_S = 3600
EVERY_S = 0.1
#: A browser cannot show thousands of lines, and building them would take the loop's thread its time.
SYMBOLS_MAX = 250
#: a Redis that hangs costs the sender this long, and the loop nothing
TIMEOUT_S = 0.5
#: how long the sender lets a Redis in trouble alone
REST_S = 1.0

#: last, bid, ask in paise and the age of the last tick in ms of market time (-1: none yet)
Row = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class TickSnapshot:
    """The newest prices. `at` is market time; `rows` maps "NFO:NIFTY26NOVFUT" to its row.

    `sent_at` is the machine time of the publishing process: a market that runs at another speed, or has stopped,
    does not tell how long ago it spoke.
    `lost` counts by kind what came and was not used, or not recorded, since the publishing process began its day.
    """

    at: datetime
    rows: dict[str, Row]
    lost: dict[str, int] = field(default_factory=dict)
    sent_at: datetime | None = None

    def price_paise(self, exchange: str, tradingsymbol: str) -> int | None:
        """The last price, None where there is none."""
        row = self.rows.get(f"{exchange}:{tradingsymbol}")
        return row[0] if row and row[0] else None


def encode(snapshot: TickSnapshot) -> bytes:
    """One message of the channel.

    {"t": market time, "m": machine time, "q": {symbol: [last, bid, ask, age_ms]}, "lost": {kind: count}}
    """
    message: dict[str, object] = {"t": snapshot.at.isoformat(), "q": snapshot.rows, "lost": snapshot.lost}
    if snapshot.sent_at is not None:
        message["m"] = snapshot.sent_at.isoformat()
    return json.dumps(message, separators=(",", ":")).encode()


def decode(message: bytes) -> TickSnapshot:
    """Raises ValueError for a message that is none of ours."""
    try:
        data = json.loads(message)
        rows = {str(name): _row(row) for name, row in data["q"].items()}
        at = datetime.fromisoformat(data["t"])
        sent_at = datetime.fromisoformat(data["m"]) if data.get("m") else None
        lost = {str(kind): int(count) for kind, count in data.get("lost", {}).items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no snapshot of ticks: {error!r}") from error
    return TickSnapshot(at=at, rows=rows, lost=lost, sent_at=sent_at)


def _row(row: Sequence[int]) -> Row:
    last, bid, ask, age_ms = row
    return int(last), int(bid), int(ask), int(age_ms)


def read_newest(redis_url: str) -> TickSnapshot | None:
    """The snapshot published last; None when there is none, or Redis does not answer."""
    try:
        message = _reader(redis_url).get(NEWEST_KEY)
    except redis.RedisError:
        return None
    try:
        return decode(message) if isinstance(message, bytes) else None
    except ValueError:
        return None


@lru_cache(maxsize=4)
def _reader(redis_url: str) -> redis.Redis:
    """Kept with its connections: to open one takes ten times as long as to ask."""
    return redis.Redis.from_url(redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)


class TickPublisher:
    """Publishes one market's snapshots from a thread of its own, so that the loop never waits for Redis.

    `slots` are the instruments shown; without them the first SYMBOLS_MAX of the market. `lost` says what the feed
    lost before the market saw it, see `TickSnapshot`.
    """

    def __init__(
        self,
        redis_url: str,
        market: MarketState,
        slots: Sequence[int] | None = None,
        lost: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        chosen = list(slots if slots is not None else range(len(market.specs)))[:SYMBOLS_MAX]
        self._market = market
        self._lost = lost
        self._slots = np.array(chosen, np.int64)
        self._names = [f"{market.specs[s].exchange}:{market.specs[s].tradingsymbol}" for s in chosen]
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._waiting: TickSnapshot | None = None
        self._due_s = float("-inf")
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send_until_stopped, name="tick-bus", daemon=True)
        self._thread.start()

    def offer(self, market_now: datetime, monotonic_s: float, machine_now: datetime | None = None) -> bool:
        """Call after each frame. Takes at most ten snapshots a second; a slow Redis sees only the newest."""
        late_s = monotonic_s - self._due_s
        if late_s < 0:
            return False
        # Counted from when it was due: else frames that come at a pace of their own make it seven a second.
        self._due_s = monotonic_s + EVERY_S - (late_s if late_s < EVERY_S else 0.0)
        self._waiting = self._snapshot(market_now, machine_now)
        self._wake.set()
        return True

    def stop(self) -> None:
        """End the thread; what waits is not sent."""
        self._stopped.set()
        self._wake.set()
        self._thread.join(timeout=2 * TIMEOUT_S)
        self._redis.close()

    def _snapshot(self, now: datetime, machine_now: datetime | None) -> TickSnapshot:
        market, slots = self._market, self._slots
        seen_s = market.last_exchange_time_s[slots]
        ages_ms = np.where(seen_s > 0, np.maximum(int(now.timestamp() * 1000) - 1000 * seen_s, 0), -1)
        columns = (
            market.last_price_paise[slots].tolist(),
            market.bid_paise[slots].tolist(),
            market.ask_paise[slots].tolist(),
            ages_ms.tolist(),
        )
        rows = dict(zip(self._names, zip(*columns, strict=True), strict=True))
        lost = {**self._lost(), **market.dropped}
        return TickSnapshot(at=now, rows=rows, lost=lost, sent_at=machine_now)

    def _send_until_stopped(self) -> None:
        is_well = True
        while not self._stopped.is_set():
            self._wake.wait()
            self._wake.clear()
            snapshot, self._waiting = self._waiting, None
            if snapshot is None or self._stopped.is_set():
                continue
            message = encode(snapshot)
            try:
                with self._redis.pipeline(transaction=False) as pipe:
                    pipe.set(NEWEST_KEY, message, ex=KEPT_S)
                    pipe.publish(CHANNEL, message)
                    pipe.execute()
                is_well = True
            except redis.RedisError as error:
                if is_well:
                    log.warning("live ticks do not reach Redis: %s", error)
                is_well = False
                self._stopped.wait(REST_S)
