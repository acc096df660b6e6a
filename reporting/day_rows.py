"""What a day's rows say of its money and its orders: open and closed trades, order rate, working orders.

One statement, so that an order that fills between two readings is not missed by both. It reads values, not models:
two hundred positions have four hundred orders.
"""

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db import connection

from trading.core import order_states
from trading.models import VenueSession
from trading.sending import NEWEST_COMMANDS

#: so many of the newest closed trades are told one by one
NEWEST_CLOSED: Final = 4

_DAY: Final = (
    """
SELECT
 (SELECT jsonb_agg(jsonb_build_array(
     t.id, t.exchange, t.tradingsymbol, t.product, t.strategy, t.side, t.entered_quantity, t.exited_quantity,
     t.entry_value_inr, t.exit_value_inr, t.risk_inr, d.quantity, s.entry_price, i.instrument_type, t.opened_at,
     (SELECT jsonb_agg(jsonb_build_array(f.side, f.value_inr))
        FROM (SELECT side, sum(quantity * price) AS value_inr FROM trading_fill
               WHERE trade_id = t.id GROUP BY broker_order_id, side) AS f),
     (SELECT jsonb_agg(jsonb_build_array(
         g.number, g.state, g.entered_quantity - g.exited_quantity, g.stop_price, g.target_price, g.close_reason,
         g.problem, g.closed_at IS NULL, g.unprotected_since) ORDER BY g.number)
        FROM oco_ocogroup g WHERE g.trade_id = t.id)) ORDER BY t.opened_at, t.id)
    FROM trading_trade t
    JOIN trading_decision d ON d.id = t.decision_id
    JOIN trading_signal s ON s.id = d.signal_id
    LEFT JOIN trading_instrument i ON i.exchange = t.exchange AND i.tradingsymbol = t.tradingsymbol
   WHERE t.session_id = %(session)s AND t.trading_date = %(day)s AND t.closed_at IS NULL),
 (SELECT jsonb_agg(jsonb_build_array(closed_at, net_inr) ORDER BY closed_at, id)
    FROM trading_trade
   WHERE session_id = %(session)s AND trading_date = %(day)s AND closed_at IS NOT NULL),
 (SELECT jsonb_agg(jsonb_build_array(t.id, t.tradingsymbol, t.strategy, t.side, t.net_inr, t.closed_at, (
           SELECT string_agg(DISTINCT g.exit_reason, ', ') FROM oco_ocogroup g
            WHERE g.trade_id = t.id AND g.exit_reason <> '')) ORDER BY t.closed_at DESC, t.id DESC)
    FROM (SELECT * FROM trading_trade
           WHERE session_id = %(session)s AND trading_date = %(day)s AND closed_at IS NOT NULL
           ORDER BY closed_at DESC, id DESC LIMIT NEWEST_CLOSED) AS t),
 (SELECT jsonb_build_array(
     count(*) FILTER (WHERE c.intent_at > %(second)s),
     count(*) FILTER (WHERE c.intent_at > %(minute)s),
     coalesce(max(c.day_number), 0))
    FROM (NEWEST_COMMANDS) AS c),
 (SELECT jsonb_agg(jsonb_build_array(
     o.id, o.role, o.side, o.exchange, o.tradingsymbol, o.order_type, o.quantity, o.filled_quantity, o.price,
     o.trigger_price, o.status, o.asked_at, s.stop_price) ORDER BY o.asked_at DESC, o.id DESC)
    FROM trading_order o
    LEFT JOIN trading_decision d ON d.id = o.decision_id
    LEFT JOIN trading_signal s ON s.id = d.signal_id
   WHERE o.session_id = %(session)s AND o.trading_date = %(day)s AND o.status IN (WORKING))
""".replace("NEWEST_CLOSED", str(NEWEST_CLOSED))
    .replace("NEWEST_COMMANDS", NEWEST_COMMANDS)
    .replace("WORKING", ", ".join(f"'{word}'" for word in sorted(order_states.IN_FLIGHT | order_states.OPEN)))
)


class GroupRow(NamedTuple):
    """One protected quantity of an open trade."""

    number: int
    state: str
    quantity: int
    stop_price: Decimal
    target_price: Decimal
    close_reason: str
    problem: str
    is_open: bool
    unprotected_since: datetime | None


class OpenTradeRow(NamedTuple):
    """A trade that holds something. `planned` is its decision's quantity, no instrument type: in no day's file.

    Nothing is `entered` while only the order book knows of the execution, which it does first.
    """

    trade: int
    exchange: str
    tradingsymbol: str
    product: str
    strategy: str
    side: str
    entered: int
    exited: int
    entry_value_inr: Decimal
    exit_value_inr: Decimal
    risk_inr: Decimal
    planned: int
    signal_price: Decimal
    instrument_type: str | None
    opened_at: datetime
    #: (side, rupees executed) by order
    executed: list[tuple[str, Decimal]]
    groups: list[GroupRow]

    @property
    def average_price(self) -> Decimal:
        """Of its fills; of the signal while the order book shows it filled and no fill has told."""
        return self.entry_value_inr / self.entered if self.entered else self.signal_price


class ClosedTrade(NamedTuple):
    """A trade that is over; `exit_reasons` of its groups."""

    trade: int
    tradingsymbol: str
    strategy: str
    side: str
    net_inr: Decimal
    closed_at: datetime
    exit_reasons: str


class WorkingOrder(NamedTuple):
    """An order that may still execute; `stop_price` of an entry's signal, None for an exit."""

    id: int
    role: str
    side: str
    exchange: str
    tradingsymbol: str
    order_type: str
    quantity: int
    filled_quantity: int
    price: Decimal
    trigger_price: Decimal
    status: str
    asked_at: datetime
    stop_price: Decimal | None


class DayRows(NamedTuple):
    """What one reading found."""

    #: oldest first
    open_trades: list[OpenTradeRow]
    #: (closed at, net rupees) of every closed trade, in the order of closing
    closed: list[tuple[datetime, Decimal]]
    newest_closed: list[ClosedTrade]
    #: places, modifications and cancellations in the last second, the last minute and the day
    orders_last_s: int
    orders_last_min: int
    orders_today: int
    #: the newest first
    working: list[WorkingOrder]


NOTHING: Final = DayRows([], [], [], 0, 0, 0, [])


def read(session: VenueSession, trading_date: date, market_now: datetime) -> DayRows:
    """Read them now; the last second and minute are market time, as the pre-trade check counts them."""
    asked: dict[str, Any] = {
        "session": session.pk,
        "day": trading_date,
        "second": market_now - timedelta(seconds=1),
        "minute": market_now - timedelta(seconds=60),
    }
    with connection.cursor() as cursor:
        cursor.execute(_DAY, asked)
        open_trades, closed, newest, sent, working = map(_values, cursor.fetchone())
    return DayRows(
        open_trades=[_open_trade(row) for row in open_trades],
        closed=[(datetime.fromisoformat(when), net_inr) for when, net_inr in closed],
        newest_closed=[
            ClosedTrade._make([*row, datetime.fromisoformat(when), why or ""]) for *row, when, why in newest
        ],
        orders_last_s=sent[0],
        orders_last_min=sent[1],
        orders_today=sent[2],
        working=[
            WorkingOrder._make([*row, datetime.fromisoformat(asked_at), stop])
            for *row, asked_at, stop in working
        ],
    )


def _open_trade(row: list[Any]) -> OpenTradeRow:
    *named, opened_at, executed, groups = row
    return OpenTradeRow._make(
        [
            *named,
            datetime.fromisoformat(opened_at),
            [(side, Decimal(value_inr)) for side, value_inr in executed or []],
            [
                GroupRow._make([*group, datetime.fromisoformat(since) if since else None])
                for *group, since in groups or []
            ],
        ]
    )


def _values(told: str | None) -> list[Any]:
    """What an aggregate of JSON holds, amounts as the exact decimals of their columns."""
    return json.loads(told, parse_float=Decimal) if told else []
