"""What the two loops do in the running system: a pass of the strategy loop, a pass of the order watcher.

The replay's driver calls the same two passes in one thread (reporting/replay.py); here each has a process, a
connection and a lease of its own.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db.models.functions import Now

from aitrapp_site import kite_token, unguarded, wiring
from aitrapp_site.clocks import VenueClocks
from aitrapp_site.wiring import OpenDay
from oco import day as day_table
from oco import direct_import
from oco.direct_import import BrokenJournal
from oco.views import ExitPolicy
from oco.watcher import OrderWatcher
from reporting import burnin, contract_note
from reporting.replay import enabled_strategies
from risk import state
from risk.models import BurninDay, EntriesOff
from trading import bells, feed
from trading.broker.base import BrokerError
from trading.broker.kite.client import venue_state
from trading.core.enums import Loop, PauseReason
from trading.core.session import DayTimes, at
from trading.core.ticks import TickFrame
from trading.feed import Feed
from trading.lease import Held
from trading.loop import StrategyLoop
from trading.looping import NOTIFIED, StartAnew
from trading.minutes import MinuteKeeper
from trading.models import Account, Lease
from trading.sending import BudgetSpent
from trading.tick_bus import TickPublisher
from trading.wakeups import Bell

log = structlog.get_logger(__name__)

#: with no frame for so long the venue is asked what time it is
QUIET_S: Final = 0.5
#: how often the strategy loop looks whether somebody leads the exits
LOOK_AT_EXITS_S: Final = 1.0
#: its leader notes working passes every 1.5 s
EXITS_PASS_WITHIN: Final = timedelta(seconds=4)
#: how often a new leader of the exits looks at the books while the market warms up
GUARD_EVERY_S: Final = 0.25
STRATEGY, WATCHER = "strategy", "watcher"


class _DayWork:
    """One day's market and connection, and the look at whether it is still that day."""

    def __init__(self, held: Held) -> None:
        account = Account.objects.get(pk=held.account_id)
        self.day: OpenDay = wiring.open_day(account, held)
        self.desk = self.day.desk
        self.market = self.day.market
        self.feed: Feed

    def connect(self, bell: Bell, announce: str) -> None:
        """Last in the making: what fails after it would leave a connection that nobody reads."""
        self.feed = wiring.open_feed(self.day, bell, announce)
        self._told_s = time.monotonic()

    def close(self) -> None:
        self.feed.close()

    def check_day(self, rung: list[str]) -> None:
        """Raise StartAnew when the venue began other books or another day, SessionExpired for a dead token."""
        feed.check_login(rung)
        if NOTIFIED in rung and kite_token.of_account(self.desk.account.pk, wiring.place().name) != (
            self.day.access_token
        ):
            raise StartAnew("somebody logged in")
        if NOTIFIED in rung and Account.objects.get(pk=self.desk.account.pk).mode != self.desk.account.mode:
            raise StartAnew("the mode changed")
        if self.desk.broker.venue_session != self.desk.session.key:
            raise StartAnew(f"the venue's session is {self.desk.broker.venue_session} now")
        if self.desk.clocks.market_now().date() != self.desk.trading_date:
            raise StartAnew(f"{self.desk.trading_date} is over")

    def keep_time(self) -> bool:
        """Take what the venue says of its time; in silence ask it. Whether it said something by itself."""
        if not isinstance(self.day.clocks, VenueClocks):
            return False
        told, now_s = self.feed.clock(), time.monotonic()
        has_spoken = told is not None
        if told is None and now_s - self._told_s > QUIET_S:
            told = venue_state(wiring.place())
        if told is not None:
            self._told_s = now_s
            if told.venue_session != self.desk.session.key:
                raise StartAnew(f"the venue's session is {told.venue_session} now")
            self.day.clocks.hear(told.market_at)
        return has_spoken

    def take_frames(self) -> list[TickFrame]:
        """What came since the last pass."""
        frames = list(self.feed.frames())
        if frames:
            self._told_s = time.monotonic()
        return frames

    def wait_s(self) -> float:
        return 0.0 if self.feed.has_more else QUIET_S


class StrategyWork(_DayWork):
    """Frames in, entries out, live ticks to the console."""

    def __init__(self, held: Held, bell: Bell) -> None:
        super().__init__(held)
        wiring.warm_up(self.day, meanwhile=lambda: None)
        self.loop = StrategyLoop(
            self.desk, self.market, enabled_strategies(self.desk.account, self.desk.session)
        )
        self._publisher = TickPublisher(settings.REDIS_URL, self.market, lost=self._lost)
        self._minutes = MinuteKeeper(self.desk.session, self.desk.trading_date, self.market)
        self._looked_s = 0.0
        self.connect(bell, STRATEGY)

    def run_pass(self, rung: list[str]) -> None:
        self.check_day(rung)
        self._look_around()
        has_time = self.keep_time()
        frames = self.take_frames()
        for frame in frames:
            try:
                done = self.loop.run_pass(frame)
            except BudgetSpent as error:
                log.warning("entry_waits_for_order_rate", reason=str(error))
                continue
            if done.entries_sent:
                bells.ring(bells.EXITS, self.desk.account.pk)
            if done.candles_closed:
                self._minutes.wake(frame.received_at)
        if frames:
            clocks = self.desk.clocks
            self._publisher.offer(clocks.market_now(), clocks.monotonic_s(), clocks.machine_now())
        if frames or has_time:
            self.feed.acknowledge()

    def close(self) -> None:
        super().close()
        self._publisher.stop()
        self._minutes.stop()

    def _lost(self) -> dict[str, int]:
        """Asked later than the publisher is made, when there is a feed."""
        return self.feed.lost()

    def _look_around(self) -> None:
        """Nobody enters while nobody protects or nothing is heard: without exits' leader or feed, entries are off."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_AT_EXITS_S:
            return
        self._looked_s = now_s
        account_id, now = self.desk.account.pk, self.desk.clocks.machine_now()
        feed.note_silence(account_id, self.feed.silent_s, by="entries loop", now=now)
        is_led = Lease.objects.filter(
            account_id=account_id,
            loop=Loop.EXITS,
            expires_at__gte=Now(),
            pass_at__gte=Now() - EXITS_PASS_WITHIN,
        ).exists()
        if is_led:
            state.lift(account_id, PauseReason.LEASE, by="entries loop", now=now)
        else:
            why = "nobody leads the exits: no position would be protected"
            state.turn_off(account_id, PauseReason.LEASE, by="entries loop", why=why, now=now)


class WatcherWork(_DayWork):
    """Books in, protection and exits out, the day's table, the report at its end.

    A new leader protects first: a stop needs the broker's books alone. Prices and candles come after.
    """

    def __init__(self, held: Held, bell: Bell) -> None:
        super().__init__(held)
        wiring.warm_up(self.day, meanwhile=self._guard())
        # A watcher of its own: candles that the guard did not have would look to it as if they had just closed.
        self.watcher = self._recovered()
        self._report_at: datetime | None = at(self.desk.trading_date, DayTimes().report)
        self._is_reconciled = False
        self.connect(bell, WATCHER)

    def _guard(self) -> Callable[[], None]:
        """Run the first pass now; what is returned runs another whenever one is due."""
        self._journal_is_broken = False
        if self._has_direct_orders():
            self._take_in()
        guard = self._recovered()
        guard.run_pass()
        log.info("watcher_recovered", session=self.desk.session.key)
        ran_s = time.monotonic()

        def look() -> None:
            nonlocal ran_s
            if time.monotonic() - ran_s >= GUARD_EVERY_S:
                guard.run_pass()
                ran_s = time.monotonic()

        return look

    def _has_direct_orders(self) -> bool:
        return not self._journal_is_broken and direct_import.is_waiting(unguarded.journal())

    def _take_in(self) -> None:
        """What was sent without the database. The dead man may go on for a moment after we are back."""
        try:
            adopted = direct_import.take_in(self.desk, unguarded.journal(), ExitPolicy())
            log.warning("direct_orders_taken_in", adopted_orders=adopted)
        except BrokenJournal as error:
            # A person must look at it; positions are guarded meanwhile.
            self._journal_is_broken = True
            log.error("direct_orders_unreadable", reason=str(error))
            now = self.desk.clocks.market_now()
            state.turn_off(
                self.desk.account.pk, PauseReason.RECONCILIATION, by="direct", why=str(error), now=now
            )

    def _recovered(self) -> OrderWatcher:
        opens = at(self.desk.trading_date, DayTimes().housekeeping)
        rows = day_table.table(self.market.specs, self.day.sessions, opens)
        watcher = OrderWatcher(self.desk, self.market, rows)
        if interrupted := watcher.recover():
            log.warning("commands_were_interrupted", count=interrupted)
        return watcher

    def run_pass(self, rung: list[str]) -> None:
        self.check_day(rung)
        if self._has_direct_orders():
            self._take_in()
            self.watcher.wake()
        if feed.CONNECTED in rung:
            # What was said while we were not connected is lost: read the books.
            self.watcher.reads.read_all_now(self.desk.clocks.machine_now())
        if any(word and word != feed.FRAME for word in rung):
            self.watcher.wake(feed.orders_of(rung))
        has_time = self.keep_time()
        frames = self.take_frames()
        for frame in frames:
            self.market.close_due(frame.received_at)
            self.market.apply(frame)
        self.watcher.run_pass()
        self._lift_shutdown()
        self._report_when_due()
        if frames or has_time:
            self.feed.acknowledge()

    def wait_s(self) -> float:
        due = self.watcher.next_due()
        if due is None:
            return super().wait_s()
        return min((due - self.desk.clocks.machine_now()).total_seconds(), super().wait_s())

    def _lift_shutdown(self) -> None:
        """The first pass that worked has brought our rows up to the broker's books."""
        if self._is_reconciled:
            return
        self._is_reconciled = True
        now, account_id = self.desk.clocks.machine_now(), self.desk.account.pk
        state.lift(account_id, PauseReason.SHUTDOWN, by="reconciliation", now=now)
        # The login was refused to one of the loops and answered this one.
        EntriesOff.objects.filter(
            account_id=account_id, reason=PauseReason.LOGIN, set_by__endswith=" loop", lifted_at=None
        ).update(lifted_at=now, lifted_by="exits loop")

    def _wrong_charges(self) -> tuple[str, ...]:
        """Where the broker's contract note says otherwise than we do. Without an answer the report goes without."""
        try:
            compared = contract_note.compare(self.desk.session, self.desk.trading_date, self.day.broker)
        except BrokerError as error:
            log.warning("charges_not_compared", reason=str(error))
            return ()
        log.info(
            "charges_compared",
            orders=compared.orders,
            ours_inr=str(compared.ours_inr),
            note_inr=str(compared.note_inr),
            differences=len(compared.differences),
        )
        return compared.differences

    def _report_when_due(self) -> None:
        now = self.desk.clocks.market_now()
        if self._report_at is None or now < self._report_at:
            return
        if not BurninDay.objects.filter(session=self.desk.session).exists():
            desk = self.desk
            judged = burnin.report(desk.account, desk.session, desk.trading_date, desk.broker, now=now)
            burnin.store(replace(judged, problems=(*judged.problems, *self._wrong_charges())))
            log.info("burnin_day_stored", session=desk.session.key, passed=judged.passed)
        self._report_at = None
