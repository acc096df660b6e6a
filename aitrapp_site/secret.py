"""The installation's own secret key: made once, kept in a file that only its user can read."""

import os
import secrets
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def read_or_make_secret_key(path: Path) -> str:
    """The key in `path`; made there (mode 600) when absent, once even if many processes ask together."""
    try:
        if not path.exists():
            _make(path)
        key = path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The secret key {path} cannot be read or made ({error.strerror}). Set SECRET_KEY, or give this "
            "user the folder."
        ) from error
    if len(key) < 40:
        raise ImproperlyConfigured(
            f"{path} holds no usable secret key. Remove the file to have a new one made."
        )
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50) + "\n")
        # A link fails where the file is already there: the first process wins and the others read its key.
        Path(path).hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
