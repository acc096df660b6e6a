"""Hearing the alarm bells of `trading.bells`, and the bell inside a process that they and others ring.

A bell that nobody hears loses nothing: every loop looks at its rows again every so often anyway.
"""

from threading import Condition
from typing import Final

from django.db import connection
from psycopg import sql

from trading import bells
from trading.core.enums import Loop

#: the channel each loop listens on; the payload is the account's id
CHANNELS: Final = {Loop.ENTRIES: bells.ENTRIES, Loop.EXITS: bells.EXITS}


class Bell:
    """What cuts a loop's waiting short. Any thread may ring it; the loop takes what was rung, once."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._rung: list[str] = []

    def ring(self, word: str = "") -> None:
        """Wake the loop. `word` says who rang: it is handed to the loop once per ring."""
        with self._changed:
            self._rung.append(word)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Return when something was rung and not taken yet, at the latest after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._rung), timeout_s)

    def take(self) -> list[str]:
        """What was rung since the last call, oldest first."""
        with self._changed:
            rung, self._rung = self._rung, []
            return rung


def listen(loop: Loop) -> None:
    """Have this thread's database connection hear the loop's channel. To be repeated after each reconnect."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNELS[loop])))


def heard(account_id: int, timeout_s: float) -> bool:
    """Wait up to `timeout_s` for a notification on this thread's connection; whether one named the account.

    Raises psycopg.OperationalError when the connection breaks while waiting.
    """
    meant = False
    for notice in connection.connection.notifies(timeout=timeout_s, stop_after=1):
        meant = meant or notice.payload == str(account_id)
    return meant
