"""Where the private PostgreSQL and Valkey of one data folder live. Nothing here starts anything."""

import fcntl
import hashlib
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from aitrapp_site.environment import env_str

DATABASE_NAME = "aitrapp"
DATABASE_USER = "aitrapp"
#: A socket's path must stay under 104 bytes on macOS, 108 on Linux; PostgreSQL adds `/.s.PGSQL.5432.lock`.
SOCKET_FOLDER_BYTES_MAX = 80
STATE_HOME = Path("/var/lib")


class ServersError(Exception):
    """The private servers cannot run; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folders:
    """All places of one data folder, computed from it and from who asks, so every process finds the same."""

    data_dir: Path
    postgres_dir: Path
    sockets_dir: Path
    #: Where copies go that the user of PostgreSQL could not reach under `data_dir`.
    spare_dir: Path
    #: PostgreSQL refuses to run as root, so root runs it as this user; None: as ourselves.
    postgres_user: str | None

    @property
    def valkey_dir(self) -> Path:
        return self.data_dir / "valkey"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets_dir / "valkey.sock"

    @property
    def ready_file(self) -> Path:
        return self.data_dir / "servers.json"

    @property
    def keeper_log(self) -> Path:
        return self.data_dir / "keeper.log"

    @property
    def database_url(self) -> str:
        return self.database_url_of(DATABASE_NAME)

    def database_url_of(self, name: str) -> str:
        return f"postgres://{DATABASE_USER}@/{name}?host={self.sockets_dir}"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.valkey_socket}?db=0"

    @property
    def note(self) -> str:
        """One line for the operator where the data is not under the data folder, else empty."""
        if self.postgres_dir.is_relative_to(self.data_dir):
            return ""
        return (
            f"PostgreSQL's data is in {self.postgres_dir}: its user {self.postgres_user} cannot enter "
            f"{self.data_dir}."
        )


def folders_of(data_dir: Path) -> Folders:
    """The places of `data_dir` for this user. Raises ServersError when root has no unprivileged user."""
    data_dir = data_dir.resolve()
    mark = hashlib.sha256(f"{os.getuid()}:{data_dir}".encode()).hexdigest()[:12]
    spare_dir = STATE_HOME / f"aitrapp-{mark}"
    user = _postgres_user()
    is_reachable = user is None or is_open_to_others(data_dir)
    inside, outside = data_dir / "postgres", spare_dir / "postgres"
    # Data that is already there wins over a folder's mode that changed since: an empty database must never
    # take its place.
    with_data = [
        folder for folder in (inside, outside) if user is not None and (folder / "PG_VERSION").exists()
    ]
    postgres_dir = with_data[0] if with_data else inside if is_reachable else outside
    sockets_dir = data_dir / "sockets"
    if not is_reachable or len(os.fsencode(sockets_dir)) > SOCKET_FOLDER_BYTES_MAX:
        sockets_dir = Path("/tmp") / f"aitrapp-{mark}"
    return Folders(
        data_dir=data_dir,
        postgres_dir=postgres_dir,
        sockets_dir=sockets_dir,
        spare_dir=spare_dir,
        postgres_user=user,
    )


def _postgres_user() -> str | None:
    if os.getuid() != 0:
        return None
    name = env_str("AITRAPP_POSTGRES_USER", default="nobody")
    try:
        if pwd.getpwnam(name).pw_uid != 0:
            return name
    except KeyError:
        pass
    raise ServersError(
        f"PostgreSQL does not run as root and there is no unprivileged user {name!r}. Set "
        "AITRAPP_POSTGRES_USER to one, or start the program as an ordinary user."
    )


def is_open_to_others(path: Path) -> bool:
    """Whether any user may walk down to `path`, as far as the path exists."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents) if folder.exists())


def make_private_folder(path: Path, user: str | None) -> None:
    """Make `path` (mode 700) and give it to `user`. Raises ServersError when it belongs to somebody else."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    owner = pwd.getpwnam(user) if user else pwd.getpwuid(os.getuid())
    if user and status.st_uid != owner.pw_uid and status.st_uid in (0, os.getuid()):
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    elif status.st_uid != owner.pw_uid or path.is_symlink():
        raise ServersError(
            f"{path} belongs to another user. Start the program as its owner, remove the folder, or set "
            "AITRAPP_VAR_DIR."
        )
    path.chmod(0o700)


def open_lock(path: Path) -> IO[str]:
    """Open a lock file of the data folder, making both. Raises ServersError when this user may not."""
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o755)
        return path.open("a")
    except OSError as error:
        raise ServersError(
            f"{path} cannot be opened ({error.strerror}). The data folder belongs to another user: start the "
            "program as that user, give this user the folder, or set AITRAPP_VAR_DIR to another one."
        ) from error


def try_lock(file: IO[str], kind: int) -> bool:
    """Take `fcntl.LOCK_SH` or `fcntl.LOCK_EX` if nobody is in the way. It ends with the process."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
