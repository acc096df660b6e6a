"""One trading day at the paper exchange: its market, its venue, and the order in which both go on.

A day can be told again: the same frames fetched and the same requests made in the same order, at the same
market times, give the same books. So a journal of requests and frame times is all that a restart needs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import Any, Final, Self

from trading.core.candles import Bars
from trading.core.session import at
from trading.core.ticks import TickFrame
from trading.exchange.accounts import SET_RULE, Account, read_account
from trading.exchange.contracts import market_close
from trading.exchange.day_prices import DayPrices
from trading.exchange.followed import FollowedSource
from trading.exchange.matching import Packets
from trading.exchange.rules import VenueRefusal, VenueRules
from trading.exchange.sources import MarketSource
from trading.exchange.venue import Venue

BEGINS: Final = time(9, 14)
OPENS: Final = time(9, 15)
ENDS: Final = time(15, 45)
WARM_UP_DAYS: Final = 3

#: what waits at the broker from one day to the next, by user: see `GttBook.events`
Triggers = Mapping[str, Sequence[Mapping[str, Any]]]
EMPTY: Final[Triggers] = MappingProxyType({})

OPEN_ACCOUNT = "open-account"
FRAME, WRITE, TIME = "frame", "write", "time"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a journal remembers of a day: a frame fetched, a request with its answer, or only a market time."""

    kind: str
    at: datetime
    verb: str = ""
    order_id: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    answer: str = ""
    #: the books after it, in short
    books: str = ""
    #: whose it is; empty: the first account's
    user_id: str = ""


class MarketDay:
    """Market time of a day never runs back. `now` in every call is aware market time.

    With `begin` the day is run silently up to that time of day: the market has happened, nobody traded in it.
    """

    def __init__(
        self,
        source: MarketSource,
        *,
        venue_session: str,
        user_id: str,
        capital_paise: int,
        seed: int | str,
        begin: time | None = None,
        rules: VenueRules | None = None,
        triggers: Triggers = EMPTY,
    ) -> None:
        """`triggers` are those of the day before."""
        day = source.trading_date
        self.source = source
        self._seed = seed
        self._packets = Packets()
        #: the first account's
        self.venue = Venue(
            source.instruments,
            rules or VenueRules(),
            seed=seed,
            capital_paise=capital_paise,
            user_id=user_id,
            venue_session=venue_session,
            packets=self._packets,
        )
        self.begins_at, self.opens_at, self.ends_at = at(day, BEGINS), at(day, OPENS), at(day, ENDS)
        self._triggers = triggers
        self.accounts = {user_id: self._account(self.venue)}
        self.gtts = self.accounts[user_id].gtts
        self.closes_at = at(day, max(market_close(spec, day) for spec in source.instruments))
        self.prices = DayPrices(source.instruments, self.opens_at)
        self.history: Mapping[int, Bars] = source.warm_up(WARM_UP_DAYS)
        live = source if isinstance(source, FollowedSource) else None
        #: it goes on elsewhere, at its own pace: a frame can be fetched only when it has come
        self.is_live = live is not None
        self.market_at = max(self.begins_at, live.begun_at) if live else self.begins_at
        #: the smallest time between two frames so far, None before two have come
        self.step: timedelta | None = None
        #: fetched, and not yet come
        self.pending: TickFrame | None = None
        self.is_exhausted = False
        self._frames: Iterator[TickFrame | None] = (
            live.arrivals(self.begins_at) if live else source.frames(self._first_extreme)
        )
        self._last_frame_at: datetime | None = None
        self.venue.square_off_at_times(self.begins_at)
        if begin is not None:
            self._skip_to(at(day, begin))

    def _skip_to(self, begin: datetime) -> None:
        while (frame := self.pending or self.fetch()) is not None and frame.received_at <= begin:
            self.apply_pending()
        self.advance(begin)

    @property
    def venue_session(self) -> str:
        return self.venue.venue_session

    def phase(self, now: datetime) -> str:
        """pre-open, open or closed."""
        if now < self.opens_at:
            return "pre-open"
        return "open" if now < self.closes_at else "closed"

    def fetch_at(self) -> datetime:
        """When to ask for the next frame: as late as can be, for a replayed bar looks at the stops that rest."""
        if self._last_frame_at is None:
            return max(self.opens_at, self.market_at)
        return max(self._last_frame_at + (self.step or timedelta(0)), self.market_at)

    def fetch(self, now: datetime | None = None) -> TickFrame | None:
        """Ask the market for its next frame, which is `pending` then; None when the day has no more, or a live one
        no more yet. A live one's comes `now`, or when it came, whichever is later: its market was not waited for.

        Raises ValueError while one is pending.
        """
        if self.pending is not None:
            raise ValueError("the frame fetched last has not come yet: call apply_pending first")
        frame = next(self._frames, None)
        if frame is not None and self.is_live and now is not None and now > frame.received_at:
            frame = replace(frame, received_at=now)
        self.pending = frame
        self.is_exhausted = frame is None and not self.is_live
        if self.pending is not None and self._last_frame_at is not None:
            gap = self.pending.received_at - self._last_frame_at
            self.step = gap if self.step is None else min(self.step, gap)
        return self.pending

    def apply_pending(self) -> TickFrame:
        """The fetched frame comes. Raises ValueError where none was fetched."""
        frame, self.pending = self.pending, None
        if frame is None:
            raise ValueError("no frame was fetched: call fetch first")
        # Nobody's order may meet the new prices before what was due earlier has happened, anybody's.
        for account in self.accounts.values():
            account.venue.advance(frame.received_at)
        for account in self.accounts.values():
            account.venue.apply_frame(frame)
        self.prices.note(frame)
        self._last_frame_at = frame.received_at
        self.market_at = max(self.market_at, frame.received_at)
        for account in self.accounts.values():
            account.judge_triggers(frame, self.market_at)
        return frame

    def advance(self, now: datetime) -> None:
        """Let what is due by `now` happen to the orders."""
        self.market_at = max(self.market_at, now)
        for account in self.accounts.values():
            account.venue.advance(self.market_at)

    def write(
        self, verb: str, order_id: str, fields: Mapping[str, Any], now: datetime, user_id: str = ""
    ) -> str:
        """What a request to change something comes to: see `Account.write`. Of the account of `user_id`, empty for
        the first; a rule is set for all. Raises VenueRefusal.
        """
        self.market_at = max(self.market_at, now)
        if verb == OPEN_ACCOUNT:
            return self._open_account(*read_account(fields, self.accounts))
        if verb == SET_RULE:
            for account in self.accounts.values():
                account.write(verb, order_id, fields, self.market_at)
            return "set"
        account = self.accounts[user_id or self.venue.user_id]
        return account.write(verb, order_id, fields, self.market_at)

    def _open_account(self, user_id: str, capital_paise: int) -> str:
        venue = Venue(
            self.source.instruments,
            self.venue.rules,
            seed=f"{self._seed}/{user_id}",
            capital_paise=capital_paise,
            user_id=user_id,
            venue_session=self.venue_session,
            packets=self._packets,
            number=len(self.accounts),
        )
        venue.square_off_at_times(self.market_at)
        self.accounts[user_id] = self._account(venue)
        return user_id

    def _account(self, venue: Venue) -> Account:
        return Account(venue, self.begins_at, self._triggers.get(venue.user_id, ()))

    def triggers(self) -> Triggers:
        """What the day after begins with."""
        return {user_id: account.gtts.events() for user_id, account in self.accounts.items()}

    def _first_extreme(self, token: int) -> str | None:
        found = (account.venue.first_extreme(token) for account in self.accounts.values())
        return next((extreme for extreme in found if extreme), None)

    def next_event_at(self) -> datetime | None:
        """When `advance` next has something to do without a frame; None when nothing is on its way."""
        due = (account.venue.next_event_at() for account in self.accounts.values())
        return min((moment for moment in due if moment is not None), default=None)

    def seen_by(self, user_id: str) -> Self:
        """The day with `venue` and `gtts` of another account, for reading now."""
        view = copy(self)
        view.venue, view.gtts = self.accounts[user_id].venue, self.accounts[user_id].gtts
        return view


def answer_of(
    day: MarketDay, verb: str, order_id: str, fields: Mapping[str, Any], now: datetime, user_id: str = ""
) -> str:
    """What a request came to, in one word: the order id, or the refusal's HTTP status and message."""
    try:
        return day.write(verb, order_id, fields, now, user_id)
    except VenueRefusal as refusal:
        return refusal_word(refusal)


def refusal_word(refusal: VenueRefusal) -> str:
    return f"{refusal.http_status} {refusal.message}"


def books_of(day: MarketDay, user_id: str = "") -> str:
    """The digest of an account's venue, shortened: it changes with each state of an order and each execution."""
    return day.accounts[user_id or day.venue.user_id].venue.digest()[:12]


class OtherBooks(Exception):
    """A day told again went another way: source, seed or program are not those that wrote the journal."""


def tell_again(day: MarketDay, entries: Iterable[Entry]) -> None:
    """Bring a fresh day to where its journal ends. Raises OtherBooks."""
    for entry in entries:
        if entry.kind == FRAME:
            _apply_until(day, None)
            frame = day.fetch(entry.at)
            if frame is None or frame.received_at != entry.at:
                came = frame.received_at if frame else "none"
                raise OtherBooks(f"the frame of {entry.at} was expected and {came} came")
            continue
        _apply_until(day, entry.at)
        day.advance(entry.at)
        if entry.kind == WRITE:
            answer = answer_of(day, entry.verb, entry.order_id, entry.fields, entry.at, entry.user_id)
            books = books_of(day, entry.user_id)
            if (answer, books) != (entry.answer, entry.books):
                raise OtherBooks(
                    f"{entry.verb} at {entry.at} was answered {entry.answer!r} on books {entry.books}, "
                    f"and now {answer!r} on {books}"
                )
    _apply_until(day, None)
    for account in day.accounts.values():
        account.venue.drain_updates()


def _apply_until(day: MarketDay, moment: datetime | None) -> None:
    if day.pending is not None and (moment is None or day.pending.received_at <= moment):
        day.apply_pending()
