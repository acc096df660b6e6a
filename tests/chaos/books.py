"""The exchange's own books, read from its journal while it writes: a second exchange that is told the same day.

Every answer and every digest of the journal is compared, so what is judged is what the exchange did.
"""

import json
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Any, Final

from trading.core.enums import Side
from trading.core.holidays import default_calendar
from trading.core.values import InstrumentSpec
from trading.exchange import journal
from trading.exchange.journal import CURRENT, Header, Kept
from trading.exchange.ledger import Execution
from trading.exchange.market_day import FRAME, WRITE, Entry, MarketDay, answer_of, books_of
from trading.exchange.markets import Market
from trading.exchange.orders import VenueOrder

NEWLINE: Final = b"\n"


class OtherBooks(AssertionError):
    """The journal told again gave other books: neither can be judged."""


class Books:
    """One session's journal and the venue it tells. `follow` applies what was written since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.day: MarketDay | None = None
        self._kept: Kept | None = None
        self._offset = 0
        self._told = 0
        self._executions_seen = 0

    def follow(self) -> Iterator[Entry]:
        """Each new event after it was applied; none while the header is not there."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text.rfind(NEWLINE) + 1
        self._offset += whole
        for line in text[:whole].splitlines():
            self._kept = journal._take(self._kept, json.loads(line))
            if self.day is None:
                self.day = _day_of(self._kept.header)
            while self._told < len(self._kept.entries):
                entry = self._kept.entries[self._told]
                self._told += 1
                _tell(self.day, entry, self.path)
                yield entry

    # what an oracle asks

    @property
    def specs(self) -> dict[tuple[str, str], InstrumentSpec]:
        return self._day.venue.specs

    @property
    def orders(self) -> dict[str, VenueOrder]:
        return dict(self._day.venue.orders)

    def working_orders(self) -> list[VenueOrder]:
        return self._day.venue.working_orders()

    def new_executions(self) -> list[Execution]:
        """Executions since the last call."""
        fresh = self._day.venue.ledger.executions[self._executions_seen :]
        self._executions_seen += len(fresh)
        return fresh

    def touch_paise(self, spec: InstrumentSpec, side: Side) -> int:
        """The best quote an order of this side trades with; the last price where no quote is left."""
        market = self._day.venue._progress.matcher.market(spec.instrument_token)
        levels = market.opposite(side)
        return levels[0][0] if levels else market.last_paise

    @property
    def _day(self) -> MarketDay:
        if self.day is None:
            raise LookupError(f"{self.path} has no header yet")
        return self.day


def newest(folder: Path) -> Path | None:
    """The journal that is written now; None before the first."""
    try:
        return folder / (folder / CURRENT).read_text().strip()
    except FileNotFoundError:
        return None


def _day_of(header: Header) -> MarketDay:
    asked: dict[str, Any] = dict(header.asked)
    market = Market(
        name=asked["market"],
        calendar=default_calendar(),
        seed=asked["seed"],
        data=Path(asked["data"]) if asked["data"] else Path(),
    )
    return MarketDay(
        market.source(header.trading_date),
        venue_session=header.venue_session,
        user_id=asked["user_id"],
        capital_paise=asked["capital_paise"],
        seed=asked["seed"],
        begin=time.fromisoformat(header.begin) if header.begin else None,
    )


def _tell(day: MarketDay, entry: Entry, path: Path) -> None:
    if entry.kind == FRAME:
        if day.pending is not None:
            day.apply_pending()
        frame = day.fetch()
        if frame is None or frame.received_at != entry.at:
            raise OtherBooks(f"{path.name}: the frame of {entry.at} was expected")
        return
    if day.pending is not None and day.pending.received_at <= entry.at:
        day.apply_pending()
    day.advance(entry.at)
    if entry.kind == WRITE:
        answer = answer_of(day, entry.verb, entry.order_id, entry.fields, entry.at)
        if (answer, books_of(day)) != (entry.answer, entry.books):
            told = f"{entry.answer!r} on {entry.books}, told again {answer!r} on {books_of(day)}"
            raise OtherBooks(f"{path.name}: {entry.verb} at {entry.at} was answered {told}")
    day.venue.drain_updates()
