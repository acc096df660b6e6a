"""Who acts when: events in (time, sequence) order on one virtual clock, and actors that may be in the middle of a call.

Each actor is a greenlet, so only the holder of the baton runs: a call to the broker that takes seven seconds lets
everybody else go on, as separate processes would, and the same seed still gives the same run.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from greenlet import getcurrent, greenlet

from trading.core.clocks import VirtualClocks


class SimulatedCrash(BaseException):
    """The process ends here; no handler of the program may see it."""


class SteppedClocks(VirtualClocks):
    """Virtual clocks whose machine time may be wrong: a host's clock is stepped, market and monotonic time are not."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.step = timedelta()

    def machine_now(self) -> datetime:
        return super().machine_now() + self.step


@dataclass(order=True, slots=True)
class Event:
    at: datetime
    sequence: int
    act: Callable[[], None] = field(compare=False)
    #: an event that gives the baton to an actor cannot run inside another actor's call
    is_actors: bool = field(compare=False, default=False)
    is_off: bool = field(compare=False, default=False)


class Actor:
    """One process of the program. `on_end` hears that it is gone."""

    def __init__(self, stage: "Stage", name: str, on_end: Callable[["Actor"], None]) -> None:
        self.name = name
        self.is_killed = False
        self.is_busy = False
        self.failure: BaseException | None = None
        self._stage = stage
        self._on_end = on_end
        self._job: Callable[[], None] | None = None
        self._self = greenlet(self._run)
        self._giver = getcurrent()

    def give(self, job: Callable[[], None]) -> None:
        """Run a job until it ends or waits in a call. The job handles its own exceptions."""
        if self.is_busy or self.is_killed:
            raise RuntimeError(f"{self.name} cannot take a job now")
        self._job = job
        self.is_busy = True
        self.resume()

    def resume(self) -> None:
        before, self._stage.current = self._stage.current, self
        self._giver = getcurrent()
        self._self.switch()
        self._stage.current = before
        if self.failure is not None:
            raise self.failure

    def wait(self) -> None:
        """On the actor's own side: give the baton back until `resume`. Raises SimulatedCrash when killed."""
        self._giver.switch()
        if self.is_killed:
            raise SimulatedCrash

    def kill(self) -> None:
        """End it where it stands; what it had in memory is gone."""
        self.is_killed = True
        self.resume()

    def _run(self) -> None:
        while not self.is_killed:
            if self._job is not None:
                try:
                    self._job()
                except SimulatedCrash:
                    self.is_killed = True
                except BaseException as error:  # noqa: BLE001  # raised again where the baton was given away
                    self.failure, self.is_killed = error, True
            self._job = None
            self.is_busy = False
            if self.is_killed:
                break
            self._giver.switch()
        self._on_end(self)
        # The baton goes to who gave it last, not to who made this actor.
        self._self.parent = self._giver


class Stage:
    """The scheduler. `world_next` and `world_step` are the venue: when it has something due, and doing it."""

    def __init__(self, clocks: SteppedClocks) -> None:
        self.clocks = clocks
        self.current: Actor | None = None
        self.world_next: Callable[[], datetime | None] = lambda: None
        self.world_step: Callable[[], None] = lambda: None
        self._events: list[Event] = []
        self._sequence = 0

    @property
    def now(self) -> datetime:
        return self.clocks.market_now()

    def at(self, moment: datetime, act: Callable[[], None], *, is_actors: bool = False) -> Event:
        """Have something done at a moment; what is already past is done next."""
        self._sequence += 1
        event = Event(max(moment, self.now), self._sequence, act, is_actors)
        heapq.heappush(self._events, event)
        return event

    def after(self, seconds: float, act: Callable[[], None], *, is_actors: bool = False) -> Event:
        return self.at(self.now + timedelta(seconds=seconds), act, is_actors=is_actors)

    def pass_time(self, ms: float) -> None:
        """Let time pass inside a call. An actor's call gives way to other actors that are due meanwhile."""
        target = self.now + timedelta(milliseconds=ms)
        actor = self.current
        if actor is None:
            self.run_until(target)
            return
        while (event := self._next(target)) is not None:
            if event.is_actors:
                self.at(target, lambda: None if actor.is_killed else actor.resume(), is_actors=True)
                actor.wait()
                return
            self.current = None
            self._do(event)
            self.current = actor
        self.clocks.move_to(target)

    def run_until(self, moment: datetime) -> None:
        """From the outside, while no actor has the baton: everything due up to `moment`."""
        while (event := self._next(moment)) is not None:
            self._do(event)
        self.clocks.move_to(moment)

    def _next(self, until: datetime) -> Event | None:
        """The next event due; the venue's own come first among equals."""
        while self._events and self._events[0].is_off:
            heapq.heappop(self._events)
        first = self._events[0] if self._events else None
        venue_at = self.world_next()
        if venue_at is not None and venue_at <= until and (first is None or venue_at <= first.at):
            return Event(venue_at, 0, self.world_step)
        return first if first is not None and first.at <= until else None

    def _do(self, event: Event) -> None:
        if self._events and event is self._events[0]:
            heapq.heappop(self._events)
        self.clocks.move_to(event.at)
        event.act()
