"""The database of a simulated world: one connection that every actor uses in turn, with seams at its commits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import OperationalError, connection, connections

WRITES = ("INSERT", "UPDATE", "DELETE")


class Seams:
    """Calls `seam` before and after each commit; a statement may be told that the database is away."""

    def __init__(
        self, seam: Callable[[str], None], between: Callable[[], None], is_actors: Callable[[], bool]
    ) -> None:
        """`between` is called before a statement outside a transaction: there an actor may stand still, since
        the connection it shares is nobody's. `is_actors` says whether a statement is the program's: only for it
        can the database be away.
        """
        self._seam = seam
        self._between = between
        self._is_actors = is_actors
        self._connection = connection
        self.is_away = False
        self.statements = 0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch the one connection."""
        own = self._connection = connections["default"]
        own.ensure_connection()
        commit = own.commit
        own.commit = lambda: self._commit(commit)  # type: ignore[method-assign]  # seams around the real one
        try:
            with own.execute_wrapper(self._execute):
                yield
        finally:
            del own.__dict__["commit"]

    def _commit(self, commit: Callable[[], None]) -> None:
        try:
            self._seam("before commit")
        except BaseException:
            self._connection.rollback()
            raise
        commit()
        self._seam("after commit")

    def _execute(self, execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        self.statements += 1
        if not self._connection.in_atomic_block:
            self._between()
        if self.is_away and self._is_actors():
            self.is_away = False
            raise OperationalError("server closed the connection unexpectedly")
        is_own_commit = not self._connection.in_atomic_block and sql.startswith(WRITES)
        if is_own_commit:
            self._seam("before commit")
        answer = execute(sql, params, many, context)
        if is_own_commit:
            self._seam("after commit")
        return answer


def prepare_statements() -> None:
    """Have the server plan each statement once: the same few come thousands of times a seed."""
    connection.close()
    options = {
        "server_side_binding": True,
        "prepare_threshold": 1,
        "options": "-c plan_cache_mode=force_generic_plan",
    }
    connection.settings_dict["OPTIONS"] |= options


def empty_tables() -> None:
    """Every row of ours goes, and numbers begin at one again, so that a seed always sees the same ids."""
    names = [
        model._meta.db_table
        for app in ("trading", "risk", "oco", "reporting")
        for model in apps.get_app_config(app).get_models()
    ]
    quoted = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {quoted} RESTART IDENTITY CASCADE")
