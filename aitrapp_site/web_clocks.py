"""The two clocks as the web process knows them: it sees no frames, so market time is what others left behind."""

from datetime import datetime

from django.conf import settings

from aitrapp_site.clocks import MachineClocks
from reporting.queries import last_moment
from trading import current, tick_bus
from trading.core.session import IST
from trading.models import Account, VenueSession

#: markets that run on the computer's own time
REAL_TIME = frozenset({"production", "kite"})


class WebClocks(MachineClocks):
    """Market time of one account: of the newest tick, else of its newest row; never ahead of either.

    It needs neither Redis nor a running market, so a flatten can always be asked for.
    """

    def __init__(
        self,
        account: Account,
        ticks: tick_bus.TickSnapshot | None = None,
        session: VenueSession | None = None,
    ) -> None:
        """`ticks` is the newest snapshot, `session` the newest books, where the caller has them already."""
        self._account = account
        self._ticks = ticks
        self._session = session

    def market_now(self) -> datetime:
        session = self._session or current.newest_session(self._account)
        if session is None or session.market in REAL_TIME:
            return super().market_now()
        ticks = self._ticks or tick_bus.read_newest(settings.REDIS_URL)
        return (ticks.at if ticks and is_of(session, ticks) else last_moment(session)).astimezone(IST)


def is_of(session: VenueSession, ticks: tick_bus.TickSnapshot) -> bool:
    """Whether a snapshot can come from these books: an earlier run's may still lie in Redis."""
    return ticks.at >= session.started_at
