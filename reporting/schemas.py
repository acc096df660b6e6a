"""What the REST API says of an account as a whole: the picture of `reporting.picture`, part by part."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ninja import Schema


class OffBecauseOut(Schema):
    reason: str
    why: str
    set_by: str
    set_at: datetime


class EntriesOut(Schema):
    are_on: bool
    off_because: list[OffBecauseOut]


class DayOut(Schema):
    pnl_inr: Decimal
    realised_inr: Decimal
    open_inr: Decimal
    is_priced: bool
    heat_inr: Decimal
    trades_closed: int
    positions_open: int


class LoopOut(Schema):
    loop: str
    state: str
    holder: str
    fence: int
    pass_at: datetime | None


class FlattenOut(Schema):
    id: int
    state: str
    reason: str
    asked_by: str
    tradingsymbols: list[str]
    asked_at: datetime
    finished_at: datetime | None
    positions_at_start: int
    took_ms: int | None
    verdict: dict[str, Any]


class GroupOut(Schema):
    number: int
    state: str
    quantity: int
    stop_price: Decimal
    target_price: Decimal
    unprotected_since: datetime | None
    close_reason: str
    problem: str


class PositionOut(Schema):
    trade: int
    exchange: str
    tradingsymbol: str
    product: str
    strategy: str
    quantity: int
    average_price: Decimal
    last_price: Decimal | None
    pnl_inr: Decimal | None
    opened_at: datetime
    groups: list[GroupOut]


class StateOut(Schema):
    account: str
    mode: str
    market: str | None
    venue_session: str | None
    trading_date: date
    market_time: datetime
    machine_time: datetime
    entries: EntriesOut
    day: DayOut
    loops: list[LoopOut]
    flatten: FlattenOut | None


class HealthOut(Schema):
    """`ok` or what is wrong, part by part."""

    status: str
    parts: dict[str, str]


class BurninOut(Schema):
    trading_date: date
    market: str
    passed: bool
    criteria: list[dict[str, Any]]
    problems: list[Any]
    trades: int
    gross_inr: Decimal
    charges_inr: Decimal
    net_inr: Decimal
    evidence: str
    digest: str
    reported_at: datetime
