"""The closing auction of shares that have F&O, since 3 August 2026 (NSE circular 74/2026).

15:15 the reference price, from what traded since 15:00; nothing is taken. 15:20 LIMIT and MARKET orders, from 15:25
LIMIT alone, until a random moment of the last two minutes before 15:30. By 15:35 what meets the price has traded.
Stops and icebergs take no part: one that rests when the auction begins is cancelled, a LIMIT within the band stays.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Final

from trading.core.enums import OrderType
from trading.core.money import round_paise_to_tick
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange.acceptance import Refused
from trading.exchange.contracts import AUCTION_MATCHED, continuous_close, has_closing_auction
from trading.exchange.intake import AMO, REGULAR
from trading.exchange.matching import Packets
from trading.exchange.orders import Terms, VenueOrder

REFERENCE_FROM: Final = time(15, 0)
BEGINS: Final = time(15, 15)
TAKES_FROM: Final = time(15, 20)
MARKET_UNTIL: Final = time(15, 25)
#: entry ends at a random moment from here on, at most so much later
MAY_END_FROM: Final = time(15, 28)
RANDOM_S: Final = 120
BAND_PCT: Final = Decimal(3)
#: what takes part; an after market order was let in as a regular one
_TYPES: Final = (OrderType.LIMIT, OrderType.MARKET)
_VARIETIES: Final = (REGULAR, AMO)


class Phase(StrEnum):
    REFERENCE = "reference"
    MARKET_AND_LIMIT = "market and limit"
    LIMIT_ONLY = "limit only"
    MATCHING = "matching"


#: phases in which orders come in
TAKING: Final = (Phase.MARKET_AND_LIMIT, Phase.LIMIT_ONLY)


class ClosingAuction:
    """One day's auctions of a market's shares. Prices are paise, times aware IST that never run back.

    The market is told by its packets alone: the auction price is the last price that was shown since the auction
    began, within the band; a market that shows none closes at the reference, as NSE does where no price is found.
    """

    def __init__(self, instruments: Iterable[InstrumentSpec], packets: Packets, venue_session: str) -> None:
        self._specs = tuple(instruments)
        self._packets = packets
        self._entry_s = Random(f"{venue_session}/closing auction").uniform(0, RANDOM_S)
        #: when `look` next has something to note
        self._next = REFERENCE_FROM
        self._before: dict[int, tuple[int, int]] = {}
        self._references: dict[int, int] = {}
        self._bands: dict[int, tuple[int, int]] = {}
        self._shown: dict[int, TickFrame] = {}

    def look(self, now: datetime) -> None:
        """Note what has traded, before a frame of `now` is taken."""
        clock = now.time()
        if clock < self._next:
            return
        if self._next == REFERENCE_FROM:
            self._before = {spec.instrument_token: self._traded(spec) for spec in self._of_day(now.date())}
            self._next = BEGINS
        if self._next <= clock:
            for spec in self._of_day(now.date()):
                self._begin(spec)
            self._next = time.max

    def phase(self, spec: InstrumentSpec, now: datetime) -> Phase | None:
        """Where the auction of an instrument stands; None while it trades continuously, and for one without."""
        clock = now.time()
        if not BEGINS <= clock < AUCTION_MATCHED or not has_closing_auction(spec, now.date()):
            return None
        if clock < TAKES_FROM:
            return Phase.REFERENCE
        if clock < MARKET_UNTIL:
            return Phase.MARKET_AND_LIMIT
        ends_at = datetime.combine(now.date(), MAY_END_FROM, now.tzinfo) + timedelta(seconds=self._entry_s)
        return Phase.LIMIT_ONLY if now < ends_at else Phase.MATCHING

    def band(self, spec: InstrumentSpec) -> tuple[int, int] | None:
        """Lowest and highest price since the auction began; None before, and for an instrument without one."""
        return self._bands.get(spec.instrument_token)

    def check(self, order: VenueOrder, terms: Terms | VenueOrder, now: datetime) -> None:
        """Whether an order, or a change of one, is taken at this moment. Raises Refused."""
        phase = self.phase(order.spec, now)
        if phase is None:
            return
        if phase not in TAKING:
            raise Refused(f"Closing auction: no order or change is taken in its phase {phase!s}.")
        is_plain = order.variety in _VARIETIES and terms.validity == "DAY" and not order.disclosed
        if terms.order_type not in _TYPES or not is_plain:
            raise Refused("Closing auction: only LIMIT and MARKET orders for the day take part.")
        if terms.order_type is OrderType.MARKET and phase is Phase.LIMIT_ONLY:
            raise Refused(f"Closing auction: from {MARKET_UNTIL:%H:%M} only LIMIT orders are taken.")

    def carries(self, order: VenueOrder) -> bool:
        """Whether an order that rests when the auction begins takes part in it."""
        lower, upper = self._bands.get(order.spec.instrument_token, (0, 0))
        is_plain = order.variety in _VARIETIES and not order.is_stop and not order.disclosed
        return is_plain and lower <= order.price_paise <= upper

    def meets(self, order: VenueOrder) -> int:
        """The price at which an order trades in the auction; 0 where it does not."""
        price = self._price(order.spec)
        return price if price and (order.price_paise - price) * order.side.sign >= 0 else 0

    def _of_day(self, on: date) -> list[InstrumentSpec]:
        return [spec for spec in self._specs if has_closing_auction(spec, on)]

    def _begin(self, spec: InstrumentSpec) -> None:
        token, tick = spec.instrument_token, spec.tick_size_paise
        seen = self._packets.latest.get(token)
        if seen is None:
            return
        (units, value), (units_before, value_before) = self._traded(spec), self._before.get(token, (0, 0))
        traded = units - units_before
        reference = (value - value_before) // traded if traded > 0 else int(seen[0].last_price_paise[seen[1]])
        distance = int(reference * BAND_PCT / 100)
        self._references[token] = round_paise_to_tick(reference, tick, "down")
        self._bands[token] = (
            round_paise_to_tick(reference - distance, tick, "up"),
            round_paise_to_tick(reference + distance, tick, "down"),
        )
        self._shown[token] = seen[0]

    def _traded(self, spec: InstrumentSpec) -> tuple[int, int]:
        """Units and value (paise) of the day so far."""
        seen = self._packets.latest.get(spec.instrument_token)
        if seen is None:
            return 0, 0
        frame, row = seen
        units = int(frame.volume[row])
        return units, units * int(frame.average_price_paise[row])

    def _price(self, spec: InstrumentSpec) -> int:
        token = spec.instrument_token
        band, seen = self._bands.get(token), self._packets.latest.get(token)
        if band is None or seen is None:
            return 0
        if seen[0] is self._shown[token]:
            return self._references[token]
        return min(max(int(seen[0].last_price_paise[seen[1]]), band[0]), band[1])


def continuous_ends_at(spec: InstrumentSpec, now: datetime) -> datetime:
    """When continuous trading of an instrument ends on the day of `now`."""
    return datetime.combine(now.date(), continuous_close(spec, now.date()), now.tzinfo)


def matched_at(now: datetime) -> datetime:
    """When what meets the auction's price has traded."""
    return datetime.combine(now.date(), AUCTION_MATCHED, now.tzinfo)
