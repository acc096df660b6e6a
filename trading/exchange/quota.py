"""The order quota: sliding second and minute, and the day."""

from collections import deque
from datetime import date, datetime, timedelta

from trading.exchange.rules import VenueRules, too_many_requests

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


class Quota:
    """Counts accepted and badly formed order requests alike; a request refused here is not counted."""

    def __init__(self, rules: VenueRules) -> None:
        self.rules = rules
        self._recent: deque[datetime] = deque()
        self._day: date | None = None
        self._today = 0

    def take(self, now: datetime) -> None:
        """Count one place, modify or cancel at market time `now`; raises VenueRefusal 429 when a window is
        full.
        """
        if now.date() != self._day:
            self._day, self._today = now.date(), 0
        while self._recent and self._recent[0] <= now - _MINUTE:
            self._recent.popleft()
        if (
            self._today >= self.rules.orders_per_day
            or len(self._recent) >= self.rules.orders_per_minute
            or self._in_last_second(now) >= self.rules.orders_per_s
        ):
            raise too_many_requests()
        self._recent.append(now)
        self._today += 1

    def _in_last_second(self, now: datetime) -> int:
        count = 0
        for moment in reversed(self._recent):
            if moment <= now - _SECOND:
                break
            count += 1
        return count
