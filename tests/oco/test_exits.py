"""What the plan asks of a group, done: the reason is written first, then the order is asked for."""

from decimal import Decimal

import pytest

from oco import exits, groups
from oco.groups import LiveGroup
from oco.models import OcoGroup
from oco.views import CloseExit, ExitPolicy, FinishGroup, MoveReason, MoveStop, PlaceExit, TakeTarget
from tests.days.broker import SimulatedCrash, Trouble
from tests.days.desk import Day
from trading.core.enums import ExitReason, GroupState, LegKind, LegState, Role
from trading.core.order_ids import kite_tag, order_client_id
from trading.models import Command, Order

pytestmark = pytest.mark.django_db


def live_group(day: Day) -> LiveGroup:
    (found,) = groups.live(day.desk, ExitPolicy())
    return found


def newest_change() -> Command:
    return Command.objects.filter(kind="MODIFY").latest("pk")


def test_a_moved_stop_is_the_groups_stop_from_then_on():
    day = Day.opens()
    day.enters()
    exits.perform(day.desk, live_group(day), MoveStop(24_950_00, 24_875_00, MoveReason.TRAIL))
    assert OcoGroup.objects.get().stop_price == Decimal("24950.00")
    assert newest_change().arguments == {"trigger_price": "24950.00", "price": "24875.00"}
    assert newest_change().purpose == "trail"
    assert day.groups()[0].legs.get(kind=LegKind.STOP).price == Decimal("24950.00")


def test_taking_the_target_turns_the_one_order_into_a_limit():
    day = Day.opens()
    day.enters()
    exits.perform(day.desk, live_group(day), TakeTarget(24_825_30))
    group = OcoGroup.objects.get()
    assert (group.state, group.close_reason) == (GroupState.CLOSING, ExitReason.TARGET)
    assert group.legs.get(kind=LegKind.TARGET).state == LegState.TAKEN
    assert newest_change().arguments == {"order_type": "LIMIT", "price": "24825.30"}
    assert len(day.broker_orders(Role.STOP)) == 1


def test_the_reason_is_written_before_the_call_so_that_a_crash_keeps_it():
    day = Day.opens()
    day.enters()
    day.broker.will(Trouble.CRASH_BEFORE, Role.STOP, "modify")
    with pytest.raises(SimulatedCrash):
        exits.perform(day.desk, live_group(day), CloseExit(24_990_00, ExitReason.TIME))
    group = OcoGroup.objects.get()
    assert (group.state, group.close_reason) == (GroupState.CLOSING, ExitReason.TIME)
    assert newest_change().outcome == "PENDING"


def test_a_later_reason_to_close_does_not_replace_the_first():
    day = Day.opens()
    day.enters()
    exits.perform(day.desk, live_group(day), TakeTarget(24_825_30))
    exits.perform(day.desk, live_group(day), CloseExit(24_800_00, ExitReason.SQUARE_OFF))
    assert OcoGroup.objects.get().close_reason == ExitReason.TARGET


def test_a_closing_order_has_the_id_of_its_role_group_and_attempt():
    day = Day.opens()
    decision = day.enters()
    exits.perform(day.desk, live_group(day), PlaceExit(75, 24_990_00, ExitReason.UNPROTECTED))
    order = Order.objects.get(role=Role.EXIT)
    expected = order_client_id(decision.signal.plan_id, Role.EXIT, group=1, attempt=0)
    assert (order.client_order_id, order.tag) == (expected, kite_tag(Role.EXIT, expected))
    assert (order.order_type, order.trigger_price) == ("LIMIT", 0)


def test_an_exit_larger_than_the_position_is_never_sent():
    day = Day.opens()
    day.enters()
    asked = list(day.broker.asked)
    with pytest.raises(ValueError, match="would turn it round"):
        exits.perform(day.desk, live_group(day), PlaceExit(150, 24_990_00, ExitReason.UNPROTECTED))
    assert day.broker.asked == asked
    assert Order.objects.filter(role=Role.EXIT).count() == 0


@pytest.mark.parametrize(
    ("reason", "stop", "target"),
    [
        (ExitReason.TARGET, LegState.CANCELED, LegState.FILLED),
        (ExitReason.STOP, LegState.FILLED, LegState.CANCELED),
        (ExitReason.TRAIL, LegState.FILLED, LegState.CANCELED),
        (ExitReason.OPERATOR, LegState.CANCELED, LegState.CANCELED),
        (None, LegState.CANCELED, LegState.CANCELED),
    ],
)
def test_a_finished_group_has_one_leg_filled_or_none_and_no_orphan(reason, stop, target):
    day = Day.opens()
    day.enters()
    exits.perform(day.desk, live_group(day), FinishGroup(reason))
    group = OcoGroup.objects.get()
    assert {leg.kind: leg.state for leg in group.legs.all()} == {"STOP": stop, "TARGET": target}
    assert (group.state, group.exit_reason, group.closed_at) == (
        GroupState.CLOSED,
        reason or "",
        day.now,
    )


def test_entries_the_broker_never_named_are_left_to_the_book():
    day = Day.opens()
    day.broker.will(Trouble.CALL_LOST, Role.ENTRY)
    day.enters(within_s=1)
    assert exits.cancel_entries(day.desk, day.orders(Role.ENTRY)) == 0
    assert day.broker.asked == [("place", Role.ENTRY)]
