"""A recorded day as a market: the frames that came, byte for byte, at the times they came.

Orders of those days are not repeated: whoever trades here meets the market of that day with orders of his own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from trading.core import kite_packets, recording
from trading.core.candles import IST, Bars
from trading.core.enums import Exchange
from trading.core.kite_frames import BrokenFrame, decode, select
from trading.core.kite_packets import DIVISORS, Ints
from trading.core.recording import Kind, NotARecording, Reader, Record
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange.sources import FirstExtreme

#: the previous closes are in the frames: so many are looked through for them
LOOKED_THROUGH = 500
#: an exchange time so far ahead of a frame's arrival is a broken stamp
AHEAD = timedelta(seconds=60)


class BrokenRecording(ValueError):
    """A file that cannot be replayed; says why and what to do."""


class RecordedSource:
    """The day in one file (see `MarketSource`)."""

    def __init__(self, path: Path) -> None:
        """Raises BrokenRecording."""
        self.path = path
        self.problems: list[str] = []
        opening: dict[str, Any] | None = None
        self._bars: dict[int, Bars] = {}
        previous: dict[int, int] = {}
        self._first_s = 0
        for record in islice(self._records(), LOOKED_THROUGH + _first_frame(self._records())):
            if record.kind is Kind.OPENING and opening is None:
                opening, self.begun_at = json.loads(record.data), record.at
            elif record.kind is Kind.BARS:
                self._bars.setdefault(int.from_bytes(record.data[:8], "little"), _bars(record.data[8:]))
            elif record.kind is Kind.FRAME:
                self._first_s = self._first_s or int(record.at.timestamp())
                previous = _previous_closes(record.data) | previous
        if opening is None:
            raise BrokenRecording(f"{path} does not say what its frames are of: give another recording")
        self.trading_date = date.fromisoformat(opening["trading_date"])
        self.environment = opening["environment"]
        #: seconds since the epoch; a recording whose first frame is still to come has only its beginning
        self._first_s = self._first_s or int(self.begun_at.timestamp())
        specs = (_spec(words) for words in opening["instruments"])
        self.instruments = tuple(
            replace(
                spec,
                previous_close_paise=previous.get(spec.instrument_token, 0) or spec.previous_close_paise,
            )
            for spec in specs
        )
        with path.open("rb") as file:
            self._torn_bytes = path.stat().st_size - recording.whole_bytes(file)

    def describe(self) -> str:
        """One line: whose day it is, and what of it is lost."""
        torn = f"; its last block is torn, {self._torn_bytes} bytes are lost" if self._torn_bytes else ""
        return (
            f"recording of {self.trading_date} at {self.environment} from {self.path.name}: "
            f"{len(self.instruments)} instruments, frames byte for byte{torn}"
        )

    def warm_up(self, days: int) -> Mapping[int, Bars]:
        """The minutes of the last `days` days before, as far as the recording began with them.

        One begun in the middle of its day has that day's earlier minutes too: its frames do not.
        """
        day_s = int(datetime(*self.trading_date.timetuple()[:3], tzinfo=IST).timestamp())
        found = {}
        for spec in self.instruments:
            rows = self._bars.get(spec.instrument_token, Bars.empty()).to_rows()
            days_of = (rows[:, 0] - day_s) // 86_400
            before = np.unique(days_of[days_of < 0])
            is_kept = np.isin(days_of, before[max(len(before) - days, 0) :])
            is_kept |= (days_of == 0) & (rows[:, 0] + 60 <= self._first_s)
            found[spec.instrument_token] = Bars.from_rows(rows[is_kept])
        return found

    def frames(self, first_extreme: FirstExtreme, after: datetime | None = None) -> Iterator[TickFrame]:
        """The day's frames in the order they came; nobody's wish for an extreme changes what was.

        Time never goes back: a frame is at its arrival, or at its newest exchange time where that is later. What of
        a frame is of no instrument of the recording is left out.
        """
        for frame in self.frames_of(self._records()):
            if frame is not None and (after is None or frame.received_at > after):
                yield frame

    def frames_of(self, records: Iterable[Record | None]) -> Iterator[TickFrame | None]:
        """The frames among these records; None for each record that is still to come."""
        tokens = np.array([spec.instrument_token for spec in self.instruments], np.int64)
        newest = datetime.combine(self.trading_date, datetime.min.time(), IST)
        for record in records:
            frame = None if record is None else _frame(record, tokens)
            if frame is not None:
                newest = max(newest, frame.received_at)
                if newest.date() == self.trading_date:
                    yield replace(frame, received_at=newest)
            elif record is None:
                yield None

    def _records(self) -> Iterator[Record]:
        try:
            with self.path.open("rb") as file:
                reader = Reader(file, self.problems)
                self.problems.clear()
                yield from reader.records()
        except OSError as error:
            raise BrokenRecording(
                f"{self.path} cannot be read ({error.strerror}): give a recording"
            ) from error
        except NotARecording as error:
            raise BrokenRecording(
                f"{self.path} is no recording, {error}: give a file that was recorded, named like "
                f"2026-11-23-strategy{recording.SUFFIX}"
            ) from error


def _first_frame(records: Iterator[Record]) -> int:
    """How many records come before the first frame; all of them where none has come yet."""
    return sum(1 for _ in takewhile(lambda record: record.kind is not Kind.FRAME, records))


def _frame(record: Record, known: Ints) -> TickFrame | None:
    """One recorded message; None where nothing of it is known."""
    if record.kind is not Kind.FRAME:
        return None
    try:
        frame = decode(record.data, record.at)
        packets = tuple(
            packet
            for packet in kite_packets.packets_of(record.data)
            if len(packet) in kite_packets.LENGTHS and packet[3] not in DIVISORS
        )
    except BrokenFrame:
        return None
    frame = replace(frame, packets=packets)
    rows = np.flatnonzero(np.isin(frame.tokens, known))
    if not len(rows):
        return None
    if len(rows) < len(frame):
        frame = select(frame, rows)
    stamped = datetime.fromtimestamp(int(frame.exchange_time_s.max()), IST)
    return replace(frame, received_at=stamped) if record.at < stamped <= record.at + AHEAD else frame


def _previous_closes(message: bytes) -> dict[int, int]:
    try:
        packets = kite_packets.read(message)
    except BrokenFrame:
        return {}
    closes = zip(packets.tokens.tolist(), packets.close.tolist(), strict=True)
    return {token: close for token, close in closes if close}


def _bars(data: bytes) -> Bars:
    return Bars.from_rows(np.frombuffer(data, "<i8").reshape(-1, 6).astype(np.int64))


def _spec(words: Mapping[str, Any]) -> InstrumentSpec:
    known = {field.name for field in fields(InstrumentSpec)}
    kept = {name: value for name, value in words.items() if name in known}
    expiry = date.fromisoformat(kept["expiry"]) if kept.get("expiry") else None
    return InstrumentSpec(**kept | {"exchange": Exchange(kept["exchange"]), "expiry": expiry})
