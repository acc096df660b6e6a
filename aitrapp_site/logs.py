"""JSON lines in one file for every process, with nothing in them that would open an account."""

import fcntl
import logging
import logging.handlers
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"
WORDS_TO_REDACT = (
    r"access_token|request_token|refresh_token|public_token|enctoken|api_key|api_secret|secret_key|secret|"
    r"password|passwd|totp|checksum|authorization|cookie|csrftoken|sessionid"
)
# `instrument_token` is the number of a share and must stay readable: names are matched whole.
NAME_TO_REDACT = re.compile(rf"^(x-)?({WORDS_TO_REDACT})$", re.IGNORECASE)
PAIR_TO_REDACT = re.compile(
    rf"""(?P<name>\b(?:{WORDS_TO_REDACT})["']?\s*[=:]\s*["']?(?:token\s+|bearer\s+)?)[^\s"'&,;}}]+""",
    re.IGNORECASE,
)
BARE_CREDENTIAL = re.compile(
    r"\b(token\s+)[A-Za-z0-9]+:[A-Za-z0-9]+|\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE
)
PASSWORD_IN_ADDRESS = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")


def redact(logger: WrappedLogger, method_name: str, event: EventDict) -> EventDict:
    """Structlog processor: blank out tokens, keys and passwords, by the name of a field and inside text."""
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(key: Any, value: Any) -> Any:
    if isinstance(key, str) and NAME_TO_REDACT.match(key):
        return REDACTED
    if isinstance(value, str):
        text = PAIR_TO_REDACT.sub(rf"\g<name>{REDACTED}", value)
        text = BARE_CREDENTIAL.sub(lambda match: f"{match[1] or match[2]}{REDACTED}", text)
        return PASSWORD_IN_ADDRESS.sub(rf"\g<1>{REDACTED}@", text)
    if isinstance(value, dict):
        return {inner: _redacted(inner, item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(None, item) for item in value]
    return value


def common_processors() -> list[Processor]:
    """What every record gets, whether it comes from structlog or from the standard library."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def structlog_processors() -> list[Processor]:
    return [
        structlog.stdlib.filter_by_level,
        *common_processors(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]


class SharedRotatingHandler(logging.handlers.WatchedFileHandler):
    """A log file written by several processes and rotated by whichever finds it full.

    The standard rotating handler would let each process rotate the others' file away; here the one that holds
    the lock rotates, and the others notice that the file under the name is a new one and open it.
    """

    def __init__(self, filename: Path, *, max_bytes: int, keep: int) -> None:
        self.max_bytes, self.keep = max_bytes, keep
        super().__init__(filename, encoding="utf-8", delay=True)

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is not None and self.stream.tell() >= self.max_bytes:
            self._rotate()
        super().emit(record)

    def _rotate(self) -> None:
        path = Path(self.baseFilename)
        with path.with_name(f".{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists() or path.stat().st_size < self.max_bytes:
                return
            for number in range(self.keep - 1, 0, -1):
                older = path.with_name(f"{path.name}.{number}")
                if older.exists():
                    older.replace(path.with_name(f"{path.name}.{number + 1}"))
            path.replace(path.with_name(f"{path.name}.1"))


def logging_config(path: Path, *, level: str, max_mb: int, keep: int, to_console: bool) -> dict[str, Any]:
    """Django's LOGGING: everything to `path` as JSON lines, rotated at `max_mb` megabytes, `keep` old files.

    Raises ImproperlyConfigured for an unknown level or a folder that cannot be written.
    """
    if level not in logging.getLevelNamesMapping():
        raise ImproperlyConfigured(f"LOG_LEVEL is {level!r}: set it to DEBUG, INFO, WARNING or ERROR.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The log {path} cannot be written ({error.strerror}). Set AITRAPP_LOG_DIR, or give this user "
            "the folder."
        ) from error
    handlers: Iterable[str] = ["file", "console"] if to_console else ["file"]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*common_processors(), structlog.stdlib.ExtraAdder()],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    redact,
                    structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
                ],
            },
        },
        "handlers": {
            "file": {
                "()": SharedRotatingHandler,
                "filename": path,
                "max_bytes": max_mb * 1024 * 1024,
                "keep": keep,
                "formatter": "json",
            },
            "console": {"class": "logging.StreamHandler", "formatter": "json"},
        },
        "root": {"handlers": list(handlers), "level": level},
        # A console that polls would fill the log with its own requests.
        "loggers": {"django": {"level": level}, "uvicorn.access": {"level": "WARNING"}},
    }
