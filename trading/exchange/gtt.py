"""Triggers that wait at the broker (Kite's GTT): single, or two-leg, of which one cancels the other.

A trigger is judged on each price of its instrument and places a LIMIT order when it is met. It is the broker's
watch, not an order of the exchange: until it fires it blocks no margin, and the order it places can be refused.
Unlike orders a trigger outlives its day: `GttBook.events` is what the next day's book is begun with.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from trading.core.enums import Product, Side
from trading.core.money import to_paise
from trading.core.session import at
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec
from trading.exchange.intake import MOST, find_spec
from trading.exchange.kite_rows import Row, number, stamp
from trading.exchange.rules import VenueRefusal, bad_input

PLACE_GTT, MODIFY_GTT, DELETE_GTT = "gtt-place", "gtt-modify", "gtt-delete"
GTT_VERBS: Final = (PLACE_GTT, MODIFY_GTT, DELETE_GTT)
#: days a trigger on a share waits; one on a derivative waits until its expiry
WAITS_DAYS: Final = 365
#: one that has ended is shown so much longer
SHOWN_AFTER: Final = timedelta(days=7)
#: Kite takes no intraday product; the text of its refusal is not known
PRODUCTS: Final = (Product.CNC, Product.NRML)
MOST_ACTIVE: Final = 250
#: digits of a trigger's id
NUMBER_LENGTH: Final = 18

Place = Callable[[Mapping[str, Any]], str]


class GttType(StrEnum):
    SINGLE = "single"
    TWO_LEG = "two-leg"


class GttStatus(StrEnum):
    """The states that come about here; Kite also knows disabled, cancelled and rejected."""

    ACTIVE = "active"
    TRIGGERED = "triggered"
    EXPIRED = "expired"
    DELETED = "deleted"


@dataclass(slots=True)
class Leg:
    """One price to wait for and the LIMIT order it places. `is_rise` waits for a price at or above it."""

    trigger_paise: int
    is_rise: bool
    order: Row
    result: Row | None = None

    def is_met(self, last_paise: int) -> bool:
        return last_paise >= self.trigger_paise if self.is_rise else last_paise <= self.trigger_paise


@dataclass(slots=True, kw_only=True)
class Gtt:
    """One trigger. `last_price_paise` is what its owner said the price was."""

    number: int
    kind: GttType
    exchange: str
    tradingsymbol: str
    instrument_token: int
    #: of a derivative
    expiry: date | None
    last_price_paise: int
    legs: list[Leg]
    created_at: datetime
    updated_at: datetime
    status: GttStatus = GttStatus.ACTIVE

    @property
    def expires_at(self) -> datetime:
        return at(self.expiry, time()) if self.expiry else self.created_at + timedelta(days=WAITS_DAYS)

    @property
    def names(self) -> tuple[str, str]:
        return self.exchange, self.tradingsymbol


@dataclass(kw_only=True)
class GttBook:
    """The triggers of one account. Times are aware market time."""

    specs: Mapping[tuple[str, str], InstrumentSpec]
    user_id: str
    first_number: int = 100_000
    products: tuple[Product, ...] = PRODUCTS
    most_active: int = MOST_ACTIVE
    _gtts: dict[int, Gtt] = field(default_factory=dict)
    #: how many the day began with
    _carried: int = 0
    #: the active ones by instrument token
    _waiting: dict[int, list[Gtt]] = field(default_factory=dict)

    def events(self) -> list[Row]:
        """All of it as JSON has it, for the next day's `restore`."""
        return [json.loads(json.dumps(asdict(gtt), default=str)) for gtt in self._gtts.values()]

    def restore(self, events: Iterable[Mapping[str, Any]], now: datetime) -> None:
        """Begin a day with the triggers of the day before. Those whose time or instrument is over expire now."""
        for event in events:
            gtt = _gtt(event)
            self.first_number = max(self.first_number, gtt.number + 1)
            if gtt.status is not GttStatus.ACTIVE and now - gtt.updated_at > SHOWN_AFTER:
                continue
            self._gtts[gtt.number] = gtt
            spec = self.specs.get(gtt.names)
            if gtt.status is not GttStatus.ACTIVE:
                continue
            if spec is None or gtt.expires_at <= now:
                gtt.status, gtt.updated_at = GttStatus.EXPIRED, now
                continue
            gtt.instrument_token = spec.instrument_token
            self._waiting.setdefault(gtt.instrument_token, []).append(gtt)
        self._carried = len(self._gtts)

    def write(self, verb: str, number_text: str, fields: Mapping[str, Any], now: datetime) -> str:
        """Place, modify or delete as Kite's routes do; the trigger id. Raises VenueRefusal."""
        if verb == PLACE_GTT:
            return str(self._place(fields, now).number)
        gtt = self._find(number_text)
        if gtt.status is not GttStatus.ACTIVE:
            raise bad_input(f"Trigger {gtt.number} is {gtt.status}: only an active one can be changed.")
        if verb == MODIFY_GTT:
            self._modify(gtt, fields, now)
        else:
            self._end(gtt, GttStatus.DELETED, now)
        return str(gtt.number)

    def rows(self) -> list[Row]:
        """`GET /gtt/triggers`, the newest first."""
        return [_row(gtt, self.user_id) for gtt in reversed(self._gtts.values())]

    def row(self, number_text: str) -> Row:
        """`GET /gtt/triggers/:id`. Raises VenueRefusal 404."""
        return _row(self._find(number_text), self.user_id)

    def judge(self, frame: TickFrame, place: Place) -> None:
        """Fire what these prices meet: `place` gets an order's fields and answers its id, or raises
        VenueRefusal.
        """
        if not self._waiting:
            return
        last_paise = dict(zip(frame.tokens.tolist(), frame.last_price_paise.tolist(), strict=True))
        for token in last_paise.keys() & self._waiting.keys():
            for gtt in list(self._waiting[token]):
                met = next((leg for leg in gtt.legs if leg.is_met(last_paise[token])), None)
                if met is not None:
                    self._fire(gtt, met, last_paise[token], frame.received_at, place)

    def _fire(self, gtt: Gtt, leg: Leg, last_paise: int, now: datetime, place: Place) -> None:
        result: Row = {"status": "success", "order_id": "", "rejection_reason": ""}
        try:
            result["order_id"] = place(leg.order | {"variety": "regular", "validity": "DAY"})
        except VenueRefusal as refusal:
            result |= {"status": "failed", "rejection_reason": refusal.message}
        leg.result = {
            "account_id": self.user_id,
            **leg.order,
            "validity": "DAY",
            "meta": json.dumps({"app_id": 0, "gtt": gtt.number}, separators=(",", ":")),
            "timestamp": stamp(now),
            "triggered_at": number(last_paise),
            "order_result": result,
        }
        self._end(gtt, GttStatus.TRIGGERED, now)

    def _place(self, fields: Mapping[str, Any], now: datetime) -> Gtt:
        if sum(map(len, self._waiting.values())) >= self.most_active:
            raise bad_input(f"At most {self.most_active} triggers can be active.")
        gtt = self._read(fields, self.first_number + len(self._gtts) - self._carried, now)
        self._gtts[gtt.number] = gtt
        self._waiting.setdefault(gtt.instrument_token, []).append(gtt)
        return gtt

    def _modify(self, gtt: Gtt, fields: Mapping[str, Any], now: datetime) -> None:
        new = self._read(fields, gtt.number, now)
        if new.kind is not gtt.kind or new.names != gtt.names:
            raise bad_input(
                "Type and instrument of a trigger cannot be changed. Delete it and place another."
            )
        gtt.last_price_paise, gtt.legs, gtt.updated_at = new.last_price_paise, new.legs, now

    def _end(self, gtt: Gtt, status: GttStatus, now: datetime) -> None:
        gtt.status, gtt.updated_at = status, now
        waiting = self._waiting[gtt.instrument_token]
        waiting.remove(gtt)
        if not waiting:
            del self._waiting[gtt.instrument_token]

    def _find(self, number_text: str) -> Gtt:
        is_number = number_text.isdecimal() and len(number_text) <= NUMBER_LENGTH
        gtt = self._gtts.get(int(number_text)) if is_number else None
        if gtt is None:
            raise VenueRefusal(404, "GeneralException", f"Trigger {number_text} not found.")
        return gtt

    def _read(self, fields: Mapping[str, Any], gtt_number: int, now: datetime) -> Gtt:
        condition, orders = _json(fields, "condition", dict), _json(fields, "orders", list)
        try:
            kind = GttType(str(fields.get("type", "")))
        except ValueError:
            raise bad_input(f"Invalid `type`. Should be one of {', '.join(GttType)}.") from None
        spec = find_spec(condition, self.specs)
        last_paise = _price(condition.get("last_price"), "last_price", 1)
        triggers = _triggers(condition, kind, spec, last_paise)
        if len(orders) != len(triggers):
            raise bad_input(f"A {kind} trigger has {len(triggers)} orders; {len(orders)} were given.")
        rows = [self._order(order, spec) for order in orders]
        legs = [Leg(price, price > last_paise, row) for price, row in zip(triggers, rows, strict=True)]
        return Gtt(
            number=gtt_number,
            kind=kind,
            exchange=str(spec.exchange),
            tradingsymbol=spec.tradingsymbol,
            instrument_token=spec.instrument_token,
            expiry=spec.expiry,
            last_price_paise=last_paise,
            legs=legs,
            created_at=now,
            updated_at=now,
        )

    def _order(self, order: Any, spec: InstrumentSpec) -> Row:
        if not isinstance(order, dict):
            raise bad_input("Invalid `orders`. Should be a list of objects.")
        words = {name: str(order.get(name, "")) for name in ("transaction_type", "order_type", "product")}
        if words["transaction_type"] not in tuple(Side):
            raise bad_input("Invalid `transaction_type`. Should be BUY or SELL.")
        if words["order_type"] != "LIMIT":
            raise bad_input("Invalid `order_type`. Only LIMIT orders can be placed by a trigger.")
        if words["product"] not in self.products:
            raise bad_input(f"Invalid `product`. Should be one of {', '.join(self.products)}.")
        quantity = order.get("quantity")
        if not isinstance(quantity, int) or not 0 < quantity <= MOST or quantity % spec.lot_size:
            raise bad_input(f"Invalid `quantity`. Should be in multiples of lot size {spec.lot_size}.")
        price_paise = _price(order.get("price"), "price", spec.tick_size_paise)
        names = {"exchange": str(spec.exchange), "tradingsymbol": spec.tradingsymbol}
        return names | words | {"quantity": quantity, "price": number(price_paise)}


def _gtt(event: Mapping[str, Any]) -> Gtt:
    """One of `GttBook.events`."""
    words = dict(event)
    words |= {name: datetime.fromisoformat(words[name]) for name in ("created_at", "updated_at")}
    words["expiry"] = date.fromisoformat(words["expiry"]) if words["expiry"] else None
    words["kind"], words["status"] = GttType(words["kind"]), GttStatus(words["status"])
    words["legs"] = [Leg(**leg) for leg in words["legs"]]
    return Gtt(**words)


def _json(fields: Mapping[str, Any], name: str, kind: type) -> Any:
    try:
        value = json.loads(str(fields.get(name, "")))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        what = "an object" if kind is dict else "a list"
        raise bad_input(f"Invalid `{name}`. Should be {what} in JSON.")
    return value


def _triggers(
    condition: Mapping[str, Any], kind: GttType, spec: InstrumentSpec, last_paise: int
) -> list[int]:
    values = condition.get("trigger_values")
    if not isinstance(values, list) or len(values) != (2 if kind is GttType.TWO_LEG else 1):
        raise bad_input(f"Invalid `trigger_values`. A {kind} trigger has {1 + (kind is GttType.TWO_LEG)}.")
    prices = [_price(value, "trigger_values", spec.tick_size_paise) for value in values]
    if last_paise in prices:
        raise bad_input("Trigger already met: a trigger price must differ from the last price.")
    if kind is GttType.TWO_LEG and prices[0] > last_paise:
        raise bad_input("Trigger cannot be created with the first trigger price more than the last price.")
    if kind is GttType.TWO_LEG and prices[1] < last_paise:
        raise bad_input("Trigger cannot be created with the second trigger price less than the last price.")
    return prices


def _price(value: Any, name: str, tick_paise: int) -> int:
    try:
        asked = Decimal(str(value))
        price = to_paise(asked) if asked <= MOST else 0
    except (InvalidOperation, ValueError):
        raise bad_input(f"Invalid `{name}`.") from None
    if price <= 0 or price % tick_paise:
        raise bad_input(f"Invalid `{name}`. Should be above 0, in multiples of {number(tick_paise)}.")
    return price


def _row(gtt: Gtt, user_id: str) -> Row:
    return {
        "id": gtt.number,
        "user_id": user_id,
        "parent_trigger": None,
        "type": str(gtt.kind),
        "created_at": stamp(gtt.created_at),
        "updated_at": stamp(gtt.updated_at),
        "expires_at": stamp(gtt.expires_at),
        "status": str(gtt.status),
        "condition": {
            "exchange": gtt.exchange,
            "last_price": number(gtt.last_price_paise),
            "tradingsymbol": gtt.tradingsymbol,
            "trigger_values": [number(leg.trigger_paise) for leg in gtt.legs],
            "instrument_token": gtt.instrument_token,
        },
        "orders": [leg.order | {"result": leg.result} for leg in gtt.legs],
        "meta": {},
    }
