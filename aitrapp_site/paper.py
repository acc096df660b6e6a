"""What `make paper` prepares before it starts the processes: locks, ports, login, operator; and when it is ready."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import psutil
import psycopg
from django.conf import settings
from django.contrib.auth.models import User

from aitrapp_site.environment import env_int
from aitrapp_site.server_folders import open_lock, try_lock
from trading import keys
from trading.core.enums import Scope
from trading.models import Account

OPERATOR: Final = "operator"
KEY_NAME: Final = "local operator"
BROKER_USER: Final = "PAPER1"
#: the first choice; 0: any that is free
EXCHANGE_PORT: Final = env_int("AITRAPP_EXCHANGE_PORT", default=8010, minimum=0, maximum=65535)


class CannotStart(Exception):
    """Why `make paper` cannot start, and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExchangeLogin:
    """What the paper exchange takes as login; made once an installation, so that its journal stays valid."""

    api_key: str
    api_secret: str
    access_token: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Operator:
    """Who signs in at the console, and the key programs call with. `repr` leaves both secrets out."""

    user: str
    password: str
    key: str

    def __repr__(self) -> str:
        return f"Operator(user={self.user!r})"


@contextmanager
def only_one(var_dir: Path) -> Iterator[None]:
    """Hold the folder's and the login's lock while the block runs. Raises CannotStart when either is held."""
    with ExitStack() as stack:
        lock = stack.enter_context(open_lock(var_dir / "paper.lock"))
        if not try_lock(lock, fcntl.LOCK_EX):
            raise CannotStart(
                f"AITRAPP already runs in this folder (process {running_pid(var_dir) or 'unknown'}). Stop it with "
                "Ctrl-C in its terminal or `kill` and its number, or use another folder (AITRAPP_VAR_DIR)."
            )
        pid_file = var_dir / "paper.pid"
        pid_file.write_text(f"{os.getpid()}\n")
        stack.callback(pid_file.unlink, missing_ok=True)
        connection = stack.enter_context(psycopg.connect(settings.DATABASE_URL, autocommit=True))
        name = f"{settings.KITE_ENVIRONMENT}/{settings.ACCOUNT_NAME}"
        number = int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [number]).fetchone()
        if row != (True,):
            raise CannotStart(
                f"Another AITRAPP already trades the account {settings.ACCOUNT_NAME!r} on this database. Stop "
                "it first, or choose another account with ACCOUNT_NAME."
            )
        yield


def running_pid(var_dir: Path) -> int | None:
    """The process number of the `make paper` of this folder; None when none runs."""
    try:
        pid = int((var_dir / "paper.pid").read_text())
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return pid


def check_port(host: str, port: int) -> None:
    """Raises CannotStart when somebody listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} cannot be used ({error.strerror}). Stop whoever listens there, or choose another "
                f"with PORT, such as `make paper PORT={port + 80}`."
            ) from error


def free_port(preferred: int) -> int:
    """`preferred` if nobody has it, else any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CannotStart("No port is free on this machine.")


def exchange_login(var_dir: Path) -> ExchangeLogin:
    """The installation's login at its own exchange, read or made."""
    path = var_dir / "exchange_login.json"
    try:
        return ExchangeLogin(**json.loads(path.read_text()))
    except FileNotFoundError:
        login = ExchangeLogin(
            api_key=secrets.token_hex(8), api_secret=secrets.token_hex(16), access_token=secrets.token_hex(16)
        )
        _write_private(path, json.dumps(asdict(login)))
        return login


def paper_account() -> Account:
    """The account that trades, made where there is none. Raises CannotStart for a LIVE one, but in a rehearsal."""
    account, _ = Account.objects.get_or_create(
        name=settings.ACCOUNT_NAME, defaults={"broker_user": BROKER_USER}
    )
    if account.mode != "PAPER" and not is_rehearsal():
        raise CannotStart(
            f"The account {account.name} is {account.mode}; `make paper` trades on paper only. Put it back to "
            "PAPER at the console, or choose another with ACCOUNT_NAME."
        )
    return account


def is_rehearsal() -> bool:
    """Whether the exchange of this run plays PRODUCTION: a person logs in, and only a LIVE account enters."""
    return bool(settings.KITE_ENVIRONMENT == "rehearsal")


def check_place() -> None:
    """Raises CannotStart where the settings send orders to somebody else's server."""
    if settings.KITE_ENVIRONMENT not in ("exchange", "rehearsal"):
        raise CannotStart(
            f"KITE_ENVIRONMENT is {settings.KITE_ENVIRONMENT}: `make paper` brings an exchange of its own. Leave it "
            "out, or run the Procfile's processes but for `exchange` (README, Real money)."
        )


def operator(var_dir: Path) -> Operator:
    """The operator, made once; password and key stand in files only their user can read."""
    password_file, key_file = var_dir / "operator.password", var_dir / "operator.key"
    user, is_new = User.objects.get_or_create(
        username=OPERATOR, defaults={"is_staff": True, "is_superuser": True}
    )
    if is_new or not password_file.exists():
        password = secrets.token_urlsafe(12)
        user.set_password(password)
        user.save()
        _write_private(password_file, password + "\n")
    key = key_file.read_text().strip() if key_file.exists() else ""
    if not key or keys.find_key(key) is None:
        key = keys.create_key(KEY_NAME, [Scope.READ, Scope.OPERATE])
        _write_private(key_file, key + "\n")
    return Operator(user=user.username, password=password_file.read_text().strip(), key=key)


@contextmanager
def shared_environ(var_dir: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Leave the processes' variables where a command typed beside them finds them (see settings)."""
    path = var_dir / "paper.environ"
    _write_private(path, json.dumps(dict(environ)))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def memory_mb(var_dir: Path) -> dict[str, float]:
    """Proportional set size of each process of the running system, MB by name. Linux only."""
    found: dict[str, float] = {}
    roots = [pid for pid in (running_pid(var_dir), *_keeper_pids(var_dir)) if pid is not None]
    for root in roots:
        for process in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
            name = f"{process.pid} {_short_name(process)}"
            found[name] = _pss_mb(process.pid)
    return found


def _keeper_pids(var_dir: Path) -> Sequence[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if "aitrapp_site.keeper" in (words := process.info["cmdline"] or []) and str(var_dir) in words
    ]


def _pss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def _short_name(process: psutil.Process) -> str:
    """A fork's own name, else the telling word of its command."""
    if process.name() in ("strategy", "watcher", "worker", "dead_man"):
        return str(process.name())
    words = process.cmdline() or [process.name()]
    names = ("beat", "trading.exchange", "uvicorn", "paper", "aitrapp_site.keeper")
    return next((name for name in names if name in words), " ".join(words)[:40])


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
