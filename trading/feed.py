"""One connection's market and order updates as a loop takes them: in order, stamped with market time."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

from risk import state
from trading.broker.base import SessionExpired
from trading.broker.kite.recorder import Recorder
from trading.broker.kite.venue_clock import VenueState
from trading.core.enums import PauseReason
from trading.core.ticks import TickFrame
from trading.wakeups import Bell

#: what the ticker's thread rings (FRAME for a clock too); an order update rings its order's id behind ORDER
CONNECTED, FRAME, ORDER, LOGIN_DEAD = "connected", "frame", "order:", "login dead"
#: nothing heard for so long, though Kite sends a heartbeat every second: there is no market to enter by
SILENT_S = 5.0
#: a pass takes at most so many frames, then protects what is open
FRAMES_A_PASS = 16


class FrameSource(Protocol):
    """What of a ticker a feed uses."""

    def next_frame(self, timeout_s: float) -> TickFrame | None: ...

    def take_clock(self) -> VenueState | None: ...

    def acknowledge(self) -> None: ...

    def stop(self) -> None: ...

    @property
    def silent_s(self) -> float: ...

    @property
    def frames_waiting(self) -> int: ...

    @property
    def dropped_frames(self) -> int: ...

    @property
    def broken_frames(self) -> int: ...


class Feed:
    """Frames as they come. `stamp` moves the market's clock on and says when the frame was."""

    def __init__(
        self,
        ticker: FrameSource,
        stamp: Callable[[TickFrame], TickFrame],
        recorder: Recorder | None = None,
    ) -> None:
        """A `recorder` of this day is closed with the feed."""
        self._ticker = ticker
        self._recorder = recorder
        self._stamp = stamp

    def frames(self) -> Iterator[TickFrame]:
        """What has come and was not taken yet. Acknowledge when the last of them is dealt with.

        Raises BrokerUnavailable when the ticker has ended.
        """
        for _ in range(FRAMES_A_PASS):
            if not self._ticker.frames_waiting:
                return
            frame = self._ticker.next_frame(0)
            if frame is not None:
                yield self._stamp(frame)

    def clock(self) -> VenueState | None:
        """What an exchange that keeps its own time said of it since the last call; None when it said nothing."""
        return self._ticker.take_clock()

    def acknowledge(self) -> None:
        """Tell an exchange that waits for us that everything taken is dealt with."""
        self._ticker.acknowledge()

    @property
    def has_more(self) -> bool:
        return self._ticker.frames_waiting > 0

    @property
    def silent_s(self) -> float:
        """Machine seconds since anything came, heartbeats included."""
        return self._ticker.silent_s

    def lost(self) -> dict[str, int]:
        """How many frames came and were not used, and how many records of the day are not in its file."""
        return {
            "frame": self._ticker.dropped_frames,
            "broken_frame": self._ticker.broken_frames,
            "record": self._recorder.dropped if self._recorder else 0,
        }

    def close(self) -> None:
        self._ticker.stop()
        if self._recorder is not None:
            self._recorder.close()


def note_silence(account_id: int, silent_s: float, *, by: str, now: datetime) -> None:
    """Entries are off while nothing is heard of the market; the first word lifts it. `silent_s` is machine time."""
    if silent_s > SILENT_S:
        why = f"nothing heard of the market for {silent_s:.0f} s, not even a heartbeat"
        state.turn_off(account_id, PauseReason.FEED, by=by, why=why, now=now)
    else:
        state.lift(account_id, PauseReason.FEED, by=by, now=now)


def orders_of(rung: list[str]) -> list[str]:
    """The broker order ids that order updates named."""
    return [word.removeprefix(ORDER) for word in rung if word.startswith(ORDER) and word != ORDER]


def check_login(rung: list[str]) -> None:
    """Raise SessionExpired when the ticker's thread said that the token is dead."""
    if LOGIN_DEAD in rung:
        raise SessionExpired("the ticker's token is dead: log in again")


def ring_order(bell: Bell, broker_order_id: str) -> None:
    bell.ring(ORDER + broker_order_id)
