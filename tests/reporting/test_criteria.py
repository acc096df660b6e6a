"""Each criterion true, false, and false because nothing exercised it."""

from typing import Any

import pytest

from reporting.criteria import Bar, Criterion, Evidence, evidence_of, judge
from tests.reporting.day_builders import (
    books,
    clock,
    day,
    fill_report,
    group,
    order,
    order_report,
    position,
    square_off,
)
from trading.core.enums import ExitReason, FlattenState, GroupState, LegKind, LegState, Role

NAMES = [
    "signals",
    "decisions_planned",
    "oco_lifecycle",
    "flatten",
    "no_duplicate_orders",
    "no_orphan_sibling",
    "complete_chain",
    "flat_at_broker",
]

GOOD = Evidence(
    signals=50,
    decisions_planned=3,
    groups_entered=2,
    lifecycles_complete=1,
    flattens_ms=(2000, 350),
    orders=4,
    broker_orders=4,
    groups_exited=2,
    orphans=(),
    trades=1,
    broken_chains=(),
    square_off_ran=True,
    positions_traded=1,
)


def verdict(name: str, **changes: Any) -> Criterion:
    facts = {field: getattr(GOOD, field) for field in Evidence.__slots__}
    return next(one for one in judge(Evidence(**facts | changes)) if one.name == name)


def test_a_day_at_the_bar_passes_all_eight_in_their_order():
    verdicts = judge(GOOD)
    assert [one.name for one in verdicts] == NAMES
    assert [one.passed for one in verdicts] == [True] * 8


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("signals", {"signals": 49}),
        ("decisions_planned", {"decisions_planned": 2}),
        ("oco_lifecycle", {"lifecycles_complete": 0}),
        ("flatten", {"flattens_ms": (350, 2001)}),
        ("flatten", {"flattens_ms": (350, None)}),
        ("no_duplicate_orders", {"repeated_client_ids": ("a" * 24,)}),
        ("no_duplicate_orders", {"repeated_broker_tags": ("E" + "a" * 19,)}),
        ("no_orphan_sibling", {"orphans": ("I3: a stop worked on",)}),
        ("complete_chain", {"broken_chains": ("I5: a trade without a signal",)}),
        ("flat_at_broker", {"positions_left": ("NFO:NIFTY22MARFUT -50",)}),
        ("flat_at_broker", {"fills_after_square_off": 1}),
    ],
)
def test_a_criterion_that_was_exercised_can_be_false(name, changes):
    found = verdict(name, **changes)
    assert (found.passed, found.figures["exercised"]) == (False, True)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("signals", {"signals": 0}),
        ("decisions_planned", {"decisions_planned": 0}),
        ("oco_lifecycle", {"groups_entered": 0, "lifecycles_complete": 0}),
        ("flatten", {"flattens_ms": (), "flattens_without_position": 2}),
        ("no_duplicate_orders", {"orders": 0, "broker_orders": 0}),
        ("no_orphan_sibling", {"groups_exited": 0}),
        ("complete_chain", {"trades": 0}),
        ("flat_at_broker", {"positions_traded": 0}),
        ("flat_at_broker", {"square_off_ran": False}),
    ],
)
def test_a_criterion_that_nothing_exercised_is_false_and_says_so(name, changes):
    found = verdict(name, **changes)
    assert (found.passed, found.figures["exercised"]) == (False, False)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("no_duplicate_orders", {"broker_orders": None}),
        ("no_orphan_sibling", {"orphans": None}),
        ("complete_chain", {"broken_chains": None}),
        ("flat_at_broker", {"positions_traded": None}),
    ],
)
def test_what_needs_the_broker_is_false_where_its_books_were_not_read(name, changes):
    found = verdict(name, **changes)
    assert (found.passed, found.figures["broker_asked"]) == (False, False)


def test_figures_name_what_was_found_and_what_was_wanted():
    assert verdict("signals", signals=19).figures == {"exercised": True, "found": 19, "wanted": 50}
    assert verdict("flatten", flattens_ms=(350, None)).figures == {
        "exercised": True,
        "with_position": 2,
        "without_position": 0,
        "unfinished": 1,
        "slowest_ms": 350,
        "limit_ms": 2000,
    }


def test_the_bar_can_be_hung_elsewhere():
    lowered = judge(Evidence(signals=19), Bar(signals=10))
    assert lowered[0].passed is True


def test_a_sound_day_is_counted_as_it_was():
    found = evidence_of(day(flattens=(square_off(positions_at_start=1),)))
    assert (found.signals, found.decisions_planned, found.trades) == (60, 4, 1)
    assert (found.groups_entered, found.groups_exited, found.lifecycles_complete) == (1, 1, 1)
    assert (found.orders, found.broker_orders, found.positions_traded) == (2, 2, 1)
    assert (found.orphans, found.broken_chains, found.positions_left) == ((), (), ())
    assert (found.flattens_ms, found.square_off_ran, found.fills_after_square_off) == ((400,), True, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"armed_at": None},
        {"state": GroupState.BROKEN},
        {"exited_quantity": 25},
        {"legs": ((LegKind.STOP, LegState.CANCELED), (LegKind.TARGET, LegState.CANCELED))},
        {"legs": ((LegKind.STOP, LegState.FILLED), (LegKind.TARGET, LegState.FILLED))},
        {"legs": ((LegKind.STOP, LegState.FILLED), (LegKind.TARGET, LegState.HELD))},
    ],
)
def test_a_lifecycle_that_lacks_anything_is_not_complete(changes):
    assert evidence_of(day(groups=(group(**changes),))).lifecycles_complete == 0


def test_a_flatten_that_is_flat_but_watching_has_no_time():
    watching = square_off(positions_at_start=1, state=FlattenState.FLAT_BUT_WATCHING)
    assert evidence_of(day(flattens=(watching,))).flattens_ms == (None,)


def test_a_square_off_without_a_verdict_did_not_happen():
    assert evidence_of(day(flattens=(square_off(finished_at=None),))).square_off_ran is False
    drill = square_off(reason=ExitReason.OPERATOR, is_square_off=False)
    assert evidence_of(day(flattens=(drill,))).square_off_ran is False


def test_what_the_broker_holds_or_executes_after_the_square_off_is_seen():
    late = fill_report(Role.STOP, filled_at=clock("15:10:05"))
    found = evidence_of(day(books=books(fills=(fill_report(), late), positions=(position(-50),))))
    assert found.positions_left == ("NFO:NIFTY22MARFUT -50",)
    assert found.fills_after_square_off == 1


def test_ids_and_tags_that_come_twice_are_named():
    twice = order(Role.STOP, client_order_id="0" * 24)
    same_tag = order_report(Role.STOP, tag="E" + "0" * 19)
    found = evidence_of(day(orders=(order(), twice), books=books(orders=(order_report(), same_tag))))
    assert found.repeated_client_ids == ("0" * 24,)
    assert found.repeated_broker_tags == ("E" + "0" * 19,)


def test_without_the_brokers_books_nothing_of_the_brokers_is_made_up():
    found = evidence_of(day(books=None))
    assert (found.broker_orders, found.orphans, found.broken_chains, found.positions_traded) == (None,) * 4
