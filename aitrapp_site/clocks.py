"""The computer's clock, read at the edge alone, and the market's clock, told by the venue's frames."""

import time
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from trading.core.session import IST
from trading.core.ticks import TickFrame

#: above the market's own speed the exchange passes a frame at the latest this long after the last, machine time
LONGEST_STEP_S: Final = 0.25
#: a frame that waited longer than this in our own queue says nothing of when it came
LONGEST_WAIT: Final = timedelta(seconds=5)


class MachineClocks:
    """Market time is the computer's own: at PRODUCTION and SANDBOX, and for edges that only write down when."""

    market_time_jumps = False

    def market_now(self) -> datetime:
        return datetime.now(IST)

    def machine_now(self) -> datetime:
        return datetime.now(IST)

    def monotonic_s(self) -> float:
        return time.monotonic()

    def stamp(self, frame: TickFrame) -> TickFrame:
        """A frame keeps the moment at which it came."""
        return frame


class VenueClocks(MachineClocks):
    """Market time is the paper exchange's: that of its newest word, and from there on at its speed.

    It runs ahead of the newest frame by at most one step between frames, and never back. Any thread may ask.
    """

    def __init__(self, market_at: datetime, speed: float) -> None:
        """`speed` is market seconds per machine second."""
        self._speed = speed
        self.market_time_jumps = speed <= 1
        self._lock = Lock()
        self._base = market_at.astimezone(IST)
        self._base_s = time.monotonic()
        self._step = timedelta(seconds=1)
        self._newest = self._base

    def market_now(self) -> datetime:
        with self._lock:
            elapsed_s = time.monotonic() - self._base_s
            if self._speed > 1:
                elapsed_s = min(elapsed_s, LONGEST_STEP_S)
            ahead = min(timedelta(seconds=elapsed_s * self._speed), self._step)
            self._newest = max(self._newest, self._base + ahead)
            return self._newest

    def hear(self, market_at: datetime) -> None:
        """Take what the venue says of its market time; a moment already passed changes nothing."""
        with self._lock:
            self._take(market_at.astimezone(IST))

    def stamp(self, frame: TickFrame) -> TickFrame:
        """The frame at its exchange time, to which the clock moves on.

        At the real pace the venue's time went on while the frame waited for us, so that wait is added.
        """
        newest_s = int(frame.exchange_time_s.max()) if len(frame) else 0
        if not newest_s:
            return replace(frame, received_at=self.market_now())
        moment, waited = datetime.fromtimestamp(newest_s, IST), self._wait_of(frame)
        with self._lock:
            if moment > self._base:
                self._step = moment - self._base
            self._take(moment, waited)
            return replace(frame, received_at=max(moment, self._newest))

    def _wait_of(self, frame: TickFrame) -> timedelta:
        waited = self.market_now() - frame.received_at
        is_known = self.market_time_jumps and timedelta(0) < waited < LONGEST_WAIT
        return waited if is_known else timedelta(0)

    def _take(self, moment: datetime, waited: timedelta = timedelta(0)) -> None:
        if moment >= self._base:
            self._base, self._base_s = moment, time.monotonic() - waited.total_seconds() / self._speed
            self._newest = max(self._newest, moment)
