"""What the plan asks of one group, done: the reason is written first, then the order is asked for.

Everything here reduces a position, so nothing here asks whether entries are on.
"""

from django.db import transaction
from django.db.models import Sum

from oco import groups
from oco.groups import LiveGroup
from oco.models import OcoGroup, OcoLeg
from oco.views import (
    Action,
    CancelExit,
    CloseExit,
    FinishGroup,
    MoveStop,
    PlaceExit,
    RepriceExit,
    ResizeExit,
    RestStop,
    TakeBack,
    TakeTarget,
)
from risk import check
from trading import orders, trades
from trading.core import order_states
from trading.core.enums import (
    Exchange,
    ExitReason,
    GroupState,
    LegKind,
    LegState,
    OrderType,
    Product,
    Role,
    Side,
)
from trading.core.money import to_inr
from trading.core.order_ids import kite_tag, order_client_id
from trading.core.values import OrderChange, OrderRequest
from trading.desk import Desk
from trading.models import Order, Trade

LIMIT = OrderType.LIMIT


def perform(desk: Desk, group: LiveGroup, action: Action) -> Order | None:
    """Carry out one action of `oco.plan.next_actions`. Returns the order that it is about.

    Raises BudgetSpent (try in a later pass) or FenceLost (stop acting) before anything was written to the broker.
    """
    match action:
        case RestStop(quantity, trigger, limit):
            return _place(desk, group, Role.STOP, quantity, limit, trigger)
        case ResizeExit(quantity):
            _modify(desk, group, OrderChange(quantity=quantity), "resize")
        case MoveStop(trigger, limit, _):
            # The trigger is what the group wants from now on; a refused move is seen by its older order and repeated.
            groups.write(desk, group.row, stop_price=to_inr(trigger))
            group.row.legs.filter(kind=LegKind.STOP).update(price=to_inr(trigger))
            change = OrderChange(trigger_price=to_inr(trigger), price=to_inr(limit))
            _modify(desk, group, change, "trail")
        case TakeTarget(limit):
            with transaction.atomic():
                _begin_closing(desk, group.row, ExitReason.TARGET)
                group.row.legs.filter(kind=LegKind.TARGET).update(state=LegState.TAKEN)
            _modify(desk, group, OrderChange(order_type=LIMIT, price=to_inr(limit)), "close")
        case CloseExit(limit, reason):
            _begin_closing(desk, group.row, reason)
            _modify(desk, group, OrderChange(order_type=LIMIT, price=to_inr(limit)), "close")
        case RepriceExit(limit):
            _begin_closing(desk, group.row, _stop_reason(group.row))
            _modify(desk, group, OrderChange(order_type=LIMIT, price=to_inr(limit)), "close")
        case PlaceExit(quantity, limit, reason):
            _begin_closing(desk, group.row, reason)
            return _place(desk, group, Role.EXIT, quantity, limit, 0)
        case TakeBack(quantity, limit):
            _begin_closing(desk, group.row, _stop_reason(group.row))
            return _place(desk, group, Role.EXIT, quantity, limit, 0, is_return=True)
        case CancelExit(client_order_id):
            order = Order.objects.get(client_order_id=client_order_id)
            orders.cancel(desk, order)
            return order
        case FinishGroup(reason):
            _finish(desk, group.row, reason)
    return group.exit_order


def _place(
    desk: Desk,
    group: LiveGroup,
    role: Role,
    quantity: int,
    limit_paise: int,
    trigger_paise: int,
    *,
    is_return: bool = False,
) -> Order:
    row, entry = group.row, group.row.entry_order
    if entry.decision is None:
        raise ValueError(f"entry {entry.pk} has no decision: its exits cannot be named")
    earlier = Order.objects.filter(entry=entry, group_number=row.number)
    client_order_id = order_client_id(
        entry.decision.signal.plan_id,
        role,
        group=row.number,
        attempt=earlier.filter(role=role).count(),
        slice=entry.slice,
    )
    request = OrderRequest(
        client_order_id=client_order_id,
        role=role,
        exchange=Exchange(entry.exchange),
        tradingsymbol=entry.tradingsymbol,
        side=Side(row.side) if is_return else Side(row.side).opposite,
        quantity=quantity,
        product=Product(entry.product),
        order_type=OrderType.SL if role is Role.STOP else LIMIT,
        price=to_inr(limit_paise),
        trigger_price=to_inr(trigger_paise),
        tag=kite_tag(role, client_order_id),
    )
    held = group.view.position_quantity * Side(row.side).sign
    approved = check.allow_exit(request, position_quantity=abs(held), position_sign=1 if held > 0 else -1)
    purpose = "place" if role is Role.STOP else "close"
    return orders.submit(desk, approved, entry=entry, group_number=row.number, purpose=purpose)


def _modify(desk: Desk, group: LiveGroup, change: OrderChange, purpose: str) -> None:
    if group.exit_order is None:
        raise ValueError(f"group {group.row.pk} has no exit order to change")
    orders.modify(desk, group.exit_order, change, purpose=purpose)


def _begin_closing(desk: Desk, row: OcoGroup, reason: ExitReason) -> None:
    """From here the group only goes to flat. The first reason stays: later ones are consequences."""
    if row.state == GroupState.CLOSING and row.close_reason:
        return
    groups.write(desk, row, state=GroupState.CLOSING, close_reason=row.close_reason or reason)


def _stop_reason(row: OcoGroup) -> ExitReason:
    """An exit that is re-priced without a reason asked for is a stop that was hit and hung."""
    return ExitReason.STOP if row.stop_price == row.initial_stop_price else ExitReason.TRAIL


def _finish(desk: Desk, row: OcoGroup, reason: ExitReason | None) -> None:
    now = desk.clocks.market_now()
    final = {LegKind.STOP: LegState.CANCELED, LegKind.TARGET: LegState.CANCELED}
    if reason is ExitReason.TARGET:
        final[LegKind.TARGET] = LegState.FILLED
    elif reason in (ExitReason.STOP, ExitReason.TRAIL):
        final[LegKind.STOP] = LegState.FILLED
    with transaction.atomic():
        groups.write(
            desk,
            row,
            state=GroupState.CLOSED,
            closed_at=now,
            exit_reason=reason or "",
            exited_quantity=min(row.entered_quantity - row.taken_by_others_quantity, row.entered_quantity),
            unprotected_since=None,
        )
        for kind, state in final.items():
            OcoLeg.objects.filter(group=row, kind=kind).update(state=state)
        close_trade(desk, row.trade)


def close_trade(desk: Desk, trade: Trade) -> bool:
    """Close the trade when its last group is closed and its fills are all told. False: not yet."""
    mine = OcoGroup.objects.filter(trade=trade)
    if mine.filter(closed_at=None).exists():
        return False
    taken = mine.aggregate(units=Sum("taken_by_others_quantity", default=0))["units"]
    return trades.close_if_flat(desk, trade, taken)


def cancel_entries(desk: Desk, waiting: list[Order]) -> int:
    """Cancel entries that still work. Those already closed or unknown to the broker are left to the book."""
    count = 0
    for order in waiting:
        if order.broker_order_id and order.status not in order_states.CLOSED:
            orders.cancel(desk, order)
            count += 1
    return count
