"""A day of one trade in which everything went as it should, for tests to spoil one thing at a time.

50 NIFTY were bought at 17000 at 10:00:02 (stop 16980) and sold at 17030 at 10:20:00 by the stop's own order.
Charges by hand, bought for 8,50,000: brokerage 20.00, exchange 15.56, SEBI 0.85, stamp 17.00, GST 6.55 = 59.96;
sold for 8,51,500: brokerage 20.00, STT 425.75, exchange 15.58, SEBI 0.85, GST 6.56 = 468.74.
"""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reporting.facts import (
    BrokerBooks,
    CommandFact,
    DayFacts,
    EventFact,
    FillFact,
    FlattenFact,
    GroupFact,
    OrderFact,
    TradeFact,
)
from trading.core.charges import Segment
from trading.core.enums import (
    CommandKind,
    CommandOutcome,
    Exchange,
    ExitReason,
    FlattenState,
    GroupState,
    LegKind,
    LegState,
    OrderStatus,
    Role,
    Side,
)
from trading.core.session import IST
from trading.core.values import FillReport, OrderReport, PositionReport

DAY = date(2022, 3, 15)
NIFTY = ("NFO", "NIFTY22MARFUT", "MIS")
ENTRY_TAG, STOP_TAG = "E" + "0" * 19, "S" + "0" * 19


def clock(words: str) -> datetime:
    """`10:00:02` or `10:00:02.250` of the day, IST."""
    return datetime.fromisoformat(f"2022-03-15T{words}").replace(tzinfo=IST)


def order(role: Role = Role.ENTRY, **changes: Any) -> OrderFact:
    """The day's entry or its stop, filled."""
    is_entry = role is Role.ENTRY
    states = [OrderStatus.SUBMITTED, OrderStatus.PENDING_NEW, OrderStatus.ACCEPTED, OrderStatus.FILLED]
    steps = zip(["", *states], states, [0, 0, 0, 50], strict=False)
    facts: dict[str, Any] = {
        "id": 1 if is_entry else 2,
        "client_order_id": ("0" if is_entry else "1") * 24,
        "tag": ENTRY_TAG if is_entry else STOP_TAG,
        "broker_order_id": "B1" if is_entry else "B2",
        "role": role,
        "instrument": NIFTY,
        "side": Side.BUY if is_entry else Side.SELL,
        "quantity": 50,
        "filled_quantity": 50,
        "status": OrderStatus.FILLED,
        "asked_at": clock("10:00:01") if is_entry else clock("10:00:03"),
        "decision_id": 7,
        "signal_id": 9,
        "signal_stop_price": Decimal("16980"),
        "entry_id": None if is_entry else 1,
        "group_number": None if is_entry else 1,
        "events": tuple(EventFact(from_status=a, to_status=b, filled_quantity=c) for a, b, c in steps),
        "commands": (place(clock("10:00:01") if is_entry else clock("10:00:03")),),
    }
    return OrderFact(**facts | changes)


def place(at: datetime, outcome: CommandOutcome = CommandOutcome.ACCEPTED) -> CommandFact:
    return CommandFact(kind=CommandKind.PLACE, outcome=outcome, intent_at=at)


def order_report(role: Role = Role.ENTRY, **changes: Any) -> OrderReport:
    """The same order in the broker's book."""
    is_entry = role is Role.ENTRY
    tag = ENTRY_TAG if is_entry else STOP_TAG
    facts: dict[str, Any] = {
        "broker_order_id": "B1" if is_entry else "B2",
        "tag": tag,
        "tags": (tag,),
        "status": OrderStatus.FILLED,
        "raw_status": "COMPLETE",
        "status_message": "",
        "exchange": Exchange.NFO,
        "tradingsymbol": NIFTY[1],
        "side": Side.BUY if is_entry else Side.SELL,
        "product": "MIS",
        "order_type": "LIMIT",
        "quantity": 50,
        "filled_quantity": 50,
        "pending_quantity": 0,
        "price": Decimal("17000"),
        "trigger_price": Decimal(0),
        "average_price": Decimal("17000") if is_entry else Decimal("17030"),
        "exchange_order_id": "",
        "placed_by": "AB1234",
        "order_at": clock("10:00:01") if is_entry else clock("10:00:03"),
        "updated_at": clock("10:00:02") if is_entry else clock("10:20:00"),
    }
    return OrderReport(**facts | changes)


def fill_report(role: Role = Role.ENTRY, **changes: Any) -> FillReport:
    is_entry = role is Role.ENTRY
    facts: dict[str, Any] = {
        "broker_trade_id": "T1" if is_entry else "T2",
        "broker_order_id": "B1" if is_entry else "B2",
        "exchange": Exchange.NFO,
        "tradingsymbol": NIFTY[1],
        "side": Side.BUY if is_entry else Side.SELL,
        "product": "MIS",
        "quantity": 50,
        "price": Decimal("17000") if is_entry else Decimal("17030"),
        "filled_at": clock("10:00:02") if is_entry else clock("10:20:00"),
    }
    return FillReport(**facts | changes)


def position(quantity: int = 0) -> PositionReport:
    return PositionReport(
        exchange=Exchange.NFO, tradingsymbol=NIFTY[1], product="MIS", quantity=quantity,
        average_price=Decimal(0), last_price=Decimal("17030"),
    )  # fmt: skip


def trade(**changes: Any) -> TradeFact:
    fills = (
        FillFact(
            order_id=1, broker_order_id="B1", broker_trade_id="T1", side=Side.BUY, quantity=50,
            price=Decimal("17000"),
        ),
        FillFact(
            order_id=2, broker_order_id="B2", broker_trade_id="T2", side=Side.SELL, quantity=50,
            price=Decimal("17030"),
        ),
    )  # fmt: skip
    facts: dict[str, Any] = {
        "id": 3,
        "decision_id": 7,
        "is_approved": True,
        "instrument": NIFTY,
        "segment": Segment.FUTURES,
        "side": Side.BUY,
        "opened_at": clock("10:00:02"),
        "closed_at": clock("10:20:00"),
        "entered_quantity": 50,
        "exited_quantity": 50,
        "gross_inr": Decimal("1500.00"),
        "charges_inr": Decimal("528.70"),
        "net_inr": Decimal("971.30"),
        "fills": fills,
    }
    return TradeFact(**facts | changes)


def group(**changes: Any) -> GroupFact:
    facts: dict[str, Any] = {
        "id": 5,
        "number": 1,
        "entry_id": 1,
        "instrument": NIFTY,
        "state": GroupState.CLOSED,
        "entered_quantity": 50,
        "exited_quantity": 50,
        "armed_at": clock("10:00:04"),
        "closed_at": clock("10:20:01"),
        "exit_reason": ExitReason.TARGET,
        "unprotected_ms": 800,
        "legs": ((LegKind.STOP, LegState.CANCELED), (LegKind.TARGET, LegState.FILLED)),
    }
    return GroupFact(**facts | changes)


def square_off(**changes: Any) -> FlattenFact:
    facts: dict[str, Any] = {
        "reason": ExitReason.SQUARE_OFF,
        "state": FlattenState.FLAT,
        "asked_at": clock("15:10:00"),
        "finished_at": clock("15:10:00.400"),
        "took_ms": 400,
        "positions_at_start": 0,
        "is_square_off": True,
    }
    return FlattenFact(**facts | changes)


def books(**changes: Any) -> BrokerBooks:
    facts: dict[str, Any] = {
        "orders": (order_report(), order_report(Role.STOP)),
        "fills": (fill_report(), fill_report(Role.STOP)),
        "positions": (position(),),
    }
    return BrokerBooks(**facts | changes)


def day(**changes: Any) -> DayFacts:
    """The sound day; each keyword replaces one part of it."""
    facts: dict[str, Any] = {
        "trading_date": DAY,
        "until": clock("15:45:00"),
        "signals": 60,
        "decisions_planned": 4,
        "orders": (order(), order(Role.STOP)),
        "trades": (trade(),),
        "groups": (group(),),
        "flattens": (square_off(),),
        "square_off_ran": True,
        "capital_inr": Decimal("2500000"),
        "books": books(),
    }
    return DayFacts(**facts | changes)


def another(number: int, at: str, **changes: Any) -> tuple[OrderFact, OrderReport, FillReport]:
    """One more entry on an instrument of its own: 50 at 17000, placed and filled at `at`."""
    symbol = f"SHARE{number}"
    row = order(
        id=100 + number, client_order_id=f"{number:024}", tag=f"E{number:019}", broker_order_id=f"C{number}",
        instrument=("NFO", symbol, "MIS"), decision_id=100 + number, signal_id=100 + number,
        asked_at=clock(at), commands=(place(clock(at)),),
    )  # fmt: skip
    report = order_report(
        broker_order_id=f"C{number}", tag=f"E{number:019}", tradingsymbol=symbol, order_at=clock(at),
        updated_at=clock(at),
    )  # fmt: skip
    fill = fill_report(
        broker_order_id=f"C{number}", broker_trade_id=f"U{number}", tradingsymbol=symbol, filled_at=clock(at)
    )
    return replace(row, **changes), report, fill
