"""The two clocks every shell is handed. Nothing below the edge asks the computer what time it is."""

from datetime import datetime, timedelta
from typing import Protocol


class Clocks(Protocol):
    """Market time drives candles, sessions, stops and rate windows; machine time drives deadlines and leases."""

    #: market time runs at the real pace but is told by words that may come late, so a second of it may be short
    market_time_jumps: bool

    def market_now(self) -> datetime:
        """Aware, IST."""
        ...

    def machine_now(self) -> datetime:
        """Aware. What an operator's watch shows."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""
        ...


class VirtualClocks:
    """Both clocks as one number that only its owner moves: for replays and the fault simulation."""

    market_time_jumps = False

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("virtual time must be aware: give the start a time zone")
        self._start = start
        self._now = start

    def market_now(self) -> datetime:
        return self._now

    def machine_now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return (self._now - self._start).total_seconds()

    def move_to(self, moment: datetime) -> None:
        """Go forward to `moment`; a moment already passed changes nothing, time never runs back."""
        self._now = max(self._now, moment)

    def move_by_ms(self, span_ms: float) -> None:
        self._now += timedelta(milliseconds=span_ms)
