"""What everybody at the exchange shares: the day that runs, its clock, its journal, the logins, who takes part."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime, timedelta
from typing import Any, Self

from trading.core.money import to_inr
from trading.exchange.faults import Faults
from trading.exchange.journal import Journal
from trading.exchange.logins import Logins
from trading.exchange.market_day import OPEN_ACCOUNT, WRITE, Entry, MarketDay, books_of, refusal_word
from trading.exchange.pacing import Attendance, MarketClock
from trading.exchange.rules import TOO_MANY_REQUESTS, VenueRefusal
from trading.exchange.server.commits import Commits


def new_logins(user_id: str) -> Logins:
    """A login drawn for an account, with a token ready to use."""
    return Logins(
        api_key=secrets.token_hex(8),
        api_secret=secrets.token_hex(16),
        user_id=user_id,
        access_token=secrets.token_hex(16),
        new_token=lambda: secrets.token_hex(16),
    )


class Floor:
    """One event loop's; not for threads. `market` is the word for the kind of market: synthetic or replay."""

    def __init__(
        self, *, market: str, speed: float, logins: Logins, day: MarketDay, journal: Journal
    ) -> None:
        self.market = market
        self.speed = speed
        self.logins = logins
        self.attendance = Attendance()
        self.faults = Faults()
        #: something happened that the running day may have waited for
        self.changed = asyncio.Event()
        #: every account's login by its api_key; the first is the exchange's own
        self.accounts: dict[str, Logins] = {logins.api_key: logins}
        self.is_last_day = False
        #: the launcher's name of its run: by it a launcher knows its own exchange from another's on its port
        self.run = ""
        #: says something on every ticker; the feed puts itself here
        self.tell: Callable[[str], None] = lambda text: None
        self._whole = self
        self._begin(day, journal)

    def open(self, day: MarketDay, journal: Journal) -> None:
        """Begin the day after another, with market time standing where the day stands; accounts stay open."""
        before = self.day.accounts
        self._begin(day, journal)
        for user_id, account in before.items():
            if user_id not in day.accounts:
                capital_inr = str(to_inr(account.venue.ledger.capital_paise))
                self.write(OPEN_ACCOUNT, "", {"user_id": user_id, "capital_inr": capital_inr})
        self.keep_logins()

    def _begin(self, day: MarketDay, journal: Journal) -> None:
        self.day = day
        self.journal = journal
        self.commits = Commits(journal)
        self.clock = MarketClock(day.market_at, self.speed, time.monotonic)
        self.attendance.ready.clear()

    @property
    def is_paced(self) -> bool:
        """Whether frames wait for those who announced themselves."""
        return self.speed > 1

    def now(self) -> datetime:
        """Market time. What somebody was told before holds: it never runs back within a day."""
        return max(self.clock.now(), self.day.market_at)

    def moment_ago(self, machine_s: float) -> datetime:
        """Market time so many seconds of the machine ago, as this market's pace goes."""
        return self.now() - timedelta(seconds=machine_s * self.speed)

    def settle(self) -> MarketDay:
        """The day with everything done that is due by now in this account: look at its books after this."""
        now = self.now()
        self._whole.day.market_at = max(self._whole.day.market_at, now)
        self.day.venue.advance(now)
        return self.day

    def seen_by(self, logins: Logins) -> Self:
        """The floor as one account sees it, for one request: its login, its books, and whose writes are."""
        if logins is self.logins:
            return self
        view = copy(self)
        view.logins, view.day = logins, self.day.seen_by(logins.user_id)
        return view

    def logins_of(self, api_key: str) -> Logins:
        """The login of an account; of an unknown key the first one, which refuses it."""
        return self.accounts.get(api_key, self.logins)

    def open_account(self, fields: Mapping[str, Any], *, redirect_url: str, postback_url: str) -> Logins:
        """A further account with a login ready to use. Raises VenueRefusal."""
        user_id = self.write(OPEN_ACCOUNT, "", fields)
        logins = new_logins(user_id)
        logins.redirect_url, logins.postback_url = redirect_url, postback_url
        self.accounts[logins.api_key] = logins
        self.keep_logins()
        return logins

    def restore_accounts(self, kept: Mapping[str, Any]) -> None:
        """The logins of further accounts, as `keep_logins` kept them."""
        for event in kept.get("accounts", ()):
            logins = new_logins(event["user_id"])
            logins.api_key, logins.api_secret = event["api_key"], event["api_secret"]
            logins.redirect_url = event.get("redirect_url", "")
            logins.postback_url = event.get("postback_url", "")
            logins.restore(event)
            self.accounts[logins.api_key] = logins

    def write(self, verb: str, order_id: str, fields: Mapping[str, Any]) -> str:
        """Place, modify or cancel; in the journal when it returns, and on disk after `commits.durable`.

        Raises VenueRefusal.
        """
        now, user_id = self.now(), self._user_id()
        try:
            answer = self._whole.day.write(verb, order_id, fields, now, user_id)
        except VenueRefusal as refusal:
            # A request over the limit leaves no trace in the books, and a flood of them should leave none here.
            if refusal.message != TOO_MANY_REQUESTS:
                self._keep(verb, order_id, fields, now, refusal_word(refusal))
            raise
        self._keep(verb, order_id, fields, now, answer)
        self.changed.set()
        return answer

    def _user_id(self) -> str:
        """Empty for the first account, as the journal has it."""
        return "" if self is self._whole else self.logins.user_id

    def _keep(self, verb: str, order_id: str, fields: Mapping[str, Any], now: datetime, answer: str) -> None:
        self.journal.write(
            Entry(
                kind=WRITE,
                at=now,
                verb=verb,
                order_id=order_id,
                fields=fields,
                answer=answer,
                books=books_of(self._whole.day, self._user_id()),
                user_id=self._user_id(),
            )
        )

    def keep_logins(self) -> None:
        """After a login or logout."""
        first, *others = self.accounts.values()
        names = ("user_id", "redirect_url", "postback_url")
        accounts = [logins.as_event() | {name: getattr(logins, name) for name in names} for logins in others]
        self.journal.keep({"logins": first.as_event() | {"accounts": accounts}})

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
