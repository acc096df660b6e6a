"""What everybody at the exchange shares: the day that runs, its clock, its journal, the logins, who takes part."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trading.exchange.journal import Journal
from trading.exchange.logins import Logins
from trading.exchange.market_day import WRITE, Entry, MarketDay, books_of, refusal_word
from trading.exchange.pacing import Attendance, MarketClock
from trading.exchange.rules import TOO_MANY_REQUESTS, VenueRefusal


class Floor:
    """One event loop's; not for threads. `market` is the word for the kind of market: synthetic or replay."""

    def __init__(
        self, *, market: str, speed: float, logins: Logins, day: MarketDay, journal: Journal
    ) -> None:
        self.market = market
        self.speed = speed
        self.logins = logins
        self.attendance = Attendance()
        #: something happened that the running day may have waited for
        self.changed = asyncio.Event()
        self.is_last_day = False
        #: the launcher's name of its run: by it a launcher knows its own exchange from another's on its port
        self.run = ""
        self.open(day, journal)

    def open(self, day: MarketDay, journal: Journal) -> None:
        """Begin a day, with market time standing where the day stands."""
        self.day = day
        self.journal = journal
        self.clock = MarketClock(day.market_at, self.speed, time.monotonic)
        self.attendance.ready.clear()

    @property
    def is_paced(self) -> bool:
        """Whether frames wait for those who announced themselves."""
        return self.speed > 1

    def now(self) -> datetime:
        """Market time. What somebody was told before holds: it never runs back within a day."""
        return max(self.clock.now(), self.day.market_at)

    def settle(self) -> MarketDay:
        """The day with everything done that is due by now: look at its books after this."""
        self.day.advance(self.now())
        return self.day

    def write(self, verb: str, order_id: str, fields: Mapping[str, Any]) -> str:
        """Place, modify or cancel; in the journal when it returns. Raises VenueRefusal."""
        now = self.now()
        try:
            answer = self.day.write(verb, order_id, fields, now)
        except VenueRefusal as refusal:
            # A request over the limit leaves no trace in the books, and a flood of them should leave none here.
            if refusal.message != TOO_MANY_REQUESTS:
                self._keep(verb, order_id, fields, now, refusal_word(refusal))
            raise
        self._keep(verb, order_id, fields, now, answer)
        self.changed.set()
        return answer

    def _keep(self, verb: str, order_id: str, fields: Mapping[str, Any], now: datetime, answer: str) -> None:
        self.journal.write(
            Entry(
                kind=WRITE,
                at=now,
                verb=verb,
                order_id=order_id,
                fields=fields,
                answer=answer,
                books=books_of(self.day),
            )
        )

    def keep_logins(self) -> None:
        """After a login or logout."""
        self.journal.keep({"logins": self.logins.as_event()})

    def state(self) -> dict[str, Any]:
        """`GET /_exchange/state`: beside Kite's routes, what a client in two times must know."""
        now = self.now()
        return {
            "venue_session": self.day.venue_session,
            "market_time": now.isoformat(),
            "speed": self.speed,
            "trading_date": self.day.source.trading_date.isoformat(),
            "market": self.market,
            "phase": self.day.phase(now),
            "acknowledges": self.is_paced,
            "is_last_day": self.is_last_day,
            "run": self.run,
            "is_over": now >= self.day.ends_at,
            "description": self.day.source.describe(),
        }
