"""Groups follow an entry's fills: made once, enlarged, never over their plan, with ids known before any order."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from oco import groups
from oco.groups import create_oco_group
from oco.models import OcoGroup
from oco.views import ExitPolicy
from tests.days.desk import Day
from trading.core.enums import ExitReason, GroupState, LegKind, LegState, Role
from trading.models import Order

pytestmark = pytest.mark.django_db

POLICY = ExitPolicy()
PLAN = {"entry": "25000.00", "stop": "24900.00"}


def test_the_same_plan_gives_the_same_legs_and_another_plan_others():
    first, again = create_oco_group(PLAN), create_oco_group(PLAN)
    assert first == again
    ids = {
        leg
        for made in (first, create_oco_group(PLAN, number=2), create_oco_group(PLAN, slice=1))
        for leg in (made.stop_client_order_id, made.target_client_order_id)
    }
    other = create_oco_group({**PLAN, "stop": "24900.05"})
    assert len(ids) == 6
    assert ids.isdisjoint({other.stop_client_order_id, other.target_client_order_id})
    assert create_oco_group(first.plan_id) == first


def test_a_groups_legs_have_the_ids_of_its_plan_and_its_stop_is_that_order():
    day = Day.opens()
    decision = day.enters()
    (group,) = day.groups()
    ids = create_oco_group(decision.signal.plan_id)
    legs = {leg.kind: (leg.client_order_id, leg.state, leg.price) for leg in group.legs.all()}
    assert legs == {
        "STOP": (ids.stop_client_order_id, LegState.RESTING, Decimal("24900.00")),
        "TARGET": (ids.target_client_order_id, LegState.HELD, Decimal("25300.00")),
    }
    assert day.orders(Role.STOP)[0].client_order_id == ids.stop_client_order_id


def test_following_an_entry_again_changes_nothing():
    day = Day.opens()
    day.enters(stop="24920", target="25300")
    (entry,) = day.orders(Role.ENTRY)
    before = list(OcoGroup.objects.order_by("pk").values())
    groups.follow_entry(day.desk, entry, POLICY)
    assert list(OcoGroup.objects.order_by("pk").values()) == before


def test_fills_that_come_in_parts_fill_the_first_group_before_the_second():
    day = Day.opens()
    day.enters(stop="24920", target="25300")
    (entry,) = day.orders(Role.ENTRY)
    OcoGroup.objects.update(entered_quantity=0)
    entry.filled_quantity = 100
    found = groups.follow_entry(day.desk, entry, POLICY)
    assert [group.entered_quantity for group in found] == [75, 25]


def test_a_group_closed_before_a_late_entry_fill_opens_again_bare():
    day = Day.opens()
    day.enters(stop="24920", target="25300")
    (entry,) = day.orders(Role.ENTRY)
    OcoGroup.objects.filter(number=2).update(
        entered_quantity=25, exited_quantity=25, state=GroupState.CLOSED, closed_at=day.now
    )
    second = groups.follow_entry(day.desk, entry, POLICY)[1]
    assert (second.entered_quantity, second.state, second.closed_at) == (75, GroupState.OPENING, None)
    assert second.unprotected_since is not None


def test_the_time_bare_is_from_the_first_fill_to_the_confirmed_stop():
    day = Day.opens()
    day.enters()
    (group,) = day.groups()
    assert group.unprotected_since is None
    assert 0 < group.unprotected_ms < 1000
    assert group.armed_at is not None


def test_a_stop_that_disappears_makes_the_group_bare_again():
    day = Day.opens()
    day.enters()
    Order.objects.filter(role=Role.STOP).update(status="CANCELED")
    (live,) = groups.live(day.desk, POLICY)
    assert groups.note_protection(day.desk, live, feed_is_fresh=True)
    assert OcoGroup.objects.get().unprotected_since == day.now


def test_armed_needs_a_fresh_feed_beside_the_confirmed_stop():
    day = Day.opens()
    day.enters()
    OcoGroup.objects.update(state=GroupState.OPENING)
    (live,) = groups.live(day.desk, POLICY)
    groups.note_protection(day.desk, live, feed_is_fresh=False)
    assert OcoGroup.objects.get().state == GroupState.OPENING
    groups.note_protection(day.desk, live, feed_is_fresh=True)
    assert OcoGroup.objects.get().state == GroupState.ARMED


def test_the_first_reason_to_close_stays():
    day = Day.opens()
    day.enters()
    (live,) = groups.live(day.desk, POLICY)
    groups.ask_to_close(day.desk, [live], ExitReason.OPERATOR)
    groups.ask_to_close(day.desk, [live], ExitReason.SQUARE_OFF)
    assert OcoGroup.objects.get().close_reason == ExitReason.OPERATOR
    assert live.view.close_reason == ExitReason.OPERATOR


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"entered_quantity": 76}, "group_never_over_its_plan"),
        ({"exited_quantity": 76}, "group_never_reversed"),
    ],
)
def test_the_database_refuses_a_group_over_its_plan_or_turned_round(change, constraint):
    day = Day.opens()
    day.enters()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        OcoGroup.objects.update(**change)


def test_the_database_refuses_a_second_group_or_leg_of_a_kind():
    day = Day.opens()
    day.enters()
    group = day.groups()[0]
    leg = group.legs.get(kind=LegKind.STOP)
    leg.pk, leg.client_order_id = None, "0" * 24
    with pytest.raises(IntegrityError, match="one_leg_of_a_kind"), transaction.atomic():
        leg.save(force_insert=True)
    group.pk = None
    with pytest.raises(IntegrityError, match="one_group_per_entry_and_number"), transaction.atomic():
        group.save(force_insert=True)
