"""Alarm bells between processes: PostgreSQL NOTIFY. A bell only wakes; what is to be done stands in rows."""

from django.db import connection

#: a flatten was asked for, an entry was sent, limits or pauses changed
EXITS = "aitrapp_exits"
ENTRIES = "aitrapp_entries"


def ring(channel: str, account_id: int) -> None:
    """Wake whoever listens. Inside a transaction the bell rings when it commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, str(account_id)])
