"""Does to the running program what its plan says: signals, wipes, restarts, a bad wire, a stepped clock."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Thread
from typing import Final

import psutil
import redis

from aitrapp_site import embedded
from aitrapp_site.settings import BASE_DIR
from tests.aitrapp_site.paper_process import PaperProcess
from tests.chaos import plan
from tests.chaos.judge import LATE_FOR, Judge, machine_now
from tests.chaos.plan import Planned
from tests.chaos.proxy import Wire
from tests.chaos.seams import Board
from tests.chaos.troubles import EXCHANGE, Kind, Trouble, Troubles
from trading.core.enums import Loop

TICK_S: Final = 0.1
LOOK_S: Final = 0.5
#: a process that is not back so long after the last fault is told as it is
BACK_WITHIN_S: Final = 30.0
#: a wish that nobody came to so long after the last fault began is withdrawn
WISHED_S: Final = 5.0
WIRES: Final = {
    Kind.CUT: Wire.CUT,
    Kind.REFUSED: Wire.REFUSED,
    Kind.DELAYED: Wire.DELAYED,
    Kind.BLACK_HOLE: Wire.BLACK_HOLE,
    Kind.DEAF: Wire.DEAF,
    Kind.MUTE: Wire.MUTE,
    Kind.RESET: Wire.RESET,
}
SIGNALS: Final = {
    Kind.KILL: signal.SIGKILL,
    Kind.RESTART_FAST: signal.SIGINT,
    Kind.RESTART_IMMEDIATE: signal.SIGQUIT,
}
AT_WORK: Final = "SELECT 1 FROM trading_lease WHERE expires_at >= now() AND pass_at > now() - interval '4 s'"


class Startable(PaperProcess):
    """The program, which can be started, and started again, as it was asked for."""

    def start_as_asked(self) -> None:
        """Raises AssertionError where it does not come up."""
        raise NotImplementedError


class ProxyProcess:
    """The wire's process."""

    def __init__(self, port: int, board: Board) -> None:
        command = [sys.executable, "-m", "tests.chaos.proxy", str(port)]
        self._process = subprocess.Popen(
            command, cwd=BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._tell(str(board.exchange))

    def turn(self, mode: Wire, seconds: float = 0.0) -> None:
        """Returns when it is done."""
        self._tell(f"{mode} {seconds}")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise RuntimeError("the wire's process has ended")


@dataclass(slots=True)
class Lasting:
    """A fault that is on: what ends it, when, or how it is seen that it is over."""

    trouble: Trouble
    until_s: float
    undo: Callable[[], None]
    is_over: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class Nemesis:
    """Runs in a thread of its own, for a call that hangs in a fault must not hold up the judge."""

    paper: Startable
    board: Board
    wire: ProxyProcess
    judge: Judge
    troubles: Troubles
    say: Callable[[str], object]
    planned: list[Planned]
    error: BaseException | None = None
    _began_s: float = 0.0
    _on: list[Lasting] = field(default_factory=list)
    _standing: set[int] = field(default_factory=set)
    _thread: Thread | None = None
    _looked_s: float = 0.0

    def start(self) -> None:
        self._began_s = time.monotonic()
        self._thread = Thread(target=self._run, name="nemesis", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return self._thread is not None and not self._thread.is_alive()

    @property
    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _run(self) -> None:
        pause = Event()
        try:
            left = list(self.planned)
            while left or self._on or self.board.wishes():
                while left and left[0].at_s <= self._now_s:
                    self._begin(left.pop(0))
                self._see_stopped()
                self._end_due()
                if not left and self._now_s > self.planned[-1].at_s + WISHED_S:
                    self.board.withdraw()
                pause.wait(TICK_S)
        except Exception as error:  # noqa: BLE001  # told by the run, in its own thread
            self.error = error
        finally:
            self.wire.turn(Wire.WELL)
            self.board.clock.unlink(missing_ok=True)
            self.board.withdraw()

    # beginnings

    def _begin(self, fault: Planned) -> None:
        if fault.kind is Kind.STOP_AT_COMMAND:
            assert fault.point is not None
            self.board.wish(fault.point, fault.target).write_text(f"{fault.target} {fault.point}")
        elif fault.kind is Kind.CLOCK:
            self.board.clock.write_text(str(fault.amount_s))
            self._note(fault, fault.target, f"{fault.amount_s:+g} s", self.board.clock.unlink)
        elif fault.kind in WIRES:
            self.wire.turn(WIRES[fault.kind], fault.amount_s)
            words = f"{fault.amount_s:g} s" if fault.amount_s else ""
            self._note(fault, fault.target, words, partial(self.wire.turn, Wire.WELL))
        elif fault.kind is Kind.WIPE:
            with suppress(redis.RedisError):
                redis.Redis.from_url(self.paper.servers.redis_url, socket_timeout=1).flushall()
            self._note(fault, fault.target, "", _nothing)
        elif fault.target == plan.SUPERVISOR:
            self._end_all(fault)
        else:
            try:
                self._signal(fault)
            except psutil.NoSuchProcess:
                self.say(f"{self._now_s:7.1f} s  {fault.kind} {fault.target}: it went by itself, left out")

    def _end_all(self, fault: Planned) -> None:
        """Every process of the program at once, as when the machine goes; then it is started again."""
        self.paper.signal(signal.SIGKILL)
        self._note(fault, fault.target, "all processes with it", _nothing, self._is_at_work)
        self.paper.wait(10)
        self.paper.start_as_asked()

    def _signal(self, fault: Planned) -> None:
        name, process = self._victim(fault.target)
        if process is None:
            self.say(f"{self._now_s:7.1f} s  {fault.kind} {fault.target}: not there now, left out")
            return
        words = f"{name} {process.pid}" if name != fault.target else f"{process.pid}"
        if fault.kind is not Kind.KILL and process.status() == psutil.STATUS_STOPPED:
            self.say(f"{self._now_s:7.1f} s  {fault.kind} {name}: it is stopped, left out")
            return
        if fault.kind is Kind.STOP:
            # Only all of them together stand for a server that hangs.
            others = process.children(recursive=True) if name == plan.POSTGRES else []
            pids = [process.pid, *(other.pid for other in others)]
            _send(pids, signal.SIGSTOP)
            self._note(fault, name, words, partial(self._continue, pids))
            return
        _send([process.pid], SIGNALS[fault.kind])
        self._note(fault, name, words, _nothing, partial(self._is_back, name, process.pid))

    def _note(
        self,
        fault: Planned,
        target: str,
        words: str,
        undo: Callable[[], None],
        is_over: Callable[[], bool] = lambda: True,
    ) -> None:
        trouble = Trouble(
            kind=fault.kind,
            target=target,
            at=machine_now(),
            at_s=self._now_s,
            open_positions=self.judge.open_positions,
            note=words,
        )
        self.troubles.all.append(trouble)
        self._on.append(Lasting(trouble, self._now_s + fault.lasts_s, undo, is_over))
        lasts = f" for {fault.lasts_s:g} s" if fault.lasts_s else ""
        self.say(
            f"{self._now_s:7.1f} s  {fault.kind} {target}{f' ({words})' if words else ''}{lasts}, "
            f"{trouble.open_positions} positions open"
        )

    def _victim(self, target: str) -> tuple[str, psutil.Process | None]:
        """A leader is whichever process leads now; while the database is away, the one that usually does."""
        loop = next((loop for loop, name in plan.LEADERS.items() if name == target), None)
        processes = self.paper.processes()
        if loop is None:
            return target, processes.get(target)
        holder = "" if self._is_on(plan.POSTGRES) else self.paper.leader(loop)
        pid = int(holder.rpartition(":")[2]) if holder else 0
        usual = "strategy" if loop is Loop.ENTRIES else "watcher"
        name = next((name for name, process in processes.items() if process.pid == pid), usual)
        return name, processes.get(name)

    # ends

    def _see_stopped(self) -> None:
        """A process that came to the point of a wish stands still from now on, for its time."""
        for pid, words in self.board.stopped().items():
            if pid in self._standing:
                continue
            self._standing.add(pid)
            loop, _, point = words.partition(" ")
            fault = Planned(
                at_s=self._now_s, kind=Kind.STOP_AT_COMMAND, target=loop, lasts_s=plan.AT_COMMAND_S
            )
            self._note(fault, fault.target, f"{pid}, {point}", partial(self._continue, [pid]))

    def _continue(self, pids: list[int]) -> None:
        self.judge.late_until = machine_now() + LATE_FOR
        for pid in pids:
            self.board.stopped_by(pid).unlink(missing_ok=True)
            self._standing.discard(pid)
        _send(pids, signal.SIGCONT)

    def _end_due(self) -> None:
        looks = self._now_s - self._looked_s >= LOOK_S
        for one in list(self._on):
            if self._now_s < one.until_s:
                continue
            if one.undo is not _nothing:
                one.undo()
                one.undo = _nothing
            if not looks:
                continue
            self._looked_s = self._now_s
            if one.is_over() or self._now_s - one.until_s > BACK_WITHIN_S:
                one.trouble.over = machine_now()
                self._on.remove(one)

    def _is_on(self, target: str) -> bool:
        return any(one.trouble.target == target for one in self._on)

    def _is_back(self, name: str, pid: int) -> bool:
        """Whether who was killed is there again and at work."""
        if name == EXCHANGE:
            return exchange_state(self.board) is not None
        if name in (plan.POSTGRES, plan.KEEPER) and not self.paper.rows("SELECT 1"):
            return False
        if name in (plan.VALKEY, plan.KEEPER) and not embedded.valkey_answers(self.paper.servers.redis_url):
            return False
        process = self.paper.processes().get(name)
        if process is None or process.pid == pid:
            return False
        if name not in plan.WORKERS:
            return True
        return self._is_at_work()

    def _is_at_work(self) -> bool:
        return not self._is_on(plan.POSTGRES) and len(self.paper.rows(AT_WORK)) == len(Loop)


def _nothing() -> None:
    """There is nothing left to undo."""


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def exchange_state(board: Board) -> dict[str, object] | None:
    """What the exchange itself says of its time, past the proxy; None when it does not answer."""
    try:
        port = int(board.exchange.read_text())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_exchange/state", timeout=0.5) as reply:
            found: dict[str, object] = json.load(reply)
            return found
    except (OSError, ValueError):
        return None
