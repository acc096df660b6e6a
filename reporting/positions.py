"""Open positions as the console shows them: live result, R, protection; and the heat of all of them.

What does not change with the price stands apart from what does (`PRICED`), so that a browser that hears every price
can do without the latter.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from reporting.day_rows import DayRows, GroupRow, OpenTradeRow
from trading import account as books
from trading.account import DayBook, OpenTrade
from trading.core import charges
from trading.core.enums import Exchange, Role, Side
from trading.core.money import to_inr
from trading.core.sizing import OpenRisk, heat_inr
from trading.core.values import Quote
from trading.tick_bus import TickSnapshot

Part = dict[str, Any]

PAISA = Decimal("0.01")
#: what of a position moves with the price
PRICED = frozenset({"last_price", "pnl_inr", "r_multiple"})


def heat(rows: DayRows) -> Decimal:
    """Rupees lost if the stop of every open group fills at its trigger, and those of working entries too."""
    held = (
        OpenRisk(
            side=Side(trade.side),
            quantity=group.quantity,
            entry_price=trade.average_price,
            stop_price=group.stop_price,
        )
        for trade in rows.open_trades
        for group in trade.groups
        if group.is_open
    )
    waiting = (
        OpenRisk(
            side=Side(order.side),
            quantity=order.quantity - order.filled_quantity,
            entry_price=order.price,
            stop_price=order.stop_price,
        )
        for order in rows.working
        if order.role == Role.ENTRY and order.stop_price is not None
    )
    return (heat_inr(held) + heat_inr(waiting)).quantize(PAISA)


def day_book(rows: DayRows, trading_date: date) -> DayBook:
    """The day's money; its open trades in the order of the rows."""
    return DayBook(
        realised_inr=sum((net_inr for _, net_inr in rows.closed), Decimal(0)),
        open_trades=tuple(_open_trade(trade, trading_date) for trade in rows.open_trades),
    )


def position(trade: OpenTradeRow, booked: OpenTrade, ticks: TickSnapshot | None) -> Part:
    """One open trade with its live price. `quantity` is signed; P&L is after the charges so far.

    `booked_inr` + `quantity` × price is the P&L. `r_multiple` is the P&L in initial risks of the trade: what its
    decision risked, of the part that was filled.
    """
    price_paise = ticks.price_paise(trade.exchange, trade.tradingsymbol) if ticks else None
    alone = DayBook(realised_inr=Decimal(0), open_trades=(booked,))
    pnl_inr = alone.result_inr(quotes_of(ticks)).quantize(PAISA) if price_paise else None
    risk_inr = initial_risk_inr(trade)
    return {
        "trade": trade.trade,
        "exchange": trade.exchange,
        "tradingsymbol": trade.tradingsymbol,
        "product": trade.product,
        "strategy": trade.strategy,
        "quantity": booked.held,
        "average_price": trade.average_price.quantize(PAISA),
        "last_price": to_inr(price_paise) if price_paise else None,
        "pnl_inr": pnl_inr,
        "booked_inr": (booked.cash_inr - booked.charges_inr).quantize(PAISA),
        "pnl_at_entry_inr": alone.result_inr(quotes_of(None)).quantize(PAISA),
        "risk_inr": risk_inr,
        "r_multiple": (pnl_inr / risk_inr).quantize(PAISA) if pnl_inr is not None and risk_inr else None,
        "opened_at": trade.opened_at,
        "groups": [group(row) for row in trade.groups],
    }


def initial_risk_inr(trade: OpenTradeRow) -> Decimal:
    """What the decision risked, in the proportion that its entry was filled; 0 where that is not known."""
    filled = min(trade.entered, trade.planned)
    return (trade.risk_inr * filled / trade.planned).quantize(PAISA) if trade.planned else Decimal(0)


def group(row: GroupRow) -> Part:
    """One protected quantity."""
    return {name: value for name, value in row._asdict().items() if name != "is_open"}


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


def _open_trade(trade: OpenTradeRow, trading_date: date) -> OpenTrade:
    sign = Side(trade.side).sign
    return OpenTrade(
        exchange=trade.exchange,
        tradingsymbol=trade.tradingsymbol,
        held=sign * (trade.entered - trade.exited),
        cash_inr=sign * (trade.exit_value_inr - trade.entry_value_inr),
        charges_inr=_charges_inr(trade, trading_date),
        entry_price=trade.average_price,
    )


def _charges_inr(trade: OpenTradeRow, trading_date: date) -> Decimal:
    """Charges of what a trade has executed so far, order by order."""
    if not trade.executed or trade.instrument_type is None:
        return Decimal(0)
    segment, exchange = charges.SEGMENTS[trade.instrument_type], Exchange(trade.exchange)
    booked = [
        charges.charges_of_value(segment, Side(side), value_inr, trade_date=trading_date, exchange=exchange)
        for side, value_inr in trade.executed
    ]
    return charges.sum_charges(booked).total_inr
