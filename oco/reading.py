"""When the broker's books are read: soon after each write, now and then in any case, at once when something woke us.

Pure. An order update or a postback only wakes; what it said is not believed, the book is.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

#: an order is read this long after each accepted write
AFTER_A_WRITE = tuple(timedelta(seconds=s) for s in (0.3, 0.8, 2.0, 5.0))
AFTER_A_MISS = timedelta(seconds=1)
#: what an update told of may not be in the books yet: they show the past, so long at most
AFTER_A_WAKE = (timedelta(0), timedelta(seconds=6))
#: the whole book, while the update socket is alive, and while it is silent or something is unknown
CALM = timedelta(seconds=15)
ALERT = timedelta(seconds=3)
#: after a group has closed, the book is read as while something is unknown until one so much later was read
CLOSED_SHOWS_WITHIN = timedelta(seconds=12)
#: while an exit is on its way: two books without it fit into the five seconds a position may be without a stop
URGENT = timedelta(seconds=2)
#: while we hold nothing and ask for nothing: somebody else may, or an order given up may still execute
IDLE = timedelta(seconds=60)


@dataclass(slots=True)
class ReadingPlan:
    """What is to be read and when. All times are machine time: this is about HTTP, not about the market."""

    #: broker order ids that were touched, with the moments at which they are to be read
    _due: dict[str, list[datetime]] = field(default_factory=dict)
    _whole_at: datetime | None = None
    _read_at: datetime | None = None
    _closed_at: datetime | None = None

    def wrote(self, broker_order_id: str, now: datetime) -> None:
        """Our own write was accepted: read that order's history a few times."""
        self._due[broker_order_id] = [now + wait for wait in AFTER_A_WRITE]

    def woke(self, broker_order_id: str, now: datetime) -> None:
        """Somebody said something about an order: read it now, and when books that lag show it."""
        self._due.setdefault(broker_order_id, []).extend(now + wait for wait in AFTER_A_WAKE)

    def missed(self, broker_order_id: str, now: datetime) -> None:
        """The history did not know the order: the whole book is asked now, and the order again soon."""
        self._due.setdefault(broker_order_id, []).append(now + AFTER_A_MISS)
        self._whole_at = now

    def read_all_now(self, now: datetime) -> None:
        """After a start or a reconnect."""
        self._whole_at = now

    def group_closed(self, now: datetime) -> None:
        """Whoever else closed the same position in the same moment shows in the books a little later."""
        self._whole_at, self._closed_at = now, now

    def orders_due(self, now: datetime) -> list[str]:
        """Orders to read now; each reading is taken off the list."""
        due = [order_id for order_id, moments in self._due.items() if moments and min(moments) <= now]
        for order_id in due:
            left = [moment for moment in self._due[order_id] if moment > now]
            if left:
                self._due[order_id] = left
            else:
                del self._due[order_id]
        return due

    def whole_due(self, now: datetime, every: timedelta) -> bool:
        """Whether the whole book is due, which is read `every` so often."""
        every = self._at_most(every)
        if self._whole_at is not None and self._whole_at - now > every:
            self._whole_at = now + every
        return self._whole_at is None or self._whole_at <= now

    def whole_read(self, now: datetime, every: timedelta) -> None:
        """The whole book was read: sets the next time. A reading that failed stays due."""
        self._read_at = now
        self._whole_at = now + self._at_most(every)

    def _at_most(self, every: timedelta) -> timedelta:
        closed_at, read_at = self._closed_at, self._read_at
        is_settled = closed_at is None or (read_at is not None and read_at - closed_at >= CLOSED_SHOWS_WITHIN)
        return every if is_settled else min(every, ALERT)

    def next_at(self) -> datetime | None:
        """The next moment at which something is due; None when nothing ever was asked for."""
        moments = [min(moments) for moments in self._due.values() if moments]
        if self._whole_at is not None:
            moments.append(self._whole_at)
        return min(moments, default=None)
