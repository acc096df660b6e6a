"""One run: start everything, let the nemesis loose, heal, see it trade again, flatten, stop, leave nothing behind."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Thread
from typing import Any, Final

from aitrapp_site import embedded
from aitrapp_site.paper import free_port
from aitrapp_site.settings import BASE_DIR
from tests.chaos import plan, seams
from tests.chaos.books import OtherBooks
from tests.chaos.judge import Judge, machine_now
from tests.chaos.nemesis import Nemesis, ProxyProcess, Startable
from tests.chaos.seams import Board
from tests.chaos.troubles import Troubles

#: market seconds a second: a minute's candles close every six seconds
SPEED: Final = 10
FROM: Final = "09:31"
LOOK_S: Final = 0.05
FIRST_POSITION_WITHIN_S: Final = 90.0
#: the world heals at least so long and at most so long, until it trades again
HEAL_S: Final = (10.0, 60.0)
FLAT_WITHIN_S: Final = 35.0
AFTER_FLAT_S: Final = 2.0
STOPPED_WITHIN_S: Final = 40.0
REASONS_OFF: Final = "SELECT reason, why FROM risk_entriesoff WHERE lifted_at IS NULL"


class NoExposure(AssertionError):
    """The run cannot say anything: no position was opened."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is to be. `keeps` leaves its folder where a violation is to be looked into."""

    seed: int
    minutes: float
    keeps: bool = False
    speed: float = SPEED
    #: one of the simulation's deliberate defects, which the judge must find
    defect: str = ""


class ChaosPaper(Startable):
    """`manage.py paper` with the seams in it and its broker behind the proxy."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.board = Board(self.var_dir / "chaos")
        self.board.folder.mkdir()
        self.proxy_port = free_port(0)
        self._asked = asked

    def environ(self) -> dict[str, str]:
        return super().environ() | {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            seams.FOLDER: str(self.board.folder),
            seams.PROXY_PORT: str(self.proxy_port),
            seams.SEED: str(self._asked.seed),
            seams.DEFECT: self._asked.defect,
        }

    def start_as_asked(self) -> None:
        """With the same books, where it was started before."""
        words = ("--from", FROM, "--speed", f"{self._asked.speed:g}", "--seed", str(self._asked.seed))
        self.start(*words)

    def flatten_from_a_terminal(self) -> str:
        """What `manage.py flatten` says."""
        command = [sys.executable, "manage.py", "flatten"]
        answer = subprocess.run(
            command, check=False, cwd=BASE_DIR, env=self.environ(), capture_output=True, text=True, timeout=60
        )
        return (answer.stdout + answer.stderr).strip()

    def leave(self) -> None:
        """Stop, and leave rows, logs and journals where they are."""
        if self._process is not None and self.status is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait(25)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
        embedded.wait_until_stopped(self.var_dir, timeout_s=20)


def run(asked: Asked, say: Callable[[str], object]) -> dict[str, Any]:
    """The run's sheet. Raises NoExposure where the market gave nothing to judge."""
    paper = ChaosPaper(asked)
    wire = ProxyProcess(paper.proxy_port, paper.board)
    is_good = False
    try:
        one = Run(asked, paper, wire, say)
        sheet = one.go()
        is_good = not sheet["violations"]
        return sheet
    finally:
        if is_good or not asked.keeps:
            paper.close()
        else:
            paper.leave()
            say(f"left for a look: {paper.var_dir}")
        wire.close()


class Run:
    """The phases of a run, in their order."""

    def __init__(
        self, asked: Asked, paper: ChaosPaper, wire: ProxyProcess, say: Callable[[str], object]
    ) -> None:
        self.asked = asked
        self.paper = paper
        self.say = say
        self.troubles = Troubles()
        self.judge = Judge(paper.var_dir / "exchange", self.troubles, seams.OPEN_POSITIONS)
        self.nemesis = Nemesis(
            paper,
            paper.board,
            wire,
            self.judge,
            self.troubles,
            say,
            plan.drawn(asked.seed, asked.minutes * 60),
        )
        self.began = machine_now()
        self.traded_again_s: float | None = None
        #: the dead man closed everything, and an operator let it trade again
        self.resumed = False
        self._pause = Event()

    def go(self) -> dict[str, Any]:
        self.paper.start_as_asked()
        self._until(lambda: self.judge.open_positions, FIRST_POSITION_WITHIN_S)
        if not self.judge.open_positions:
            raise NoExposure(f"no position within {FIRST_POSITION_WITHIN_S:g} s:\n{self.paper.said}")
        self.began = machine_now()
        self.say(f"seed {self.asked.seed}: {self.judge.open_positions} positions open, faults begin")
        try:
            self._suffer()
            self._heal()
            self._flatten()
        except OtherBooks as error:
            self.judge.violate("books", str(error))
        self._stop()
        self.judge.end()
        return self._sheet()

    def _suffer(self) -> None:
        self.nemesis.start()
        self._until(lambda: self.nemesis.is_done, self.asked.minutes * 60 + 120)
        if isinstance(self.nemesis.error, AssertionError):
            self.judge.violate("start", f"it did not come up again: {self.nemesis.error}")
        elif self.nemesis.error is not None:
            raise self.nemesis.error

    def _heal(self) -> None:
        """I10: it trades again by itself, where the limits leave room for a position."""
        began_s, entries = time.monotonic(), self.judge.entries
        self.say(f"{self._age_s():7.1f} s  the faults are over, it heals")
        self._until(lambda: self.judge.entries > entries, HEAL_S[0])
        if self.judge.entries == entries:
            self.say(f"{self._age_s():7.1f} s  no entry yet: {self._why_not()}")
            self._resume_after_the_dead_man()
            self._until(lambda: self.judge.entries > entries, HEAL_S[1] - HEAL_S[0])
        healing_s = time.monotonic() - began_s
        if self.judge.entries > entries:
            self.traded_again_s = round(healing_s, 1)
            self._until(lambda: False, HEAL_S[0] - healing_s)
        elif self.judge.open_positions < seams.OPEN_POSITIONS:
            self.judge.violate("I10", f"no entry {HEAL_S[1]:g} s after the last fault: {self._why_not()}")

    def _resume_after_the_dead_man(self) -> None:
        """It closes what nobody protects and latches entries off; that latch is the operator's to lift."""
        if all(reason != "flatten" for reason, _ in self.paper.rows(REASONS_OFF)):
            return
        self.resumed = True
        answer = self._post("/resume")
        self.say(f"{self._age_s():7.1f} s  the operator resumes{': ' + answer if answer else ''}")

    def _why_not(self) -> str:
        reasons = "; ".join(f"{reason}: {why}" for reason, why in self.paper.rows(REASONS_OFF))
        return f"{self.judge.open_positions} positions open, {reasons or 'entries are on'}"

    def _flatten(self) -> None:
        self.say(f"{self._age_s():7.1f} s  flatten with {self.judge.open_positions} positions open")
        asking = Thread(target=self._ask_to_flatten, name="operator", daemon=True)
        self.judge.press()
        asking.start()
        self._until(lambda: not self.judge.is_flattening and self.judge.latched_at, FLAT_WITHIN_S)
        self._until(lambda: False, AFTER_FLAT_S)
        if self.judge.is_flattening or self.judge.latched_at is None:
            self.judge.violate(
                "I6", f"not flat, or not answered, {FLAT_WITHIN_S:g} s after flatten was asked for"
            )
        elif self.judge.oracle is not None and not self.judge.oracle.is_flat:
            self.judge.violate("I6", "no longer flat after the flatten")

    def _ask_to_flatten(self) -> None:
        """As an operator does: the API, and a terminal where it does not answer."""
        if problem := self._post("/flatten"):
            self.say(
                f"{self._age_s():7.1f} s  the console did not answer ({problem}): flatten from a terminal"
            )
            self.say(self.paper.flatten_from_a_terminal())
        self.judge.latch()

    def _post(self, path: str) -> str:
        """Ask the API as the operator; why it did not answer, or nothing."""
        key = (self.paper.var_dir / "operator.key").read_text().strip()
        address = f"http://127.0.0.1:{self.paper.port}{path}"
        request = urllib.request.Request(address, method="POST", headers={"Authorization": f"Bearer {key}"})
        try:
            urllib.request.urlopen(request, timeout=20).close()
        except OSError as error:
            return str(error)
        return ""

    def _stop(self) -> None:
        self.paper.signal(signal.SIGTERM)
        try:
            status = self.paper.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.judge.violate("stop", f"it did not end within {STOPPED_WITHIN_S:g} s")
            return
        if status:
            self.judge.violate("stop", f"it ended with {status}: {self.paper.said[-500:]}")
        self._until(lambda: not self.paper.leftovers(), 10)
        if left := self.paper.leftovers():
            self.judge.violate("stop", f"it left processes: {left}")

    def _until(self, condition: Callable[[], Any], within_s: float) -> None:
        """Judge until something holds, at most so long."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s and not condition():
            told = len(self.judge.violations)
            self.judge.look()
            for one in self.judge.violations[told:]:
                market = f"{self.judge.market_at:%H:%M:%S}" if self.judge.market_at else "closed"
                self.say(f"{self._age_s():7.1f} s  VIOLATION {one.invariant}: {one.what} (market {market})")
            self._pause.wait(LOOK_S)

    def _age_s(self) -> float:
        return (machine_now() - self.began).total_seconds()

    def _sheet(self) -> dict[str, Any]:
        now: datetime = machine_now()
        faults = [one.as_json(now) for one in self.troubles.all]
        return {
            "seed": self.asked.seed,
            "minutes": self.asked.minutes,
            "faults": faults,
            "traded_again_s": self.traded_again_s,
            "resumed": self.resumed,
            **self.judge.as_json(self.began),
        }


def as_text(sheet: dict[str, Any]) -> str:
    """The sheet for a person."""
    faults, bare = sheet["faults"], sheet["unprotected_s"]
    met = sum(fault["while_open"] for fault in faults)
    again = sheet["traded_again_s"]
    lines = [
        f"seed {sheet['seed']}, {sheet['minutes']:g} minutes: {len(faults)} faults, {met} of them while a position "
        f"was open; {sheet['entries']} entries, {sheet['fills']} fills",
        f"without a live stop: p50 {bare['p50']} s, p99 {bare['p99']} s, worst {bare['max']} s",
        f"traded again {again} s after the last fault" if again is not None else "did not trade again",
        f"flatten: {sheet['flatten_s']['max']} s",
        f"violations: {len(sheet['violations'])}",
    ]
    lines += [f"  {one['at']} s {one['invariant']}: {one['what']}" for one in sheet["violations"]]
    return "\n".join(lines)


def as_json(sheet: dict[str, Any]) -> str:
    return json.dumps(sheet, ensure_ascii=False, indent=1)
