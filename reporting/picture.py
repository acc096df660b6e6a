"""What an operator needs to see of an account at one moment, from rows and the newest prices.

One picture for the console, its WebSocket and the REST API, so that they cannot differ. Money and prices are
Decimal rupees, times aware; whoever sends it writes them down.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from oco.models import Flatten, OcoGroup
from risk.models import EntriesOff
from trading import account as books
from trading.account import DayBook
from trading.core.enums import Side
from trading.core.money import to_inr
from trading.core.sizing import OpenRisk, heat_inr
from trading.core.values import Quote
from trading.models import Account, Decision, Lease, Signal, Trade, VenueSession
from trading.tick_bus import TickSnapshot

Part = dict[str, Any]

NEWEST_SIGNALS = 12
#: a loop that led but has not finished a pass for this long is late
PASS_LATE = timedelta(seconds=20)
PAISA = Decimal("0.01")


def picture(
    account: Account, session: VenueSession | None, trading_date: date, ticks: TickSnapshot | None
) -> Part:
    """Everything, part by part; a part that is equal to the last one need not be sent again."""
    if session is None:
        return {**_whose(account, None, trading_date), **_empty(account)}
    trades = open_trades(session, trading_date)
    book = books.day_book_of(Trade.objects.filter(session=session, trading_date=trading_date))
    return {
        **_whose(account, session, trading_date),
        "entries": entries(account),
        "day": day(session, trading_date, book, trades, ticks),
        "positions": [position(trade, book, ticks) for trade in trades],
        "signals": [signal(row) for row in newest_signals(session)],
        "flatten": flatten(Flatten.objects.filter(account=account, session=session).first()),
        "loops": loops(account),
    }


def entries(account: Account) -> Part:
    """Whether entries are on, and every reason why not."""
    standing = EntriesOff.objects.filter(account=account, lifted_at=None).order_by("set_at", "pk")
    reasons = [
        {"reason": row.reason, "why": row.why, "set_by": row.set_by, "set_at": row.set_at} for row in standing
    ]
    return {"are_on": not reasons, "off_because": reasons}


def day(
    session: VenueSession, trading_date: date, book: DayBook, trades: list[Trade], ticks: TickSnapshot | None
) -> Part:
    """The day's result and what is at risk now. `is_priced` False: open trades count at their entry price."""
    quote = quotes_of(ticks)
    result = book.result_inr(quote).quantize(PAISA)
    priced = all(quote(trade.exchange, trade.tradingsymbol) for trade in trades)
    day_trades = Trade.objects.filter(session=session, trading_date=trading_date)
    return {
        "pnl_inr": result,
        "realised_inr": book.realised_inr,
        "open_inr": result - book.realised_inr,
        "is_priced": priced,
        "heat_inr": heat(trades),
        "trades_closed": day_trades.exclude(closed_at=None).count(),
        "positions_open": len(trades),
    }


def open_trades(session: VenueSession, trading_date: date) -> list[Trade]:
    """Trades that hold something, oldest first, their groups fetched."""
    rows = Trade.objects.filter(session=session, trading_date=trading_date, closed_at=None)
    return list(rows.prefetch_related("groups").order_by("opened_at", "pk"))


def heat(trades: list[Trade]) -> Decimal:
    """Rupees lost if the stop of every open group fills at its trigger."""
    return heat_inr(
        OpenRisk(
            side=Side(trade.side),
            quantity=group.entered_quantity - group.exited_quantity,
            entry_price=_average(trade),
            stop_price=group.stop_price,
        )
        for trade in trades
        for group in trade.groups.all()
        if group.closed_at is None
    ).quantize(PAISA)


def position(trade: Trade, book: DayBook, ticks: TickSnapshot | None) -> Part:
    """One open trade with its live price. `quantity` is signed; P&L is after the charges so far."""
    price_paise = ticks.price_paise(trade.exchange, trade.tradingsymbol) if ticks else None
    mine = [one for one in book.open_trades if _is_of(one.exchange, one.tradingsymbol, trade)]
    only = DayBook(realised_inr=Decimal(0), open_trades=tuple(mine))
    held = trade.entered_quantity - trade.exited_quantity
    return {
        "trade": trade.pk,
        "exchange": trade.exchange,
        "tradingsymbol": trade.tradingsymbol,
        "product": trade.product,
        "strategy": trade.strategy,
        "quantity": held * Side(trade.side).sign,
        "average_price": _average(trade).quantize(PAISA),
        "last_price": to_inr(price_paise) if price_paise else None,
        "pnl_inr": only.result_inr(quotes_of(ticks)).quantize(PAISA) if price_paise else None,
        "opened_at": trade.opened_at,
        "groups": [group(row) for row in sorted(trade.groups.all(), key=lambda row: row.number)],
    }


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


def newest_signals(session: VenueSession) -> QuerySet[Signal]:
    return Signal.objects.filter(session=session).select_related("decision")[:NEWEST_SIGNALS]


def signal(row: Signal) -> Part:
    """A signal and its answer; `why_not` holds every reason of a refusal."""
    decision: Decision | None = getattr(row, "decision", None)
    answer = "undecided" if decision is None else "approved" if decision.approved else "refused"
    return {
        "id": row.pk,
        "seen_at": row.seen_at,
        "strategy": row.strategy,
        "side": row.side,
        "tradingsymbol": row.tradingsymbol,
        "entry_price": row.entry_price,
        "stop_price": row.stop_price,
        "target_price": row.target_price,
        "score": round(row.score, 3),
        "reason": row.reason,
        "answer": answer,
        "quantity": decision.quantity if decision else 0,
        "why_not": [str(one.get("text") or one.get("reason")) for one in decision.reasons]
        if decision
        else [],
    }


def flatten(row: Flatten | None) -> Part | None:
    """The newest run of the kill switch: a request, or a verdict once `finished_at` stands."""
    if row is None:
        return None
    return {
        "id": row.pk,
        "state": row.state,
        "reason": row.reason,
        "asked_by": row.asked_by,
        "tradingsymbols": row.tradingsymbols,
        "asked_at": row.asked_at,
        "finished_at": row.finished_at,
        "positions_at_start": row.positions_at_start,
        "took_ms": row.took_ms,
        "verdict": row.verdict,
    }


def loops(account: Account) -> list[Part]:
    """Who leads, and whether its passes work. Times are the database's."""
    rows = Lease.objects.filter(account=account).annotate(now=Now()).order_by("loop")
    return [_loop(row, row.now) for row in rows]


def _loop(row: Lease, now: datetime) -> Part:
    leads = row.expires_at is not None and row.expires_at >= now
    late = row.pass_at is None or now - row.pass_at > PASS_LATE
    return {
        "loop": row.loop,
        "state": "nobody leads" if not leads else "late" if late else "ok",
        "holder": row.holder if leads else "",
        "fence": row.fence,
        "pass_at": row.pass_at,
    }


def quotes_of(ticks: TickSnapshot | None) -> books.Quotes:
    """A snapshot as the quotes that a day book is priced with."""

    def quote(exchange: str, tradingsymbol: str) -> Quote | None:
        price_paise = ticks.price_paise(exchange, tradingsymbol) if ticks else None
        if price_paise is None:
            return None
        return Quote(last_price_paise=price_paise, bid_paise=0, ask_paise=0, exchange_time=None)

    return quote


def _whose(account: Account, session: VenueSession | None, trading_date: date) -> Part:
    return {
        "account": account.name,
        "mode": account.mode,
        "trading_date": trading_date,
        "venue_session": session.key if session else None,
        "market": session.market if session else None,
    }


def _empty(account: Account) -> Part:
    nothing = {
        "pnl_inr": Decimal(0),
        "realised_inr": Decimal(0),
        "open_inr": Decimal(0),
        "heat_inr": Decimal(0),
    }
    return {
        "entries": entries(account),
        "day": {**nothing, "is_priced": True, "trades_closed": 0, "positions_open": 0},
        "positions": [],
        "signals": [],
        "flatten": None,
        "loops": loops(account),
    }


def _average(trade: Trade) -> Decimal:
    return trade.entry_value_inr / trade.entered_quantity if trade.entered_quantity else Decimal(0)


def _is_of(exchange: str, tradingsymbol: str, trade: Trade) -> bool:
    return (exchange, tradingsymbol) == (trade.exchange, trade.tradingsymbol)
