"""The account at one moment, from its rows: what the pre-trade rules look at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from statistics import median
from typing import Any

from django.db.models import QuerySet, Sum

from risk import locks, protections, rules, state
from risk.limits import Limits, effective
from risk.rules import AccountSnapshot, Denial, EntryRequest, RiskContext
from risk.values import Lifted
from trading import counts, orders, trades
from trading.core import charges, order_states
from trading.core.enums import Exchange, Mode, OrderStatus, Side
from trading.core.money import to_inr
from trading.core.sizing import OpenRisk, heat_inr
from trading.core.values import Quote
from trading.counts import Books, ClosedRow, EntryRow, OpenRow
from trading.desk import Desk
from trading.market import instruments
from trading.models import Decision, Order, Trade
from trading.sending import Claim

#: (exchange, tradingsymbol) → its quote, None when never seen
Quotes = Callable[[str, str], Quote | None]


def capital_inr(desk: Desk) -> Decimal:
    """What percentages are of: the paper setting, or in LIVE the day's opening balance, pay-in and collateral."""
    if desk.account.mode == Mode.PAPER:
        return Decimal(desk.account.paper_capital_inr)
    funds = desk.broker.funds()
    return funds.opening_balance_inr + funds.intraday_payin_inr + funds.collateral_inr


def snapshot(
    desk: Desk,
    quotes: Quotes,
    capital: Decimal,
    *,
    lifted: frozenset[Lifted] = frozenset(),
    apart_from: int | None = None,
) -> AccountSnapshot:
    """Count everything the limits speak of: fills, resting entries and commands in flight alike.

    `lifted` is what operators let go of (`risk.state.in_force` or `risk.locks.lifted`).

    What the decision `apart_from` has brought so far is left out: its other slices are not in its own way.
    """
    books = counts.read(desk, apart_from=apart_from)
    in_trade = {(Exchange(trade.exchange), trade.tradingsymbol) for trade in books.open_trades}
    # An entry whose executions only the order book shows is in no trade yet, and waits no more.
    held = in_trade | {(Exchange(entry.exchange), entry.tradingsymbol) for entry in books.entries}
    last_losses = _last_losses(books.closed)
    return AccountSnapshot(
        capital_inr=capital,
        day_pnl_inr=_day_book_of_rows(desk, books).result_inr(quotes),
        open_heat_inr=heat_inr(
            [
                *map(_trade_risk, books.open_trades),
                *_entry_risks(books.entries),
                *_untold_risks(books.entries),
            ]
        ),
        open_positions=len(held),
        trades_today=sum(not trade.is_apart for trade in books.closed) + len(held),
        losses_in_a_row=_losses_in_a_row(books.closed),
        last_loss_at=last_losses,
        busy=frozenset(held),
        entries_last_s=books.entries_last_s,
        orders_last_s=books.orders_last_s,
        orders_last_min=books.orders_last_min,
        orders_today=books.orders_today,
        trades_closed=len(books.closed),
        lost_at=max(last_losses.values(), default=None),
        lifted=lifted,
        **_how_entries_went(books),
    )


def count_again(
    desk: Desk,
    quotes: Quotes,
    request: EntryRequest,
    context: RiskContext,
    *,
    claim: Claim,
    decision: Decision | None = None,
) -> tuple[Denial, ...]:
    """Ask once more what an entry's limits say, with the account's row locked: nobody else enters meanwhile.

    Several processes may have asked at once, each before the others' entries were written. Where nothing was sent and
    no trade closed since the snapshot of `context`, that still counts. `decision`: the one whose next slice this is.
    """
    account = context.account
    if (claim.day_number - 1, claim.trades_closed) != (account.orders_today, account.trades_closed):
        apart_from = decision.pk if decision else None
        account = snapshot(desk, quotes, account.capital_inr, lifted=account.lifted, apart_from=apart_from)
    limits, now = capped(desk, claim.limits), desk.clocks.market_now()
    return rules.check_counts(request, replace(context, account=account, limits=limits, now=now))


def limits_in_force(desk: Desk) -> tuple[Limits, int]:
    """The limits of this moment, capped on the first LIVE day, and their version."""
    limits, version = state.limits_now(desk.account.pk)
    return capped(desk, limits), version


def capped(desk: Desk, limits: Limits) -> Limits:
    """What holds of an account's saved limits today: less on its first LIVE day."""
    return effective(limits, is_first_live_day=desk.account.is_first_live_day(desk.trading_date))


def keep_locks(desk: Desk, quotes: Quotes) -> None:
    """Write down which protections lock entries now, so that an operator sees it before the next signal comes."""
    limits, _ = limits_in_force(desk)
    now = desk.clocks.market_now()
    counted = snapshot(desk, quotes, capital_inr(desk), lifted=locks.lifted(desk.session.pk))
    standing = protections.standing(counted, limits, now)
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


def _day_book_of_rows(desk: Desk, books: Books) -> DayBook:
    return DayBook(
        realised_inr=sum((trade.net_inr for trade in books.closed), Decimal(0)),
        open_trades=tuple(_open_trade_of_row(desk, trade) for trade in books.open_trades),
    )


def _open_trade_of_row(desk: Desk, trade: OpenRow) -> OpenTrade:
    sign = Side(trade.side).sign
    spec = instruments.spec_of(trade.exchange, trade.tradingsymbol, desk.trading_date)
    booked = [
        charges.charges_of_value(
            charges.segment_of(spec),
            Side(side),
            value_inr,
            trade_date=desk.trading_date,
            exchange=Exchange(trade.exchange),
        )
        for _, side, value_inr in trade.fills
    ]
    return OpenTrade(
        exchange=trade.exchange,
        tradingsymbol=trade.tradingsymbol,
        held=sign * (trade.entered - trade.exited),
        cash_inr=sign * (trade.exit_value_inr - trade.entry_value_inr),
        charges_inr=charges.sum_charges(booked).total_inr,
        entry_price=trade.entry_value_inr / trade.entered if trade.entered else Decimal(0),
    )


def _trade_risk(trade: OpenRow) -> OpenRisk:
    held = abs(trade.entered - trade.exited)
    entry = trade.entry_value_inr / trade.entered if trade.entered else trade.signal_price
    return OpenRisk(side=Side(trade.side), quantity=held, entry_price=entry, stop_price=trade.stop_price)


def _entry_risks(entries: list[EntryRow]) -> list[OpenRisk]:
    """What resting, unknown and unsent entries may still open."""
    return [
        OpenRisk(
            side=Side(entry.side),
            quantity=entry.quantity - entry.filled,
            entry_price=entry.price,
            stop_price=entry.stop_price,
        )
        for entry in entries
        if not entry.is_closed and entry.stop_price is not None and entry.quantity > entry.filled
    ]


def _untold_risks(entries: list[EntryRow]) -> list[OpenRisk]:
    """What the order book shows filled and the trade book has not told: held already, in no trade yet."""
    return [
        OpenRisk(
            side=Side(entry.side),
            quantity=entry.filled - entry.told,
            entry_price=entry.average_price,
            stop_price=entry.stop_price,
        )
        for entry in entries
        if entry.stop_price is not None and entry.filled > entry.told
    ]


def _how_entries_went(books: Books) -> dict[str, Any]:
    """How many of the newest entries were refused one after the other, and how long their answers took."""
    is_open_question = {OrderStatus.DENIED, *order_states.IN_FLIGHT}
    refused_at = []
    for status, asked_at in books.newest:
        if status == OrderStatus.REJECTED:
            refused_at.append(asked_at)
        elif status not in is_open_question:
            break
    timed = books.latencies
    return {
        "rejections_in_a_row": len(refused_at),
        "rejected_at": max(refused_at, default=None),
        "order_latency_ms": median([ms for ms, _ in timed]) if len(timed) == counts.LATENCIES else 0.0,
        "latency_at": timed[0][1] if timed else None,
    }


def _losses_in_a_row(closed: list[ClosedRow]) -> int:
    count = 0
    for trade in reversed(closed):
        if trade.net_inr >= 0:
            break
        count += 1
    return count


def _last_losses(closed: list[ClosedRow]) -> dict[tuple[Exchange, str], datetime]:
    return {
        (Exchange(trade.exchange), trade.tradingsymbol): trade.closed_at
        for trade in closed
        if trade.net_inr < 0
    }
