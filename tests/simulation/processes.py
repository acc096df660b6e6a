"""The two loops as processes of a simulated world: begun, run, stopped, crashed and begun again on virtual time.

They treat what a pass raises as `trading.looping` does, and hand frames and wakes on as the running system's works do.
"""

import traceback
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import psycopg
from django.db import InterfaceError, OperationalError

from oco import day
from oco.watcher import OrderWatcher
from reporting.replay import LEASE_TTL_S
from risk import state
from risk.models import EntriesOff
from tests.simulation import market as paths
from tests.simulation.broker import FaultyBroker
from tests.simulation.rates import Fault
from tests.simulation.stage import Actor, Event, SimulatedCrash
from trading import lease
from trading.broker.base import BrokerUnavailable, SessionExpired
from trading.core.enums import Loop, PauseReason
from trading.core.market_state import MarketState
from trading.core.ticks import TickFrame
from trading.desk import Desk
from trading.lease import FenceLost
from trading.loop import StrategyLoop
from trading.sending import BudgetSpent

if TYPE_CHECKING:
    from tests.simulation.world import World

#: a leader that is gone is followed by another within ten seconds
REBORN_WITHIN_S: Final = (0.5, 9.0)
BREATH_S: Final = 0.5
IDLE: Final = timedelta(seconds=1)


class Process:
    """One loop of the account. Its memory is what `_make` made; a crash loses all of it."""

    kind: Loop

    def __init__(self, world: "World") -> None:
        self.world = world
        self.actor: Actor | None = None
        self.inbox: deque[TickFrame] = deque()
        self.is_ready = False
        self._planned: Event | None = None

    @property
    def is_alive(self) -> bool:
        return self.actor is not None and not self.actor.is_killed

    def begin(self) -> None:
        """A new process takes the lease and makes its work."""
        self.inbox.clear()
        self.is_ready = False
        actor = Actor(self.world.stage, self.kind.lower(), self._died)
        self.world.actors.append(actor)
        self.actor = actor
        self._hand(actor, self._make_ready)

    def plan(self, at_s: float) -> None:
        """Have a pass run so many seconds from now, or earlier if one is planned earlier."""
        moment = self.world.stage.now + timedelta(seconds=max(at_s, 0))
        if self._planned is not None and not self._planned.is_off:
            if self._planned.at <= moment:
                return
            self._planned.is_off = True
        self._planned = self.world.stage.at(moment, self._go, is_actors=True)

    def _died(self, actor: Actor) -> None:
        if actor is self.actor and not self.world.is_over:
            self.end("crash")
            self.world.stage.after(0, self.world.left_asking)

    def end(self, why: str) -> None:
        """It is gone, and another begins in a while."""
        self.actor = None
        self.world.trace(f"{self.kind.lower()} ends: {why}")
        self.is_ready = False
        low, high = REBORN_WITHIN_S
        self.world.stage.after(self.world.plan.uniform(low, high), self.begin, is_actors=True)

    def _go(self) -> None:
        self._planned = None
        if self.actor is None or self.actor.is_killed or not self.is_ready:
            return
        if self.actor.is_busy:
            self.plan(0.02)
            return
        self._hand(self.actor, self._run_pass)

    def _hand(self, actor: Actor, job: Callable[[], None]) -> None:
        actor.give(lambda: self._guarded(actor, job))

    def _guarded(self, actor: Actor, job: Callable[[], None]) -> None:
        """What `trading.looping` does with what a pass raises."""
        try:
            self._tried(actor, job)
        except (FenceLost, OperationalError, InterfaceError, psycopg.OperationalError) as error:
            self.world.trace(f"{self.kind.lower()}: steps down: {error}")
            self._unmake(actor)
            self._again(actor, BREATH_S)
        except SimulatedCrash:
            raise
        except Exception as error:  # noqa: BLE001  # an unknown end of a loop is what the campaign looks for
            self._report(error)
            self._unmake(actor)
            self._again(actor, 5.0)

    def _tried(self, actor: Actor, job: Callable[[], None]) -> None:
        try:
            job()
        except BrokerUnavailable as error:
            self.world.trace(f"{self.kind.lower()}: broker away: {error}")
            self._again(actor, BREATH_S)
        except SessionExpired as error:
            self._unmake(actor)
            self._turn_off(PauseReason.LOGIN, f"the broker refused the login: {error}")
            self._again(actor, 10 * BREATH_S)

    def _report(self, error: Exception) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = f"{where.filename.rsplit('/', 1)[-1]}:{where.lineno}"
        what = f"{self.kind.lower()} raised {type(error).__name__} at {name}: {error}"
        self.world.oracle.violate("PASS", what)
        self.world.trace("".join(traceback.format_exception(error)))

    def _unmake(self, actor: Actor) -> None:
        if actor is self.actor:
            self.is_ready = False

    def _again(self, actor: Actor, wait_s: float) -> None:
        if actor is not self.actor:
            return
        if self.is_ready:
            self.plan(wait_s)
        else:
            self.world.stage.after(wait_s, lambda: self._make_again(actor), is_actors=True)

    def _make_again(self, actor: Actor) -> None:
        if actor is not self.actor or actor.is_killed:
            return
        if actor.is_busy:
            self.world.stage.after(0.1, lambda: self._make_again(actor), is_actors=True)
            return
        self._hand(actor, self._make_ready)

    def _turn_off(self, reason: PauseReason, why: str) -> None:
        now = self.world.stage.clocks.machine_now()
        state.turn_off(self.world.account.pk, reason, by=f"{self.kind.lower()} loop", why=why, now=now)

    def _make_ready(self) -> None:
        world = self.world
        held = lease.take_or_fail(world.account.pk, self.kind, f"simulated {self.kind}", LEASE_TTL_S)
        broker = FaultyBroker(world.venue, world.stage.clocks, world.stage, world.weather, world, world.seed)
        desk = Desk(
            account=world.account,
            session=world.session,
            trading_date=paths.DAY,
            broker=broker,
            clocks=world.stage.clocks,
            lease=held,
            installation="simulation",
        )
        market = paths.warm_market(world.path.specs)
        actor = world.stage.current
        self._make(desk, market)
        if actor is self.actor:
            self.is_ready = True
            self.plan(0)

    def _make(self, desk: Desk, market: MarketState) -> None:
        raise NotImplementedError

    def _run_pass(self) -> None:
        raise NotImplementedError


class StrategyProcess(Process):
    kind = Loop.ENTRIES
    loop: StrategyLoop

    def hear(self, frame: TickFrame) -> None:
        self.inbox.append(frame)
        self.plan(0.005)

    def _make(self, desk: Desk, market: MarketState) -> None:
        self.loop = StrategyLoop(desk, market, [self.world.strategy])
        # What the one before did of its last look is not known here.
        self.world.exits_were_led = None

    def _run_pass(self) -> None:
        loop = self.loop
        self._look_at_exits()
        while self.inbox:
            frame = self.inbox.popleft()
            self._take(loop, frame)
            if self.world.weather.strikes(Fault.DOUBLED_PASS, self.world.rates.doubled_pass / 10):
                self.world.note(Fault.DOUBLED_PASS, 0)
                self._take(loop, frame)

    def _take(self, loop: StrategyLoop, frame: TickFrame) -> None:
        try:
            done = loop.run_pass(frame)
        except BudgetSpent as error:
            self.world.trace(f"entry waits: {error}")
            return
        if done.entries_sent:
            self.world.trace(f"entries sent: {done.entries_sent}")
            self.world.ring_watcher()

    def _look_at_exits(self) -> None:
        """Nobody enters while nobody protects; asked of rows only when it changed."""
        world, is_led = self.world, self.world.watcher.is_ready
        if is_led == world.exits_were_led:
            return
        if is_led:
            state.lift(world.account.pk, PauseReason.LEASE, by="entries loop", now=world.stage.now)
        else:
            self._turn_off(PauseReason.LEASE, "nobody leads the exits: no position would be protected")
        # Only now: a process that ends half-way has done nothing, and the next one looks again. So it does where
        # one wakes up that had been stopped and writes what it had seen.
        world.exits_were_led = is_led if world.stage.current is self.actor else None


class WatcherProcess(Process):
    kind = Loop.EXITS
    watcher: OrderWatcher

    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._woken: list[str] = []
        self._is_rung = False
        self._is_reconnected = False
        self._has_run = False

    def hear(self, frame: TickFrame) -> None:
        self.inbox.append(frame)
        self.plan(0.005)

    def wake(self, broker_order_id: str = "") -> None:
        """An order update, or a bell."""
        if broker_order_id:
            self._woken.append(broker_order_id)
        self._is_rung = True
        self.plan(0.001)

    def reconnect(self) -> None:
        self._is_reconnected = True
        self.plan(0.001)

    def end(self, why: str) -> None:
        self._woken.clear()
        super().end(why)

    def _make(self, desk: Desk, market: MarketState) -> None:
        world = self.world
        rows = day.table(world.path.specs, world.sessions, paths.OPENS - timedelta(hours=2))
        watcher = OrderWatcher(desk, market, rows)
        watcher.recover()
        self.watcher = watcher
        self._has_run = False

    def _run_pass(self) -> None:
        world, watcher = self.world, self.watcher
        if self._is_reconnected:
            self._is_reconnected = False
            watcher.reads.read_all_now(world.stage.clocks.machine_now())
        if self._is_rung:
            woken, self._woken, self._is_rung = self._woken, [], False
            watcher.wake(woken)
        while self.inbox:
            frame = self.inbox.popleft()
            watcher.market.close_due(frame.received_at)
            watcher.market.apply(frame)
        watcher.run_pass()
        if world.weather.strikes(Fault.DOUBLED_PASS, world.rates.doubled_pass):
            world.note(Fault.DOUBLED_PASS, 0)
            watcher.run_pass()
        if not self._has_run:
            self._has_run = True
            self._lift_what_a_clean_start_lifts()
        if watcher is self.watcher:
            due = watcher.next_due()
            now = world.stage.clocks.machine_now()
            self.plan(min((due - now if due else IDLE), IDLE).total_seconds())

    def _lift_what_a_clean_start_lifts(self) -> None:
        now, account_id = self.world.stage.now, self.world.account.pk
        state.lift(account_id, PauseReason.SHUTDOWN, by="reconciliation", now=now)
        EntriesOff.objects.filter(
            account_id=account_id, reason=PauseReason.LOGIN, set_by__endswith=" loop", lifted_at=None
        ).update(lifted_at=now, lifted_by="exits loop")
