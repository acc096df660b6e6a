"""The exchange's journal: one file a venue session, one line an event, on disk before a request is answered.

It holds what `market_day.tell_again` needs and no books: a killed exchange reads it, tells the day again (about
a second) and goes on with the same orders, logins, rate windows and market time.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from trading.exchange.market_day import FRAME, TIME, WRITE, Entry

LOCK, CURRENT, SUFFIX = "lock", "current", ".jsonl"
#: files of sessions that ended, kept to look at
KEPT = 10
#: bytes a file grows by
ROOM = 1 << 20


class BrokenJournal(ValueError):
    """A journal that cannot be gone on with; says which file, why, and what to do."""


class JournalInUse(RuntimeError):
    """Another exchange writes to this folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What a session was begun with. `asked` are the options of the command line, to be compared as they are."""

    venue_session: str
    asked: Mapping[str, Any]
    trading_date: date
    #: 1 for the day asked for, 2 for the one after it …
    day_number: int
    #: HH:MM of a day begun in its middle, or empty
    begin: str = ""
    #: what waited at the broker from the day before, by user
    triggers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Kept:
    """A journal as read: its header, its events, and what was last said of logins, run and the day's end."""

    header: Header
    entries: list[Entry] = field(default_factory=list)
    logins: Mapping[str, Any] = field(default_factory=dict)
    #: the launcher's name of its run
    run: str = ""
    is_done: bool = False
    #: of a day that is done: what waits at the broker for the day after, by user
    triggers: Mapping[str, Any] = field(default_factory=dict)


class Journal:
    """Appends to one session's file. What `keep` takes is on disk when it returns, what the others take after
    `sync`: until then it survives the process, not the machine.
    """

    def __init__(self, file: int, path: Path, end: int = 0) -> None:
        """`end` is where the next line goes, bytes."""
        self._file = file
        self._end = end
        #: so far the file is written, with NULs beyond `_end`
        self._reserved = end
        self.path = path
        #: something was written that no sync has brought to the disk
        self.is_behind = False

    @classmethod
    def begin(cls, folder: Path, header: Header) -> Self:
        """A new session's file, current from now on. Older ones beyond `KEPT` are removed."""
        path = folder / f"{header.venue_session}{SUFFIX}"
        journal = cls(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), path)
        journal.keep({"header": asdict(header)})
        pointer = folder / f"{CURRENT}.new"
        pointer.write_text(path.name)
        pointer.replace(folder / CURRENT)
        others = sorted(
            (p for p in folder.glob(f"*{SUFFIX}") if p != path), key=lambda p: p.stat().st_mtime_ns
        )
        for old in others[: max(len(others) - KEPT, 0)]:
            old.unlink()
        return journal

    @classmethod
    def go_on(cls, path: Path) -> Self:
        """Append to an existing file. What follows the last whole line is taken back: a line cut off, the room."""
        text = path.read_bytes()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            os.truncate(path, whole)
        return cls(os.open(path, os.O_WRONLY), path, whole)

    def note(self, kind: str, moment: datetime) -> None:
        """A frame or a market time."""
        self._append({kind: moment.isoformat()})

    def write(self, entry: Entry) -> None:
        """A request and its answer."""
        words = (
            entry.at.isoformat(),
            entry.verb,
            entry.order_id,
            dict(entry.fields),
            entry.answer,
            entry.books,
        )
        self._append({WRITE: words if not entry.user_id else (*words, entry.user_id)})
        self.is_behind = True

    def keep(self, event: Mapping[str, Any]) -> None:
        self._append(event)
        self.sync()

    def sync(self) -> None:
        """Bring what was written to the disk; of a closed journal all is there."""
        if self._file >= 0:
            os.fdatasync(self._file)
        self.is_behind = False

    def close(self) -> None:
        file, self._file = self._file, -1
        os.ftruncate(file, self._end)
        os.fdatasync(file)
        os.close(file)

    def _append(self, event: Mapping[str, Any]) -> None:
        line = json.dumps(event, separators=(",", ":"), default=str).encode() + b"\n"
        while self._end + len(line) > self._reserved:
            # Writing over what is there needs no change of the file's size, which makes a sync many times cheaper.
            os.pwrite(self._file, bytes(ROOM), self._reserved)
            self._reserved += ROOM
        self._end += os.pwrite(self._file, line, self._end)


def lock(folder: Path) -> int:
    """Make the folder and hold it until this process ends; the file descriptor. Raises JournalInUse."""
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise JournalInUse(
            f"another paper exchange keeps its journal in {folder}: end it, or give --journal another folder"
        ) from None
    return held


def read_current(folder: Path) -> tuple[Path, Kept] | None:
    """The session written last, or None in an empty folder. Raises BrokenJournal."""
    try:
        path = folder / (folder / CURRENT).read_text().strip()
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    if not lines:
        return None
    return path, _read(path, lines)


def _read(path: Path, lines: list[bytes]) -> Kept:
    kept: Kept | None = None
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            if not isinstance(event, dict):
                raise ValueError("no event")
            kept = _take(kept, event)
        except (ValueError, KeyError, TypeError) as error:
            raise BrokenJournal(
                f"{path}, line {number}: {error!r}. Begin a new session with --fresh (its books are lost)"
            ) from error
    if kept is None:
        raise BrokenJournal(f"{path} is empty. Begin a new session with --fresh")
    return kept


def _take(kept: Kept | None, event: Mapping[str, Any]) -> Kept:
    if kept is None:
        head = dict(event["header"])
        return Kept(header=Header(**head | {"trading_date": date.fromisoformat(head["trading_date"])}))
    kept.entries.extend(_entries(event))
    kept.logins = event.get("logins", kept.logins)
    kept.run = event.get("run", kept.run)
    kept.is_done = kept.is_done or "done" in event
    kept.triggers = event.get("triggers", kept.triggers)
    return kept


def _entries(event: Mapping[str, Any]) -> Iterator[Entry]:
    for kind in (FRAME, TIME):
        if kind in event:
            yield Entry(kind=kind, at=datetime.fromisoformat(event[kind]))
    if WRITE in event:
        moment, verb, order_id, fields, answer, books, *user_id = event[WRITE]
        yield Entry(
            kind=WRITE,
            at=datetime.fromisoformat(moment),
            verb=verb,
            order_id=order_id,
            fields=fields,
            answer=answer,
            books=books,
            user_id=user_id[0] if user_id else "",
        )
