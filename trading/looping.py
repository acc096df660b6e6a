"""Who runs a loop: takes its lease, keeps it alive from a thread of its own, runs passes, steps down, comes back.

What a pass does is the `Work`'s; what goes wrong in one is decided here:
the broker away → the next pass tries · the login dead → entries pause, try again · the lease lost or the database
away → step down and try to lead again · anything unknown → entries stop and the loop ends, so that whoever
supervises the process starts a new one.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event, Thread
from typing import Any, Final, Protocol

import psycopg
import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from risk import state
from trading import lease, wakeups
from trading.broker.base import BrokerUnavailable, SessionExpired
from trading.core import enums
from trading.core.clocks import Clocks
from trading.core.enums import PauseReason
from trading.lease import FenceLost, Held
from trading.wakeups import Bell

log = structlog.get_logger(__name__)

#: what tells that the database, not the program, is the matter
#: the bell's word for an alarm of PostgreSQL: rows have changed
NOTIFIED: Final = "notify"
DATABASE_AWAY: Final = (OperationalError, InterfaceError, psycopg.OperationalError)


class StartAnew(Exception):
    """The market this work was made for is over: make new work under the same lease."""


class Work(Protocol):
    """What a leader does. Made when it begins to lead, closed when it stops, used by one thread."""

    def run_pass(self, rung: list[str]) -> None:
        """One bounded pass. `rung` is who woke it, empty when only time did."""
        ...

    def wait_s(self) -> float:
        """Machine seconds until the next pass is due if nothing wakes it."""
        ...

    def close(self) -> None:
        """Let go of connections. Safe after any failure."""
        ...


class LoopState(StrEnum):
    STANDBY = "STANDBY"
    LEADING = "LEADING"
    STOPPED = "STOPPED"
    CRASHED = "CRASHED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Machine seconds."""

    lease_s: float = lease.DEFAULT_TTL_S
    renew_every_s: float = 1.5
    #: the lease is not renewed for a pass that has been running this long
    pass_limit_s: float = 20.0
    #: a leader with nothing to do runs a pass this often all the same: that is its heartbeat
    idle_s: float = 1.0
    #: before the first try: a process that leads only where no other can lets the others go first
    first_try_after_s: float = 0.0
    #: how often a standby tries to lead
    try_every_s: float = 0.2
    #: after a failure of the broker, the login or the database
    breath_s: float = 0.5


@dataclass(slots=True)
class _Lead:
    """What the two threads of a leader share."""

    held: Held
    over: Event = field(default_factory=Event)
    lost: Event = field(default_factory=Event)
    pass_began_s: float | None = None
    passes: int = 0


class Loop:
    """One loop of one account in this process: standby until it gets the lease, then leader until it loses it."""

    def __init__(
        self,
        kind: enums.Loop,
        *,
        find_account: Callable[[], int],
        make_work: Callable[[Held, Bell], Work],
        clocks: Clocks,
        ended: Callable[[], None] = lambda: None,
        timing: Timing | None = None,
    ) -> None:
        """`find_account` gives the account's pk, or raises while the database is away. `ended` is called from
        the loop's thread when something unknown ended it.
        """
        self.kind = kind
        self.bell = Bell()
        self.holder = f"{kind.lower()} {lease.process_name(os.getpid())}"
        self._find_account = find_account
        self._make_work = make_work
        self._clocks = clocks
        self._ended = ended
        self._timing = timing or Timing()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=f"{kind.lower()}-loop", daemon=True)
        self._state = LoopState.STANDBY
        self._account_id: int | None = None
        self._lead: _Lead | None = None
        self._last_error = ""
        self._pass_worked_s: float | None = None

    def start(self) -> None:
        self._thread.start()

    def stop_and_join(self, timeout_s: float) -> bool:
        """Ask it to stop after its pass and wait; False when it still runs after `timeout_s`."""
        self._stopping.set()
        self.bell.ring()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def report(self) -> dict[str, Any]:
        """Its state for an operator: plain values."""
        lead, worked_s = self._lead, self._pass_worked_s
        return {
            "loop": self.kind.value,
            "state": self._state.value,
            "holder": self.holder,
            "fence": lead.held.fence if lead else None,
            "passes": lead.passes if lead else 0,
            "last_pass_age_s": None if worked_s is None else round(time.monotonic() - worked_s, 3),
            "last_error": self._last_error,
        }

    def _run(self) -> None:
        try:
            self._stopping.wait(self._timing.first_try_after_s)
            while not self._stopping.is_set():
                self._take_turn()
            self._state = LoopState.STOPPED
        except Exception as error:  # noqa: BLE001  # the last line of defence: stop entries, say why, end
            self._state = LoopState.CRASHED
            self._note_crash(error)
            self._ended()
        finally:
            connection.close()

    def _take_turn(self) -> None:
        """One try to lead, and the leading if it worked."""
        try:
            close_old_connections()
            if self._account_id is None:
                self._account_id = self._find_account()
            held = lease.take(self._account_id, self.kind, self.holder, self._timing.lease_s)
            if held is None:
                self._stopping.wait(self._timing.try_every_s)
                return
            self._lead_until_over(held)
        except FenceLost as error:
            self._note("loop_stepped_down", error)
        except DATABASE_AWAY as error:
            self._note("loop_database_away", error)
            connection.close()
            self._stopping.wait(self._timing.breath_s)
        finally:
            self._state = LoopState.STANDBY

    def _lead_until_over(self, held: Held) -> None:
        lead = _Lead(held)
        self._lead, self._state = lead, LoopState.LEADING
        log.info("loop_leads", loop=self.kind, holder=self.holder, fence=held.fence)
        keeper = Thread(target=self._keep_lease, args=(lead,), name=f"{self.kind.lower()}-lease", daemon=True)
        keeper.start()
        try:
            while not self._stopping.is_set():
                self._work(lead)
        finally:
            lead.over.set()
            self._lead = None
            keeper.join(self._timing.renew_every_s + 1)
            if not lead.lost.is_set():
                lease.release(held)

    def _work(self, lead: _Lead) -> None:
        """Make work and run its passes until it is over; returns to have new work made."""
        work: Work | None = None
        try:
            lead.pass_began_s = time.monotonic()
            work = self._make_work(lead.held, self.bell)
            lead.pass_began_s = None
            while not self._stopping.is_set():
                self._run_pass(lead, work)
                self.bell.wait(min(max(work.wait_s(), 0.0), self._timing.idle_s))
        except StartAnew as reason:
            log.info("loop_starts_anew", loop=self.kind, reason=str(reason))
        except SessionExpired as error:
            self._pause_for_login(lead.held.account_id, error)
        except BrokerUnavailable as error:
            # Only from the making: a pass that met it is followed by the next pass.
            self._note("loop_broker_away", error)
            self._stopping.wait(self._timing.breath_s)
        finally:
            lead.pass_began_s = None
            if work is not None:
                work.close()
        self._check_lead(lead)

    def _run_pass(self, lead: _Lead, work: Work) -> None:
        self._check_lead(lead)
        close_old_connections()
        lead.pass_began_s = time.monotonic()
        try:
            work.run_pass(self.bell.take())
        except BrokerUnavailable as error:
            self._note("loop_broker_away", error)
            self._stopping.wait(self._timing.breath_s)
            return
        finally:
            lead.pass_began_s = None
        lead.passes += 1
        self._pass_worked_s = time.monotonic()
        self._last_error = ""

    def _check_lead(self, lead: _Lead) -> None:
        if lead.lost.is_set():
            raise FenceLost(f"{self.holder} lost the lease of {self.kind}")

    def _keep_lease(self, lead: _Lead) -> None:
        """The leader's second thread: hears the alarm bell and renews the lease, as long as passes move."""
        seen, is_listening, next_s = 0, False, time.monotonic()
        try:
            while not lead.over.is_set():
                try:
                    if not is_listening:
                        wakeups.listen(self.kind)
                        is_listening = True
                        # What was said before is lost: look.
                        self.bell.ring(NOTIFIED)
                    if time.monotonic() >= next_s:
                        next_s = time.monotonic() + self._timing.renew_every_s
                        passes = lead.passes
                        if not self._renew(lead, worked=passes > seen):
                            return
                        seen = passes
                    # Short waits, so that the end of the lead is seen soon.
                    if wakeups.heard(lead.held.account_id, min(0.25, max(next_s - time.monotonic(), 0.01))):
                        self.bell.ring(NOTIFIED)
                except DATABASE_AWAY as error:
                    self._note("lease_not_renewed", error)
                    is_listening = False
                    connection.close()
                    lead.over.wait(self._timing.breath_s)
        finally:
            connection.close()

    def _renew(self, lead: _Lead, *, worked: bool) -> bool:
        """Push the lease on. False: it is lost, or the running pass hangs and somebody else shall lead."""
        began_s = lead.pass_began_s
        if began_s is not None and time.monotonic() - began_s > self._timing.pass_limit_s:
            log.error("loop_pass_hangs", loop=self.kind, age_s=round(time.monotonic() - began_s, 1))
        elif lease.renew(lead.held, self._timing.lease_s, pass_worked=worked):
            return True
        lead.lost.set()
        self.bell.ring()
        return False

    def _pause_for_login(self, account_id: int, error: SessionExpired) -> None:
        self._note("loop_login_needed", error)
        why = f"the broker refused the login: {error}"
        self._turn_off(account_id, PauseReason.LOGIN, why)
        self._stopping.wait(10 * self._timing.breath_s)

    def _note_crash(self, error: Exception) -> None:
        self._last_error = f"{type(error).__name__}: {error}"
        log.critical("loop_crashed", loop=self.kind, exc_info=error)
        if self._account_id is None:
            return
        try:
            self._turn_off(self._account_id, PauseReason.LEASE, f"the loop ended: {self._last_error}")
        except DATABASE_AWAY as away:
            log.error("loop_crash_not_stored", loop=self.kind, reason=str(away))

    def _turn_off(self, account_id: int, reason: PauseReason, why: str) -> None:
        now = self._clocks.machine_now()
        state.turn_off(account_id, reason, by=f"{self.kind.lower()} loop", why=why, now=now)

    def _note(self, event: str, error: BaseException) -> None:
        """Log a failure once, not at each repetition."""
        words = f"{type(error).__name__}: {str(error).strip()}"
        if words != self._last_error:
            log.warning(event, loop=self.kind, holder=self.holder, reason=words)
        self._last_error = words
