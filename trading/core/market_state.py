"""The market of one trading date as arrays over instrument slots: ticks in, closed candles and quotes out.

A slot is an instrument's position in the list the state was made from. One frame updates all its instruments
with a few vector operations. Time is the exchange's own; the computer's never enters.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import CLOSE, HIGH, IST, LOW, OPEN, OPENED_AT_S, VOLUME, Bars, ClosedCandles, Ints
from trading.core.history import CandleRing, History, OpeningRanges
from trading.core.indicators import SLOW_BARS, Indicators
from trading.core.session import Session
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec, Quote

Mask = NDArray[np.bool_]

INTERVALS_MIN = (1, 5)

#: a first tick on subscribing carries the last trade's time, which may be long ago: it makes no candle and
#: no quote
STALE_AFTER_S = 60
#: an exchange clock cannot be further ahead than this; a broken stamp would shut its instrument out as out
#: of order
AHEAD_AFTER_S = 60
#: the clock closes a candle this long after its end, so that a tick under way still counts
CLOSE_GRACE_S = 2.0

_NO_CANDLE = -1
_SEGMENTS = 256


class MarketState:
    """Last quotes, forming candles, closed candles and indicators of `specs` on one trading date."""

    def __init__(
        self,
        specs: Sequence[InstrumentSpec],
        sessions: Sequence[Session],
        *,
        candles_kept: Mapping[int, int] | None = None,
        values_kept: int = 96,
    ) -> None:
        """`sessions[i]` is the day of `specs[i]`; ticks outside it make no candle.

        `candles_kept` maps an interval in minutes to how many closed candles each slot keeps (400 and 160);
        `values_kept` is how many rows of indicators. Raises ValueError for a token listed twice.
        """
        if len(specs) != len(sessions):
            raise ValueError(
                f"{len(specs)} instruments but {len(sessions)} sessions: give one session for each"
            )
        self.specs = tuple(specs)
        self.sessions = tuple(sessions)
        size = len(self.specs)
        kept = candles_kept or {1: 400, 5: 160}
        self.rings = {m: CandleRing(size, candles=kept[m], values=values_kept) for m in INTERVALS_MIN}
        self.opening_ranges = OpeningRanges(self.sessions)
        self.dropped: Counter[str] = Counter()
        self.last_price_paise = np.zeros(size, np.int64)
        self.last_exchange_time_s = np.zeros(size, np.int64)
        self.bid_paise = np.zeros(size, np.int64)
        self.ask_paise = np.zeros(size, np.int64)
        self.day_volume = np.full(size, -1, np.int64)
        self.open_interest = np.zeros(size, np.int64)
        #: from the quote API; ticks do not carry them
        self.lower_circuit_paise = np.zeros(size, np.int64)
        self.upper_circuit_paise = np.zeros(size, np.int64)
        self._indicators = {m: Indicators(size) for m in INTERVALS_MIN}
        self._forming = {m: np.full((6, size), _NO_CANDLE, np.int64) for m in INTERVALS_MIN}
        self._opens_s = np.array([int(s.opens_at.timestamp()) for s in sessions], np.int64)
        self._closes_s = np.array([int(s.closes_at.timestamp()) for s in sessions], np.int64)
        self._all_open_s = int(self._opens_s.max(initial=0))
        self._any_closed_s = int(self._closes_s.min(initial=2**62))
        self._closed_before_s = np.zeros(size, np.int64)
        self._latest_close_s = 0
        self._latest_clock_s = 0
        self._place = np.zeros(size, np.int64)
        self._index_tokens()

    def slot(self, token: int) -> int:
        """Raises KeyError for a token the state was not made with."""
        return self._slot_by_token[token]

    def slots_of(self, tokens: Ints) -> Ints:
        """Each token's slot, -1 for one that is not ours."""
        segment, number = tokens & 0xFF, tokens >> 8
        known = number < self._segment_size[segment]
        return self._table[np.where(known, self._segment_base[segment] + number, 0)]

    def apply(self, frame: TickFrame) -> tuple[ClosedCandles, ...]:
        """Take one frame. Returns the candles that its ticks closed, shorter interval first; mostly none.

        Packets that may not count are dropped and counted by kind in `dropped`.
        """
        slots = self.slots_of(frame.tokens)
        rows = np.arange(len(slots))
        if len(rows) and slots.min() < 0:
            rows = rows[slots >= 0]
            self.dropped["unknown"] += len(slots) - len(rows)
        closed: list[ClosedCandles] = []
        while len(rows):
            mine = slots[rows]
            # Assigning backwards keeps each slot's first row: a token twice in a frame is two ticks.
            self._place[mine[::-1]] = rows[::-1]
            first = self._place[mine] == rows
            if first.all():
                closed += self._take(frame, mine, rows)
                break
            closed += self._take(frame, mine[first], rows[first])
            rows = rows[~first]
        return tuple(closed)

    def close_due(self, now: datetime) -> tuple[ClosedCandles, ...]:
        """Close by the clock what ended `CLOSE_GRACE_S` ago or earlier. Their ticks count no more."""
        due_s = int(now.timestamp() - CLOSE_GRACE_S)
        closed_before_s = due_s // 60 * 60
        if closed_before_s <= self._latest_clock_s:
            return ()
        self._latest_clock_s = closed_before_s
        self._latest_close_s = max(self._latest_close_s, closed_before_s)
        np.maximum(self._closed_before_s, closed_before_s, out=self._closed_before_s)
        closed: list[ClosedCandles] = []
        for interval_min in INTERVALS_MIN:
            labels = self._forming[interval_min][OPENED_AT_S]
            slots = np.flatnonzero((labels != _NO_CANDLE) & (labels + 60 * interval_min <= due_s))
            if len(slots):
                closed += self._close(interval_min, slots)
        return tuple(closed)

    def warm_up(self, bars_by_token: Mapping[int, Bars]) -> None:
        """Take closed one-minute bars of earlier days, and of today after a restart, before the first tick.

        All at once is cheap, one by one is not. Nothing is returned: nobody trades on what is over. Raises
        KeyError for an unknown token, ValueError for a slot that already has candles.
        """
        slots = np.array([self.slot(token) for token in bars_by_token], np.int64)
        lengths = np.array([len(bars) for bars in bars_by_token.values()], np.int64)
        if not len(slots) or not lengths.max():
            return
        if self.rings[1].count[slots].any():
            raise ValueError("warm up an instrument once, before its first tick: make a new market state")
        rows = np.zeros((int(lengths.max()), len(slots), 6), np.int64)
        for column, bars in enumerate(bars_by_token.values()):
            rows[: len(bars), column] = bars.to_rows()
        for step in range(len(rows)):
            have = lengths > step
            self._keep(1, slots[have], rows[step, have])
        ends_s = rows[lengths - 1, np.arange(len(slots)), OPENED_AT_S] + 60
        self._closed_before_s[slots] = np.where(lengths > 0, ends_s, 0)
        self._latest_close_s = max(self._latest_close_s, int(ends_s.max()))
        label = self._forming[5][OPENED_AT_S]
        left_over = np.flatnonzero((label != _NO_CANDLE) & (label < self._opens_s))
        if len(left_over):
            self._close(5, left_over)

    def take_minutes(self, slots: Ints, rows: Ints) -> tuple[ClosedCandles, ...]:
        """Take minutes that somebody else closed, one for each of `slots`: recorded bars for ticks."""
        return tuple(self._keep(1, slots, rows))

    def quote(self, slot: int) -> Quote:
        """Prices of the last tick; all zero, without a time, before the first."""
        stamp_s = int(self.last_exchange_time_s[slot])
        return Quote(
            last_price_paise=int(self.last_price_paise[slot]),
            bid_paise=int(self.bid_paise[slot]),
            ask_paise=int(self.ask_paise[slot]),
            exchange_time=datetime.fromtimestamp(stamp_s, IST) if stamp_s else None,
            lower_circuit_paise=int(self.lower_circuit_paise[slot]),
            upper_circuit_paise=int(self.upper_circuit_paise[slot]),
        )

    def age_ms(self, slot: int, now: datetime) -> int | None:
        """How old the last tick is by the exchange's time (whole seconds there); None before the first."""
        stamp_s = int(self.last_exchange_time_s[slot])
        return round((now.timestamp() - stamp_s) * 1000) if stamp_s else None

    def history(self, slot: int) -> History:
        """The closed candles of one instrument, as a view that later candles show up in."""
        return History(
            spec=self.specs[slot],
            session=self.sessions[slot],
            slot=slot,
            rings=self.rings,
            opening_ranges=self.opening_ranges,
        )

    def is_warm(self, slot: int) -> bool:
        """Whether every indicator of both intervals is known; what takes longest is EMA 89 on 5 minutes."""
        return all(ring.count[slot] >= SLOW_BARS for ring in self.rings.values())

    def _index_tokens(self) -> None:
        """A token is (exchange_token << 8) + segment: look up base[segment] + exchange_token."""
        self._slot_by_token = {spec.instrument_token: slot for slot, spec in enumerate(self.specs)}
        if len(self._slot_by_token) != len(self.specs):
            raise ValueError("an instrument token is listed twice: each instrument may have one slot")
        tokens = np.array([spec.instrument_token for spec in self.specs], np.int64)
        self._segment_size = np.zeros(_SEGMENTS, np.int64)
        np.maximum.at(self._segment_size, tokens & 0xFF, (tokens >> 8) + 1)
        # Place 0 belongs to nobody: strangers are sent there.
        self._segment_base = 1 + np.concatenate(([0], np.cumsum(self._segment_size)[:-1]))
        self._table = np.full(1 + int(self._segment_size.sum()), -1, np.int64)
        self._table[self._segment_base[tokens & 0xFF] + (tokens >> 8)] = np.arange(len(tokens))

    def _take(self, frame: TickFrame, slots: Ints, rows: Ints) -> list[ClosedCandles]:
        """Take `rows` of a frame, one for each of `slots`."""
        received_s = int(frame.received_at.timestamp())
        price = _pick(frame.last_price_paise, rows)
        stamp = _pick(frame.exchange_time_s, rows)
        if stamp.min() == 0:  # short packets carry no exchange time
            stamp = np.where(stamp == 0, received_s, stamp)
        kept = self._believable(slots, price, stamp, received_s)
        if kept is not None:
            slots, rows, price, stamp = slots[kept], rows[kept], price[kept], stamp[kept]
            if not len(slots):
                return []
        volume = _pick(frame.volume, rows)
        seen = self.day_volume[slots]
        repeated = (
            (stamp == self.last_exchange_time_s[slots])
            & (price == self.last_price_paise[slots])
            & (volume == seen)
        )
        self.last_price_paise[slots] = price
        self.last_exchange_time_s[slots] = stamp
        self.day_volume[slots] = volume
        self.bid_paise[slots] = _pick(frame.bid_price_paise[:, 0], rows)
        self.ask_paise[slots] = _pick(frame.ask_price_paise[:, 0], rows)
        self.open_interest[slots] = _pick(frame.open_interest, rows)
        # What traded before our first look belongs to no candle; a total that shrinks starts anew.
        traded = np.where(seen < 0, 0, np.maximum(volume - seen, 0))
        forming = self._forms_candles(slots, stamp, repeated)
        if forming is None:
            return self._form(slots, stamp, price, traded)
        return self._form(slots[forming], stamp[forming], price[forming], traded[forming])

    def _believable(self, slots: Ints, price: Ints, stamp: Ints, received_s: int) -> Mask | None:
        """Which ticks may count at all; None when all may, which cheap looks at the extremes mostly tell."""
        in_order = stamp >= self.last_exchange_time_s[slots]
        oldest_s, newest_s = received_s - STALE_AFTER_S, received_s + AHEAD_AFTER_S
        if in_order.all() and price.min() > 0 and stamp.min() >= oldest_s and stamp.max() <= newest_s:
            return None
        kept = np.ones(len(slots), np.bool_)
        for kind, bad in (
            ("zero_price", price <= 0),
            ("ahead", stamp > newest_s),
            ("stale", stamp < oldest_s),
            ("out_of_order", ~in_order),
        ):
            kept = self._drop(kind, kept, bad)
        return kept

    def _drop(self, kind: str, kept: Mask, bad: Mask) -> Mask:
        """Count what is bad and not dropped yet under its first kind; returns what is kept still."""
        if count := int((kept & bad).sum()):
            self.dropped[kind] += count
        return kept & ~bad

    def _forms_candles(self, slots: Ints, stamp: Ints, repeated: Mask) -> Mask | None:
        """Which believable ticks belong into a candle; None when all do. The others still made a quote."""
        earliest, latest = int(stamp.min()), int(stamp.max())
        in_session = earliest >= self._all_open_s and latest < self._any_closed_s
        if in_session and earliest >= self._latest_close_s and not repeated.any():
            return None
        kept = np.ones(len(slots), np.bool_)
        for kind, bad in (
            ("out_of_session", (stamp < self._opens_s[slots]) | (stamp >= self._closes_s[slots])),
            ("duplicate", repeated),
            ("late", stamp < self._closed_before_s[slots]),
        ):
            kept = self._drop(kind, kept, bad)
        return kept

    def _form(self, slots: Ints, stamp: Ints, price: Ints, traded: Ints) -> list[ClosedCandles]:
        """Put ticks into their minutes, closing first the minutes that they end."""
        if not len(slots):
            return []
        forming = self._forming[1]
        minute = stamp - stamp % 60
        label = forming[OPENED_AT_S, slots]
        opens = minute > label
        closed: list[ClosedCandles] = []
        if opens.any():
            ended = slots[opens & (label != _NO_CANDLE)]
            if len(ended):
                closed = self._close(1, ended)
            new, first_price = slots[opens], price[opens]
            forming[OPENED_AT_S, new] = minute[opens]
            forming[OPEN : CLOSE + 1, new] = first_price
            forming[VOLUME, new] = 0
        forming[HIGH, slots] = np.maximum(forming[HIGH, slots], price)
        forming[LOW, slots] = np.minimum(forming[LOW, slots], price)
        forming[CLOSE, slots] = price
        forming[VOLUME, slots] += traded
        return closed

    def _close(self, interval_min: int, slots: Ints) -> list[ClosedCandles]:
        """Close the forming candles of `slots`."""
        forming = self._forming[interval_min]
        rows = forming[:, slots].T
        forming[OPENED_AT_S, slots] = _NO_CANDLE
        return self._keep(interval_min, slots, rows)

    def _keep(self, interval_min: int, slots: Ints, rows: Ints) -> list[ClosedCandles]:
        """Add closed candles to the rings and indicators; minutes also go into their five minutes."""
        self.rings[interval_min].append(slots, rows, self._indicators[interval_min].update(slots, rows))
        closed = [ClosedCandles(interval_min=interval_min, slots=slots, rows=rows)]
        if interval_min == 1:
            self.opening_ranges.update(slots, rows)
            closed += self._join(slots, rows)
        return closed

    def _join(self, slots: Ints, rows: Ints) -> list[ClosedCandles]:
        """Put closed minutes into their five minutes, which close with their last minute or before a later
        one.
        """
        forming = self._forming[5]
        label = rows[:, OPENED_AT_S] // 300 * 300
        old = forming[OPENED_AT_S, slots]
        ended = slots[(old != _NO_CANDLE) & (old != label)]
        closed = self._close(5, ended) if len(ended) else []
        fresh = old != label
        forming[OPENED_AT_S, slots] = label
        forming[OPEN, slots] = np.where(fresh, rows[:, OPEN], forming[OPEN, slots])
        forming[HIGH, slots] = np.where(fresh, rows[:, HIGH], np.maximum(forming[HIGH, slots], rows[:, HIGH]))
        forming[LOW, slots] = np.where(fresh, rows[:, LOW], np.minimum(forming[LOW, slots], rows[:, LOW]))
        forming[CLOSE, slots] = rows[:, CLOSE]
        forming[VOLUME, slots] = np.where(fresh, 0, forming[VOLUME, slots]) + rows[:, VOLUME]
        complete = slots[rows[:, OPENED_AT_S] + 60 == label + 300]
        return closed + self._close(5, complete) if len(complete) else closed


def _pick(column: Ints, rows: Ints) -> Ints:
    """The column itself when every row is meant: rows are distinct and in order."""
    return column if len(rows) == len(column) else column[rows]
