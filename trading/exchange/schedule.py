"""What is due to happen to orders, in time order."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from trading.exchange.orders import Terms, VenueOrder


@dataclass(order=True, slots=True)
class Step:
    """What happens to an order at a time; `sequence` keeps equal times in the order they were asked for."""

    at: datetime
    sequence: int
    verb: str = field(compare=False)
    order: VenueOrder = field(compare=False)
    terms: Terms | None = field(compare=False, default=None)


class Schedule:
    """Steps of one account's orders. Times are market time."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._count = 0

    def add(self, at: datetime, verb: str, order: VenueOrder, terms: Terms | None = None) -> None:
        self._count += 1
        heapq.heappush(self._steps, Step(at, self._count, verb, order, terms))

    def due(self, now: datetime) -> Iterator[Step]:
        """Take off what is due by `now`, with what is added meanwhile; of an order that has ended nothing."""
        while self._steps and self._steps[0].at <= now:
            step = heapq.heappop(self._steps)
            if not step.order.is_closed:
                yield step

    def next_at(self) -> datetime | None:
        return self._steps[0].at if self._steps else None
