"""The books of an account at one moment, read in one statement.

An entry moves from waiting to executed to told by its trade's fills. Read in several statements, one that moved between
two of them could be missed by both; a statement sees all rows as of one moment.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db import connection

from trading.core import order_states
from trading.desk import Desk
from trading.sending import NEWEST_COMMANDS

#: the most that a streak of refused entries is counted to: the limit's own most
ENTRIES_LOOKED_AT: Final = 50
#: so many entries make a middle worth the name
LATENCIES: Final = 5


class OpenRow(NamedTuple):
    """An open trade; `fills` are (broker order id, side, rupees executed), by order."""

    exchange: str
    tradingsymbol: str
    side: str
    entered: int
    exited: int
    entry_value_inr: Decimal
    exit_value_inr: Decimal
    signal_price: Decimal
    stop_price: Decimal
    fills: list[tuple[str, str, Decimal]]


class EntryRow(NamedTuple):
    """An entry that may still fill, or of which more was executed than fills have told (`told`)."""

    exchange: str
    tradingsymbol: str
    side: str
    is_closed: bool
    quantity: int
    filled: int
    told: int
    price: Decimal
    average_price: Decimal
    #: None where no decision names it
    stop_price: Decimal | None


class ClosedRow(NamedTuple):
    """A closed trade; `is_apart` where it came of the decision that is not counted."""

    exchange: str
    tradingsymbol: str
    net_inr: Decimal
    closed_at: datetime
    is_apart: bool


@dataclass(frozen=True, slots=True)
class Books:
    """What one reading found. `closed` is in the order of closing; `newest` and `latencies` the newest first."""

    open_trades: list[OpenRow]
    entries: list[EntryRow]
    closed: list[ClosedRow]
    #: (status, asked at) of entries
    newest: list[tuple[str, datetime]]
    #: (ms, sent at) of entries that were answered
    latencies: list[tuple[float, datetime]]
    entries_last_s: int
    orders_last_s: int
    orders_last_min: int
    orders_today: int


# Written out and not built by the ORM: it is asked for each entry twice, once with the account's row locked.
_COUNTED: Final = """
SELECT
 (SELECT jsonb_agg(jsonb_build_array(
     t.exchange, t.tradingsymbol, t.side, t.entered_quantity, t.exited_quantity, t.entry_value_inr,
     t.exit_value_inr, s.entry_price, s.stop_price,
     (SELECT jsonb_agg(jsonb_build_array(one.broker_order_id, one.side, one.value)) FROM (
         SELECT broker_order_id, side, sum(quantity * price) AS value
           FROM trading_fill WHERE trade_id = t.id GROUP BY broker_order_id, side) AS one)))
    FROM trading_trade t
    JOIN trading_decision d ON d.id = t.decision_id
    JOIN trading_signal s ON s.id = d.signal_id
   WHERE t.account_id = %(account)s AND t.session_id = %(session)s AND t.trading_date = %(day)s
     AND t.closed_at IS NULL AND t.decision_id <> %(apart)s),
 (SELECT jsonb_agg(jsonb_build_array(
     o.exchange, o.tradingsymbol, o.side, o.status IN (CLOSED), o.quantity, o.filled_quantity, f.told,
     o.price, o.average_price, s.stop_price))
    FROM trading_order o
    LEFT JOIN trading_decision d ON d.id = o.decision_id
    LEFT JOIN trading_signal s ON s.id = d.signal_id
   CROSS JOIN LATERAL (
         SELECT coalesce(sum(quantity), 0) AS told FROM trading_fill WHERE order_id = o.id) AS f
   WHERE o.account_id = %(account)s AND o.session_id = %(session)s AND o.trading_date = %(day)s
     AND o.role = 'ENTRY' AND (o.filled_quantity > 0 OR o.status NOT IN (CLOSED))
     AND o.decision_id IS DISTINCT FROM %(apart)s
     AND (o.status NOT IN (CLOSED) OR o.filled_quantity > f.told)),
 (SELECT jsonb_agg(jsonb_build_array(
     exchange, tradingsymbol, net_inr, closed_at, decision_id = %(apart)s) ORDER BY closed_at, id)
    FROM trading_trade
   WHERE account_id = %(account)s AND session_id = %(session)s AND trading_date = %(day)s
     AND closed_at IS NOT NULL),
 (SELECT jsonb_agg(jsonb_build_array(status, asked_at)) FROM (
     SELECT status, asked_at FROM trading_order
      WHERE account_id = %(account)s AND session_id = %(session)s AND trading_date = %(day)s AND role = 'ENTRY'
      ORDER BY asked_at DESC, id DESC LIMIT ENTRIES_LOOKED_AT) AS entry),
 (SELECT jsonb_agg(jsonb_build_array(latency_ms, intent_at)) FROM (
     SELECT c.latency_ms, c.intent_at FROM trading_command c
      WHERE c.kind = 'PLACE' AND c.latency_ms IS NOT NULL AND c.order_id IN (
            SELECT id FROM trading_order
             WHERE account_id = %(account)s AND session_id = %(session)s AND trading_date = %(day)s
               AND role = 'ENTRY'
             ORDER BY asked_at DESC, id DESC LIMIT 2 * LATENCIES)
      ORDER BY c.intent_at DESC, c.id DESC LIMIT LATENCIES) AS answer)
""".replace("ENTRIES_LOOKED_AT", str(ENTRIES_LOOKED_AT)).replace("LATENCIES", str(LATENCIES))
_BOOKS: Final = _COUNTED.replace("CLOSED", ", ".join(f"'{word}'" for word in sorted(order_states.CLOSED)))

# Of what was sent. Who writes an intent has counted it himself (`trading.sending.claim`).
_SENT: Final = f""",
 (SELECT jsonb_build_array(
     count(*) FILTER (WHERE c.intent_at > %(second)s AND c.purpose = 'enter'),
     count(*) FILTER (WHERE c.intent_at > %(second)s),
     count(*))
    FROM ({NEWEST_COMMANDS}) AS c
   WHERE c.intent_at > %(minute)s),
 (SELECT coalesce(max(day_number), 0) FROM trading_command
   WHERE session_id = %(session)s AND trading_date = %(day)s)
"""


def read(desk: Desk, *, apart_from: int | None = None) -> Books:
    """Read the books of this desk. What the decision `apart_from` has brought so far counts as not there.

    That is for the writer of its intents, who has counted what was sent himself: those four are 0 then.
    """
    now = desk.clocks.market_now()
    asked: dict[str, Any] = {
        "account": desk.account.pk,
        "session": desk.session.pk,
        "day": desk.trading_date,
        "apart": apart_from or 0,
        "second": now - timedelta(seconds=1),
        "minute": now - timedelta(seconds=60),
    }
    with connection.cursor() as cursor:
        cursor.execute(_BOOKS if apart_from else _BOOKS + _SENT, asked)
        open_trades, entries, closed, newest, latencies, *sent = cursor.fetchone()
    recent, orders_today = (_rows(sent[0]), sent[1]) if sent else ((0, 0, 0), 0)
    entries_last_s, orders_last_s, orders_last_min = recent
    return Books(
        open_trades=[OpenRow._make([*row, fills or []]) for *row, fills in _rows(open_trades)],
        entries=[EntryRow(*row) for row in _rows(entries)],
        closed=[
            ClosedRow._make([*names, net_inr, datetime.fromisoformat(at), is_apart])
            for *names, net_inr, at, is_apart in _rows(closed)
        ],
        newest=[(status, datetime.fromisoformat(at)) for status, at in _rows(newest)],
        latencies=[(float(ms), datetime.fromisoformat(at)) for ms, at in _rows(latencies)],
        entries_last_s=entries_last_s,
        orders_last_s=orders_last_s,
        orders_last_min=orders_last_min,
        orders_today=orders_today,
    )


def _rows(told: str | None) -> list[Any]:
    """What an aggregate of JSON holds, amounts as the exact decimals they are in their columns."""
    return json.loads(told, parse_float=Decimal) if told else []
