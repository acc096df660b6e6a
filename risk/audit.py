"""Who did what: the one writer of what changes no row, and whose name the database puts on everything.

Rows that an operator or the program changes state in are written down by the database's own triggers (migration
0004_audit_triggers), so nobody can forget it, not even psql. What leaves no row behind (a refusal, a login, a lever
that was pressed) is written here. Author, address and time are stamped by the database: the author is the one that
this connection acts for, else the process as it calls itself (`application_name`), else the database role.

Nothing ever deletes an entry: SEBI wants five years of records, and the database refuses anything less than for ever.

The rows live in risk, beside the limits and the evidence of the gate, because everything above may write here.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import DatabaseError, Error, InterfaceError, connection, transaction

from risk.models import AuditEntry
from trading.core.enums import AuditAction, AuditOutcome
from trading.models import Account

log = structlog.get_logger(__name__)

#: a statement that may change a row; one too many costs a tenth of a millisecond
WRITE = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
SAY_WHO = "SELECT set_config('aitrapp.actor', %s, false), set_config('aitrapp.address', %s, false)"


@dataclass(slots=True)
class Scope:
    """Somebody at work on this connection. `actor` is asked at each write: a login changes it midway."""

    actor: Callable[[], str]
    address: str
    is_named: bool = False
    #: refusals, written when no transaction of the caller's can take them back
    refusals: list[AuditEntry] = field(default_factory=list)

    def name_writes(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        """Said before each write, as a transaction that rolls back takes the name back as well."""
        if WRITE.search(str(sql)):
            self._say(self.actor(), self.address)
            self.is_named = True
        return execute(sql, params, many, context)

    def end(self) -> None:
        """The connection goes to the next one nameless, or not at all."""
        if not self.is_named or connection.connection is None:
            return
        try:
            self._say("", "")
        except Error:
            # A pool would hand it on as it is: it must be closed itself, not only given back.
            connection.connection.close()
            connection.close()

    def _say(self, actor: str, address: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SAY_WHO, [actor, address])


_scope: ContextVar[Scope | None] = ContextVar("audit_scope", default=None)


@contextmanager
def acting(actor: Callable[[], str], address: str) -> Iterator[Scope]:
    """What this thread writes inside is written down as the actor's. Refusals are stored at the end."""
    scope = Scope(actor, address)
    token = _scope.set(scope)
    try:
        with connection.execute_wrapper(scope.name_writes):
            try:
                yield scope
            finally:
                _store(scope.refusals)
    finally:
        _scope.reset(token)
        scope.end()


def note(action: AuditAction, subject: str, **more: Any) -> None:
    """Write down what was done, in the caller's transaction: it stands or falls with what it tells of."""
    _entry(action, AuditOutcome.DONE, subject, **more).save(force_insert=True)


def refuse(
    action: AuditAction, subject: str, *, outcome: AuditOutcome = AuditOutcome.REFUSED, **more: Any
) -> None:
    """Write down what did not happen, with `words`, so that no rollback of the caller's takes it away.

    Within `acting` it waits for the end. Elsewhere it is written at once, and inside a transaction RuntimeError is
    raised: there it would be lost with it.
    """
    entry = _entry(action, outcome, subject, **more)
    if scope := _scope.get():
        scope.refusals.append(entry)
        return
    with transaction.atomic(durable=True):
        entry.save(force_insert=True)


def _entry(
    action: AuditAction,
    outcome: AuditOutcome,
    subject: str,
    *,
    account: Account | None = None,
    words: str = "",
    after: dict[str, Any] | None = None,
) -> AuditEntry:
    return AuditEntry(
        action=action, outcome=outcome, subject=subject[:120], account=account, words=words, after=after
    )


def _store(refusals: list[AuditEntry]) -> None:
    """The caller gets its answer also where it cannot be stored; the log has it then."""
    try:
        for entry in refusals:
            entry.save(force_insert=True)
    except (DatabaseError, InterfaceError):
        told = [f"{entry.action} {entry.subject}: {entry.words}" for entry in refusals]
        log.exception("refusals are missing in the audit", refusals=told)
