"""How fast market time runs, and for whom it waits. Machine time comes in as seconds of a monotonic clock."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from trading.exchange.rules import too_many_requests

#: so long a frame is held back for those who have not dealt with the one before
PATIENCE_S: Final = 0.25
#: a role that was here and is gone slows the market down for so long, then it is given up
ABSENCE_S: Final = 30.0
#: lateness of the machine's own timers, which the next steps make good
BREATH_S: Final = 0.005
#: the same at the market's own pace, where nobody is waited for: the work of a large frame is no pause of the market
CAUGHT_UP_S: Final = 1.0
ROLES: Final = ("strategy", "watcher")


class MarketClock:
    """Market time: `speed` times as fast as the machine's, never past `limit`, never back."""

    def __init__(self, market_at: datetime, speed: float, monotonic_s: Callable[[], float]) -> None:
        """Stands still at `market_at` until `run_to`. Raises ValueError for a speed not above 0."""
        if not speed > 0:
            raise ValueError(
                f"a speed of {speed:g} leads nowhere: give market seconds per second, such as 60"
            )
        self.speed = speed
        self.limit = market_at
        self._monotonic_s = monotonic_s
        self._anchor = market_at
        self._anchor_s = monotonic_s()
        self._breath_s = BREATH_S if speed > 1 else CAUGHT_UP_S

    def now(self) -> datetime:
        return min(self._free(), self.limit)

    def run_to(self, limit: datetime) -> None:
        """Go on, up to `limit`. Time spent waiting at the old limit is not caught up, but for a breath of it."""
        late_s = (self._free() - self.limit).total_seconds() / self.speed
        if late_s > self._breath_s:
            self._anchor, self._anchor_s = self.limit, self._monotonic_s() - self._breath_s
        self.limit = max(limit, self.limit)

    def jump_to(self, moment: datetime) -> None:
        """It is `moment` already, where that is later: somebody else's market went on meanwhile."""
        if moment > self._free():
            self._anchor, self._anchor_s = moment, self._monotonic_s()
        self.limit = max(moment, self.limit)

    def seconds_until(self, moment: datetime) -> float:
        """Machine seconds until market time is there, were there no limit; 0 when it is past."""
        return max((moment - self._free()).total_seconds() / self.speed, 0.0)

    def _free(self) -> datetime:
        return self._anchor + timedelta(seconds=(self._monotonic_s() - self._anchor_s) * self.speed)


@dataclass(slots=True)
class Listener:
    """One connection that said which role it plays."""

    role: str
    sent_s: int = 0
    acknowledged_s: int = 0

    @property
    def is_behind(self) -> bool:
        return self.acknowledged_s < self.sent_s


@dataclass(slots=True)
class Attendance:
    """Who takes part: roles that announced themselves, what they were sent, and what they have dealt with.

    Frames are named by their exchange time, seconds since the epoch.
    """

    listeners: dict[int, Listener] = field(default_factory=dict)
    #: roles that are ready for the day that runs now
    ready: set[str] = field(default_factory=set)
    _gone_at_s: dict[str, float] = field(default_factory=dict)

    def hello(self, connection: int, role: str) -> None:
        """Raises ValueError for a role that is none of `ROLES`."""
        if role not in ROLES:
            raise ValueError(f"{role!r} is no role: say hello as {' or '.join(ROLES)}")
        if connection not in self.listeners:
            self.listeners[connection] = Listener(role)
        self.ready.add(role)
        self._gone_at_s.pop(role, None)

    def goodbye(self, connection: int, now_s: float) -> None:
        listener = self.listeners.pop(connection, None)
        if listener and all(other.role != listener.role for other in self.listeners.values()):
            self._gone_at_s[listener.role] = now_s

    def sent(self, connection: int, frame_s: int) -> None:
        if connection in self.listeners:
            self.listeners[connection].sent_s = frame_s

    def acknowledged(self, connection: int, frame_s: int) -> None:
        listener = self.listeners.get(connection)
        if listener is not None:
            listener.acknowledged_s = max(listener.acknowledged_s, frame_s)

    def has_caught_up(self, now_s: float) -> bool:
        """Whether nobody is behind, and no role went away just now."""
        is_missing = any(now_s - gone_s < ABSENCE_S for gone_s in self._gone_at_s.values())
        return not is_missing and not any(listener.is_behind for listener in self.listeners.values())

    def is_ready(self) -> bool:
        return self.ready.issuperset(ROLES)


#: requests a second, by kind of route; order requests are counted by the venue, on market time
READS_A_SECOND: Final = {"quote": 1, "historical": 3, "other": 10}


class ReadLimits:
    """Kite's limits on reading, times the speed: on machine time, for a market that waits must stay readable."""

    def __init__(self, speed: float) -> None:
        self._most = {kind: max(int(most * max(speed, 1)), 1) for kind, most in READS_A_SECOND.items()}
        self._recent: dict[str, deque[float]] = {kind: deque() for kind in READS_A_SECOND}

    def take(self, kind: str, now_s: float) -> None:
        """Count one request at a monotonic time; raises VenueRefusal 429 when the last second is full."""
        recent = self._recent[kind]
        while recent and recent[0] <= now_s - 1:
            recent.popleft()
        if len(recent) >= self._most[kind]:
            raise too_many_requests()
        recent.append(now_s)
