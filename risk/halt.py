"""The latch as a file, for when the database cannot keep it: while it lies there, no entry leaves this machine."""

from pathlib import Path

from django.conf import settings


def halt_file() -> Path:
    """Beside the program's data; an operator may also make it by hand."""
    return Path(settings.VAR_DIR) / "HALT"


def put_up(why: str) -> None:
    """Latch entries off. Works without any server."""
    path = halt_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(why + "\n", encoding="utf-8")


def stands() -> bool:
    return halt_file().exists()


def take_down() -> None:
    """The operator's resume."""
    halt_file().unlink(missing_ok=True)
