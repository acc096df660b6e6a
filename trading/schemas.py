"""What the REST API says of trading's rows. Rupees are text, times IST."""

from datetime import date, datetime
from decimal import Decimal

from ninja import Schema


class SignalOut(Schema):
    id: int
    trading_date: date
    seen_at: datetime
    candle_at: datetime
    strategy: str
    exchange: str
    tradingsymbol: str
    side: str
    entry_price: Decimal
    stop_price: Decimal
    target_price: Decimal
    score: float
    reason: str
    plan_id: str


class ApprovalOut(Schema):
    id: int
    signal_id: int
    tradingsymbol: str
    strategy: str
    side: str
    quantity: int
    limit_price: Decimal
    risk_inr: Decimal
    asked_at: datetime
    until: datetime
    answer: str
    answered_by: str
    answered_at: datetime | None

    @staticmethod
    def resolve_tradingsymbol(row: object) -> str:
        return str(row.signal.tradingsymbol)  # type: ignore[attr-defined]  # an Approval row

    @staticmethod
    def resolve_strategy(row: object) -> str:
        return str(row.signal.strategy)  # type: ignore[attr-defined]  # an Approval row

    @staticmethod
    def resolve_side(row: object) -> str:
        return str(row.signal.side)  # type: ignore[attr-defined]  # an Approval row


class DecisionOut(Schema):
    id: int
    signal_id: int
    tradingsymbol: str
    strategy: str
    decided_at: datetime
    mode: str
    approved: bool
    quantity: int
    reasons: list[dict[str, str]]
    risk_inr: Decimal
    reward_inr: Decimal
    costs_inr: Decimal
    limit_price: Decimal | None
    limits_version: int
    tick_to_decision_ms: float

    @staticmethod
    def resolve_tradingsymbol(row: object) -> str:
        return str(row.signal.tradingsymbol)  # type: ignore[attr-defined]  # a Decision row

    @staticmethod
    def resolve_strategy(row: object) -> str:
        return str(row.signal.strategy)  # type: ignore[attr-defined]  # a Decision row


class OrderOut(Schema):
    id: int
    client_order_id: str
    tag: str
    broker_order_id: str
    trading_date: date
    mode: str
    role: str
    exchange: str
    tradingsymbol: str
    side: str
    product: str
    order_type: str
    quantity: int
    filled_quantity: int
    price: Decimal
    trigger_price: Decimal
    average_price: Decimal
    status: str
    status_message: str
    decision_id: int | None
    entry_id: int | None
    group_number: int | None
    asked_at: datetime
    updated_at: datetime


class TradeOut(Schema):
    id: int
    decision_id: int
    trading_date: date
    strategy: str
    exchange: str
    tradingsymbol: str
    product: str
    side: str
    entered_quantity: int
    exited_quantity: int
    opened_at: datetime
    closed_at: datetime | None
    risk_inr: Decimal
    gross_inr: Decimal
    charges_inr: Decimal
    net_inr: Decimal
