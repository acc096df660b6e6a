"""What went wrong in a run: kinds of fault, and when each began and was over."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class Kind(StrEnum):
    """What the nemesis can do."""

    KILL = "SIGKILL"
    STOP = "SIGSTOP"
    STOP_AT_COMMAND = "SIGSTOP at a command"
    WIPE = "FLUSHALL"
    RESTART_FAST = "fast restart"
    RESTART_IMMEDIATE = "immediate restart"
    CUT = "connections cut"
    REFUSED = "connections refused"
    DELAYED = "answers delayed"
    BLACK_HOLE = "bytes swallowed"
    DEAF = "answers swallowed"
    MUTE = "answers to orders swallowed"
    RESET = "reset before an order's answer"
    CLOCK = "wall clock stepped"


#: while one of these lasts, the broker cannot be reached or its answers cannot
OUT_OF_REACH: Final = frozenset({Kind.REFUSED, Kind.BLACK_HOLE, Kind.DEAF})
EXCHANGE: Final = "exchange"


@dataclass(kw_only=True, slots=True)
class Trouble:
    """One fault. `target` is a process, the wire or a clock; `over` is None while it lasts."""

    kind: Kind
    target: str
    at: datetime
    #: seconds since the run's first position
    at_s: float
    open_positions: int
    over: datetime | None = None
    note: str = ""

    @property
    def is_out_of_reach(self) -> bool:
        is_away = self.target == EXCHANGE and self.kind in (Kind.KILL, Kind.STOP)
        return is_away or self.kind in OUT_OF_REACH

    def lasts_s(self, now: datetime) -> float:
        return round(((self.over or now) - self.at).total_seconds(), 1)

    def as_json(self, now: datetime) -> dict[str, Any]:
        return {
            "at": round(self.at_s, 1),
            "kind": str(self.kind),
            "target": self.target,
            "lasts_s": self.lasts_s(now),
            "while_open": self.open_positions > 0,
            "note": self.note,
        }


@dataclass(slots=True)
class Troubles:
    """All of a run. An oracle asks `between`, `any_began_since` and `last_over`."""

    all: list[Trouble] = field(default_factory=list)

    def between(self, start: datetime, end: datetime) -> list[Trouble]:
        """Those whose time overlaps a span."""
        return [one for one in self.all if one.at <= end and (one.over is None or one.over >= start)]

    def any_began_since(self, moment: datetime) -> bool:
        return any(one.at >= moment for one in self.all)

    def last_over(self) -> datetime | None:
        return max((one.over or one.at for one in self.all), default=None)

    def out_of_reach(self, now: datetime) -> list[tuple[datetime, datetime]]:
        """Spans in which the broker could not be reached at all, joined where they overlap."""
        spans: list[tuple[datetime, datetime]] = []
        for one in sorted((t for t in self.all if t.is_out_of_reach), key=lambda t: t.at):
            over = one.over or now
            if spans and one.at <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(over, spans[-1][1]))
            else:
                spans.append((one.at, over))
        return spans
