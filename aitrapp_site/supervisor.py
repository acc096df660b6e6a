"""Runs the Procfile's processes: starts each again when it dies, stops all in order, leaves none behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from aitrapp_site import forking
from aitrapp_site.forking import Fork
from aitrapp_site.keeper import Wake
from aitrapp_site.private_servers import die_with_parent

log = structlog.get_logger(__name__)

RESTART_PAUSE_S: Final = 0.5
RESTART_PAUSE_MAX_S: Final = 10.0
#: a process that lived so long is well, and its next pause is short again
WELL_AFTER_S: Final = 30.0
LOOK_EVERY_S: Final = 0.3
_LINE: Final = re.compile(r"^([a-z][a-z0-9_-]*):\s*(\S.*)$")


@dataclass(slots=True)
class Process:
    """One line of the Procfile. Only `Supervisor` starts and stops it."""

    name: str
    #: for /bin/sh
    command: str
    starts: int = 0
    _child: subprocess.Popen[bytes] | Fork | None = None
    _started_s: float = 0.0
    _pause_s: float = RESTART_PAUSE_S
    _start_at_s: float = 0.0

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child and self._child.poll() is None else None

    @property
    def status(self) -> int | None:
        """The exit status of the last run; None while it runs or before the first."""
        return self._child.poll() if self._child else None


@dataclass(slots=True)
class Supervisor:
    """`variables` are what the processes get beside our own environment; `<name>.out` in `out_dir` is their output."""

    processes: list[Process]
    variables: Mapping[str, str]
    project_dir: Path
    out_dir: Path
    wake: Wake = field(default_factory=Wake)
    #: told the number of each process that ended, reaped and not yet started again
    ended: Callable[[int], object] = lambda pid: None

    def start(self) -> None:
        self.out_dir.mkdir(parents=True, exist_ok=True)
        forking.preload()
        for process in self.processes:
            self.out_file(process).write_bytes(b"")
            self._start(process)

    def watch(self, look: Callable[[], bool]) -> None:
        """Keep all running until asked to stop, or `look` says that it is enough."""
        while not self.wake.stop_asked and look():
            self.wake.wait(LOOK_EVERY_S)
            for process in self.processes:
                self.keep(process)

    def stop(self, names: Iterable[str], patience_s: float) -> None:
        """Ask these to end, all at once; whoever has not after `patience_s` is killed."""
        going = [process for process in self.processes if process.name in set(names) and process.pid]
        for process in going:
            self._signal(process, signal.SIGTERM)
        deadline_s = time.monotonic() + patience_s
        for process in going:
            if not self._wait(process, deadline_s - time.monotonic()):
                log.warning("process_killed", process=process.name, patience_s=patience_s)
                self._signal(process, signal.SIGKILL)
                self._wait(process, 2.0)

    def out_file(self, process: Process) -> Path:
        return self.out_dir / f"{process.name}.out"

    def last_words(self, process: Process, lines: int = 12) -> str:
        """The end of what it printed since `start`."""
        text = self.out_file(process).read_text(errors="replace")
        return "\n".join(text.strip().splitlines()[-lines:])

    def keep(self, process: Process) -> None:
        """Start it again if it ended, after a pause that grows."""
        now_s = time.monotonic()
        if process.pid is not None:
            if now_s - process._started_s > WELL_AFTER_S:
                process._pause_s = RESTART_PAUSE_S
            return
        if not process._start_at_s:
            process._start_at_s = now_s + process._pause_s
            process._pause_s = min(2 * process._pause_s, RESTART_PAUSE_MAX_S)
            log.warning("process_ended", process=process.name, status=process.status)
            print(f"{process.name} ended ({process.status}); starting it again", flush=True)
            if process._child is not None:
                self.ended(process._child.pid)
        if now_s >= process._start_at_s:
            self._start(process)

    def _start(self, process: Process) -> None:
        process._start_at_s = 0.0
        arguments = forking.forked_arguments(process.command)
        if arguments is not None:
            process._child = Fork(process.name, arguments, self.variables, self.out_file(process))
        else:
            process._child = self._spawn(process)
        process.starts += 1
        process._started_s = time.monotonic()

    def _spawn(self, process: Process) -> subprocess.Popen[bytes]:
        with self.out_file(process).open("ab") as out:
            return subprocess.Popen(
                ["/bin/sh", "-c", f"exec {process.command}"],
                cwd=self.project_dir,
                env=child_environ(self.variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509  # one thread here
            )

    def _signal(self, process: Process, number: signal.Signals) -> None:
        if process._child is not None:
            process._child.send_signal(number)

    def _wait(self, process: Process, patience_s: float) -> bool:
        if process._child is None:
            return True
        try:
            process._child.wait(max(patience_s, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True


def read_procfile(path: Path) -> list[Process]:
    """The processes of a Procfile in its order. Raises ValueError for a line that is none."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"{path.name} line {number}: write `name: command`, not {line!r}")
        found.append(Process(name=match[1], command=match[2]))
    return found


def child_environ(extra: Mapping[str, str]) -> dict[str, str]:
    """Our own environment with `extra`, and this very interpreter for the Procfile's commands."""
    return {**os.environ, "PYTHON": sys.executable, **extra}
