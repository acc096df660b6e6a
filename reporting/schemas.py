"""What the REST API says of an account as a whole: the picture of `reporting.picture`, part by part."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ninja import Schema


class OffBecauseOut(Schema):
    reason: str
    why: str
    set_by: str
    set_at: datetime | None


class EntriesLockOut(Schema):
    protection: str
    tradingsymbol: str
    why: str
    until: datetime | None


class EntriesOut(Schema):
    are_on: bool
    off_because: list[OffBecauseOut]
    locks: list[EntriesLockOut]


class DayOut(Schema):
    pnl_inr: Decimal
    realised_inr: Decimal
    open_inr: Decimal
    is_priced: bool
    heat_inr: Decimal
    trades_closed: int
    positions_open: int


class LimitsInForceOut(Schema):
    """Rupees are null where the capital of a LIVE day is not known yet."""

    version: int
    capital_inr: Decimal | None
    heat_inr: Decimal | None
    daily_loss_inr: Decimal | None
    open_positions: int
    trades_per_day: int


class RateOut(Schema):
    """Orders sent in the last second, the last minute and the day, and how many may be."""

    last_s: int
    last_min: int
    today: int
    per_s: int
    per_min: int
    per_day: int


class LoopOut(Schema):
    loop: str
    state: str
    since: datetime | None
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
    risk_inr: Decimal
    r_multiple: Decimal | None
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
    limits: LimitsInForceOut
    rate: RateOut
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
