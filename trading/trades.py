"""Fills and trades: each execution is applied once; a trade's P&L is its fills less its charges."""

from decimal import ROUND_HALF_UP, Decimal

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet, Sum

from trading.core import charges, order_states
from trading.core.enums import Exchange, Role, Side
from trading.core.values import FillReport
from trading.desk import Desk
from trading.market import instruments
from trading.models import Fill, Order, Trade

PAISA = Decimal("0.01")


def of_session(desk: Desk) -> QuerySet[Trade]:
    """All trades of this desk's books."""
    return Trade.objects.filter(account=desk.account, session=desk.session, trading_date=desk.trading_date)


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
    filled = (
        Order.objects.filter(
            account=desk.account, session=desk.session, trading_date=desk.trading_date, filled_quantity__gt=0
        )
        .annotate(told=Sum("fills__quantity", default=0))
        .filter(filled_quantity__gt=F("told"))
    )
    return filled.exists()


def close_if_flat(desk: Desk, trade: Trade) -> bool:
    """Close a trade whose quantities match and whose entry can bring no more; books P&L and charges."""
    with transaction.atomic():
        trade = Trade.objects.select_for_update(of=("self",)).get(pk=trade.pk)
        if trade.closed_at or not trade.entered_quantity or trade.entered_quantity != trade.exited_quantity:
            return False
        last = trade.fills.order_by("-filled_at").first()
        if last is None or _entry_may_fill(trade):
            return False
        trade.closed_at = last.filled_at
        price_result(trade)
        trade.save()
        return True


def price_result(trade: Trade) -> None:
    """Set gross, charges and net from the trade's fills. Charges are per executed order, as the broker books them."""
    sign = Side(trade.side).sign
    gross = sign * (trade.exit_value_inr - trade.entry_value_inr)
    trade.gross_inr = gross.quantize(PAISA, rounding=ROUND_HALF_UP)
    trade.charges_inr = charges_of_fills(trade)
    trade.net_inr = trade.gross_inr - trade.charges_inr


def charges_of_fills(trade: Trade) -> Decimal:
    """Rupees of charges on what a trade has executed so far, order by order."""
    exchange = Exchange(trade.exchange)
    segment = charges.segment_of(instruments.spec_of(trade.exchange, trade.tradingsymbol, trade.trading_date))
    values: dict[tuple[int, str], Decimal] = {}
    for order_id, side, quantity, price in trade.fills.values_list("order_id", "side", "quantity", "price"):
        key = (order_id, side)
        values[key] = values.get(key, Decimal(0)) + quantity * price
    notes = (
        charges.charges_of_value(segment, Side(side), value, trade_date=trade.trading_date, exchange=exchange)
        for (_, side), value in values.items()
    )
    return charges.sum_charges(notes).total_inr


def _trade_of(desk: Desk, order: Order, report: FillReport) -> Trade:
    """The open trade this fill belongs to, locked; an entry's first fill opens it."""
    entry = order if order.role == Role.ENTRY else order.entry
    if entry is None or entry.decision is None:
        raise ValueError(f"order {order.pk} leads to no decision: an exit must name its entry")
    decision = entry.decision
    open_trade = (
        Trade.objects.select_for_update(of=("self",))
        .filter(
            account=desk.account,
            session=desk.session,
            exchange=report.exchange,
            tradingsymbol=report.tradingsymbol,
            product=order.product,
            closed_at=None,
        )
        .first()
    )
    if open_trade is not None:
        return open_trade
    if order.role != Role.ENTRY:
        # An exit that executes after its trade was closed belongs to that trade: the group of it must see it.
        return Trade.objects.select_for_update(of=("self",)).filter(decision=decision).latest("pk")
    return Trade.objects.create(
        account=desk.account,
        session=desk.session,
        trading_date=desk.trading_date,
        decision=decision,
        exchange=order.exchange,
        tradingsymbol=order.tradingsymbol,
        product=order.product,
        side=order.side,
        strategy=decision.signal.strategy,
        opened_at=report.filled_at,
        risk_inr=decision.risk_inr,
    )


def _add(trade: Trade, order: Order, report: FillReport) -> None:
    value = report.quantity * report.price
    if order.role == Role.ENTRY:
        trade.entered_quantity += report.quantity
        trade.entry_value_inr += value
    else:
        trade.exited_quantity += report.quantity
        trade.exit_value_inr += value
    trade.save()


def _entry_may_fill(trade: Trade) -> bool:
    entries = Order.objects.filter(decision=trade.decision, role=Role.ENTRY)
    return entries.exclude(status__in=order_states.CLOSED).exists()
