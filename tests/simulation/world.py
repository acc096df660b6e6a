"""One seed: thirty market minutes with faults, six in a healed world, and what was seen.

Market, venue, strategy loop, order watcher, operator and nemesis are actors on one virtual clock over real rows.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from random import Random
from typing import Any

from risk.models import RiskLimits
from tests.simulation import market as paths
from tests.simulation import verdict
from tests.simulation.broker import Weather
from tests.simulation.compiled import remembered
from tests.simulation.database import Seams, empty_tables
from tests.simulation.idea import HEALED_SETUPS, PlannedIdea
from tests.simulation.nemesis import Nemesis
from tests.simulation.oracle import Oracle
from tests.simulation.processes import Process, StrategyProcess, WatcherProcess
from tests.simulation.rates import Fault, Happened, Rates
from tests.simulation.stage import Actor, SimulatedCrash, Stage, SteppedClocks
from tests.simulation.venue import SimulatedVenue
from trading.core.enums import Role
from trading.core.order_ids import role_of_tag
from trading.core.session import ordinary_session
from trading.core.ticks import TickFrame
from trading.exchange.rules import Latency, VenueRules
from trading.market import instruments
from trading.models import Account, Order, Trade, VenueSession

CAPITAL_INR = Decimal(2_500_000)
POSITIONS = 2
#: faults end before the world heals, so that what arrives late has arrived
CALM_BEFORE = timedelta(seconds=100)
CONVERGED_AFTER = timedelta(seconds=60)
LOOK_EVERY = timedelta(seconds=2)


class SeenEnough(Exception):
    """One violation was seen, and more are not asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedResult:
    """What one seed came to. Spans in seconds."""

    seed: int
    violations: tuple[tuple[str, str, str], ...]
    faults: dict[str, int] = field(default_factory=dict)
    faults_while_open: dict[str, int] = field(default_factory=dict)
    crashes: int = 0
    entries: int = 0
    entry_fills: int = 0
    exit_fills: int = 0
    trades: int = 0
    unprotected_s: tuple[float, ...] = ()
    flatten_s: tuple[float, ...] = ()
    digest: str = ""
    statements: int = 0


@dataclass(slots=True)
class Log:
    """The event log: hashed always, kept as lines only when somebody wants to read them."""

    keeps: bool
    lines: list[str] = field(default_factory=list)
    digest: bytes = b""

    def add(self, line: str) -> None:
        self.digest = sha256(self.digest + line.encode()).digest()
        if self.keeps:
            self.lines.append(line)


class World:
    """Everything of one seed. `run` may be called once."""

    def __init__(
        self, seed: int, *, rates: Rates | None = None, keeps_log: bool = False, is_first_enough: bool = False
    ) -> None:
        self.seed = seed
        self.is_healthy = rates is not None and rates == Rates.healthy(seed)
        self.rates = rates or Rates.drawn(seed)
        self.plan = Random(f"{seed}/world")
        self._crash = Random(f"{seed}/crash")
        self._updates = Random(f"{seed}/updates")
        self.log = Log(keeps_log)
        self.is_first_enough = is_first_enough
        self.actors: list[Actor] = []
        self.is_over = False
        self.exits_were_led: bool | None = None
        self.fails_next = False
        self.heals_at = paths.OPENS + timedelta(minutes=paths.MINUTES)
        self.calm_at = self.heals_at - CALM_BEFORE
        self.strategy_deaf_until = self.watcher_deaf_until = paths.OPENS
        self.path = paths.draw(seed, self.rates.spikes)
        self.stage = Stage(SteppedClocks(paths.OPENS - timedelta(seconds=5)))
        self.happened = Happened()
        self.venue = SimulatedVenue(
            self.path.specs,
            VenueRules(
                latency=Latency(mean_ms=80, most_ms=600), modified_quantity=self.rates.modified_quantity
            ),
            now=lambda: self.stage.now,
            seed=seed,
            capital_paise=int(CAPITAL_INR * 100),
            user_id="AB1234",
            venue_session=f"simulated-{seed}",
        )
        self.oracle = Oracle(self.venue, lambda: self.stage.now, self.happened, POSITIONS)
        self.weather = Weather(
            self.rates,
            self.happened,
            Random(f"{seed}/fault"),
            Random(f"{seed}/latency"),
            refusing=self.oracle.refusing,
        )
        self.stage.world_next = self.venue.next_event_at
        self.stage.world_step = self._venue_acts
        self.sessions = [ordinary_session(paths.DAY, spec) for spec in self.path.specs]
        self.strategy = PlannedIdea(seed, self.path.specs, self._entries_filled)
        self.strategist = StrategyProcess(self)
        self.watcher = WatcherProcess(self)
        self.nemesis = Nemesis(self)
        self.seams = Seams(self.seam, self.between, lambda: self.stage.current is not None)
        self._stops: Actor | None = None
        self._zombie_candidates: set[str] = set()

    # what actors and the broker tell

    @property
    def is_troubled(self) -> bool:
        return self.stage.now < self.calm_at

    def is_open(self) -> bool:
        return self.oracle.is_open

    def trace(self, words: str) -> None:
        self.log.add(f"{self.stage.now:%H:%M:%S.%f} {words}")

    def sending(self, name: str, role: Role | None) -> None:
        """A command leaves for the broker."""
        self.trace(name)
        self.oracle.sending(role)
        if role is Role.ENTRY:
            self.nemesis.entry_leaves()
        actor = self.stage.current
        both: tuple[Process, ...] = (self.strategist, self.watcher)
        for process in both:
            if actor is None or process.kind.lower() != actor.name:
                continue
            if process.actor is not actor and process.is_ready:
                self.oracle.violate("FENCE", f"{actor.name} sent {name} although another leads")

    def came_late(self, order_id: str) -> None:
        """An order that nobody expected any more."""
        self.oracle.late_ids.add(order_id)

    def swallowed(self, role: Role | None, late_s: float | None) -> None:
        """A call that will never arrive; the program cannot know."""
        self.oracle.swallowed(role, late_s)

    def left_asking(self) -> None:
        """A process died: of a closing order that it was about to send nobody can know whether it arrives."""
        if verdict.may_close_yet(self):
            self.oracle.swallowed(Role.EXIT, None)

    def note(self, fault: Fault, lasts_s: float) -> None:
        self.happened.note(fault, self.stage.now, lasts_s, is_open=self.oracle.is_open)
        self.trace(f"! {fault}")

    def refused_for(self, span_s: float) -> None:
        now = self.stage.now
        self.oracle.refusing.append((now, now + timedelta(seconds=span_s)))

    def ring_watcher(self) -> None:
        self.watcher.wake()

    def seam(self, name: str) -> None:
        """A place at which a process may end, or be stopped while another takes its lead."""
        actor = self.stage.current
        if actor is None or self.is_over:
            return
        if self.fails_next:
            self.fails_next, self.seams.is_away = False, True
        if self.weather.strikes(Fault.CRASH, 0.0) or (
            self.is_troubled and self._crash.random() < self.rates.crash / 2
        ):
            self.note(Fault.CRASH, 14)
            self.trace(f"  {actor.name} crashes {name}")
            raise SimulatedCrash
        if name == "after commit" and Fault.STOPPED in self.weather.coming:
            self.weather.coming.remove(Fault.STOPPED)
            self._stops = actor

    def between(self) -> None:
        """After a commit and before what follows it, in no transaction."""
        actor, self._stops = self._stops, None
        if actor is None or actor is not self.stage.current or self.is_over:
            return
        self._stop(actor)

    def _stop(self, actor: Actor) -> None:
        """The process stands still between a commit and what follows; its lease runs out and another leads."""
        both: tuple[Process, ...] = (self.strategist, self.watcher)
        process = next(one for one in both if one.kind.lower() == actor.name)
        span_s = self.plan.uniform(5, 30)
        self.note(Fault.STOPPED, span_s + 12)
        if process.actor is actor:
            process.end("stopped")
        self.stage.pass_time(span_s * 1000)

    # what happens

    def run(self) -> SeedResult:
        """Play the seed to its end, or to the first violation where that is enough."""
        empty_tables()
        instruments.spec_of.cache_clear()
        with remembered(), self.seams.installed():
            try:
                self._set_up()
                self._play()
            except SeenEnough:
                self.trace("seen enough")
            finally:
                self._end()
            return self.result()

    def _play(self) -> None:
        self._run_until(self.heals_at)
        self._heal()
        self._run_until(self.heals_at + CONVERGED_AFTER)
        self._judge(verdict.unresolved(self))
        self._judge(verdict.entries_still_off(self))
        self._judge(verdict.closed_unasked(self))
        fills, has_room = self.oracle.entry_fills, False
        for minute in HEALED_SETUPS:
            # The setup is seen when its candle has closed, with the first frame after.
            self._run_until(paths.OPENS + timedelta(minutes=minute + 1))
            has_room |= not self.oracle.is_open
        self._run_until(self.heals_at + timedelta(minutes=5))
        if has_room and self.oracle.entry_fills == fills:
            self.oracle.violate(
                "I10", "no valid signal traded in four healed minutes, though nothing was open"
            )
        self.nemesis.press_flatten(is_drill=False)
        self._run_until(self.heals_at + timedelta(minutes=paths.HEALED_MINUTES))
        self._judge(verdict.unresolved(self))
        self._judge(verdict.day_problems(self))
        self._judge(verdict.ids_of_tomorrow(self))
        if not self.oracle.is_flat:
            self.oracle.violate("I6", "not flat at the end")

    def _run_until(self, moment: datetime) -> None:
        """In small steps, so that a program with a defect is not watched for longer than it takes to see it."""
        while self.stage.now < moment:
            self.stage.run_until(min(self.stage.now + LOOK_EVERY, moment))
            if self.is_first_enough and self.oracle.violations:
                raise SeenEnough

    def _judge(self, found: Any) -> None:
        for invariant, what in found:
            self.oracle.violate(invariant, what)

    def _set_up(self) -> None:
        now = self.stage.now
        self.account = Account.objects.create(
            name="simulated", broker_user="AB1234", paper_capital_inr=CAPITAL_INR
        )
        self.session = VenueSession.objects.create(
            account=self.account, key=self.venue.venue_session, market="simulated", started_at=now
        )
        RiskLimits.objects.create(
            account=self.account,
            version=1,
            created_by="simulation",
            why="short trades in half an hour",
            open_positions=POSITIONS,
            trades_per_day=100,
            losses_in_a_row=50,
            cooldown_min=1,
            daily_loss_pct=Decimal(10),
            heat_pct=Decimal("0.8"),
        )
        instruments.refresh(self.path.specs, paths.DAY)
        self.watcher.begin()
        self.strategist.begin()
        self.nemesis.plan_all()
        for _ in range(self.path.spikes):
            self.happened.by_kind[Fault.SPIKE] += 1
        frames = iter(self.path.frames)
        self._next_frame(frames)
        self.stage.at(self.calm_at, self._calm_down)

    def _next_frame(self, frames: Any) -> None:
        frame = next(frames, None)
        if frame is not None:
            self.stage.at(frame.received_at, lambda: self._market_moves(frame, frames))

    def _market_moves(self, frame: TickFrame, frames: Any) -> None:
        self.venue.apply_frame(frame)
        self._hear_updates()
        self.oracle.look()
        now = self.stage.now
        if now >= self.strategy_deaf_until:
            self.strategist.hear(frame)
        if now >= self.watcher_deaf_until:
            self.watcher.hear(frame)
        self._next_frame(frames)

    def _venue_acts(self) -> None:
        self.venue.advance(self.stage.now)
        self._hear_updates()
        self.oracle.look()

    def _hear_updates(self) -> None:
        """The update socket: each word may be dropped, doubled or late."""
        for row in self.venue.drain_updates():
            order_id, status = str(row["order_id"]), str(row["status"])
            order = self.venue.orders[order_id]
            if role_of_tag(order.tag) is not None or order.placed_by != "AB1234":
                filled = f"{order.filled}/{order.quantity} @ {order.price_paise}"
                self.trace(f"  venue: {order_id[-3:]} {order.tag} {status} {filled}")
            if order.cancelled and order_id not in self._zombie_candidates and role_of_tag(order.tag):
                self._zombie_candidates.add(order_id)
                self.nemesis.maybe_raise(order)
            self._tell(order_id)

    def _tell(self, order_id: str) -> None:
        dice, rates = self._updates, self.rates
        dropped, doubled, late = dice.random(), dice.random(), dice.random()
        delay_s = 0.03 + dice.random() * 0.05
        if not self.is_troubled:
            self.stage.after(delay_s, lambda: self.watcher.wake(order_id))
            return
        if dropped < rates.update_dropped:
            self.happened.note(Fault.UPDATE_DROPPED, self.stage.now, 5, is_open=self.oracle.is_open)
            return
        if late < rates.update_late:
            self.happened.note(Fault.UPDATE_LATE, self.stage.now, 3, is_open=self.oracle.is_open)
            delay_s += late * 10
        self.stage.after(delay_s, lambda: self.watcher.wake(order_id))
        if doubled < rates.update_doubled:
            self.happened.note(Fault.UPDATE_DOUBLED, self.stage.now, 0, is_open=self.oracle.is_open)
            self.stage.after(delay_s + 0.2, lambda: self.watcher.wake(order_id))

    def _calm_down(self) -> None:
        self.weather.is_healed = True
        self.weather.coming.clear()
        self.trace("faults end")

    def _heal(self) -> None:
        self.weather.token_dead = False
        self.weather.burst_until = None
        self.trace("all is well")
        self.nemesis.close_what_is_the_users()
        self.nemesis.lift_locks()
        self.nemesis.resume()

    def _entries_filled(self) -> int:
        orders = self.venue.orders.values()
        return sum(role_of_tag(order.tag) == "ENTRY" and order.filled > 0 for order in orders)

    def _end(self) -> None:
        self.is_over = True
        self.oracle.end()
        for actor in self.actors:
            if not actor.is_killed:
                actor.kill()

    def result(self) -> SeedResult:
        """What was seen so far."""
        for row in Order.objects.filter(session=self.session).order_by("pk"):
            self.log.add(f"{row.tag} {row.status} {row.filled_quantity} {row.average_price}")
        self.log.add(self.venue.digest())
        return SeedResult(
            seed=self.seed,
            violations=tuple(
                (f"{one.at:%H:%M:%S}", one.invariant, one.what) for one in self.oracle.violations
            ),
            faults={fault.value: count for fault, count in sorted(self.happened.by_kind.items())},
            faults_while_open={
                fault.value: count for fault, count in sorted(self.happened.while_open.items())
            },
            crashes=self.happened.by_kind[Fault.CRASH],
            entries=self._entries_filled(),
            entry_fills=self.oracle.entry_fills,
            exit_fills=self.oracle.exit_fills,
            trades=Trade.objects.filter(session=self.session).count(),
            unprotected_s=tuple(round(one, 3) for one in self.oracle.unprotected_s),
            flatten_s=tuple(round(one, 3) for one in self.oracle.flatten_s),
            digest=self.log.digest.hex(),
            statements=self.seams.statements,
        )
