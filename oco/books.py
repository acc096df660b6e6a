"""The broker's books applied to our rows: orders by id or tag, fills once each, groups after them."""

import logging
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from django.db import IntegrityError
from django.db.models import Exists, OuterRef

from oco import exits, groups
from oco.models import OcoGroup
from oco.views import ExitPolicy
from risk import state
from trading import orders, trades
from trading.broker.base import BrokerUnavailable
from trading.core import order_states
from trading.core.enums import OrderStatus, PauseReason, Role
from trading.core.order_ids import role_of_tag
from trading.core.order_states import IllegalTransition
from trading.core.values import FillReport, OrderReport
from trading.desk import Desk
from trading.models import Fill, Order

log = logging.getLogger(__name__)

#: the trade book may be behind the order book this long, machine time, before its fills are estimated
TRADE_BOOK_LAGS = timedelta(seconds=10)

#: what Kite answers of an order it does not know; anything else says that the read itself failed
NOT_FOUND = frozenset({400, 404})


@dataclass(frozen=True, slots=True)
class OrderRead:
    """What reading one order brought: pks of our orders that changed, and whether it is one of ours."""

    changed: list[int]
    is_ours: bool


def read_order(
    desk: Desk,
    broker_order_id: str,
    changing: AbstractSet[int] = frozenset(),
    known: Mapping[str, Order] = MappingProxyType({}),
) -> OrderRead | None:
    """Read one order's newest state. `changing` as in `read_all`; `known` are rows at hand, by broker order id.

    A row at hand may be older than the database: what only repeats it is no news to a newer one either.

    None where the broker's history does not know the order: it lags, which says nothing about the order.
    """
    try:
        history = desk.broker.order_history(broker_order_id)
    except BrokerUnavailable as error:
        if error.http_status not in NOT_FOUND:
            raise
        history = []
    if not history:
        return None
    report = history[-1]
    at_hand = known.get(report.broker_order_id)
    rows = {
        order.pk: order for order in ([at_hand] if at_hand else orders.spoken_of(desk, report).order_by())
    }
    pk = _pk_of(report, _ours(rows.values()))
    if pk is not None and pk not in changing and orders.says_nothing_new(rows[pk], report):
        return OrderRead([], is_ours=True)
    is_ours = pk is not None and rows[pk].broker_order_id == broker_order_id
    return OrderRead(_apply(desk, report, pk), is_ours)


@dataclass(frozen=True, slots=True)
class BookRead:
    """What one whole read of the order book brought."""

    #: pks of our orders that changed
    changed: list[int]
    reports: list[OrderReport]
    our_order_ids: frozenset[str]
    #: every order of ours that may still change was in it
    is_complete: bool
    #: one of our exits was not, which the plan counts
    lacks_exits: bool = False


def read_all(
    desk: Desk,
    changing: AbstractSet[int],
    last: BookRead | None = None,
    *,
    awaited: AbstractSet[str] = frozenset(),
) -> BookRead:
    """Read the whole book: every report with news applied, every order of ours that it lacks noted absent.

    `changing` are pks of orders with a modification that is not answered yet: what looks like a repeat answers it.
    `last` is the book read before: one that says the very same costs no query. `awaited` are tags of ours whose
    rows come later.
    """
    reports = desk.broker.order_reports()
    if last is not None and last.is_complete and not changing and reports == last.reports:
        return BookRead([], reports, last.our_order_ids, is_complete=True)
    rows = {order.pk: order for order in orders.of_session(desk)}
    ours = _ours(rows.values())
    changed: list[int] = []
    shown: set[int] = set()
    our_order_ids: set[str] = set()
    for report in reports:
        pk = _pk_of(report, ours)
        if pk is not None:
            shown.add(pk)
            our_order_ids.add(report.broker_order_id)
            if pk not in changing and orders.says_nothing_new(rows[pk], report):
                continue
        elif report.tag in awaited:
            continue
        changed += _apply(desk, report, pk)
    absent = [order for order in rows.values() if order.pk not in shown and _is_missed(order)]
    changed += [order.pk for order in absent if orders.note_absence(desk, order) != order.status]
    return BookRead(
        changed,
        reports,
        frozenset(our_order_ids),
        is_complete=not absent,
        lacks_exits=any(order.role != Role.ENTRY for order in absent),
    )


def _is_missed(order: Order) -> bool:
    """Whether its absence says anything. One given up as LOST is expected to be absent; its coming is news."""
    return order.status not in order_states.CLOSED


def follow(desk: Desk, changed: Iterable[int], policy: ExitPolicy) -> None:
    """Bring the groups of these orders up to what the order book shows filled. Again changes nothing."""
    filled = Order.objects.filter(pk__in=changed, filled_quantity__gt=0).select_related("decision__signal")
    for order in filled:
        if order.role == Role.ENTRY:
            groups.follow_entry(desk, order, policy)
        else:
            groups.follow_exit(desk, order)


@dataclass(frozen=True, slots=True)
class FillsRead:
    """What one look at the trade book brought."""

    applied: int = 0
    trades_closed: int = 0
    #: the order book has shown more executed than fills were told
    is_behind: bool = False


def read_fills(desk: Desk, since: datetime | None = None) -> FillsRead:
    """Apply executions not applied before; those told too late are estimated.

    `since` is the machine time from which on the trade book has been behind the order book.
    """
    applied, is_behind = 0, trades.fills_missing(desk)
    if is_behind:
        known = set(
            Fill.objects.filter(
                account=desk.account, session=desk.session, trading_date=desk.trading_date
            ).values_list("exchange", "broker_order_id", "broker_trade_id")
        )
        for report in desk.broker.fill_reports():
            if (report.exchange.value, report.broker_order_id, report.broker_trade_id) in known:
                continue
            applied += _apply_fill(desk, report) is not None
        is_behind = not applied or trades.fills_missing(desk)
    if is_behind and since and desk.clocks.machine_now() - since >= TRADE_BOOK_LAGS:
        applied += trades.estimate_missing(desk)
    return FillsRead(applied, _close_what_is_done(desk), is_behind)


def _apply_fill(desk: Desk, report: FillReport) -> Fill | None:
    """One execution; one that our rows cannot hold is reported and blocks no other."""
    try:
        return trades.apply_fill(desk, report)
    except (IntegrityError, ValueError) as error:
        why = f"execution {report.broker_trade_id} of order {report.broker_order_id}: {error}"
        _call_operator(desk, " ".join(why.split()))
        return None


def _close_what_is_done(desk: Desk) -> int:
    """Trades whose groups finished before their last fill was told close when the trade book catches up."""
    groups_of = OcoGroup.objects.filter(trade=OuterRef("pk"))
    done = trades.of_session(desk).filter(
        Exists(groups_of), ~Exists(groups_of.filter(closed_at=None)), closed_at=None
    )
    return sum(exits.close_trade(desk, trade) for trade in done)


def _ours(rows: Iterable[Order]) -> dict[str, int]:
    """Broker order id → pk of our order; its tag instead, where the id was never learned.

    An order whose id is known is not looked for by its tag: another row with that tag is somebody else's.
    """
    return {order.broker_order_id or order.tag: order.pk for order in rows}


def _pk_of(report: OrderReport, ours: dict[str, int]) -> int | None:
    """Our order that a row of the book speaks of: by its id, or by tag where we never learned the id."""
    names = (report.broker_order_id, report.tag, *report.tags)
    return next((ours[name] for name in names if name in ours), None)


def _apply(desk: Desk, report: OrderReport, pk: int | None) -> list[int]:
    if pk is None:
        # One that was refused is in the book as well, and holds nothing.
        is_nothing = report.status is OrderStatus.REJECTED and not report.filled_quantity
        if role_of_tag(report.tag) is not None and not is_nothing:
            _call_operator(desk, f"order {report.broker_order_id} has a tag of ours and no row: {report.tag}")
        return []
    try:
        return [pk] if orders.apply_report(desk, pk, report) else []
    except IllegalTransition as error:
        # One poisoned order is parked and reported; it blocks no other.
        _call_operator(desk, f"order {pk}: {error}")
        return []


def _call_operator(desk: Desk, why: str) -> None:
    log.error("reconciliation: %s", why)
    state.turn_off(
        desk.account.pk,
        PauseReason.RECONCILIATION,
        by="watcher",
        why=why,
        now=desk.clocks.market_now(),
    )
