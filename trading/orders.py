"""Orders: intent, call, outcome; and the one function that writes `status`.

A placement is never sent again on an unknown outcome: the order is looked for in the broker's book by its tag.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from django.db import transaction
from django.db.models import Q, QuerySet

from risk.check import Approved
from trading import changes, sending
from trading.core import order_states
from trading.core.enums import CommandKind, CommandOutcome, OrderStatus, OrderType, Role
from trading.core.values import OrderChange, OrderReport, OrderRequest
from trading.desk import Desk
from trading.models import Command, Decision, Order, OrderEvent
from trading.sending import Answer, Claim

AVERAGE = Decimal("0.0001")  #: the places an average is kept to
#: a call has ended by then, and its outcome is written
ANSWERED_WITHIN = timedelta(seconds=15)
#: an entry whose outcome is unknown keeps its capital and slot this long, then it is LOST (and still watched)
UNKNOWN_ENTRY_UNTIL = timedelta(seconds=120)


def order_exists(client_order_id: str, status_in: Iterable[str] = ("PLACED", "PARTIAL", "FILLED")) -> bool:
    """Whether an order with this id is remembered in one of the given states.

    `status_in` takes the seed's words PLACED (in flight or accepted), PARTIAL and FILLED.
    Raises ValueError for any other word.
    """
    wanted = order_states.statuses_named(status_in)
    return Order.objects.filter(client_order_id=client_order_id, status__in=wanted).exists()


def of_session(desk: Desk) -> QuerySet[Order]:
    """All orders of this desk's books."""
    return _of_books(desk.account.pk, desk.session.pk, desk.trading_date).all()


@lru_cache(maxsize=16)
def _of_books(account_id: int, session_id: int, trading_date: date) -> QuerySet[Order]:
    """Built once: every pass asks it several times, and building a query takes as long as asking it."""
    return Order.objects.filter(account_id=account_id, session_id=session_id, trading_date=trading_date)


def spoken_of(desk: Desk, report: OrderReport) -> QuerySet[Order]:
    """Our order with a report's id, or those whose id we never learned and whose tag it has."""
    tags = [tag for tag in (report.tag, *report.tags) if tag]
    return of_session(desk).filter(
        Q(broker_order_id=report.broker_order_id) | Q(broker_order_id="", tag__in=tags)
    )


def unresolved_entries(desk: Desk) -> QuerySet[Order]:
    """Entries that may still change: in flight, open, or LOST (which stays watched until the day ends)."""
    return _unresolved_of_books(desk.account.pk, desk.session.pk, desk.trading_date).all()


@lru_cache(maxsize=16)
def _unresolved_of_books(account_id: int, session_id: int, trading_date: date) -> QuerySet[Order]:
    may_change = [*order_states.OPEN, *order_states.IN_FLIGHT, OrderStatus.LOST]
    return _of_books(account_id, session_id, trading_date).filter(status__in=may_change, role=Role.ENTRY)


def submit(
    desk: Desk,
    approved: Approved,
    *,
    entry: Order | None = None,
    group_number: int | None = None,
    slice: int = 0,
    purpose: str = "enter",
    decided: Callable[[Claim], Decision] | None = None,
) -> Order:
    """Write the intent, ask the broker, write the outcome. Takes only what the pre-trade check let through.

    An entry's `decided` is called before the intent, with the account's row locked, for the Decision it carries out;
    what it raises leaves nothing written.
    Raises FenceLost or BudgetSpent before anything was written, IntegrityError when the id was used before.
    """
    request = approved.request
    opens_risk = request.role is Role.ENTRY
    with transaction.atomic():
        claim = sending.claim(desk, opens_risk=opens_risk, uses_all=purpose == "close")
        decision = decided(claim) if decided is not None else None
        intent_s = desk.clocks.monotonic_s()
        order = _remember(desk, request, decision, entry, group_number, slice)
        _remember_event(order, "", who=desk.lease.holder, why=purpose, now=order.asked_at)
        command = _intend(desk, order, claim, CommandKind.PLACE, purpose, {})
    answer = _carry_out(
        desk, command, lambda: desk.broker.place(request), intent_s=intent_s, opens_risk=opens_risk
    )
    placed = {
        CommandOutcome.ACCEPTED: OrderStatus.PENDING_NEW,
        CommandOutcome.REFUSED: OrderStatus.REJECTED,
        CommandOutcome.EXPIRED: OrderStatus.DENIED,
        CommandOutcome.UNKNOWN: OrderStatus.UNKNOWN,
    }[answer.outcome]
    with transaction.atomic():
        # A report may have come first, from another process; then its status is the newer knowledge.
        order = Order.objects.select_for_update(of=("self",)).get(pk=order.pk)
        order.broker_order_id = order.broker_order_id or answer.value
        if order.status == OrderStatus.SUBMITTED:
            _move(order, placed, who="broker", why=answer.reason or "answer", now=desk.clocks.market_now())
        order.save()
    return order


def modify(desk: Desk, order: Order, change: OrderChange, *, purpose: str) -> Command:
    """Ask for a change. What the broker accepts counts as done only when its book shows it (`confirmed_at`)."""
    arguments = {
        name: str(value)
        for name in ("order_type", "quantity", "price", "trigger_price")
        if (value := getattr(change, name)) is not None
    }
    with transaction.atomic():
        claim = sending.claim(desk, opens_risk=False, uses_all=purpose == "close")
        intent_s = desk.clocks.monotonic_s()
        command = _intend(desk, order, claim, CommandKind.MODIFY, purpose, arguments)
    _carry_out(desk, command, lambda: desk.broker.modify(order.broker_order_id, change), intent_s=intent_s)
    return command


def cancel(desk: Desk, order: Order, *, purpose: str = "cancel") -> Command:
    """Ask for a cancel. It may lose the race to a fill: only the book says."""
    with transaction.atomic():
        claim = sending.claim(desk, opens_risk=False, uses_all=True)
        intent_s = desk.clocks.monotonic_s()
        command = _intend(desk, order, claim, CommandKind.CANCEL, purpose, {})
    _carry_out(desk, command, lambda: desk.broker.cancel(order.broker_order_id), intent_s=intent_s)
    return command


def apply_report(desk: Desk, order_id: int, report: OrderReport) -> bool:
    """Bring one order up to what the broker's book says. Idempotent; True when something changed.

    A report that is older than our knowledge changes nothing: books lag and updates overtake each other.
    Raises IllegalTransition for a move outside the state table: the caller parks that order and goes on.
    """
    now = desk.clocks.market_now()
    with transaction.atomic():
        order = Order.objects.select_for_update(of=("self",)).get(pk=order_id)
        if _is_older(order, report):
            return False
        machine_now = desk.clocks.machine_now()
        settled = changes.settle(order, report, now, machine_now)
        before = _fingerprint(order)
        was = order.filled_quantity
        order.broker_order_id = report.broker_order_id
        order.exchange_order_id = report.exchange_order_id or order.exchange_order_id
        order.order_type = report.order_type if report.order_type in set(OrderType) else order.order_type
        order.price, order.trigger_price = report.price, report.trigger_price
        order.filled_quantity = report.filled_quantity
        order.average_price = report.average_price.quantize(AVERAGE) or order.average_price
        order.status_message = report.status_message[:300]
        order.quantity = max(report.quantity, report.filled_quantity, 1)
        order.first_seen_machine_at = order.first_seen_machine_at or machine_now
        if report.status in order_states.OPEN or report.filled_quantity:
            order.accepted_at = order.accepted_at or now
        order.books_without = 0
        if report.raw_status == "OPEN" and order.role == Role.STOP and order.order_type == OrderType.SL:
            order.triggered_machine_at = order.triggered_machine_at or machine_now
        # A row whose status word nobody knows was still seen: its quantities count, our status stays.
        seen = report.status if report.status is not OrderStatus.UNKNOWN else OrderStatus(order.status)
        moved = order_states.next_status(OrderStatus(order.status), seen)
        if moved != order.status or order.filled_quantity != was:
            cause = {"raw_status": report.raw_status, "filled_quantity": report.filled_quantity}
            _move(order, moved, who="broker", why=report.status_message or "book", now=now, cause=cause)
        if _fingerprint(order) == before:
            return settled
        order.updated_at = now
        order.save()
        return True


def says_nothing_new(order: Order, report: OrderReport) -> bool:
    """Whether a report only repeats what a row holds: then it costs no lock and no transaction of its own.

    Says nothing of open modifications: a caller with some of those applies the report.
    """
    triggers = report.raw_status == "OPEN" and order.role == Role.STOP and order.order_type == OrderType.SL
    return (
        order.status == report.status
        and order.broker_order_id == report.broker_order_id
        and order.exchange_order_id == (report.exchange_order_id or order.exchange_order_id)
        and order.order_type == report.order_type
        and order.status_message == report.status_message[:300]
        and order.filled_quantity == report.filled_quantity
        and order.average_price == (report.average_price.quantize(AVERAGE) or order.average_price)
        and not (triggers and order.triggered_machine_at is None)
        and order.quantity == report.quantity
        and order.price == report.price
        and order.trigger_price == report.trigger_price
        and order.books_without == 0
        and order.first_seen_machine_at is not None
    )


def note_absence(desk: Desk, order: Order) -> OrderStatus:
    """A whole book did not show this order. One absence changes nothing; time may make it LOST, never REJECTED.

    An acknowledged order that is absent is a lagging book. An unknown one may still arrive for 90 s (kite-facts 2.3).
    """
    now = desk.clocks.market_now()
    with transaction.atomic():
        order = Order.objects.select_for_update(of=("self",)).get(pk=order.pk)
        order.books_without += 1
        status = OrderStatus(order.status)
        waited = desk.clocks.machine_now() - order.asked_machine_at
        if status is OrderStatus.SUBMITTED and waited > ANSWERED_WITHIN:
            # Its process ended between the intent and the outcome, and nobody has settled it since.
            _move(order, OrderStatus.UNKNOWN, who="watcher", why="no outcome was written", now=now)
            status = OrderStatus.UNKNOWN
        in_doubt = status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN)
        if in_doubt and waited > UNKNOWN_ENTRY_UNTIL and order.books_without >= 2:
            why = f"not in {order.books_without} books, {waited.total_seconds():.0f} s after it was asked"
            _move(order, OrderStatus.LOST, who="watcher", why=why, now=now)
        order.save()
        return OrderStatus(order.status)


def adopt(
    desk: Desk, request: OrderRequest, broker_order_id: str, *, entry: Order, group_number: int, why: str
) -> Order:
    """Remember an order of ours that was sent while no row could be written. Its state comes from the book."""
    known = Order.objects.filter(client_order_id=request.client_order_id).first()
    if known is not None:
        return known
    with transaction.atomic():
        order = _remember(desk, request, None, entry, group_number, 0)
        order.broker_order_id = broker_order_id
        sent = OrderStatus.PENDING_NEW if broker_order_id else OrderStatus.UNKNOWN
        _move(order, sent, who=desk.lease.holder, why=why, now=order.asked_at)
        order.save()
    return order


def settle_interrupted(desk: Desk) -> int:
    """After a restart: an intent whose outcome was never written is UNKNOWN, and is looked for in the book."""
    now, machine_now = desk.clocks.market_now(), desk.clocks.machine_now()
    hanging = Command.objects.filter(
        order__account=desk.account, session=desk.session, outcome=CommandOutcome.PENDING
    ).exclude(fence=desk.lease.fence)
    count = 0
    for command in hanging.select_related("order"):
        with transaction.atomic():
            order = Order.objects.select_for_update(of=("self",)).get(pk=command.order_id)
            command.outcome, command.outcome_machine_at = CommandOutcome.UNKNOWN, machine_now
            command.reason = "the process ended between intent and outcome"
            command.save()
            if order.status == OrderStatus.SUBMITTED:
                _move(order, OrderStatus.UNKNOWN, who="watcher", why=command.reason, now=now)
                order.save()
        count += 1
    return count


def _remember(
    desk: Desk,
    request: OrderRequest,
    decision: Decision | None,
    entry: Order | None,
    group_number: int | None,
    slice: int,
) -> Order:
    now = desk.clocks.market_now()
    return Order.objects.create(
        account=desk.account,
        session=desk.session,
        trading_date=desk.trading_date,
        mode=desk.account.mode,
        decision=decision,
        entry=entry,
        group_number=group_number,
        slice=slice,
        role=request.role,
        client_order_id=request.client_order_id,
        tag=request.tag,
        exchange=request.exchange,
        tradingsymbol=request.tradingsymbol,
        side=request.side,
        product=request.product,
        order_type=request.order_type,
        quantity=request.quantity,
        price=request.price,
        trigger_price=request.trigger_price,
        status=OrderStatus.SUBMITTED,
        asked_at=now,
        asked_machine_at=desk.clocks.machine_now(),
        updated_at=now,
    )


def _intend(
    desk: Desk, order: Order, claim: Claim, kind: CommandKind, purpose: str, arguments: dict[str, str]
) -> Command:
    return Command.objects.create(
        order=order,
        session_id=order.session_id,
        trading_date=order.trading_date,
        day_number=claim.day_number,
        number=1 if kind is CommandKind.PLACE else order.commands.count() + 1,
        kind=kind,
        purpose=purpose,
        arguments=arguments,
        fence=desk.lease.fence,
        intent_at=desk.clocks.market_now(),
        intent_machine_at=desk.clocks.machine_now(),
    )


def _carry_out(
    desk: Desk,
    command: Command,
    call: Callable[[], str | None],
    *,
    intent_s: float,
    opens_risk: bool = False,
) -> Answer:
    answer = sending.carry_out(desk, call, opens_risk=opens_risk, intent_s=intent_s)
    command.outcome = answer.outcome
    command.outcome_machine_at = desk.clocks.machine_now()
    command.reason = answer.reason
    command.latency_ms = answer.latency_ms
    command.save(update_fields=["outcome", "outcome_machine_at", "reason", "latency_ms"])
    return answer


def _move(
    order: Order,
    to: OrderStatus,
    *,
    who: str,
    why: str,
    now: datetime,
    cause: dict[str, object] | None = None,
) -> None:
    """The writer of `status`. The caller holds the row's lock and saves it."""
    was = order.status
    order.status = order_states.next_status(OrderStatus(was), to)
    order.updated_at = now
    if order.status in order_states.CLOSED:
        order.closed_at = order.closed_at or now
    else:
        order.closed_at = None
    _remember_event(order, was, who=who, why=why, now=now, cause=cause)


def _remember_event(
    order: Order, was: str, *, who: str, why: str, now: datetime, cause: dict[str, object] | None = None
) -> None:
    OrderEvent.objects.create(
        order=order,
        at=now,
        from_status=was,
        to_status=order.status,
        who=who[:40],
        why=why[:300],
        filled_quantity=order.filled_quantity,
        cause=cause or {},
    )


def _is_older(order: Order, report: OrderReport) -> bool:
    """Whether a report tells of a moment before what we know: filled less, open again, or on its way again.

    An order that no book has shown yet has no older moment: one found alive after a refusal is news.
    """
    if report.filled_quantity != order.filled_quantity:
        return report.filled_quantity < order.filled_quantity
    if order.first_seen_machine_at is None or order.status == OrderStatus.LOST:
        return False
    if order.status in order_states.CLOSED:
        return report.status not in order_states.CLOSED
    is_past_new = order.status not in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN, OrderStatus.PENDING_NEW)
    return is_past_new and report.status is OrderStatus.PENDING_NEW


def _fingerprint(order: Order) -> tuple[object, ...]:
    return (
        order.status,
        order.broker_order_id,
        order.exchange_order_id,
        order.order_type,
        order.quantity,
        order.price,
        order.trigger_price,
        order.filled_quantity,
        order.average_price,
        order.status_message,
        order.accepted_at,
        order.first_seen_machine_at,
        order.triggered_machine_at,
        order.books_without,
    )
