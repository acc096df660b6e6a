"""Settings from the environment, read loudly: a value that cannot be right stops the program with the remedy.

Callers name the variable literally, so that the README's table of settings can be checked against the source.
"""

import contextlib
import getpass
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})


def env_str(name: str, *, default: str) -> str:
    """The text of `name`; an empty value counts as not set."""
    return os.environ.get(name, "").strip() or default


def adopt(path: Path) -> None:
    """Take variables from a JSON object in `path` where they are not set; an absent file changes nothing.

    The launcher leaves what its processes were given there, for commands that are typed beside them.
    """
    try:
        variables = json.loads(path.read_text())
    except (FileNotFoundError, PermissionError, ValueError):
        return
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def env_bool(name: str, *, default: bool) -> bool:
    word = env_str(name, default=str(default)).lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(f"{name} is {word!r}: set it to 1 or 0.")


def env_int(name: str, *, default: int, minimum: int | None = None, maximum: int | None = None) -> int:
    text = env_str(name, default=str(default))
    try:
        number = int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {text!r}: set it to a whole number.") from None
    if minimum is not None and number < minimum:
        raise ImproperlyConfigured(f"{name} is {number}: set it to {minimum} or more.")
    if maximum is not None and number > maximum:
        raise ImproperlyConfigured(f"{name} is {number}: set it to {maximum} or less.")
    return number


def env_choice(name: str, *, default: str, choices: list[str]) -> str:
    word = env_str(name, default=default)
    if word not in choices:
        raise ImproperlyConfigured(f"{name} is {word!r}: set it to one of {', '.join(choices)}.")
    return word


def env_list(name: str, *, default: list[str]) -> list[str]:
    """Words between commas."""
    return [word.strip() for word in env_str(name, default=",".join(default)).split(",") if word.strip()]


def env_path(name: str, *, default: Path) -> Path:
    """An absolute path; a relative one is taken from the current folder."""
    return Path(env_str(name, default=str(default))).expanduser().absolute()


def database_from_url(url: str) -> dict[str, Any]:
    """Django's DATABASES entry for a PostgreSQL address.

    Takes `postgres://user:password@host:port/name` and, for a socket, `postgres://user@/name?host=/folder`.
    Other parameters of the query (`sslmode`, …) go to the driver as they are. Raises ImproperlyConfigured.
    """
    parts = urlsplit(url)
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in POSTGRES_SCHEMES or not name:
        raise ImproperlyConfigured(
            "DATABASE_URL must read postgres://user:password@host:port/name or, for a socket, "
            "postgres://user@/name?host=/folder; only PostgreSQL is supported."
        )
    try:
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured("DATABASE_URL has a port that is not a number from 1 to 65535.") from None
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": options.pop("port", str(port or "")),
        "OPTIONS": options,
    }


def celery_broker_url(redis_url: str) -> str:
    """Celery's spelling of a Redis address: it wants `redis+socket://` where redis-py wants `unix://`."""
    parts = urlsplit(redis_url)
    if parts.scheme in {"redis", "rediss"}:
        return redis_url
    if parts.scheme != "unix" or not parts.path:
        raise ImproperlyConfigured(
            "REDIS_URL must read redis://host:port/0, rediss://host:port/0 or unix:///path?db=0."
        )
    db = parse_qs(parts.query).get("db", ["0"])[-1]
    return f"redis+socket://{parts.path}?virtual_host={db}"


def process_name(arguments: Sequence[str]) -> str:
    """What a process with this `sys.argv` calls itself at the database, which the audit reads.

    `aitrapp: manage.py flatten by asha`, `aitrapp: worker watcher`, `aitrapp: uvicorn`.
    """
    program = Path(arguments[0]) if arguments and arguments[0] else Path("python")
    words = program.parent.name if program.name == "__main__.py" else program.name
    if "-n" in arguments[:-1]:
        words = f"worker {arguments[arguments.index('-n') + 1].partition('@')[0]}"
    elif words == "manage.py":
        words = " ".join((words, *arguments[1:2]))
        with contextlib.suppress(OSError, KeyError):
            words += f" by {getpass.getuser()}"
    return f"aitrapp: {words}"
