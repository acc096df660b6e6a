"""Open positions as the console shows them: live result, R, protection; and the heat of all of them.

What does not change with the price stands apart from what does (`PRICED`), so that a browser that hears every price
can do without the latter.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from oco.models import OcoGroup
from reporting.day_rows import DayRows, WorkingOrder
from trading import account as books
from trading.account import DayBook, OpenTrade
from trading.core import charges
from trading.core.enums import Exchange, Role, Side
from trading.core.money import to_inr
from trading.core.sizing import OpenRisk, heat_inr
from trading.core.values import Quote
from trading.models import Trade, VenueSession
from trading.tick_bus import TickSnapshot

Part = dict[str, Any]

PAISA = Decimal("0.01")
#: what of a position moves with the price
PRICED = frozenset({"last_price", "pnl_inr", "r_multiple"})


def open_trades(session: VenueSession, trading_date: date) -> list[Trade]:
    """Trades that hold something, oldest first, their groups and decisions fetched."""
    rows = Trade.objects.filter(session=session, trading_date=trading_date, closed_at=None)
    return list(rows.select_related("decision").prefetch_related("groups").order_by("opened_at", "pk"))


def heat(trades: list[Trade], working: Iterable[WorkingOrder] = ()) -> Decimal:
    """Rupees lost if the stop of every open group fills at its trigger, and those of `working` entries too."""
    held = (
        OpenRisk(
            side=Side(trade.side),
            quantity=group.entered_quantity - group.exited_quantity,
            entry_price=_average(trade),
            stop_price=group.stop_price,
        )
        for trade in trades
        for group in trade.groups.all()
        if group.closed_at is None
    )
    waiting = (
        OpenRisk(
            side=Side(order.side),
            quantity=order.quantity - order.filled_quantity,
            entry_price=order.price,
            stop_price=order.stop_price,
        )
        for order in working
        if order.role == Role.ENTRY and order.stop_price is not None
    )
    return (heat_inr(held) + heat_inr(waiting)).quantize(PAISA)


def book_of(trades: list[Trade], rows: DayRows) -> dict[int, OpenTrade]:
    """What each open trade has cost so far, by its id."""
    return {trade.pk: _open_trade(trade, rows) for trade in trades}


def position(trade: Trade, booked: OpenTrade, ticks: TickSnapshot | None) -> Part:
    """One open trade with its live price. `quantity` is signed; P&L is after the charges so far.

    `booked_inr` + `quantity` × price is the P&L. `r_multiple` is the P&L in initial risks of the trade: what its
    decision risked, of the part that was filled.
    """
    price_paise = ticks.price_paise(trade.exchange, trade.tradingsymbol) if ticks else None
    alone = DayBook(realised_inr=Decimal(0), open_trades=(booked,))
    pnl_inr = alone.result_inr(quotes_of(ticks)).quantize(PAISA) if price_paise else None
    risk_inr = initial_risk_inr(trade)
    return {
        "trade": trade.pk,
        "exchange": trade.exchange,
        "tradingsymbol": trade.tradingsymbol,
        "product": trade.product,
        "strategy": trade.strategy,
        "quantity": booked.held,
        "average_price": _average(trade).quantize(PAISA),
        "last_price": to_inr(price_paise) if price_paise else None,
        "pnl_inr": pnl_inr,
        "booked_inr": (booked.cash_inr - booked.charges_inr).quantize(PAISA),
        "pnl_at_entry_inr": alone.result_inr(quotes_of(None)).quantize(PAISA),
        "risk_inr": risk_inr,
        "r_multiple": (pnl_inr / risk_inr).quantize(PAISA) if pnl_inr is not None and risk_inr else None,
        "opened_at": trade.opened_at,
        "groups": [group(row) for row in sorted(trade.groups.all(), key=lambda row: row.number)],
    }


def initial_risk_inr(trade: Trade) -> Decimal:
    """What the decision risked, in the proportion that its entry was filled; 0 where that is not known."""
    planned = trade.decision.quantity
    filled = min(trade.entered_quantity, planned)
    return (trade.risk_inr * filled / planned).quantize(PAISA) if planned else Decimal(0)


def group(row: OcoGroup) -> Part:
    """One protected quantity."""
    return {
        "number": row.number,
        "state": row.state,
        "quantity": row.entered_quantity - row.exited_quantity,
        "stop_price": row.stop_price,
        "target_price": row.target_price,
        "unprotected_since": row.unprotected_since,
        "close_reason": row.close_reason,
        "problem": row.problem,
    }


def quotes_of(ticks: TickSnapshot | None) -> books.Quotes:
    """A snapshot as the quotes that a day book is priced with."""

    def quote(exchange: str, tradingsymbol: str) -> Quote | None:
        price_paise = ticks.price_paise(exchange, tradingsymbol) if ticks else None
        if price_paise is None:
            return None
        return Quote(last_price_paise=price_paise, bid_paise=0, ask_paise=0, exchange_time=None)

    return quote


def without_prices(positions: Iterable[Mapping[str, Any]]) -> list[Part]:
    """The same positions for one who hears every price himself: equal until something else changes."""
    return [{name: value for name, value in one.items() if name not in PRICED} for one in positions]


def _open_trade(trade: Trade, rows: DayRows) -> OpenTrade:
    sign = Side(trade.side).sign
    return OpenTrade(
        exchange=trade.exchange,
        tradingsymbol=trade.tradingsymbol,
        held=sign * (trade.entered_quantity - trade.exited_quantity),
        cash_inr=sign * (trade.exit_value_inr - trade.entry_value_inr),
        charges_inr=_charges_inr(trade, rows),
        entry_price=_average(trade),
    )


def _charges_inr(trade: Trade, rows: DayRows) -> Decimal:
    """Charges of what a trade has executed so far, order by order."""
    executed = rows.executed.get(trade.pk, [])
    if not executed:
        return Decimal(0)
    segment = charges.SEGMENTS[rows.instrument_types[trade.pk]]
    booked = [
        charges.charges_of_value(
            segment, Side(side), value_inr, trade_date=trade.trading_date, exchange=Exchange(trade.exchange)
        )
        for side, value_inr in executed
    ]
    return charges.sum_charges(booked).total_inr


def _average(trade: Trade) -> Decimal:
    return trade.entry_value_inr / trade.entered_quantity if trade.entered_quantity else Decimal(0)
