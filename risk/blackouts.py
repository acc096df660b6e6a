"""The operator's table of dated events, asked about one name."""

import json
from datetime import datetime
from typing import Final

from trading.core.session import IST

#: part of a statement: the event that keeps this underlying or share out at this moment
EVENT_TOLD: Final = """(SELECT jsonb_build_array(event, ends_at) FROM risk_blackout
    WHERE name IN ('', %(name)s) AND starts_at <= %(now)s AND ends_at > %(now)s ORDER BY ends_at DESC LIMIT 1)"""


def event_of(told: str | None) -> str:
    """What `EVENT_TOLD` brought, in words: the event and until when; empty when there is none."""
    if told is None:
        return ""
    event, ends_at = json.loads(told)
    return f"{event}, until {datetime.fromisoformat(ends_at).astimezone(IST):%H:%M}"
