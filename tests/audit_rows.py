"""The audit as tests need it: emptied between them, and with entries of other days."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


def let_the_audit_be_emptied() -> None:
    """For databases of tests and of the simulation, which truncate every table. Only a table's owner may."""
    _alter("DISABLE TRIGGER audit_is_never_emptied")


@contextmanager
def unstamped() -> Iterator[None]:
    """Entries keep the time and the author they are given."""
    _alter("DISABLE TRIGGER audit_is_stamped")
    try:
        yield
    finally:
        _alter("ENABLE ALWAYS TRIGGER audit_is_stamped")


@contextmanager
def as_in_production() -> Iterator[None]:
    """TRUNCATE is refused again."""
    _alter("ENABLE ALWAYS TRIGGER audit_is_never_emptied")
    try:
        yield
    finally:
        let_the_audit_be_emptied()


def _alter(what: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE risk_auditentry {what}")
