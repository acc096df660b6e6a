"""Fills and trades: each execution is applied once; a trade's P&L is its fills less its charges."""

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet, Sum

from trading.core import charges, order_states
from trading.core.enums import Exchange, Role, Side
from trading.core.values import Charges, FillReport
from trading.desk import Desk
from trading.market import instruments
from trading.models import Decision, Fill, Order, Trade

PAISA = Decimal("0.01")
#: a fill the order book shows and the trade book does not has a made id that begins so
ESTIMATE = "book-"


def of_session(desk: Desk) -> QuerySet[Trade]:
    """All trades of this desk's books."""
    return _of_books(desk.account.pk, desk.session.pk, desk.trading_date).all()


@lru_cache(maxsize=16)
def _of_books(account_id: int, session_id: int, trading_date: date) -> QuerySet[Trade]:
    """Built once: every pass asks it several times, and building a query takes as long as asking it."""
    return Trade.objects.filter(account_id=account_id, session_id=session_id, trading_date=trading_date)


def open_for(desk: Desk, entry: Order) -> Trade:
    """The open trade of an entry that has filled, made now if the trade book has not told of it yet.

    The order book is the first to show a fill; its protection must not wait for the trade book.
    """
    if entry.decision is None:
        raise ValueError(f"entry {entry.pk} has no decision: its trade cannot be named")
    with transaction.atomic():
        found = _open_trade(desk, entry) or _reopened(entry)
        return found or _make(desk, entry, entry.decision, desk.clocks.market_now())


def apply_fill(desk: Desk, report: FillReport) -> Fill | None:
    """Apply one execution. None when it was applied before, or belongs to no order of ours.

    An entry's fill opens its trade or adds to it; an exit's fill takes from it.
    """
    order = (
        Order.objects.filter(
            account=desk.account,
            session=desk.session,
            trading_date=desk.trading_date,
            broker_order_id=report.broker_order_id,
        )
        .select_related("entry__decision__signal", "decision__signal")
        .first()
    )
    if order is None:
        return None
    try:
        with transaction.atomic():
            trade = _trade_of(desk, order, report)
            if not report.broker_trade_id.startswith(ESTIMATE):
                _withdraw_estimates(trade, order)
            fill = Fill.objects.create(
                account=desk.account,
                session=desk.session,
                trading_date=desk.trading_date,
                order=order,
                trade=trade,
                exchange=report.exchange,
                broker_order_id=report.broker_order_id,
                broker_trade_id=report.broker_trade_id,
                side=report.side,
                quantity=report.quantity,
                price=report.price,
                filled_at=report.filled_at,
                applied_at=desk.clocks.market_now(),
            )
            _add(trade, order, report)
    except IntegrityError:
        if Fill.objects.filter(
            account=desk.account,
            session=desk.session,
            trading_date=desk.trading_date,
            exchange=report.exchange,
            broker_order_id=report.broker_order_id,
            broker_trade_id=report.broker_trade_id,
        ).exists():
            return None
        raise
    return fill


def fills_missing(desk: Desk) -> bool:
    """Whether the order book has shown more executed than the trade book has told us so far."""
    return _untold(desk).exists()


def estimate_missing(desk: Desk) -> int:
    """Apply what the order book shows executed and the trade book still does not tell, at the price that is missing.

    The id is made of the order and its cumulative quantity, so the same estimate is applied once; the first real
    execution of that order withdraws it. Returns how many were applied.
    """
    return sum(apply_fill(desk, _estimate(order)) is not None for order in _untold(desk))


def close_if_flat(desk: Desk, trade: Trade, taken_by_others: int = 0) -> bool:
    """Close a trade whose quantities match and whose entry can bring no more; books P&L and charges.

    `taken_by_others` are units that somebody else's order closed: they are out, their result is not ours.
    """
    with transaction.atomic():
        trade = Trade.objects.select_for_update(of=("self",)).get(pk=trade.pk)
        left = trade.entered_quantity - trade.exited_quantity - taken_by_others
        if trade.closed_at or not trade.entered_quantity or left != 0:
            return False
        last = trade.fills.order_by("-filled_at").first()
        if last is None or _entry_may_fill(trade):
            return False
        trade.closed_at = last.filled_at
        price_result(trade)
        trade.save()
        return True


def price_result(trade: Trade) -> None:
    """Set gross, charges and net from the trade's fills. Charges are per executed order, as the broker books them.

    Units that none of our exits closed count at the average entry price: no result of ours.
    """
    sign = Side(trade.side).sign
    taken = trade.entered_quantity - trade.exited_quantity
    taken_value = trade.entry_value_inr / trade.entered_quantity * taken if taken else Decimal(0)
    gross = sign * (trade.exit_value_inr + taken_value - trade.entry_value_inr)
    trade.gross_inr = gross.quantize(PAISA, rounding=ROUND_HALF_UP)
    trade.charges_inr = charges_of_fills(trade)
    trade.net_inr = trade.gross_inr - trade.charges_inr


def charges_of_fills(trade: Trade) -> Decimal:
    """Rupees of charges on what a trade has executed so far, order by order."""
    return charges.sum_charges(charges_by_order(trade).values()).total_inr


def charges_by_order(trade: Trade) -> dict[str, Charges]:
    """Broker order id → charges of what that order of a trade has executed so far."""
    exchange = Exchange(trade.exchange)
    segment = charges.segment_of(instruments.spec_of(trade.exchange, trade.tradingsymbol, trade.trading_date))
    values: dict[tuple[str, str], Decimal] = {}
    fills = trade.fills.values_list("broker_order_id", "side", "quantity", "price")
    for broker_order_id, side, quantity, price in fills:
        key = (broker_order_id, side)
        values[key] = values.get(key, Decimal(0)) + quantity * price
    return {
        broker_order_id: charges.charges_of_value(
            segment, Side(side), value, trade_date=trade.trading_date, exchange=exchange
        )
        for (broker_order_id, side), value in values.items()
    }


def _untold(desk: Desk) -> QuerySet[Order]:
    executed = Order.objects.filter(
        account=desk.account, session=desk.session, trading_date=desk.trading_date, filled_quantity__gt=0
    )
    return executed.annotate(told=Sum("fills__quantity", default=0)).filter(filled_quantity__gt=F("told"))


def _estimate(order: Order) -> FillReport:
    told = order.fills.aggregate(
        units=Sum("quantity", default=0), value=Sum(F("quantity") * F("price"), default=Decimal(0))
    )
    quantity = order.filled_quantity - told["units"]
    value = order.average_price * order.filled_quantity - told["value"]
    return FillReport(
        broker_trade_id=f"{ESTIMATE}{order.filled_quantity}",
        broker_order_id=order.broker_order_id,
        exchange=Exchange(order.exchange),
        tradingsymbol=order.tradingsymbol,
        side=Side(order.side),
        product=order.product,
        quantity=quantity,
        price=(value / quantity).quantize(PAISA, rounding=ROUND_HALF_UP),
        filled_at=order.updated_at,
    )


def _withdraw_estimates(trade: Trade, order: Order) -> None:
    """The trade book has caught up with this order: what was estimated for it makes room."""
    for estimate in order.fills.filter(broker_trade_id__startswith=ESTIMATE):
        _count(trade, order, -estimate.quantity, -estimate.quantity * estimate.price)
        estimate.delete()


def _trade_of(desk: Desk, order: Order, report: FillReport) -> Trade:
    """The trade this fill belongs to, locked; an entry's first fill opens it."""
    entry = order if order.role == Role.ENTRY else order.entry
    if entry is None or entry.decision is None:
        raise ValueError(f"order {order.pk} leads to no decision: an exit must name its entry")
    decision = entry.decision
    if order.role != Role.ENTRY and (told := Fill.objects.filter(order=entry).first()):
        # An exit that executes late belongs to its own entry's trade, whatever has been opened since.
        return Trade.objects.select_for_update(of=("self",)).get(pk=told.trade_id)
    if found := _open_trade(desk, order):
        return found
    if order.role == Role.ENTRY and (found := _reopened(order)):
        return found
    if order.role != Role.ENTRY:
        return Trade.objects.select_for_update(of=("self",)).filter(decision=decision).latest("pk")
    return _make(desk, order, decision, report.filled_at)


def _open_trade(desk: Desk, order: Order) -> Trade | None:
    return (
        Trade.objects.select_for_update(of=("self",))
        .filter(
            account=desk.account,
            session=desk.session,
            exchange=order.exchange,
            tradingsymbol=order.tradingsymbol,
            product=order.product,
            closed_at=None,
        )
        .first()
    )


def _reopened(entry: Order) -> Trade | None:
    """The trade of an entry that fills on after all of it was out: its exits are booked there. None: it has none."""
    told = Fill.objects.filter(order=entry).first()
    if told is None:
        return None
    trade = Trade.objects.select_for_update(of=("self",)).get(pk=told.trade_id)
    trade.closed_at = None
    trade.save(update_fields=["closed_at"])
    return trade


def _make(desk: Desk, entry: Order, decision: Decision, opened_at: datetime) -> Trade:
    return Trade.objects.create(
        account=desk.account,
        session=desk.session,
        trading_date=desk.trading_date,
        decision=decision,
        exchange=entry.exchange,
        tradingsymbol=entry.tradingsymbol,
        product=entry.product,
        side=entry.side,
        strategy=decision.signal.strategy,
        opened_at=opened_at,
        risk_inr=decision.risk_inr,
    )


def _add(trade: Trade, order: Order, report: FillReport) -> None:
    _count(trade, order, report.quantity, report.quantity * report.price)
    if order.role == Role.ENTRY:
        trade.opened_at = min(trade.opened_at, report.filled_at)
    if trade.closed_at:
        price_result(trade)
    trade.save()


def _count(trade: Trade, order: Order, quantity: int, value: Decimal) -> None:
    """Add to what was entered or exited. What an order takes back after too much was exited counts against it."""
    if order.role == Role.ENTRY:
        trade.entered_quantity += quantity
        trade.entry_value_inr += value
    else:
        sign = -1 if order.side == trade.side else 1
        trade.exited_quantity += sign * quantity
        trade.exit_value_inr += sign * value


def _entry_may_fill(trade: Trade) -> bool:
    entries = Order.objects.filter(decision=trade.decision, role=Role.ENTRY)
    return entries.exclude(status__in=order_states.CLOSED).exists()
