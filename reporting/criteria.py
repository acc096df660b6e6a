"""The eight criteria of a burn-in day. Pure.

Each can be true and can be false: what nothing exercised is false and says so in its figures.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reporting import invariants
from reporting.facts import DayFacts, GroupFact, instrument_of, is_ours, label
from trading.core.enums import FlattenState, GroupState, LegKind, LegState

Figures = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """How high each criterion hangs. Source: the trading rules' table "Burn-in"."""

    signals: int = 50
    decisions_planned: int = 3
    oco_lifecycles: int = 1
    flatten_ms: int = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Counts and facts of one day. A figure of the broker's is None where its books were not read."""

    signals: int = 0
    decisions_planned: int = 0
    groups_entered: int = 0
    lifecycles_complete: int = 0
    #: verdict times of flattens that met an open position; None: no verdict, or none that says flat
    flattens_ms: tuple[int | None, ...] = ()
    flattens_without_position: int = 0
    orders: int = 0
    repeated_client_ids: tuple[str, ...] = ()
    broker_orders: int | None = None
    repeated_broker_tags: tuple[str, ...] = ()
    groups_exited: int = 0
    orphans: tuple[str, ...] | None = None
    trades: int = 0
    broken_chains: tuple[str, ...] | None = None
    square_off_ran: bool = False
    #: instruments that the broker's position book names today
    positions_traded: int | None = None
    #: "NFO:NIFTY22MARFUT -50"
    positions_left: tuple[str, ...] = ()
    fills_after_square_off: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """One verdict with the figures it stands on; `exercised` among them."""

    name: str
    passed: bool
    figures: Figures


def judge(evidence: Evidence, bar: Bar | None = None) -> tuple[Criterion, ...]:
    """All eight, in the order of the trading rules."""
    return tuple(criterion(evidence, bar or Bar()) for criterion in CRITERIA)


def signals(evidence: Evidence, bar: Bar) -> Criterion:
    """Enough setups were seen."""
    return _counted("signals", evidence.signals, bar.signals)


def decisions_planned(evidence: Evidence, bar: Bar) -> Criterion:
    """Enough signals were approved with a quantity."""
    return _counted("decisions_planned", evidence.decisions_planned, bar.decisions_planned)


def oco_lifecycle(evidence: Evidence, bar: Bar) -> Criterion:
    """A group was entered and armed, one exit filled, the other was closed."""
    figures: Figures = {"groups_entered": evidence.groups_entered}
    return _counted(
        "oco_lifecycle",
        evidence.lifecycles_complete,
        bar.oco_lifecycles,
        exercised=evidence.groups_entered > 0,
        figures=figures,
    )


def flatten(evidence: Evidence, bar: Bar) -> Criterion:
    """Every flatten that met an open position reached its verdict in time."""
    times = evidence.flattens_ms
    done = [took for took in times if took is not None]
    passed = bool(times) and len(done) == len(times) and max(done) <= bar.flatten_ms
    return _criterion(
        "flatten",
        passed,
        exercised=bool(times),
        with_position=len(times),
        without_position=evidence.flattens_without_position,
        unfinished=len(times) - len(done),
        slowest_ms=max(done, default=None),
        limit_ms=bar.flatten_ms,
    )


def no_duplicate_orders(evidence: Evidence, bar: Bar) -> Criterion:
    """No id twice: in the database, and by tag in the broker's book."""
    was_read = evidence.broker_orders is not None
    exercised = bool(evidence.orders and evidence.broker_orders)
    repeated = [*evidence.repeated_client_ids, *evidence.repeated_broker_tags]
    return _criterion(
        "no_duplicate_orders",
        exercised and not repeated,
        exercised=exercised,
        broker_asked=was_read,
        orders=evidence.orders,
        broker_orders=evidence.broker_orders,
        repeated_client_ids=list(evidence.repeated_client_ids),
        repeated_broker_tags=list(evidence.repeated_broker_tags),
    )


def no_orphan_sibling(evidence: Evidence, bar: Bar) -> Criterion:
    """After an exit nothing of its group worked on, and flat means that nothing of ours rests."""
    return _unbroken(
        "no_orphan_sibling", evidence.orphans, evidence.groups_exited, "groups_exited", "orphans"
    )


def complete_chain(evidence: Evidence, bar: Bar) -> Criterion:
    """Signal → decision → orders → fills for every trade, and back from the broker's book."""
    return _unbroken("complete_chain", evidence.broken_chains, evidence.trades, "trades", "broken")


def flat_at_broker(evidence: Evidence, bar: Bar) -> Criterion:
    """The square-off ran, and the broker's own positions are nil."""
    exercised = evidence.square_off_ran and bool(evidence.positions_traded)
    return _criterion(
        "flat_at_broker",
        exercised and not evidence.positions_left and not evidence.fills_after_square_off,
        exercised=exercised,
        broker_asked=evidence.positions_traded is not None,
        square_off_ran=evidence.square_off_ran,
        positions_traded=evidence.positions_traded,
        positions_left=list(evidence.positions_left),
        fills_after_square_off=evidence.fills_after_square_off,
    )


CRITERIA: tuple[Callable[[Evidence, Bar], Criterion], ...] = (
    signals,
    decisions_planned,
    oco_lifecycle,
    flatten,
    no_duplicate_orders,
    no_orphan_sibling,
    complete_chain,
    flat_at_broker,
)


def evidence_of(facts: DayFacts) -> Evidence:
    """Count what the criteria ask for."""
    flattens = [one for one in facts.flattens if not one.is_of_one_position]
    exercised = [one for one in flattens if one.positions_at_start > 0]
    books = facts.books
    ours = [report for report in books.orders if is_ours(report)] if books else []
    positions = books.positions if books else ()
    traded = {order.instrument for order in facts.orders}
    left = [report for report in positions if report.quantity and instrument_of(report) in traded]
    return Evidence(
        signals=facts.signals,
        decisions_planned=facts.decisions_planned,
        groups_entered=sum(group.entered_quantity > 0 for group in facts.groups),
        lifecycles_complete=sum(_is_complete(group) for group in facts.groups),
        flattens_ms=tuple(one.took_ms if one.state is FlattenState.FLAT else None for one in exercised),
        flattens_without_position=len(flattens) - len(exercised),
        orders=len(facts.orders),
        repeated_client_ids=_repeated(order.client_order_id for order in facts.orders),
        broker_orders=len(ours) if books else None,
        repeated_broker_tags=_repeated(report.tag for report in ours),
        groups_exited=sum(group.exited_quantity > 0 for group in facts.groups),
        orphans=tuple(invariants.orphans(facts)) if books else None,
        trades=len(facts.trades),
        broken_chains=tuple(invariants.broken_chains(facts)) if books else None,
        square_off_ran=facts.square_off_ran and _square_off_is_done(facts),
        positions_traded=len(positions) if books else None,
        positions_left=tuple(f"{label(instrument_of(one))} {one.quantity}" for one in left),
        fills_after_square_off=_fills_after_square_off(facts),
    )


def _counted(
    name: str, found: int, wanted: int, *, exercised: bool | None = None, figures: Figures | None = None
) -> Criterion:
    was_exercised = found > 0 if exercised is None else exercised
    shown = {**(figures or {}), "found": found, "wanted": wanted}
    return _criterion(name, was_exercised and found >= wanted, exercised=was_exercised, **shown)


def _unbroken(name: str, broken: tuple[str, ...] | None, count: int, what: str, how: str) -> Criterion:
    exercised = broken is not None and count > 0
    return _criterion(
        name,
        exercised and not broken,
        exercised=exercised,
        broker_asked=broken is not None,
        **{what: count, how: list(broken or ())},
    )


def _criterion(name: str, passed: bool, *, exercised: bool, **figures: object) -> Criterion:
    return Criterion(name=name, passed=passed, figures={"exercised": exercised, **figures})


def _repeated(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name, count in Counter(names).items() if count > 1))


def _is_complete(group: GroupFact) -> bool:
    """Entered, armed with both legs, out by one of them, the other closed."""
    legs = dict(group.legs)
    return (
        group.state is GroupState.CLOSED
        and group.armed_at is not None
        and group.entered_quantity > 0
        and group.exited_quantity == group.entered_quantity
        and set(legs) == set(LegKind)
        and sorted(legs.values()) == [LegState.CANCELED, LegState.FILLED]
    )


def _square_off_is_done(facts: DayFacts) -> bool:
    """Every square-off that was asked for has its verdict."""
    asked = [one.finished_at for one in facts.flattens if one.is_square_off]
    return bool(asked) and None not in asked


def _fills_after_square_off(facts: DayFacts) -> int:
    """Executions on instruments whose square-off had already said flat."""
    if facts.books is None:
        return 0
    ends = [
        (one, one.finished_at) for one in facts.flattens if one.is_square_off and one.finished_at is not None
    ]
    traded = {order.instrument for order in facts.orders}
    return sum(
        any(one.covers(instrument_of(fill)) and fill.filled_at > end for one, end in ends)
        for fill in facts.books.fills
        if instrument_of(fill) in traded
    )
