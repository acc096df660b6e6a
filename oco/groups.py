"""Groups on the database: made from entry fills, shown to the plan as views, moved by its actions.

This is the one owner of "entry filled → children". What to do is decided in `oco.plan`; here it is done.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.db.models.expressions import Combinable

from oco import plan as oco_plan
from oco import rows
from oco.models import OcoGroup, OcoLeg, StopMove
from oco.rows import Changes
from oco.views import ExitPolicy, GroupView
from trading import lease, trades
from trading.core.enums import (
    ExitReason,
    GroupState,
    LegKind,
    LegState,
    OrderStatus,
    Role,
    Side,
)
from trading.core.money import to_inr, to_paise
from trading.core.order_ids import order_client_id, plan_client_id
from trading.core.sizing import slices
from trading.core.values import InstrumentSpec, Plan, Quote
from trading.desk import Desk
from trading.lease import FenceLost
from trading.market import instruments
from trading.models import Order, Trade


@dataclass(frozen=True, kw_only=True, slots=True)
class OcoIds:
    """The deterministic ids of one group: known before any order is sent."""

    plan_id: str
    number: int
    stop_client_order_id: str
    target_client_order_id: str


@dataclass(slots=True)
class LiveGroup:
    """A group that is not closed, with the view the plan judges."""

    row: OcoGroup
    view: GroupView
    spec: InstrumentSpec
    exit_order: Order | None
    #: an operator's wish for its stop that has no answer yet
    asked: StopMove | None = None

    @property
    def risk_paise(self) -> int:
        """What is lost if the stop fills at its trigger; the largest is closed first."""
        distance = abs(self.view.entry_price_paise - self.view.stop_paise)
        return distance * max(self.view.position_quantity, 0)

    @property
    def is_calm(self) -> bool:
        """Armed, its stop resting, nothing outstanding: only prices and the clock can change it."""
        exit_view = self.view.exit
        return (
            self.row.state == GroupState.ARMED
            and exit_view is not None
            and exit_view.is_resting_stop
            and not exit_view.has_unconfirmed_change
            and exit_view.status is OrderStatus.ACCEPTED
            and exit_view.remaining_quantity == self.view.position_quantity
            and not self.view.exits_unknown
            and self.asked is None
        )


def create_oco_group(plan: Plan | Mapping[str, object] | str, *, number: int = 1, slice: int = 0) -> OcoIds:
    """Name the two legs of a plan's group. The same plan gives the same ids, always.

    `plan` is a Plan, a mapping of its fields, or a plan's id; `slice` the part of an entry above the freeze
    quantity. Writes nothing: rows are made when the entry fills.
    """
    plan_id = plan if isinstance(plan, str) else plan_client_id(plan)
    return OcoIds(
        plan_id=plan_id,
        number=number,
        stop_client_order_id=order_client_id(plan_id, Role.STOP, group=number, slice=slice),
        target_client_order_id=order_client_id(plan_id, Role.TARGET, group=number, slice=slice),
    )


def follow_entry(desk: Desk, entry: Order, policy: ExitPolicy) -> list[OcoGroup]:
    """Make or enlarge the groups of an entry so that they hold exactly what it has filled.

    Runs after each report that raised the entry's filled quantity; again changes nothing.
    """
    held = OcoGroup.objects.filter(entry_order=entry).aggregate(held=Sum("entered_quantity", default=0))[
        "held"
    ]
    if entry.filled_quantity <= held or entry.decision is None:
        return []
    signal = entry.decision.signal
    spec = instruments.spec_of(entry.exchange, entry.tradingsymbol, entry.trading_date)
    # As it was sent: the split must not change when a cancel shrinks the order.
    asked = slices(entry.decision.quantity, spec.freeze_quantity, spec.lot_size)[entry.slice]
    planned = oco_plan.split_quantity(asked, spec.lot_size)
    allotted = oco_plan.allocate_fills(entry.filled_quantity, planned)
    trade = trades.open_for(desk, entry)
    goals = oco_plan.targets(
        Side(entry.side),
        to_paise(entry.average_price.quantize(Decimal("0.01"))),
        to_paise(signal.stop_price),
        to_paise(signal.target_price),
        to_paise(signal.first_target_price) if signal.first_target_price else None,
        groups=len(planned),
        policy=policy,
        tick_paise=spec.tick_size_paise,
    )
    found = []
    for number, (share, filled, goal) in enumerate(zip(planned, allotted, goals, strict=True), start=1):
        if filled:
            shape = _Shape(number, share, filled, goal)
            found.append(_make_or_enlarge(desk, entry, trade, shape, policy))
    return found


def follow_exit(desk: Desk, exit_order: Order) -> None:
    """Open a closed group again when an exit of it fills after all: what was exited too much is taken back.

    Runs after each report that raised an exit's filled quantity; again changes nothing.
    """
    row = OcoGroup.objects.filter(
        entry_order=exit_order.entry_id, number=exit_order.group_number or 0
    ).first()
    if row is None or row.closed_at is None:
        return
    if exited_units(row) + row.taken_by_others_quantity != row.entered_quantity:
        reason = row.close_reason or row.exit_reason
        write(desk, row, closed_at=None, state=GroupState.CLOSING, close_reason=reason)


def exited_units(row: OcoGroup) -> int:
    """What a group's exits have filled less what its orders took back, from the orders: its column comes after them."""
    filled = Order.objects.filter(entry=row.entry_order_id, group_number=row.number)
    return sum(
        quantity if side != row.side else -quantity
        for side, quantity in filled.values_list("side", "filled_quantity")
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    number: int
    planned_quantity: int
    filled_quantity: int
    target_paise: int


def _make_or_enlarge(desk: Desk, entry: Order, trade: Trade, shape: _Shape, policy: ExitPolicy) -> OcoGroup:
    signal, now = trade.decision.signal, desk.clocks.market_now()
    with transaction.atomic():
        row, made = OcoGroup.objects.select_for_update(of=("self",)).get_or_create(
            entry_order=entry,
            number=shape.number,
            defaults={
                "account": desk.account,
                "session": desk.session,
                "trade": trade,
                "side": entry.side,
                "planned_quantity": shape.planned_quantity,
                "initial_stop_price": signal.stop_price,
                "stop_price": signal.stop_price,
                "target_price": to_inr(shape.target_paise),
                "entry_atr": signal.atr,
                "first_filled_at": now,
                "time_stop_at": now + timedelta(minutes=signal.time_stop_min or policy.time_stop_min),
                "unprotected_since": desk.clocks.machine_now(),
            },
        )
        if made:
            _make_legs(row, signal.plan_id, entry.slice)
        if row.entered_quantity < shape.filled_quantity:
            row.entered_quantity = shape.filled_quantity
            if row.closed_at:
                # A late entry fill after the group had closed: it is protected or closed like any other.
                row.closed_at, row.state = None, GroupState.OPENING
                row.unprotected_since = desk.clocks.machine_now()
            row.save()
    return row


def live(desk: Desk, policy: ExitPolicy) -> list[LiveGroup]:
    """Every group that is not closed, oldest first, as rows and views. A few queries, whatever their number."""
    found_rows = list(_live_of_books(desk.account.pk, desk.session.pk).all())
    if not found_rows:
        return []
    exits: dict[tuple[int, int], list[tuple[Order, Changes]]] = {}
    for order, changes in rows.exit_orders([row.entry_order_id for row in found_rows]):
        exits.setdefault((order.entry_id or 0, order.group_number or 0), []).append((order, changes))
    siblings = _targets_filled(_not_wholly_live(found_rows))
    found = []
    for row in found_rows:
        entry = row.entry_order
        spec = instruments.spec_of(entry.exchange, entry.tradingsymbol, entry.trading_date)
        mine = exits.get((row.entry_order_id, row.number), [])
        view = rows.group_view(row, mine, spec, sibling_target_filled=row.entry_order_id in siblings)
        found.append(LiveGroup(row, view, spec, mine[-1][0] if mine else None))
    return found


def view_of(row: OcoGroup) -> GroupView:
    """One group as its rows show it now, for whoever asks something of the leader."""
    entry = row.entry_order
    spec = instruments.spec_of(entry.exchange, entry.tradingsymbol, entry.trading_date)
    exits = rows.exit_orders([entry.pk])
    mine = [(order, changes) for order, changes in exits if order.group_number == row.number]
    return rows.group_view(row, mine, spec, sibling_target_filled=False)


def of_session(desk: Desk) -> QuerySet[OcoGroup]:
    """All groups of this desk's books."""
    return _of_books(desk.account.pk, desk.session.pk).all()


@lru_cache(maxsize=16)
def _of_books(account_id: int, session_id: int) -> QuerySet[OcoGroup]:
    """Built once: every pass asks it, and building a query takes as long as asking it."""
    return OcoGroup.objects.filter(account_id=account_id, session_id=session_id)


@lru_cache(maxsize=16)
def _live_of_books(account_id: int, session_id: int) -> QuerySet[OcoGroup]:
    open_ones = _of_books(account_id, session_id).filter(closed_at=None)
    return open_ones.select_related("entry_order__decision", "trade").order_by("pk")


def changing(live: Iterable[LiveGroup]) -> set[int]:
    """Pks of exit orders with a modification that no book has answered yet."""
    exits = [(group.exit_order, group.view.exit) for group in live]
    return {order.pk for order, view in exits if order and view and view.has_unconfirmed_change}


def exits_by_id(live: Iterable[LiveGroup]) -> dict[str, Order]:
    """The newest exit order of each group by the broker's id, as it was read last."""
    exits = [group.exit_order for group in live if group.exit_order]
    return {order.broker_order_id: order for order in exits if order.broker_order_id}


def write(desk: Desk, row: OcoGroup, **values: object) -> None:
    """Change columns of a group, as long as this desk leads. A value may be an expression, as `F("…") + 1`.

    A process that was stopped may wake up after another has led for a while: what it was about to write is the past.
    Raises FenceLost then, and nothing is written.
    """
    _write_all(desk, [row], **values)


def _write_all(desk: Desk, group_rows: Sequence[OcoGroup], **values: object) -> None:
    pks = [row.pk for row in group_rows]
    if not OcoGroup.objects.filter(lease.leads(desk.lease), pk__in=pks).update(**values):
        raise FenceLost(
            f"{desk.lease.holder} no longer leads {desk.lease.loop}: groups {pks} are left as they are"
        )
    plain = {name: value for name, value in values.items() if not isinstance(value, Combinable)}
    for row in group_rows:
        for name, value in plain.items():
            setattr(row, name, value)


def note_protection(desk: Desk, group: LiveGroup, *, feed_is_fresh: bool) -> bool:
    """Write down how protected the group is: quantities from its orders, armed, and unprotected since when.

    True when the row changed.
    """
    row, view, now = group.row, group.view, desk.clocks.machine_now()
    changed: dict[str, object] = {}
    if row.exited_quantity != view.exited_quantity:
        changed["exited_quantity"] = max(min(view.exited_quantity, row.entered_quantity), 0)
    covered = view.position_quantity <= 0 or oco_plan.is_covered(view)
    if covered and row.unprotected_since:
        bare_ms = int((now - row.unprotected_since).total_seconds() * 1000)
        changed |= {"unprotected_ms": max(row.unprotected_ms, bare_ms), "unprotected_since": None}
    elif not covered and row.unprotected_since is None:
        changed["unprotected_since"] = now
    if row.state == GroupState.OPENING and covered and view.position_quantity > 0 and feed_is_fresh:
        changed |= {"state": GroupState.ARMED, "armed_at": row.armed_at or desk.clocks.market_now()}
    if changed:
        write(desk, row, **changed)
    if "armed_at" in changed:
        row.legs.filter(kind=LegKind.STOP).update(state=LegState.RESTING)
    return bool(changed)


def ask_to_close(desk: Desk, live_groups: Iterable[LiveGroup], reason: ExitReason) -> None:
    """Write why groups are to be closed; the first reason stays. The plan turns it into orders.

    One statement, however many: the first exit of a flatten waits for it.
    """
    marked = [group for group in live_groups if not group.row.close_reason]
    if marked:
        _write_all(desk, [group.row for group in marked], close_reason=reason)
    for group in marked:
        group.view = replace(group.view, close_reason=reason)


def break_group(desk: Desk, row: OcoGroup, problem: str) -> None:
    """An invariant failed: the group is shown as BROKEN; its exits go on."""
    write(desk, row, state=GroupState.BROKEN, problem=problem[:300])


def _make_legs(row: OcoGroup, plan_id: str, slice: int) -> None:
    ids = create_oco_group(plan_id, number=row.number, slice=slice)
    OcoLeg.objects.bulk_create(
        [
            OcoLeg(
                group=row,
                kind=LegKind.STOP,
                client_order_id=ids.stop_client_order_id,
                price=row.stop_price,
                state=LegState.HELD,
            ),
            OcoLeg(
                group=row,
                kind=LegKind.TARGET,
                client_order_id=ids.target_client_order_id,
                price=row.target_price,
                state=LegState.HELD,
            ),
        ]
    )


def _not_wholly_live(live_rows: Iterable[OcoGroup]) -> list[int]:
    """Entries that asked for more than their live groups hold: another group of theirs may be closed."""
    planned: Counter[int] = Counter()
    asked: dict[int, int] = {}
    for row in live_rows:
        decision = row.entry_order.decision
        planned[row.entry_order_id] += row.planned_quantity
        asked[row.entry_order_id] = decision.quantity if decision else row.planned_quantity
    return [entry_id for entry_id, quantity in asked.items() if planned[entry_id] < quantity]


def _targets_filled(entry_ids: list[int]) -> set[int]:
    """Entries one of whose groups has left at its target."""
    if not entry_ids:
        return set()
    done = OcoGroup.objects.filter(entry_order_id__in=entry_ids, exit_reason=ExitReason.TARGET)
    return set(done.values_list("entry_order_id", flat=True))


def with_best_close(view: GroupView, close_paise: int) -> GroupView:
    """The same view after a better close."""
    return replace(view, best_close_paise=close_paise)


def with_circuits(view: GroupView, quote: Quote) -> GroupView:
    """The same view inside today's circuits, which move during the day."""
    return replace(
        view, lower_circuit_paise=quote.lower_circuit_paise, upper_circuit_paise=quote.upper_circuit_paise
    )
