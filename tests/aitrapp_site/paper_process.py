"""A whole `manage.py paper` of its own for a test: its processes, its rows, its exchange's books."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import psycopg

from aitrapp_site import embedded
from aitrapp_site.paper import free_port
from aitrapp_site.settings import BASE_DIR

#: what the tests' own environment must not hand down
OURS = re.compile(r"^(DATABASE_URL|REDIS_URL|KITE_|EXCHANGE_|AITRAPP_|DJANGO_|SECRET_KEY|WEB_|PYTEST)")
#: processes that are forks of the supervisor and name themselves
FORKS = ("strategy", "watcher", "worker", "dead_man")
#: the market is drawn from its seed and its date: on this one there are two positions and more from 14:10 on
DAY = ("--day", "2026-11-23", "--seed", "3")
_pause = Event()


def wait_for(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """The first true answer of `condition`; AssertionError naming `what` when none came in time."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        found = condition()
        if found:
            return found
        _pause.wait(0.05)
    raise AssertionError(f"not within {within_s:g} s: {what}")


class PaperProcess:
    """Start it with `start`, again after `stop` or a kill; `close` leaves nothing behind."""

    def __init__(self) -> None:
        self.var_dir = Path(tempfile.mkdtemp(prefix="aitrapp-paper-", dir="/tmp"))
        self.var_dir.chmod(0o755)
        self.port = free_port(0)
        self.servers = embedded.addresses(self.var_dir)
        self._process: subprocess.Popen[str] | None = None
        self._starts = 0

    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        return kept | {
            "AITRAPP_VAR_DIR": str(self.var_dir),
            "AITRAPP_LOG_DIR": str(self.var_dir / "logs"),
            # Another system that starts while the exchange is down would take a port that all prefer.
            "AITRAPP_EXCHANGE_PORT": "0",
        }

    def start(self, *arguments: str, within_s: float = 60.0) -> None:
        """Return when it says that it trades."""
        self._starts += 1
        with self.out_file.open("w") as out:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "paper", "--port", str(self.port), *arguments],
                cwd=BASE_DIR,
                env=self.environ(),
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
        wait_for(lambda: "ready in" in self.said or self.status is not None, within_s, "readiness")
        assert self.status is None, self.said

    def try_to_start(self, *arguments: str) -> tuple[int, str]:
        """Exit status and words of a start that is expected to be refused."""
        answer = subprocess.run(
            [sys.executable, "manage.py", "paper", *arguments],
            cwd=BASE_DIR,
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=30,
        )
        return answer.returncode, answer.stdout + answer.stderr

    @property
    def out_file(self) -> Path:
        return self.var_dir / f"paper-{self._starts}.out"

    @property
    def said(self) -> str:
        return self.out_file.read_text()

    @property
    def status(self) -> int | None:
        return self._process.poll() if self._process else None

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, within_s: float) -> int:
        assert self._process is not None
        return self._process.wait(within_s)

    def processes(self) -> dict[str, psutil.Process]:
        """What runs in this folder, by name, the private servers included."""
        words = {
            "beat": "beat",
            "trading.exchange": "exchange",
            "uvicorn": "web",
            "paper": "supervisor",
            "aitrapp_site.keeper": "keeper",
            "-D": "PostgreSQL",
        }
        found: dict[str, psutil.Process] = {}
        for process in self._mine():
            line = process.info["cmdline"]
            name = process.info["name"] if process.info["name"] in FORKS else None
            name = name or next((words[word] for word in words if word in line), None)
            if name is None and "valkey" in " ".join(line):
                name = "Valkey"
            if name is not None:
                found[name] = process
        return found

    def leftovers(self) -> list[str]:
        return [" ".join(process.info["cmdline"])[:100] for process in self._mine()]

    def _mine(self) -> list[psutil.Process]:
        mark = str(self.var_dir)
        found = []
        for process in psutil.process_iter(["name", "cmdline", "status"]):
            if process.pid == os.getpid() or not process.info["cmdline"]:
                continue
            try:
                is_mine = (
                    mark in " ".join(process.info["cmdline"])
                    or process.environ().get("AITRAPP_VAR_DIR") == mark
                )
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if is_mine and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of its database; none while the database is away."""
        try:
            with psycopg.connect(self.servers.database_url, connect_timeout=2) as connection:
                return connection.execute(query.encode()).fetchall()
        except psycopg.OperationalError:
            return []

    def leader(self, loop: str) -> str:
        """Who leads, as `kind host:pid`; empty when nobody does."""
        rows = self.rows(f"SELECT holder FROM trading_lease WHERE loop = '{loop}' AND expires_at >= now()")
        return rows[0][0] if rows else ""

    def verdict(self) -> dict[str, Any]:
        """Every invariant of the day so far, over its rows and its exchange's books (see day_verdict)."""
        answer = subprocess.run(
            [sys.executable, "-m", "tests.aitrapp_site.day_verdict"],
            cwd=BASE_DIR,
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert answer.returncode == 0, answer.stderr
        judged: dict[str, Any] = json.loads(answer.stdout)
        return judged

    def exchange_says(self, path: str, method: str = "GET") -> Any:
        """`data` of one of Kite's routes, or the whole answer of another; None when there is no answer."""
        try:
            login = json.loads((self.var_dir / "exchange_login.json").read_text())
            shared = json.loads((self.var_dir / "paper.environ").read_text())
            token = f"token {login['api_key']}:{login['access_token']}"
            request = urllib.request.Request(
                shared["EXCHANGE_URL"] + path,
                headers={"X-Kite-Version": "3", "Authorization": token},
                method=method,
            )
            with urllib.request.urlopen(request, timeout=2) as reply:
                body = json.load(reply)
        except (OSError, ValueError):
            return None
        return body.get("data", body)

    def close(self) -> None:
        if self._process is not None and self.status is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait(25)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
        embedded.wait_until_stopped(self.var_dir, timeout_s=20)
        subprocess.run(["rm", "-rf", str(self.var_dir)], check=False)
