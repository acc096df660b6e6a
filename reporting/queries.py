"""A day's rows and the broker's books, read once and handed on as values."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import date, datetime
from typing import Any, Final, Protocol

from django.db import connection
from django.db.models import Prefetch, QuerySet

from oco.models import DayStep, Flatten, OcoGroup
from reporting.facts import (
    BrokerBooks,
    CommandFact,
    DayFacts,
    EventFact,
    FillFact,
    FlattenFact,
    GroupFact,
    LatchFact,
    OrderFact,
    TradeFact,
)
from risk import state
from risk.limits import Limits
from risk.models import EntriesOff, RiskLimits
from trading.core.charges import segment_of
from trading.core.enums import (
    CommandKind,
    CommandOutcome,
    ExitReason,
    FlattenState,
    GroupState,
    LegKind,
    LegState,
    OrderStatus,
    PauseReason,
    Role,
    Side,
)
from trading.core.values import FillReport, OrderReport, PositionReport
from trading.market import instruments
from trading.models import Account, Decision, Fill, Order, Signal, Trade, VenueSession

SQUARE_OFF_STEP = "square_off"


class BookReader(Protocol):
    """The part of a broker that reporting may use: it reads, it never writes."""

    def order_reports(self) -> list[OrderReport]: ...

    def fill_reports(self) -> list[FillReport]: ...

    def position_reports(self) -> list[PositionReport]: ...


def day_facts(
    account: Account, session: VenueSession, trading_date: date, broker: BookReader | None, *, now: datetime
) -> DayFacts:
    """Read one day whole. Without a broker the books are None, and what needs them cannot pass.

    Raises BrokerUnavailable or SessionExpired where the broker does not answer.
    """
    day = {"account": account, "session": session, "trading_date": trading_date}
    decisions = Decision.objects.filter(
        signal__account=account, signal__session=session, signal__trading_date=trading_date
    )
    steps = DayStep.objects.filter(**day, name__startswith=SQUARE_OFF_STEP)
    asked = [step.result.get("flatten") for step in steps]
    runs = Flatten.objects.filter(account=account, session=session).order_by("pk")
    return DayFacts(
        trading_date=trading_date,
        until=now,
        signals=Signal.objects.filter(**day).count(),
        decisions_planned=decisions.filter(approved=True).count(),
        orders=tuple(_order_fact(row) for row in _orders(day)),
        trades=tuple(_trade_fact(row) for row in _trades(day)),
        groups=tuple(_group_fact(row) for row in groups_of(account, session, trading_date)),
        flattens=tuple(_flatten_fact(row, is_square_off=row.pk in asked) for row in runs),
        latches=_latches(account, [row.asked_at for row in runs if row.latches]),
        square_off_ran=bool(asked),
        limits=_loosest(account, decisions),
        capital_inr=max(
            {account.paper_capital_inr, *decisions.values_list("capital_inr", flat=True).distinct()}
        ),
        books=None if broker is None else read_books(broker),
    )


def read_books(broker: BookReader) -> BrokerBooks:
    """The broker's three books; fills by time, those of one second as the broker lists them."""
    return BrokerBooks(
        orders=tuple(broker.order_reports()),
        fills=tuple(sorted(broker.fill_reports(), key=lambda fill: fill.filled_at)),
        positions=tuple(broker.position_reports()),
    )


# Each by an index: the page that shows the day asks it whenever Redis is away.
_LAST_MOMENT: Final = """
SELECT greatest(
 (SELECT max(at) FROM (SELECT e.at FROM trading_orderevent e JOIN trading_order o ON o.id = e.order_id
   WHERE o.session_id = %(session)s ORDER BY e.id DESC LIMIT 100) AS newest),
 (SELECT max(seen_at) FROM trading_signal WHERE session_id = %(session)s AND trading_date = (
         SELECT max(trading_date) FROM trading_signal WHERE session_id = %(session)s)),
 (SELECT max(done_at) FROM oco_daystep WHERE session_id = %(session)s))
"""


def last_moment(session: VenueSession) -> datetime:
    """The newest market time that the session's rows know."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_MOMENT, {"session": session.pk})
        newest: datetime | None = cursor.fetchone()[0]
    return newest or session.started_at


def _orders(day: dict[str, Any]) -> QuerySet[Order]:
    related = ("decision__signal", "entry__decision__signal")
    return (
        Order.objects.filter(**day)
        .select_related(*related)
        .prefetch_related("events", "commands")
        .order_by("pk")
    )


def _trades(day: dict[str, Any]) -> QuerySet[Trade]:
    fills = Prefetch("fills", queryset=Fill.objects.order_by("filled_at", "pk"))
    return Trade.objects.filter(**day).select_related("decision").prefetch_related(fills).order_by("pk")


def groups_of(account: Account, session: VenueSession, trading_date: date) -> QuerySet[OcoGroup]:
    return (
        OcoGroup.objects.filter(account=account, session=session, entry_order__trading_date=trading_date)
        .select_related("entry_order")
        .prefetch_related("legs")
        .order_by("pk")
    )


def _order_fact(row: Order) -> OrderFact:
    decision = row.decision or (row.entry.decision if row.entry else None)
    return OrderFact(
        id=row.pk,
        client_order_id=row.client_order_id,
        tag=row.tag,
        broker_order_id=row.broker_order_id,
        role=Role(row.role),
        instrument=(row.exchange, row.tradingsymbol, row.product),
        side=Side(row.side),
        quantity=row.quantity,
        filled_quantity=row.filled_quantity,
        status=OrderStatus(row.status),
        asked_at=row.asked_at,
        decision_id=decision.pk if decision else None,
        signal_id=decision.signal_id if decision else None,
        signal_stop_price=decision.signal.stop_price if decision else None,
        entry_id=row.entry_id,
        group_number=row.group_number,
        slice=row.slice,
        events=tuple(
            EventFact(
                from_status=event.from_status,
                to_status=OrderStatus(event.to_status),
                filled_quantity=event.filled_quantity,
                who=event.who,
                at=event.at,
            )
            for event in row.events.all()
        ),
        commands=tuple(
            CommandFact(
                kind=CommandKind(command.kind),
                outcome=CommandOutcome(command.outcome),
                intent_at=command.intent_at,
            )
            for command in row.commands.all()
        ),
    )


def _trade_fact(row: Trade) -> TradeFact:
    return TradeFact(
        id=row.pk,
        decision_id=row.decision_id,
        is_approved=row.decision.approved,
        instrument=(row.exchange, row.tradingsymbol, row.product),
        segment=segment_of(instruments.spec_of(row.exchange, row.tradingsymbol, row.trading_date)),
        side=Side(row.side),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        entered_quantity=row.entered_quantity,
        exited_quantity=row.exited_quantity,
        gross_inr=row.gross_inr,
        charges_inr=row.charges_inr,
        net_inr=row.net_inr,
        fills=tuple(
            FillFact(
                order_id=fill.order_id,
                broker_order_id=fill.broker_order_id,
                broker_trade_id=fill.broker_trade_id,
                side=Side(fill.side),
                quantity=fill.quantity,
                price=fill.price,
            )
            for fill in row.fills.all()
        ),
    )


def _group_fact(row: OcoGroup) -> GroupFact:
    entry = row.entry_order
    return GroupFact(
        id=row.pk,
        number=row.number,
        entry_id=row.entry_order_id,
        instrument=(entry.exchange, entry.tradingsymbol, entry.product),
        state=GroupState(row.state),
        entered_quantity=row.entered_quantity,
        exited_quantity=row.exited_quantity,
        armed_at=row.armed_at,
        closed_at=row.closed_at,
        exit_reason=ExitReason(row.exit_reason) if row.exit_reason else None,
        unprotected_ms=row.unprotected_ms,
        unprotected_since=row.unprotected_since,
        legs=tuple((LegKind(leg.kind), LegState(leg.state)) for leg in row.legs.all()),
        problem=row.problem,
    )


def _flatten_fact(row: Flatten, *, is_square_off: bool) -> FlattenFact:
    return FlattenFact(
        reason=ExitReason(row.reason),
        state=FlattenState(row.state),
        asked_at=row.asked_at,
        finished_at=row.finished_at,
        took_ms=row.took_ms,
        positions_at_start=row.positions_at_start,
        tradingsymbols=tuple(row.tradingsymbols),
        is_square_off=is_square_off,
    )


def _latches(account: Account, asked_at: Iterable[datetime]) -> tuple[LatchFact, ...]:
    """The latches that this session's flattens set. They know no session, but carry the flatten's moment."""
    rows = EntriesOff.objects.filter(account=account, set_at__in=list(asked_at)).order_by("pk")
    return tuple(
        LatchFact(reason=PauseReason(row.reason), set_at=row.set_at, lifted_at=row.lifted_at) for row in rows
    )


def _loosest(account: Account, decisions: QuerySet[Decision]) -> Limits:
    """Limits may have changed during the day: nothing may ever have gone beyond the widest of each."""
    versions = set(decisions.values_list("limits_version", flat=True))
    rows = list(RiskLimits.objects.filter(account=account, version__in=versions))
    every = [row.value() for row in rows or [state.limits_in_force(account.pk)]]
    return Limits(**{one.name: max(getattr(value, one.name) for value in every) for one in fields(Limits)})
