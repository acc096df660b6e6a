"""The one-share probe: what it shows, what it leaves behind, and how it fails."""

import pytest

from tests.days.desk import Day
from tests.days.market import STEEL
from trading.broker.base import BrokerRefused
from trading.core.enums import OrderType
from trading.models import Order
from trading.probe import Probe, ProbeFailed

pytestmark = pytest.mark.django_db


@pytest.fixture
def day() -> Day:
    return Day.opens(STEEL)


def probe(day: Day) -> Probe:
    return Probe(day.broker.paper, day.desk.clocks, day.run_for)


def asked(day: Day):
    (order,) = [one for one in day.replayed.venue.orders.values() if one.tag == "PROBE"]
    return order


def test_it_shows_each_step_in_the_brokers_own_book_and_leaves_nothing(day):
    shown = probe(day).run(STEEL, day.loop.quote("NSE", "STEEL"))
    assert shown[0] == "a stop rests"
    assert shown[1] == "its quantity was changed to 2"
    assert shown[2].startswith("it was turned into a LIMIT at ")
    assert shown[3:] == ["it was cancelled"]
    order = asked(day)
    assert (order.filled, order.cancelled, day.net(STEEL), day.working()) == (0, 2, 0, [])
    # The order watcher saw the book meanwhile and took none of it for ours.
    assert (Order.objects.count(), day.groups()) == (0, [])


def test_a_broker_that_turns_no_stop_into_a_limit_fails_it_and_the_order_is_taken_back(day):
    modify = day.broker.paper.modify

    def no_type(broker_order_id, change):
        if change.order_type is not None:
            raise BrokerRefused("Order type cannot be changed.", error_type="InputException", http_status=400)
        modify(broker_order_id, change)

    day.broker.paper.modify = no_type
    with pytest.raises(ProbeFailed, match="could not be turned into a limit: Order type cannot be changed"):
        probe(day).run(STEEL, day.loop.quote("NSE", "STEEL"))
    assert day.working() == []


def test_a_change_that_is_accepted_and_never_shown_fails_it(day):
    modify = day.broker.paper.modify
    day.broker.paper.modify = lambda name, change: None if change.order_type else modify(name, change)
    with pytest.raises(ProbeFailed, match="did not show within 10 s that it was turned into a LIMIT"):
        probe(day).run(STEEL, day.loop.quote("NSE", "STEEL"))
    assert day.working() == []
    assert asked(day).order_type == OrderType.SL


def test_an_order_that_cannot_be_taken_back_is_named(day):
    def refused(broker_order_id):
        raise BrokerRefused("not now")

    day.broker.paper.cancel = refused
    with pytest.raises(ProbeFailed, match="may still rest or has filled: look at it in Kite"):
        probe(day).run(STEEL, day.loop.quote("NSE", "STEEL"))
