"""The day's access token, wherever it is asked for.

A person's login is a row. Its sealed token also lies in a file that only our user can read: closing positions must
work while the database is away. Without a login the settings' token counts, which is what `make paper` gives.
"""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings

from trading import current, logins
from trading.looping import DATABASE_AWAY
from trading.models import Account, KiteLogin

FILE: Final = "kite_login.json"


def of_account(account_id: int, place: str) -> str:
    """The token to call a place with; empty when nobody has logged in. Raises logins.UnreadableLogin."""
    login = logins.in_use(account_id, place)
    return logins.token_of(login) if login else settings.KITE_ACCESS_TOKEN


def of_installation(place: str) -> str:
    """The token of the installation's own account, also while the database is away. Raises UnreadableLogin."""
    try:
        return of_account(current.account_named().pk, place)
    except (current.NoAccount, *DATABASE_AWAY):
        return without_database(place)


def without_database(place: str) -> str:
    """The same from the file. Raises logins.UnreadableLogin."""
    try:
        kept = json.loads(_path().read_text())
    except (OSError, ValueError):
        return settings.KITE_ACCESS_TOKEN
    return logins.unseal(kept["sealed_token"]) if kept.get("place") == place else settings.KITE_ACCESS_TOKEN


def keep(login: KiteLogin) -> None:
    """Write the file."""
    write_private(_path(), {"place": login.place, "sealed_token": login.sealed_token})


def write_private(path: Path, words: Mapping[str, str]) -> None:
    """Write a JSON object, whole or not at all, readable by our user alone."""
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(dict(words), file)
    draft.replace(path)


def forget(account: Account, place: str, *, why: str, now: datetime) -> None:
    """The login in use is over: what the settings say counts again. `now` is machine time."""
    logins.end(account, place, why=why, now=now)
    _path().unlink(missing_ok=True)


def _path() -> Path:
    return Path(settings.VAR_DIR) / FILE
