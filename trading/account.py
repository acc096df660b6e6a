"""The account at one moment, from its rows: what the pre-trade rules look at."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any, Final

from django.db.models import Count, Q, QuerySet, Sum

from risk import locks, protections, state
from risk.limits import Limits, effective
from risk.rules import AccountSnapshot
from trading import orders, trades
from trading.core import order_states
from trading.core.enums import CommandKind, Exchange, Mode, OrderStatus, Role, Side
from trading.core.money import to_inr
from trading.core.sizing import OpenRisk, heat_inr
from trading.core.values import Quote
from trading.desk import Desk
from trading.models import Command, Order, Trade

#: (exchange, tradingsymbol) → its quote, None when never seen
Quotes = Callable[[str, str], Quote | None]
#: the most that a streak of refused entries is counted to: the limit's own most
ENTRIES_LOOKED_AT: Final = 50
#: so many entries make a middle worth the name
LATENCIES: Final = 5


def capital_inr(desk: Desk) -> Decimal:
    """What percentages are of: the paper setting, or in LIVE the day's opening balance, pay-in and collateral."""
    if desk.account.mode == Mode.PAPER:
        return Decimal(desk.account.paper_capital_inr)
    funds = desk.broker.funds()
    return funds.opening_balance_inr + funds.intraday_payin_inr + funds.collateral_inr


def snapshot(desk: Desk, quotes: Quotes, capital: Decimal) -> AccountSnapshot:
    """Count everything the limits speak of: fills, resting entries and commands in flight alike."""
    now = desk.clocks.market_now()
    open_trades = list(trades.of_session(desk).filter(closed_at=None).select_related("decision__signal"))
    waiting = list(
        orders.of_session(desk)
        .filter(role=Role.ENTRY)
        .exclude(status__in=order_states.CLOSED)
        .select_related("decision__signal")
    )
    closed = list(trades.of_session(desk).exclude(closed_at=None).order_by("closed_at", "pk"))
    last_losses = _last_losses(closed)
    sent = Command.objects.filter(order__account=desk.account, order__session=desk.session)
    in_last_second, in_last_minute = (
        Q(intent_at__gt=now - timedelta(seconds=seconds)) for seconds in (1, 60)
    )
    is_entry = Q(order__role=Role.ENTRY, kind=CommandKind.PLACE)
    rates = sent.filter(order__trading_date=desk.trading_date).aggregate(
        entries_last_s=Count("pk", filter=in_last_second & is_entry),
        orders_last_s=Count("pk", filter=in_last_second),
        orders_last_min=Count("pk", filter=in_last_minute),
        orders_today=Count("pk"),
    )
    in_trade = {(Exchange(trade.exchange), trade.tradingsymbol) for trade in open_trades}
    # An entry whose executions only the order book shows is in no trade yet, and waits no more.
    untold = trades.untold_entries(desk)
    coming = {
        (Exchange(order.exchange), order.tradingsymbol)
        for order in (*waiting, *(entry for entry, _ in untold))
    }
    return AccountSnapshot(
        capital_inr=capital,
        day_pnl_inr=day_book(desk).result_inr(quotes),
        open_heat_inr=heat_inr(
            [*map(_trade_risk, open_trades), *_entry_risks(waiting), *_untold_risks(untold)]
        ),
        open_positions=len(in_trade | coming),
        trades_today=len(closed) + len(in_trade | coming),
        losses_in_a_row=_losses_in_a_row(closed),
        last_loss_at=last_losses,
        busy=frozenset(in_trade | coming),
        **rates,
        lost_at=max(last_losses.values(), default=None),
        lifted=locks.lifted(desk.session.pk),
        **_how_entries_went(desk),
    )


def limits_in_force(desk: Desk) -> tuple[Limits, int]:
    """The limits of this moment, capped on the first LIVE day, and their version."""
    row = state.limits_in_force(desk.account.pk)
    first_live_day = desk.account.mode == Mode.LIVE and desk.account.live_since == desk.trading_date
    return effective(row.value(), is_first_live_day=first_live_day), row.version


def keep_locks(desk: Desk, quotes: Quotes) -> None:
    """Write down which protections lock entries now, so that an operator sees it before the next signal comes."""
    limits, _ = limits_in_force(desk)
    now = desk.clocks.market_now()
    standing = protections.standing(snapshot(desk, quotes, capital_inr(desk)), limits, now)
    locks.keep(desk.account.pk, desk.session.pk, standing, now)


def holding_of(order: Order) -> tuple[str, str, str]:
    """(exchange, tradingsymbol, product) of an order: what a position is known by."""
    return order.exchange, order.tradingsymbol, order.product


def holdings(desk: Desk) -> set[tuple[str, str, str]]:
    """(exchange, tradingsymbol, product) of everything we asked for in this session."""
    return set(
        orders.of_session(desk).values_list("exchange", "tradingsymbol", "product").distinct().order_by()
    )


def executed(desk: Desk) -> dict[tuple[str, str, str], int]:
    """Signed units our own orders have executed so far, by (exchange, tradingsymbol, product)."""
    net: dict[tuple[str, str, str], int] = {}
    rows = orders.of_session(desk).filter(filled_quantity__gt=0)
    for *names, side, filled in rows.values_list(
        "exchange", "tradingsymbol", "product", "side", "filled_quantity"
    ):
        holding = (names[0], names[1], names[2])
        net[holding] = net.get(holding, 0) + Side(side).sign * filled
    return net


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTrade:
    """What an open trade has cost so far: `cash_inr` is received less paid, `held` is signed units."""

    exchange: str
    tradingsymbol: str
    held: int
    cash_inr: Decimal
    charges_inr: Decimal
    entry_price: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class DayBook:
    """The day's money as read from rows once; `result_inr` prices it again and again without a query."""

    realised_inr: Decimal
    open_trades: tuple[OpenTrade, ...]

    def result_inr(self, quotes: Quotes) -> Decimal:
        """Realised and open, charges booked so far included. Without a price a trade counts at its entry."""
        total = self.realised_inr
        for trade in self.open_trades:
            quote = quotes(trade.exchange, trade.tradingsymbol)
            known = quote is not None and quote.last_price_paise > 0
            price = to_inr(quote.last_price_paise) if quote and known else trade.entry_price
            total += trade.cash_inr + trade.held * price - trade.charges_inr
        return total


def day_book(desk: Desk) -> DayBook:
    """Read the day's closed and open trades."""
    return day_book_of(trades.of_session(desk))


def day_book_of(day_trades: QuerySet[Trade]) -> DayBook:
    """The book of these trades: for readers that have no desk."""
    realised = day_trades.exclude(closed_at=None).aggregate(net=Sum("net_inr"))["net"] or Decimal(0)
    return DayBook(
        realised_inr=realised,
        open_trades=tuple(_open_trade(trade) for trade in day_trades.filter(closed_at=None)),
    )


def _open_trade(trade: Trade) -> OpenTrade:
    sign = Side(trade.side).sign
    entered = trade.entered_quantity
    return OpenTrade(
        exchange=trade.exchange,
        tradingsymbol=trade.tradingsymbol,
        held=sign * (entered - trade.exited_quantity),
        cash_inr=sign * (trade.exit_value_inr - trade.entry_value_inr),
        charges_inr=trades.charges_of_fills(trade),
        entry_price=trade.entry_value_inr / entered if entered else Decimal(0),
    )


def _trade_risk(trade: Trade) -> OpenRisk:
    signal = trade.decision.signal
    held = abs(trade.entered_quantity - trade.exited_quantity)
    entry = trade.entry_value_inr / trade.entered_quantity if trade.entered_quantity else signal.entry_price
    return OpenRisk(side=Side(trade.side), quantity=held, entry_price=entry, stop_price=signal.stop_price)


def _entry_risks(waiting: list[Order]) -> list[OpenRisk]:
    """What resting, unknown and unsent entries may still open."""
    return [
        OpenRisk(
            side=Side(order.side),
            quantity=order.quantity - order.filled_quantity,
            entry_price=order.price,
            stop_price=order.decision.signal.stop_price,
        )
        for order in waiting
        if order.decision is not None and order.quantity > order.filled_quantity
    ]


def _untold_risks(untold: list[tuple[Order, int]]) -> list[OpenRisk]:
    """What the order book shows filled and the trade book has not told: held already, in no trade yet."""
    return [
        OpenRisk(
            side=Side(order.side),
            quantity=quantity,
            entry_price=order.average_price,
            stop_price=order.decision.signal.stop_price,
        )
        for order, quantity in untold
        if order.decision is not None
    ]


def _how_entries_went(desk: Desk) -> dict[str, Any]:
    """How many of the newest entries were refused one after the other, and how long their answers took."""
    entries = orders.of_session(desk).filter(role=Role.ENTRY).order_by("-asked_at", "-pk")
    newest = list(entries.values_list("pk", "status", "asked_at")[:ENTRIES_LOOKED_AT])
    is_open_question = {OrderStatus.DENIED, *order_states.IN_FLIGHT}
    refused_at = []
    for _, status, asked_at in newest:
        if status == OrderStatus.REJECTED:
            refused_at.append(asked_at)
        elif status not in is_open_question:
            break
    placed = Command.objects.filter(
        order_id__in=[pk for pk, _, _ in newest[: 2 * LATENCIES]],
        kind=CommandKind.PLACE,
        latency_ms__isnull=False,
    )
    timed = list(placed.order_by("-intent_at", "-pk").values_list("latency_ms", "intent_at")[:LATENCIES])
    return {
        "rejections_in_a_row": len(refused_at),
        "rejected_at": max(refused_at, default=None),
        "order_latency_ms": median([ms for ms, _ in timed if ms is not None])
        if len(timed) == LATENCIES
        else 0.0,
        "latency_at": timed[0][1] if timed else None,
    }


def _losses_in_a_row(closed: list[Trade]) -> int:
    count = 0
    for trade in reversed(closed):
        if trade.net_inr >= 0:
            break
        count += 1
    return count


def _last_losses(closed: list[Trade]) -> dict[tuple[Exchange, str], datetime]:
    return {
        (Exchange(trade.exchange), trade.tradingsymbol): trade.closed_at
        for trade in closed
        if trade.net_inr < 0 and trade.closed_at is not None
    }
