"""The operator's table of dated events, asked about one name."""

from datetime import datetime

from django.db.models import Q

from risk.models import Blackout
from trading.core.session import IST


def event_now(name: str, now: datetime) -> str:
    """The event that keeps this underlying or share out at this moment, and until when; empty when there is none."""
    rows = Blackout.objects.filter(Q(name="") | Q(name=name), starts_at__lte=now, ends_at__gt=now)
    row = rows.order_by("-ends_at").first()
    return f"{row.event}, until {row.ends_at.astimezone(IST):%H:%M}" if row else ""
