"""The minutes of what is traded, kept as rows for the charts of its trades. A convenience: nobody decides by them.

The strategy loop has all minutes of its day in memory. Those of instruments that were traded are written by a thread
of its own, so that the loop never waits for it; a loop that takes over has warmed up with the whole day and writes it
whole, so what was missed in between is there again.
"""

import logging
import threading
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
from django.db import Error, close_old_connections, connection
from django.db.models import Q

from trading.core.candles import IST, Bars
from trading.core.market_state import MarketState
from trading.models import DayMinutes, Trade, VenueSession

log = logging.getLogger(__name__)

#: how long after its end a trade's chart goes on
AFTER: Final = timedelta(minutes=30)
#: machine time between two writes
EVERY_S: Final = 5.0
#: how long the end of a loop waits for the last of them
LAST_WITHIN_S: Final = 2.0
COLUMNS: Final = 6
PACKED: Final = np.dtype("<i8")


def bars_of(session: VenueSession, trading_date: date, exchange: str, tradingsymbol: str) -> Bars:
    """What was kept of an instrument's day; empty when nothing was."""
    row = DayMinutes.objects.filter(
        session=session, trading_date=trading_date, exchange=exchange, tradingsymbol=tradingsymbol
    ).first()
    if row is None:
        return Bars.empty()
    return Bars.from_rows(np.frombuffer(row.packed, PACKED).astype(np.int64).reshape(-1, COLUMNS))


def keep(session: VenueSession, trading_date: date, market: MarketState, now: datetime) -> int:
    """Write the day's minutes of what is held or was closed a short while ago; returns of how many instruments."""
    traded = Trade.objects.filter(
        Q(closed_at=None) | Q(closed_at__gt=now - AFTER), session=session, trading_date=trading_date
    )
    names = set(traded.order_by().values_list("exchange", "tradingsymbol"))
    rows = list(_rows(session, trading_date, market, names))
    DayMinutes.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["session", "trading_date", "exchange", "tradingsymbol"],
        update_fields=["packed", "until"],
    )
    return len(rows)


def _rows(
    session: VenueSession, trading_date: date, market: MarketState, names: Iterable[tuple[str, str]]
) -> Iterable[DayMinutes]:
    slots = {(spec.exchange.value, spec.tradingsymbol): slot for slot, spec in enumerate(market.specs)}
    for name in names:
        if name not in slots:
            continue
        bars = market.history(slots[name]).today(1)
        if len(bars):
            yield DayMinutes(
                session=session,
                trading_date=trading_date,
                exchange=name[0],
                tradingsymbol=name[1],
                packed=bars.to_rows().astype(PACKED).tobytes(),
                until=datetime.fromtimestamp(int(bars.opened_at_s[-1]) + 60, IST),
            )


class MinuteKeeper:
    """Calls `keep` from a thread of its own after minutes closed, every few seconds at most."""

    def __init__(self, session: VenueSession, trading_date: date, market: MarketState) -> None:
        self._session, self._trading_date, self._market = session, trading_date, market
        self._now: datetime | None = None
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self, now: datetime) -> None:
        """Minutes have closed at market time `now`."""
        self._now = now
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="minute-keeper", daemon=True)
            self._thread.start()
        self._wake.set()

    def stop(self) -> None:
        """Write once more what there is and end the thread."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=LAST_WITHIN_S)

    def _run(self) -> None:
        is_well = True
        while True:
            self._wake.wait()
            self._wake.clear()
            is_well = self._keep(is_well)
            if self._stopped.wait(EVERY_S):
                break
        if self._wake.is_set():
            self._keep(is_well)
        connection.close()

    def _keep(self, was_well: bool) -> bool:
        if self._now is None:
            return was_well
        try:
            close_old_connections()
            keep(self._session, self._trading_date, self._market, self._now)
        except Error as error:
            if was_well:
                log.warning("minutes for the charts are not kept: %s", error)
            connection.close()
            return False
        return True
