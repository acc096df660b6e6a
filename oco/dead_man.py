"""The dead man: closes positions that nobody guards. Needs neither Redis nor Celery nor the database. Pure.

A position of ours without a live covering stop at the broker for 30 s, while no holder of the exits makes progress,
is flattened. A missing heartbeat alone only alarms; a clean shutdown disarms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oco.direct import Exposure, Holding

BARE_FOR = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a look led to: holdings to close now, and those that are bare but not for long enough."""

    close: tuple[Holding, ...]
    bare: tuple[Holding, ...]


@dataclass(slots=True)
class DeadMan:
    """Remembers since when each holding has been bare. Times are machine time."""

    bare_for: timedelta = BARE_FOR
    _bare_since: dict[Holding, datetime] = field(default_factory=dict)

    def look(self, found: Sequence[Exposure], *, holder_works: bool, now: datetime) -> Judgement:
        """Judge the broker's books. `holder_works`: a leader of the exits has finished a pass lately."""
        bare = {one.holding for one in found if one.held and one.covered < abs(one.held)}
        for holding in list(self._bare_since):
            if holding not in bare or holder_works:
                del self._bare_since[holding]
        if holder_works:
            return Judgement((), tuple(sorted(bare)))
        for holding in bare:
            self._bare_since.setdefault(holding, now)
        due = [holding for holding, since in self._bare_since.items() if now - since >= self.bare_for]
        return Judgement(tuple(sorted(due)), tuple(sorted(bare)))
