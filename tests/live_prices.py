"""Prices as the strategy process leaves them for the web process."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import redis
from django.conf import settings

from tests.console_rows import MORNING
from trading import tick_bus
from trading.tick_bus import Row, TickSnapshot

NIFTY = "NFO:NIFTY26NOVFUT"


def snapshot(
    last_paise: int = 2_452_005,
    *,
    at: datetime = MORNING,
    name: str = NIFTY,
    lost: dict[str, int] | None = None,
) -> TickSnapshot:
    row: Row = (last_paise, last_paise - 10, last_paise + 10, 400)
    return TickSnapshot(at=at, rows={name: row}, lost=lost or {})


@contextmanager
def newest(ticks: TickSnapshot) -> Iterator[redis.Redis]:
    """`ticks` are the newest known while the block runs."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.set(tick_bus.NEWEST_KEY, tick_bus.encode(ticks))
        try:
            yield client
        finally:
            client.delete(tick_bus.NEWEST_KEY)
