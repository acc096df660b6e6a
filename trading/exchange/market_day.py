"""One trading day at the paper exchange: its market, its venue, and the order in which both go on.

A day can be told again: the same frames fetched and the same requests made in the same order, at the same
market times, give the same books. So a journal of requests and frame times is all that a restart needs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, Final

from trading.core.candles import Bars
from trading.core.session import at
from trading.core.ticks import TickFrame
from trading.exchange.contracts import continuous_close
from trading.exchange.day_prices import DayPrices
from trading.exchange.rules import VenueRefusal, VenueRules, bad_input
from trading.exchange.sources import MarketSource
from trading.exchange.venue import Venue

BEGINS: Final = time(9, 14)
OPENS: Final = time(9, 15)
ENDS: Final = time(15, 45)
WARM_UP_DAYS: Final = 3

PLACE, MODIFY, CANCEL = "place", "modify", "cancel"
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
    ) -> None:
        day = source.trading_date
        self.source = source
        self.venue = Venue(
            source.instruments,
            rules or VenueRules(),
            seed=seed,
            capital_paise=capital_paise,
            user_id=user_id,
            venue_session=venue_session,
        )
        self.begins_at, self.opens_at, self.ends_at = at(day, BEGINS), at(day, OPENS), at(day, ENDS)
        self.closes_at = at(day, max(continuous_close(spec, day) for spec in source.instruments))
        self.prices = DayPrices(source.instruments, self.opens_at)
        self.history: Mapping[int, Bars] = source.warm_up(WARM_UP_DAYS)
        self.market_at = self.begins_at
        #: the smallest time between two frames so far, None before two have come
        self.step: timedelta | None = None
        #: fetched, and not yet come
        self.pending: TickFrame | None = None
        self.is_exhausted = False
        self._frames = source.frames(self.venue.first_extreme)
        self._last_frame_at: datetime | None = None
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

    def fetch(self) -> TickFrame | None:
        """Ask the market for its next frame, which is `pending` then; None when the day has no more.

        Raises ValueError while one is pending.
        """
        if self.pending is not None:
            raise ValueError("the frame fetched last has not come yet: call apply_pending first")
        self.pending = next(self._frames, None)
        self.is_exhausted = self.pending is None
        if self.pending is not None and self._last_frame_at is not None:
            gap = self.pending.received_at - self._last_frame_at
            self.step = gap if self.step is None else min(self.step, gap)
        return self.pending

    def apply_pending(self) -> TickFrame:
        """The fetched frame comes. Raises ValueError where none was fetched."""
        frame, self.pending = self.pending, None
        if frame is None:
            raise ValueError("no frame was fetched: call fetch first")
        self.venue.apply_frame(frame)
        self.prices.note(frame)
        self._last_frame_at = frame.received_at
        self.market_at = max(self.market_at, frame.received_at)
        return frame

    def advance(self, now: datetime) -> None:
        """Let what is due by `now` happen to the orders."""
        self.market_at = max(self.market_at, now)
        self.venue.advance(self.market_at)

    def write(self, verb: str, order_id: str, fields: Mapping[str, Any], now: datetime) -> str:
        """Place, modify or cancel as Kite's order routes do; the order id. Raises VenueRefusal."""
        self.advance(now)
        if verb == PLACE:
            if str(fields.get("autoslice") or "false").lower() == "true":
                raise bad_input("`autoslice` is not served here. Place smaller orders.")
            return self.venue.place(fields, self.market_at)
        if verb == MODIFY:
            return self.venue.modify(order_id, fields, self.market_at)
        return self.venue.cancel(order_id, self.market_at)


def answer_of(day: MarketDay, verb: str, order_id: str, fields: Mapping[str, Any], now: datetime) -> str:
    """What a request came to, in one word: the order id, or the refusal's HTTP status and message."""
    try:
        return day.write(verb, order_id, fields, now)
    except VenueRefusal as refusal:
        return refusal_word(refusal)


def refusal_word(refusal: VenueRefusal) -> str:
    return f"{refusal.http_status} {refusal.message}"


def books_of(day: MarketDay) -> str:
    """The venue's digest, shortened: it changes with every state of an order and every execution."""
    return day.venue.digest()[:12]


class OtherBooks(Exception):
    """A day told again went another way: source, seed or program are not those that wrote the journal."""


def tell_again(day: MarketDay, entries: Iterable[Entry]) -> None:
    """Bring a fresh day to where its journal ends. Raises OtherBooks."""
    for entry in entries:
        if entry.kind == FRAME:
            _apply_until(day, None)
            frame = day.fetch()
            if frame is None or frame.received_at != entry.at:
                came = frame.received_at if frame else "none"
                raise OtherBooks(f"the frame of {entry.at} was expected and {came} came")
            continue
        _apply_until(day, entry.at)
        day.advance(entry.at)
        if entry.kind == WRITE:
            answer = answer_of(day, entry.verb, entry.order_id, entry.fields, entry.at)
            if (answer, books_of(day)) != (entry.answer, entry.books):
                raise OtherBooks(
                    f"{entry.verb} at {entry.at} was answered {entry.answer!r} on books {entry.books}, "
                    f"and now {answer!r} on {books_of(day)}"
                )
    _apply_until(day, None)
    day.venue.drain_updates()


def _apply_until(day: MarketDay, moment: datetime | None) -> None:
    if day.pending is not None and (moment is None or day.pending.received_at <= moment):
        day.apply_pending()
