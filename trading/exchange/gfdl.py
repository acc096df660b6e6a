"""Recorded minutes in the GFDL text form: `SYMBOL,YYYYMMDD,HH:MM,open,high,low,close,volume,oi`, labelled by
their end.

Turned here into bars labelled by their beginning. The pre-open auction's row (09:08) and rows after 15:30 are
no bars.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path

import numpy as np

from trading.core.candles import IST, Bars

_DAYS = re.compile(r"^([^,\n]+),(\d{8}),", re.MULTILINE)
FIRST_LABEL_MIN = 9 * 60 + 16
LAST_LABEL_MIN = 15 * 60 + 30
FIELDS = 8 + 1


class BrokenMarketData(ValueError):
    """A file that cannot be read as recorded minutes; says file, line, why, and what to do."""


@dataclass(frozen=True, slots=True)
class RecordedDays:
    """Which file of a folder holds which days: (symbol, date) to path."""

    folder: Path
    files: dict[tuple[str, date], Path]

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(sorted({symbol for symbol, _ in self.files}))

    @property
    def dates(self) -> tuple[date, ...]:
        return tuple(sorted({day for _, day in self.files}))

    def bars(self, symbol: str, day: date) -> Bars:
        """One-minute bars of that day, paise, epoch seconds of the opening; empty where the day is not there.

        Raises BrokenMarketData.
        """
        path = self.files.get((symbol, day))
        if path is None:
            return Bars.empty()
        return _read(path, path.stat().st_mtime_ns).get((symbol, day), Bars.empty())


def find_days(folder: Path) -> RecordedDays:
    """Look through a folder's `*.txt` and `*.csv`. Raises BrokenMarketData where there is no such file."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".txt", ".csv"))
    if not paths:
        raise BrokenMarketData(
            f"{folder}: no .txt or .csv file with recorded minutes; give the folder that has them"
        )
    stamps = tuple((path, path.stat().st_mtime_ns) for path in paths)
    return _index(folder, stamps)


@lru_cache(maxsize=4)
def _index(folder: Path, stamps: tuple[tuple[Path, int], ...]) -> RecordedDays:
    files: dict[tuple[str, date], Path] = {}
    for path, _ in stamps:
        for symbol, day in dict.fromkeys(_DAYS.findall(path.read_text())):
            try:
                files[symbol, _date(day)] = path
            except ValueError:
                continue
    return RecordedDays(folder, files)


@lru_cache(maxsize=16)
def _read(path: Path, _stamp: int) -> dict[tuple[str, date], Bars]:
    rows: dict[tuple[str, str], list[tuple[int, ...]]] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            symbol, day, row = _row(line)
        except ValueError as error:
            raise _broken(path, number, line, str(error)) from error
        if row is None:
            continue
        held = rows.setdefault((symbol, day), [])
        if held and row[0] <= held[-1][0]:
            raise _broken(path, number, line, "its minute is not after the line before it")
        held.append(row)
    return {(symbol, _date(day)): _bars(day, held) for (symbol, day), held in rows.items()}


def _broken(path: Path, number: int, line: str, why: str) -> BrokenMarketData:
    return BrokenMarketData(
        f"{path}, line {number}: {why}: {line[:120]!r}. "
        "Correct or remove the line (SYMBOL,YYYYMMDD,HH:MM,open,high,low,close,volume,oi) "
        "or fetch the file again."
    )


def _row(line: str) -> tuple[str, str, tuple[int, ...] | None]:
    """(symbol, day, (minute of day, open, high, low, close, volume)); no row outside the session."""
    fields = line.strip().split(",")
    if len(fields) != FIELDS:
        raise ValueError(f"{len(fields)} fields instead of {FIELDS}")
    symbol, day, label = fields[0], fields[1], fields[2]
    _date(day)
    hour, _, minute = label.partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
        raise ValueError(f"{label!r} is no time of day")
    open_, high, low, close = (_paise(text) for text in fields[3:7])
    if not (0 < low <= min(open_, close) and max(open_, close) <= high):
        raise ValueError("open, high, low and close contradict each other")
    if not fields[7].isdigit():
        raise ValueError(f"{fields[7]!r} is no volume")
    end = int(hour) * 60 + int(minute)
    if not FIRST_LABEL_MIN <= end <= LAST_LABEL_MIN:
        return symbol, day, None
    return symbol, day, (end - 1, open_, high, low, close, int(fields[7]))


@lru_cache(maxsize=512)
def _date(day: str) -> date:
    try:
        return datetime.strptime(day, "%Y%m%d").date()  # noqa: DTZ007  # a date has no zone
    except ValueError:
        raise ValueError(f"{day!r} is no date") from None


def _paise(text: str) -> int:
    try:
        paise = Decimal(text).scaleb(2)
        whole = int(paise)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"{text!r} is no price") from None
    if whole != paise:
        raise ValueError(f"{text!r} has a fraction of a paisa")
    return whole


def _bars(day: str, rows: list[tuple[int, ...]]) -> Bars:
    midnight = int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=IST).timestamp())
    matrix = np.array(rows, np.int64)
    matrix[:, 0] = matrix[:, 0] * 60 + midnight
    return Bars.from_rows(matrix)
