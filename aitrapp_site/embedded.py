"""Private PostgreSQL and Valkey for a machine that has none: who wants them, and how they are asked for.

Whoever uses the servers holds a shared lock on `clients.lock` in the data folder. A *keeper* (keeper.py), a
process in a session of its own, runs both servers as long as anybody holds that lock. The kernel lets go of a
lock when a process ends in whatever way, so the servers never outlive their users by much more than a second,
and closing a terminal or Ctrl-C never takes them away from a program that still runs.
"""

import fcntl
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from aitrapp_site.environment import env_path
from aitrapp_site.server_folders import Folders, ServersError, folders_of, open_lock, try_lock

__all__ = [
    "Servers",
    "ServersError",
    "addresses",
    "default_data_dir",
    "restart_keeper",
    "use_servers",
    "wait_until_stopped",
]

PROJECT_DIR = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.03
#: A keeper is never waited for by its parent, only asked whether it still runs; held so that it can be.
_keepers: list[tuple[Path, subprocess.Popen[bytes]]] = []


@dataclass(frozen=True, kw_only=True, slots=True)
class Servers:
    """Addresses of a running pair. `boot_id` is new each time a keeper starts."""

    database_url: str
    redis_url: str
    boot_id: str

    def export(self, environ: MutableMapping[str, str]) -> None:
        """Put the addresses where settings and child processes find them. A REDIS_URL that is set stays."""
        environ["DATABASE_URL"] = self.database_url
        environ.setdefault("REDIS_URL", self.redis_url)
        environ["AITRAPP_EMBEDDED"] = "1"


def default_data_dir() -> Path:
    """AITRAPP_VAR_DIR, else `var` beside manage.py."""
    return env_path("AITRAPP_VAR_DIR", default=PROJECT_DIR / "var")


def addresses(data_dir: Path) -> Servers:
    """Where the servers of `data_dir` listen when they run; starts nothing."""
    folders = folders_of(data_dir)
    return Servers(database_url=folders.database_url, redis_url=folders.redis_url, boot_id="")


@contextmanager
def use_servers(data_dir: Path, *, throwaway: bool = False) -> Iterator[Servers]:
    """Have both servers running while the block runs; start them when nobody else did.

    `throwaway` is for tests: nothing is forced to disk, and the data folder goes when the last user does.
    Raises ServersError with the reason and the remedy.
    """
    folders = folders_of(data_dir)
    deadline_s = time.monotonic() + START_TIMEOUT_S
    with open_lock(folders.data_dir / "clients.lock") as clients:
        # Refused only while a keeper is stopping its servers; the next keeper is then ours to start.
        while not try_lock(clients, fcntl.LOCK_SH):
            _pause(folders, deadline_s)
        yield _running_servers(folders, throwaway=throwaway, deadline_s=deadline_s)


def restart_keeper(data_dir: Path) -> bool:
    """Start the servers of a block of `use_servers` anew if their keeper was killed; whether it was."""
    folders = folders_of(data_dir)
    if _keeper_runs(folders) or any(keeper.poll() is None for _, keeper in _keepers):
        return False
    _start_keeper(folders, throwaway=False)
    return True


def wait_until_stopped(data_dir: Path, *, timeout_s: float) -> bool:
    """Wait until no keeper runs for `data_dir`; False when one still does after `timeout_s`."""
    folders = folders_of(data_dir)
    deadline_s = time.monotonic() + timeout_s
    # It lets go of its lock a moment before it is gone.
    own = [keeper for data_dir, keeper in _keepers if data_dir == folders.data_dir]
    while _keeper_runs(folders) or any(keeper.poll() is None for keeper in own):
        if time.monotonic() > deadline_s:
            return False
        select.select([], [], [], LOOK_EVERY_S)
    return True


def _running_servers(folders: Folders, *, throwaway: bool, deadline_s: float) -> Servers:
    keeper: subprocess.Popen[bytes] | None = None
    log_start = 0
    while True:
        servers = _read_ready(folders)
        if servers and answers(servers):
            return servers
        if keeper and keeper.poll():
            raise ServersError(
                _log_since(folders, log_start)
                or f"The private servers did not start; see {folders.data_dir}."
            )
        if (keeper is None or keeper.poll() is not None) and not _keeper_runs(folders):
            log_start = folders.keeper_log.stat().st_size if folders.keeper_log.exists() else 0
            keeper = _start_keeper(folders, throwaway=throwaway)
        _pause(folders, deadline_s)


def _pause(folders: Folders, deadline_s: float) -> None:
    if time.monotonic() > deadline_s:
        raise ServersError(
            f"The private servers were not ready within {START_TIMEOUT_S:.0f} s; see the logs "
            f"in {folders.data_dir}."
        )
    select.select([], [], [], LOOK_EVERY_S)


def _start_keeper(folders: Folders, *, throwaway: bool) -> subprocess.Popen[bytes]:
    if folders.note:
        print(folders.note, file=sys.stderr)
    command = [sys.executable, "-m", "aitrapp_site.keeper", "--data-dir", str(folders.data_dir)]
    with folders.keeper_log.open("ab") as log:
        keeper = subprocess.Popen(
            [*command, "--throwaway"] if throwaway else command,
            cwd=PROJECT_DIR,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _keepers.append((folders.data_dir, keeper))
    return keeper


def _keeper_runs(folders: Folders) -> bool:
    if not folders.data_dir.exists():
        return False
    with open_lock(folders.data_dir / "keeper.lock") as lock:
        return not try_lock(lock, fcntl.LOCK_SH)


def _read_ready(folders: Folders) -> Servers | None:
    try:
        return Servers(**json.loads(folders.ready_file.read_text()))
    except FileNotFoundError:
        return None


def _log_since(folders: Folders, start: int) -> str:
    with folders.keeper_log.open("rb") as log:
        log.seek(start, os.SEEK_SET)
        return log.read().decode(errors="replace").strip()


def answers(servers: Servers) -> bool:
    """Whether both servers reply, and the PostgreSQL is the one `servers` means, not one of a past run."""
    try:
        with psycopg.connect(servers.database_url, connect_timeout=2) as connection:
            row = connection.execute("SHOW aitrapp.boot_id").fetchone()
    except psycopg.Error:
        return False
    return row == (servers.boot_id,) and valkey_answers(servers.redis_url)


def valkey_answers(redis_url: str) -> bool:
    """Whether the Valkey behind a `unix://` address has loaded its data and replies."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(redis_url.removeprefix("unix://").partition("?")[0])
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False
