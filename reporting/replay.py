"""A whole market day through the two passes in one thread, as fast as it can.

Market, exchange, strategy loop and order watcher are actors on one virtual clock; what is due first happens first, so
a day is the same however fast the host is. This is the running system without its processes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from random import Random
from typing import Final

from django.db import connection

from oco import day, flatten
from oco.models import Flatten
from oco.watcher import OrderWatcher
from risk import state
from trading import lease
from trading.broker.paper import PaperBroker
from trading.core.clocks import VirtualClocks
from trading.core.enums import ExitReason, GroupState, Loop, PauseReason
from trading.core.market_state import MarketState
from trading.core.money import to_paise
from trading.core.session import DayTimes, at
from trading.core.ticks import TickFrame
from trading.desk import Desk
from trading.exchange.rules import VenueRules
from trading.exchange.sources import MarketSource
from trading.exchange.venue import Venue
from trading.loop import LoopPass, StrategyLoop
from trading.market import calendar, instruments
from trading.models import Account, StrategySetting, VenueSession
from trading.strategies import registry
from trading.strategies.base import Strategy

WARM_UP_DAYS: Final = 3
#: machine time: long enough for any hundred frames, short enough to replay again soon after a crash
LEASE_TTL_S: Final = 60.0
FRAMES_A_RENEWAL: Final = 250
#: one thread writes all rows, so the watcher need not look whether others did
NOBODY_ELSE_WRITES: Final = timedelta(minutes=10)
#: the drill presses flatten at the first armed group after a seeded moment in this span
DRILL_FROM: Final = time(10, 0)
DRILL_SPAN_S: Final = 3 * 3600
#: the drill's operator lets entries go on after this long
DRILL_PAUSE: Final = timedelta(seconds=60)


@dataclass(slots=True)
class Drill:
    """A seeded press of the kill switch with something open, and the operator's resume afterwards."""

    not_before: datetime
    pressed: Flatten | None = None
    resume_at: datetime | None = None

    @classmethod
    def seeded(cls, seed: int, trading_day: datetime) -> "Drill":
        start = datetime.combine(trading_day.date(), DRILL_FROM, trading_day.tzinfo)
        return cls(start + timedelta(seconds=Random(f"{seed}/drill").randrange(DRILL_SPAN_S)))


@dataclass(slots=True)
class ReplayedDay:
    """The actors of one day, and what they left behind."""

    desk: Desk
    venue: Venue
    broker: PaperBroker
    clocks: VirtualClocks
    loop: StrategyLoop
    watcher: OrderWatcher
    drill: Drill | None
    done: LoopPass = field(default_factory=LoopPass)
    problems: list[str] = field(default_factory=list)

    @property
    def session(self) -> VenueSession:
        return self.desk.session

    def renew_leases(self) -> None:
        """Raises FenceLost when somebody else took one: then the day is theirs."""
        for desk in (self.loop.desk, self.watcher.desk):
            if not lease.renew(desk.lease, LEASE_TTL_S, pass_worked=True):
                raise lease.FenceLost(f"{desk.lease.holder} lost the {desk.lease.loop.lower()} lease")

    def take_frame(self, frame: TickFrame) -> None:
        """Everything due before the frame, then the frame itself: exchange first, strategies, then the watcher."""
        self.go_to(frame.received_at)
        self.venue.apply_frame(frame)
        self._hear_updates()
        done = self.loop.run_pass(frame)
        self.done.add(done)
        if done.entries_sent:
            self.watcher.wake()
        self._drill()
        if self.watcher.live or done.entries_sent:
            self.watcher.run_pass()

    def go_to(self, moment: datetime) -> None:
        """Let everything happen that is due by `moment`, in the order of time."""
        while True:
            due = [at_ for at_ in (self.venue.next_event_at(), self.watcher.next_due()) if at_ is not None]
            if not due or min(due) > moment:
                break
            self.clocks.move_to(min(due))
            self.venue.advance(self.clocks.market_now())
            self._hear_updates()
            self.watcher.run_pass()
        self.clocks.move_to(moment)
        self.venue.advance(self.clocks.market_now())

    def _hear_updates(self) -> None:
        updates = self.broker.order_updates()
        if updates:
            self.watcher.wake([update.broker_order_id for update in updates])

    def _drill(self) -> None:
        """Press flatten once, and be the operator who lets entries go on."""
        drill, now = self.drill, self.clocks.market_now()
        if drill is None or now < drill.not_before:
            return
        account_id = self.desk.account.pk
        if drill.pressed is None:
            if any(group.row.state == GroupState.ARMED for group in self.watcher.live):
                drill.pressed = flatten.request(
                    self.desk.account,
                    self.desk.session,
                    ExitReason.OPERATOR,
                    asked_by="drill",
                    clocks=self.clocks,
                )
                self.watcher.wake()
                self.watcher.run_pass()
            return
        if drill.resume_at is None:
            drill.pressed.refresh_from_db()
            if drill.pressed.finished_at is not None:
                drill.resume_at = now + DRILL_PAUSE
        elif now >= drill.resume_at:
            state.resume(account_id, by="drill", now=now)
            self.drill = None


def run_day(
    account: Account,
    source: MarketSource,
    *,
    seed: int,
    drill: bool = True,
    on_progress: Callable[[datetime], None] | None = None,
) -> ReplayedDay:
    """Replay one day of `source` into the database as a venue session of its own.

    `on_progress` is told market time once a minute. Raises lease.HeldByAnother when the account is being traded.
    """
    with connection.cursor() as cursor:
        # A replay that a crash cuts off is replayed again: its commits need not wait for the disk.
        cursor.execute("SET synchronous_commit TO off")
    replayed = open_day(account, source, seed=seed, drill=drill)
    try:
        minute = None
        for number, frame in enumerate(source.frames(replayed.venue.first_extreme)):
            if number % FRAMES_A_RENEWAL == 0:
                replayed.renew_leases()
            replayed.take_frame(frame)
            if on_progress and frame.received_at.minute != minute:
                minute = frame.received_at.minute
                on_progress(frame.received_at)
        replayed.go_to(at(source.trading_date, DayTimes().report))
        replayed.watcher.wake()
        replayed.watcher.run_pass()
    finally:
        for desk in (replayed.loop.desk, replayed.watcher.desk):
            lease.release(desk.lease)
    return replayed


def open_day(account: Account, source: MarketSource, *, seed: int, drill: bool) -> ReplayedDay:
    """Everything a day needs before its first frame: books, leases, warm market, recovered watcher."""
    trading_date = source.trading_date
    clocks = VirtualClocks(at(trading_date, DayTimes().housekeeping))
    session = _new_session(account, source, clocks.market_now())
    _begin_unpaused(account, clocks.market_now())
    venue = Venue(
        source.instruments,
        VenueRules(),
        seed=seed,
        capital_paise=to_paise(account.paper_capital_inr),
        user_id=account.broker_user,
        venue_session=session.key,
    )
    broker = PaperBroker(venue, clocks, seed=seed)
    instruments.refresh(source.instruments, trading_date)
    sessions = calendar.sessions_of(source.instruments, trading_date)
    market = MarketState(source.instruments, sessions)
    market.warm_up(source.warm_up(WARM_UP_DAYS))
    desks = [
        Desk(
            account=account,
            session=session,
            trading_date=trading_date,
            broker=broker,
            clocks=clocks,
            lease=lease.take_or_fail(account.pk, loop, f"replay {session.key}", LEASE_TTL_S),
            installation="replay",
        )
        for loop in (Loop.ENTRIES, Loop.EXITS)
    ]
    rows = day.table(source.instruments, sessions, clocks.market_now())
    watcher = OrderWatcher(desks[1], market, rows, rows_last=NOBODY_ELSE_WRITES)
    watcher.recover()
    return ReplayedDay(
        desk=desks[1],
        venue=venue,
        broker=broker,
        clocks=clocks,
        loop=StrategyLoop(desks[0], market, enabled_strategies(account, session)),
        watcher=watcher,
        drill=Drill.seeded(seed, clocks.market_now()) if drill else None,
    )


def enabled_strategies(account: Account, session: VenueSession) -> list[Strategy]:
    """Those that run by default, unless a row of the account says otherwise or one failed in these books."""
    rows = {row.strategy: row for row in StrategySetting.objects.filter(account=account)}

    def runs(name: str) -> bool:
        row = rows.get(name)
        return (
            name in registry.ON_BY_DEFAULT
            if row is None
            else row.enabled and row.off_session_id != session.pk
        )

    return list(registry.strategies([name for name in registry.STRATEGIES if runs(name)]))


def _new_session(account: Account, source: MarketSource, now: datetime) -> VenueSession:
    prefix = f"replay-{source.trading_date}"
    run = VenueSession.objects.filter(account=account, key__startswith=prefix).count() + 1
    return VenueSession.objects.create(
        account=account, key=f"{prefix}-{run}", market="replay", description=source.describe(), started_at=now
    )


def _begin_unpaused(account: Account, now: datetime) -> None:
    """A venue session of its own has nothing to reconcile: whatever an aborted replay left behind is lifted."""
    for reason in PauseReason:
        state.lift(account.pk, reason, by="replay", now=now)
