"""Writes a day's ticker bytes and order calls to a file, from a thread of its own: who trades never waits for it.

Whatever goes wrong with the file (no room, the cap reached) ends the recording with an alarm in the log, and nothing
else. At most the last seconds are lost when the process is killed. The file never holds a key or a token.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import structlog

from trading.core import recording
from trading.core.candles import Bars
from trading.core.clocks import Clocks
from trading.core.recording import SUFFIX, Kind, Record
from trading.core.values import InstrumentSpec

log = structlog.get_logger(__name__)

#: a block is written when so much waits, or so long after the last: long enough for a wide frame to follow its like
BLOCK_BYTES = 1 << 23
FLUSH_S = 5.0
#: records beyond this are dropped and counted: the disk does not keep up
HELD_BYTES = 1 << 25
DAYS_KEPT = 10
MAX_BYTES = 4 << 30


class Recorder:
    """One file of one process. Any thread may tell it something; telling takes a few microseconds.

    `dropped` counts records that found no room in memory, `written_bytes` is the file's length.
    """

    def __init__(
        self,
        path: Path,
        clocks: Clocks,
        *,
        max_bytes: int = MAX_BYTES,
        held_bytes: int = HELD_BYTES,
        flush_s: float = FLUSH_S,
    ) -> None:
        """Goes on with a file of the same name, behind its last whole block. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.dropped = 0
        self.is_recording = True
        self._clocks = clocks
        self._max_bytes = max_bytes
        self._held_max = held_bytes
        self._flush_s = flush_s
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.written_bytes = _go_on(self._file, path)
        self._waiting: list[Record] = []
        self._waiting_bytes = 0
        self._lock = Lock()  # guards what waits, and dropped
        self._wake = Event()
        self._ending = Event()
        self._thread = Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def open(self, trading_date: date, environment: str, instruments: tuple[InstrumentSpec, ...]) -> None:
        """Say what the frames are of: without it nothing can be replayed."""
        words = {
            "trading_date": trading_date,
            "environment": environment,
            "instruments": [asdict(spec) for spec in instruments],
        }
        self._put(Kind.OPENING, self._clocks.market_now(), json.dumps(words, default=str).encode())

    def bars(self, token: int, bars: Bars) -> None:
        """The closed minutes that an instrument's day begins with."""
        data = token.to_bytes(8, "little") + bars.to_rows().astype("<i8").tobytes()
        self._put(Kind.BARS, self._clocks.market_now(), data)

    def frame(self, received_at: datetime, message: bytes) -> None:
        """One binary message of the ticker."""
        self._put(Kind.FRAME, received_at, message)

    def text(self, text: str) -> None:
        """One text of the ticker."""
        self._put(Kind.TEXT, self._clocks.market_now(), text.encode())

    def call(self, route: str, fields: Mapping[str, Any], http_status: int, answer: str) -> None:
        """One order call: Kite's fields, and what came back; status 0 where nothing did, with the reason."""
        words = {"route": route, "fields": fields, "status": http_status, "answer": answer}
        self._put(Kind.CALL, self._clocks.market_now(), json.dumps(words, default=str).encode())

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits and close the file; what is told later is lost."""
        self._ending.set()
        self._wake.set()
        self._thread.join(timeout_s)

    def _put(self, kind: Kind, at: datetime, data: bytes) -> None:
        if not self.is_recording:
            return
        with self._lock:
            if self._waiting_bytes + len(data) > self._held_max:
                self.dropped += 1
                return
            self._waiting.append(Record(kind, at, data))
            self._waiting_bytes += len(data)
            is_block = self._waiting_bytes >= BLOCK_BYTES
        if is_block:
            self._wake.set()

    def _run(self) -> None:
        try:
            told = 0
            while self.is_recording:
                self._wake.wait(self._flush_s)
                self._wake.clear()
                is_last = self._ending.is_set()
                self._write()
                if self.dropped > told:
                    told = self.dropped
                    log.warning("recording_dropped_records", path=str(self.path), dropped=told)
                if is_last:
                    break
        finally:
            self.is_recording = False
            os.close(self._file)

    def _write(self) -> None:
        with self._lock:
            records, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not records:
            return
        block = recording.pack_block(records)
        if self.written_bytes + len(block) > self._max_bytes:
            self._stop(f"the file has reached its cap of {self._max_bytes >> 20} MB")
            return
        try:
            written = os.write(self._file, block)
        except OSError as error:
            self._stop(str(error))
            return
        if written < len(block):
            self._stop("the disk is full")
            return
        self.written_bytes += written

    def _stop(self, why: str) -> None:
        """Trading goes on without a recording. A block written in part is passed over by who reads it."""
        self.is_recording = False
        log.error("alarm_recording_stopped", path=str(self.path), why=why, written_bytes=self.written_bytes)


def begin(
    folder: Path, trading_date: date, name: str, clocks: Clocks, *, days_kept: int, max_bytes: int
) -> Recorder | None:
    """The recorder of one process for one day; files of all but the newest `days_kept` days are removed.

    None, with an alarm in the log, where the file cannot be had: a day is traded without its recording.
    """
    try:
        recorder = Recorder(folder / f"{trading_date}-{name}{SUFFIX}", clocks, max_bytes=max_bytes)
        _forget_old(folder, days_kept)
    except OSError as error:
        log.error("alarm_recording_stopped", path=str(folder), why=str(error), written_bytes=0)
        return None
    return recorder


def _forget_old(folder: Path, days_kept: int) -> None:
    """Files are named by their day, so the newest are the last by name."""
    files = sorted(folder.glob(f"????-??-??-*{SUFFIX}"))
    days = sorted({path.name[:10] for path in files})[-days_kept:]
    for path in files:
        if path.name[:10] not in days:
            path.unlink()


def _go_on(file: int, path: Path) -> int:
    """Cut off a torn tail; the length that is left."""
    with open(file, "rb", closefd=False) as reading:
        end = recording.whole_bytes(reading)
    if torn := os.fstat(file).st_size - end:
        log.warning("recording_tail_torn", path=str(path), lost_bytes=torn)
        os.ftruncate(file, end)
    return end
