"""The process that runs a private PostgreSQL and Valkey as long as anybody uses them (see embedded.py)."""

import argparse
import fcntl
import json
import os
import select
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO

from aitrapp_site.embedded import Servers
from aitrapp_site.private_servers import Postgres, PrivateServer, Valkey
from aitrapp_site.server_folders import (
    Folders,
    ServersError,
    folders_of,
    make_private_folder,
    open_lock,
    try_lock,
)

LOOK_EVERY_S = 0.3
READY_LOOK_EVERY_S = 0.02
#: Two commands in a row should find the servers still up.
LINGER_S = 1.0
#: A predecessor that was killed takes a moment to be gone, and PostgreSQL with it.
LEFTOVER_TIMEOUT_S = 8.0
READY_TIMEOUT_S = 50.0
RESTART_PAUSE_MAX_S = 5.0


class Wake:
    """Waits that a dead child or a request to stop cut short."""

    def __init__(self) -> None:
        self.stop_asked = False
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, *_: object) -> None:
        self.stop_asked = True

    def wait(self, timeout_s: float) -> None:
        if select.select([self._reader], [], [], timeout_s)[0]:
            os.read(self._reader, 4096)


def keep(folders: Folders, *, throwaway: bool) -> None:
    """Run both servers until nobody holds the clients' lock. Returns at once when another keeper runs."""
    with (
        open_lock(folders.data_dir / "keeper.lock") as mine,
        open_lock(folders.data_dir / "clients.lock") as clients,
    ):
        if not try_lock(mine, fcntl.LOCK_EX):
            return
        folders.ready_file.unlink(missing_ok=True)
        wake, boot_id = Wake(), uuid.uuid4().hex
        servers: list[PrivateServer] = [
            Postgres(folders, boot_id=boot_id, durable=not throwaway),
            Valkey(folders, durable=not throwaway),
        ]
        try:
            make_private_folder(folders.sockets_dir, folders.postgres_user)
            for server in servers:
                server.prepare()
                server.start()
            for server in servers:
                bring_up(server, wake)
            _say_ready(folders, boot_id)
            watch(servers, clients, wake)
        except ServersError:
            # Whoever asked reads the reason from the log in the folder.
            throwaway = False
            raise
        finally:
            folders.ready_file.unlink(missing_ok=True)
            for server in reversed(servers):
                server.stop()
            if throwaway:
                for folder in (folders.postgres_dir, folders.sockets_dir, folders.data_dir):
                    shutil.rmtree(folder, ignore_errors=True)


def bring_up(server: PrivateServer, wake: Wake) -> None:
    """Wait until a started server answers. Raises ServersError when it ends instead, or takes too long."""
    started_s = time.monotonic()
    while not server.is_ready():
        waited_s = time.monotonic() - started_s
        if wake.stop_asked:
            raise ServersError("The keeper of the private servers was told to stop while they started.")
        if not server.is_running():
            if not server.may_retry() or waited_s > LEFTOVER_TIMEOUT_S:
                raise ServersError(server.why_it_ended())
            wake.wait(LOOK_EVERY_S)
            server.start()
        elif waited_s > READY_TIMEOUT_S:
            raise ServersError(
                f"{server.name} did not answer within {READY_TIMEOUT_S:.0f} s; see {server.log_file}."
            )
        wake.wait(READY_LOOK_EVERY_S)
    server.finish()


def watch(servers: Sequence[PrivateServer], clients: IO[str], wake: Wake) -> None:
    """Restart what dies, until all clients are gone (their lock is then ours) or we are told to stop."""
    unused_since_s: float | None = None
    restart_at_s = {server.name: 0.0 for server in servers}
    pause_s = {server.name: LOOK_EVERY_S for server in servers}
    while not wake.stop_asked:
        wake.wait(LOOK_EVERY_S)
        now_s = time.monotonic()
        for server in servers:
            if not server.is_running() and now_s >= restart_at_s[server.name]:
                print(f"{server.name} ended ({server.exit_status()}); starting it again", flush=True)
                server.start()
                # A full disk keeps it from coming up: try for ever, ever more calmly.
                restart_at_s[server.name] = now_s + pause_s[server.name]
                pause_s[server.name] = min(2 * pause_s[server.name], RESTART_PAUSE_MAX_S)
            elif now_s > restart_at_s[server.name] + RESTART_PAUSE_MAX_S:
                pause_s[server.name] = LOOK_EVERY_S
        if not try_lock(clients, fcntl.LOCK_EX):
            unused_since_s = None
            continue
        unused_since_s = unused_since_s or now_s
        if now_s - unused_since_s >= LINGER_S:
            return
        fcntl.flock(clients, fcntl.LOCK_UN)


def _say_ready(folders: Folders, boot_id: str) -> None:
    servers = Servers(database_url=folders.database_url, redis_url=folders.redis_url, boot_id=boot_id)
    draft = folders.ready_file.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(servers)))
    draft.replace(folders.ready_file)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument(
        "--throwaway", action="store_true", help="force nothing to disk and remove the data at the end"
    )
    options = parser.parse_args()
    try:
        keep(folders_of(options.data_dir), throwaway=options.throwaway)
    except ServersError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
