"""The day's instrument file, read as a stream: a hundred thousand rows, of which a few hundred are wanted."""

import csv
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation

from trading.core.enums import Exchange
from trading.core.money import to_paise
from trading.core.values import InstrumentSpec

COLUMNS = (
    "instrument_token",
    "tradingsymbol",
    "name",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)
INDEX_SEGMENT = "INDICES"


class UnreadableInstruments(ValueError):
    """Not Kite's instrument file, or a wanted row of it is broken. Yesterday's file stays in use."""


def read_specs(
    lines: Iterable[str],
    *,
    exchanges: Collection[Exchange],
    names: Collection[str] | None = None,
    instrument_types: Collection[str] = ("EQ", "FUT"),
) -> Iterator[InstrumentSpec]:
    """The tradable instruments of these exchanges, in the file's order; indices are left out.

    `names` are underlyings for derivatives and tradingsymbols for shares (None: all). The file knows neither
    freeze quantities nor circuit limits; its last price is stale and is not read. Raises
    UnreadableInstruments.
    """
    reader = csv.reader(lines)
    places = _places(next(reader, []))
    at_exchange, at_type = places["exchange"], places["instrument_type"]
    at_name, at_symbol, at_segment = places["name"], places["tradingsymbol"], places["segment"]
    wanted_exchanges = {exchange.value for exchange in exchanges}
    for row in reader:
        if len(row) < len(places):
            if row:
                raise UnreadableInstruments(f"line {reader.line_num} is cut short: {','.join(row)[:80]!r}")
            continue
        if row[at_exchange] not in wanted_exchanges or row[at_type] not in instrument_types:
            continue
        if row[at_segment] == INDEX_SEGMENT:
            continue
        key = row[at_symbol] if row[at_type] == "EQ" else row[at_name]
        if names is None or key in names:
            yield _spec({column: row[place] for column, place in places.items()}, reader.line_num)


def _places(header: list[str]) -> dict[str, int]:
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise UnreadableInstruments(
            f"the first line has no {', '.join(missing)}: this is not the instrument file; fetch it again"
        )
    return {column: header.index(column) for column in COLUMNS}


def _spec(row: dict[str, str], line: int) -> InstrumentSpec:
    try:
        return InstrumentSpec(
            exchange=Exchange(row["exchange"]),
            tradingsymbol=row["tradingsymbol"],
            instrument_token=int(row["instrument_token"]),
            name=row["name"],
            instrument_type=row["instrument_type"],
            segment=row["segment"],
            lot_size=_positive(int(row["lot_size"])),
            tick_size_paise=_positive(to_paise(Decimal(row["tick_size"]))),
            expiry=date.fromisoformat(row["expiry"]) if row["expiry"] else None,
            strike_paise=to_paise(Decimal(row["strike"] or 0)),
        )
    except (ValueError, InvalidOperation) as error:
        raise UnreadableInstruments(f"line {line}, {row['tradingsymbol']}: {error}") from error


def _positive(number: int) -> int:
    if number <= 0:
        raise ValueError(f"a lot or tick of {number} is none")
    return number
