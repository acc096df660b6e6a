"""The operator's table of dated events, asked about one name."""

from datetime import datetime
from typing import Final

from django.db import connection

from trading.core.session import IST

_NOW: Final = """
    SELECT event, ends_at FROM risk_blackout
     WHERE name IN ('', %s) AND starts_at <= %s AND ends_at > %s ORDER BY ends_at DESC LIMIT 1
"""


def event_now(name: str, now: datetime) -> str:
    """The event that keeps this underlying or share out at this moment, and until when; empty when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW, [name, now, now])
        row = cursor.fetchone()
    return f"{row[0]}, until {row[1].astimezone(IST):%H:%M}" if row else ""
