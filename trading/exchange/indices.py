"""The indices behind the market's futures: shown on the ticker, in quotes and candles, and never traded.

A made or recorded market has futures and no index; an index stands here at its nearest future's price less the
interest to its expiry.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from typing import Final, TypeVar

import numpy as np

from trading.core.candles import Bars
from trading.core.enums import Exchange
from trading.core.ticks import Ints, TickFrame
from trading.core.values import InstrumentSpec

Paise = TypeVar("Paise", np.int64, Ints)

#: by the future's name: Kite's symbol and token. The low byte 9 of a token says that it is an index.
NAMES: Final = {
    "NIFTY": ("NIFTY 50", 256265),
    "BANKNIFTY": ("NIFTY BANK", 260105),
    "FINNIFTY": ("NIFTY FIN SERVICE", 257801),
}
SEGMENT: Final = "INDICES"
#: a year's interest between a future and its index, per cent
CARRY_PCT: Final = 6
#: a price in parts of which one is a per cent's interest of a day
PARTS: Final = 365 * 100
#: what is known of a tick of an index beside its price
_KEPT: Final = ("exchange_time_s",)


@dataclass(frozen=True, slots=True)
class Index:
    """One index and the future it is read from; `parts` of PARTS of the future's price are its own."""

    spec: InstrumentSpec
    future_token: int
    parts: int

    def price_paise(self, future_paise: Paise) -> Paise:
        """The index at a price of its future, or at each of many, to the paisa below."""
        return future_paise * self.parts // PARTS


def indices_of(instruments: Iterable[InstrumentSpec], on: date) -> tuple[Index, ...]:
    """The indices that these instruments have a future of, each read from the nearest; a market that has an index
    of its own keeps it.
    """
    instruments = tuple(instruments)
    tokens = {spec.instrument_token for spec in instruments}
    nearest: dict[str, tuple[date, InstrumentSpec]] = {}
    for spec in instruments:
        if spec.instrument_type == "FUT" and spec.name in NAMES and spec.expiry is not None:
            known = nearest.get(spec.name)
            if known is None or spec.expiry < known[0]:
                nearest[spec.name] = (spec.expiry, spec)
    indices = (_index(future, (expiry - on).days) for expiry, future in nearest.values())
    return tuple(index for index in indices if index.spec.instrument_token not in tokens)


def _index(future: InstrumentSpec, days: int) -> Index:
    symbol, token = NAMES[future.name]
    parts = PARTS - CARRY_PCT * max(days, 0)
    spec = InstrumentSpec(
        exchange=Exchange.NSE,
        tradingsymbol=symbol,
        instrument_token=token,
        name=symbol,
        instrument_type="EQ",
        segment=SEGMENT,
        lot_size=0,
        tick_size_paise=0,
        previous_close_paise=future.previous_close_paise * parts // PARTS,
    )
    return Index(spec, future.instrument_token, parts)


def widen(frame: TickFrame, indices: tuple[Index, ...]) -> TickFrame:
    """The frame with a row more for each index whose future is in it."""
    row_of = {token: row for row, token in enumerate(frame.tokens.tolist())}
    seen = [index for index in indices if index.future_token in row_of]
    if not seen:
        return frame
    rows = np.array([row_of[index.future_token] for index in seen], np.intp)
    columns: dict[str, Ints] = {}
    for each in fields(frame):
        if each.name in ("received_at", "packets"):
            continue
        column = getattr(frame, each.name)
        added = column[rows] if each.name in _KEPT else np.zeros((len(seen), *column.shape[1:]), np.int64)
        columns[each.name] = np.concatenate((column, added))
    prices = [index.price_paise(last) for index, last in zip(seen, frame.last_price_paise[rows], strict=True)]
    columns["tokens"][len(frame) :] = [index.spec.instrument_token for index in seen]
    columns["last_price_paise"][len(frame) :] = prices
    packets = (*frame.packets, *(b"" for _ in seen)) if frame.packets else ()
    return TickFrame(received_at=frame.received_at, packets=packets, **columns)


def bars_of(index: Index, future: Bars) -> Bars:
    """The index's candles from its future's; an index has no volume."""
    opened, high, low, close = (
        index.price_paise(column) for column in (future.open, future.high, future.low, future.close)
    )
    return Bars.from_columns(future.opened_at_s, opened, high, low, close, np.zeros_like(future.volume))
