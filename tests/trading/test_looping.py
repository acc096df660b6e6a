"""The runner of a loop: leading, standing by, stepping down, and what each failure of a pass leads to."""

from threading import Event

import pytest
from django.db import OperationalError, connection

from aitrapp_site.clocks import MachineClocks
from risk import state
from trading import bells, lease, looping
from trading.broker.base import BrokerUnavailable, SessionExpired
from trading.core.enums import Loop, PauseReason
from trading.looping import LoopState, StartAnew, Timing
from trading.models import Account, Lease

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = Timing(lease_s=1.5, renew_every_s=0.1, pass_limit_s=1.0, idle_s=0.05, try_every_s=0.05, breath_s=0.02)
WAIT_S = 10.0


class Script:
    """Work whose passes do what the script says, one entry a pass, then nothing more."""

    def __init__(self, *acts) -> None:
        self.acts = list(acts)
        self.fences: list[int] = []
        self.rung: list[str] = []
        self.closed = 0
        self.passes = 0
        self.after = Event()  # set when the script is over and one more pass worked

    def make(self, held, bell):
        self.fences.append(held.fence)
        return self

    def run_pass(self, rung) -> None:
        self.passes += 1
        self.rung += rung
        if self.acts:
            act = self.acts.pop(0)
            if isinstance(act, Exception):
                raise act
            act()
            return
        self.after.set()

    def wait_s(self) -> float:
        return 0.01

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def account():
    return Account.objects.create(name="loops", broker_user="LP0001")


@pytest.fixture
def loop_of(account):
    started = []

    def start(script, kind=Loop.EXITS, holder=None, ended=lambda: None):
        loop = looping.Loop(
            kind,
            find_account=lambda: account.pk,
            make_work=script.make,
            clocks=MachineClocks(),
            ended=ended,
            timing=QUICK,
        )
        if holder:
            loop.holder = holder
        loop.start()
        started.append(loop)
        return loop

    yield start
    for loop in started:
        loop.stop_and_join(WAIT_S)


def lease_row(account) -> Lease:
    return Lease.objects.get(account=account, loop=Loop.EXITS)


def wait_until(condition) -> bool:
    pause = Event()
    for _ in range(int(WAIT_S / 0.01)):
        if condition():
            return True
        pause.wait(0.01)
    return False


def test_a_leader_runs_passes_and_its_heartbeat_is_that_of_passes_that_worked(account, loop_of):
    script = Script()
    loop = loop_of(script)
    assert script.after.wait(WAIT_S)
    assert wait_until(lambda: lease_row(account).pass_at is not None)
    assert loop.report()["state"] == LoopState.LEADING
    assert loop.report()["last_error"] == ""


def test_a_broker_that_is_away_never_stamps_the_heartbeat_and_the_next_pass_tries(account, loop_of):
    away = [BrokerUnavailable("no connection") for _ in range(4)]
    seen = []
    script = Script(*away, lambda: seen.append(lease_row(account).pass_at))
    loop_of(script)
    assert script.after.wait(WAIT_S)
    assert seen == [None]
    assert script.passes >= 6
    assert script.fences == [1]


def test_stopping_closes_the_work_and_gives_the_lease_up_at_once(account, loop_of):
    script = Script()
    loop = loop_of(script)
    assert script.after.wait(WAIT_S)
    assert loop.stop_and_join(WAIT_S)
    assert script.closed == 1
    assert lease_row(account).holder == ""
    assert loop.report()["state"] == LoopState.STOPPED


def test_a_standby_makes_no_work_until_the_leader_is_gone(account, loop_of):
    first, second = Script(), Script()
    leader = loop_of(first, holder="exits a:1")
    assert first.after.wait(WAIT_S)
    standby = loop_of(second, holder="exits b:2")
    assert not second.after.wait(2 * QUICK.lease_s)
    assert second.fences == []
    assert standby.report()["state"] == LoopState.STANDBY
    leader.stop_and_join(WAIT_S)
    assert second.after.wait(WAIT_S)
    assert lease_row(account).holder == "exits b:2"


def test_a_leader_whose_lease_was_taken_steps_down_and_leads_again_under_a_new_fence(account, loop_of):
    def somebody_takes_it() -> None:
        lease_row(account)
        Lease.objects.filter(account=account).update(holder="thief", fence=7)

    script = Script(somebody_takes_it)
    loop_of(script)
    assert wait_until(lambda: len(script.fences) == 2)
    assert script.fences[0] == 1
    assert script.fences[1] > 7
    assert script.closed >= 1


def test_a_pass_that_hangs_lets_the_lease_run_out_for_somebody_else(account, loop_of):
    release = Event()
    hanging, other = Script(lambda: release.wait(WAIT_S)), Script()
    loop_of(hanging, holder="exits a:1")
    assert wait_until(lambda: hanging.passes == 1)
    loop_of(other, holder="exits b:2")
    assert other.after.wait(WAIT_S)
    assert lease_row(account).holder == "exits b:2"
    release.set()


def test_a_dead_login_pauses_entries_and_work_is_made_again(account, loop_of):
    script = Script(SessionExpired("token"))
    loop_of(script)
    assert script.after.wait(WAIT_S)
    assert state.reasons_off(account.pk) == {PauseReason.LOGIN}
    assert script.closed == 1


def test_a_new_day_makes_new_work_under_the_same_lease(account, loop_of):
    script = Script(StartAnew("another day"))
    loop_of(script)
    assert script.after.wait(WAIT_S)
    assert script.fences == [1, 1]


def test_a_database_that_went_away_is_met_by_stepping_down_and_leading_again(account, loop_of):
    script = Script(OperationalError("server closed the connection"))
    loop_of(script)
    assert script.after.wait(WAIT_S)
    assert script.fences == [1, 2]


def test_anything_unknown_stops_entries_and_ends_the_loop(account, loop_of):
    ended = Event()
    script = Script(ValueError("a defect"))
    loop = loop_of(script, ended=ended.set)
    assert ended.wait(WAIT_S)
    assert loop.report()["state"] == LoopState.CRASHED
    assert loop.report()["last_error"] == "ValueError: a defect"
    assert state.reasons_off(account.pk) == {PauseReason.LEASE}


def test_a_notification_wakes_the_loop_of_its_account_alone(account, loop_of):
    script = Script()
    loop_of(script)
    assert wait_until(lambda: script.rung == ["notify"])  # it listens from here on
    bells.ring(bells.EXITS, account.pk + 1)
    bells.ring(bells.ENTRIES, account.pk)
    bells.ring(bells.EXITS, account.pk)
    assert wait_until(lambda: len(script.rung) > 1)
    assert script.rung == ["notify", "notify"]


def test_the_lease_is_renewed_over_a_connection_that_was_cut(account, loop_of):
    script = Script()
    loop_of(script)
    assert script.after.wait(WAIT_S)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    fence = lease_row(account).fence
    passes = script.passes
    assert wait_until(lambda: script.passes > passes + 20)
    assert lease.is_current(lease.Held(account.pk, Loop.EXITS, "", lease_row(account).fence))
    assert lease_row(account).fence >= fence
