"""Processes as forks of the supervisor, which has loaded all of it: half the memory, and back in half a second.

Only Python's own modules are shared, no connection and no thread: the supervisor has none when it forks.
"""

import ctypes
import gc
import os
import random
import re
import runpy
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from select import select
from typing import Final

from django.conf import settings
from django.db import connections

from aitrapp_site.environment import process_name
from aitrapp_site.private_servers import die_with_parent

#: the Procfile's spelling of what is forked: the workers, and the dead man
FORKED: Final = re.compile(
    r'^"\$\{PYTHON[^"]*"\s+(?:-m\s+)?(celery -A aitrapp_site\.celery worker .*|manage\.py dead_man)$'
)
MODULES: Final = (
    "aitrapp_site.celery",
    "aitrapp_site.loops",
    "celery.__main__",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.thread",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "oco.management.commands.dead_man",
)
PR_SET_NAME: Final = 15
LOOK_EVERY_S: Final = 0.02


def forked_arguments(command: str) -> list[str] | None:
    """What `sys.argv` is to hold where the command is one that is forked, else None."""
    match = FORKED.match(command)
    return shlex.split(match[1]) if match else None


def preload() -> None:
    """Load what they need, once, before the first fork."""
    for name in MODULES:
        if name != "celery.__main__":
            __import__(name)
    gc.collect()
    # What lives now lives for ever; the collector need not touch its pages in each child.
    gc.freeze()


class Fork:
    """A child with the parts of `subprocess.Popen` that a supervisor uses."""

    def __init__(
        self, name: str, arguments: Sequence[str], variables: Mapping[str, str], out_file: Path
    ) -> None:
        """`arguments` become its `sys.argv`; `variables` are set in its environment and, where there is such a
        setting, in its settings.
        """
        # A fork shares our sockets, and whoever closes the database's first closes it for both.
        connections.close_all()
        prepare = die_with_parent(signal.SIGKILL)
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                if prepare is not None:
                    prepare()
                _become(name, arguments, variables, out_file)
            finally:
                os._exit(1)

    def poll(self) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float) -> int:
        """Raises subprocess.TimeoutExpired like the original."""
        until_s = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() >= until_s:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            select([], [], [], LOOK_EVERY_S)
        return status


def _become(name: str, arguments: Sequence[str], variables: Mapping[str, str], out_file: Path) -> None:
    """Runs in the child and does not return."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    out = os.open(out_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:15])
    random.seed()
    os.environ.update(variables)
    for key, value in variables.items():
        # The settings were read before the exchange's address and login were known.
        if hasattr(settings, key):
            setattr(settings, key, value)
    sys.argv = list(arguments)
    connections["default"].settings_dict["OPTIONS"]["application_name"] = process_name(sys.argv)
    try:
        if arguments[0] == "celery":
            runpy.run_module("celery", run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(str(settings.BASE_DIR / arguments[0]), run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
