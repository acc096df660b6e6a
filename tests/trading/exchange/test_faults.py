"""Which requests meet a fault that is set, and what is refused as no fault."""

import pytest

from trading.exchange.faults import FaultKind, Faults
from trading.exchange.rules import VenueRefusal

PLACE = ("POST", "/orders/regular")
CANCEL = ("DELETE", "/orders/regular/1")
BOOK = ("GET", "/orders")


def kinds(faults, method, path):
    return [fault.kind for fault in faults.take(method, path)]


@pytest.fixture
def faults():
    return Faults()


def test_without_a_fault_a_request_meets_none(faults):
    assert faults.take(*PLACE) == []


def test_a_counted_fault_is_gone_after_so_many_requests(faults):
    faults.set({"too_many": {"next": 2}}, 0)
    assert [kinds(faults, *PLACE) for _ in range(3)] == [["too_many"], ["too_many"], []]


def test_a_fault_without_a_count_stays_until_it_is_cleared(faults):
    faults.set({"drop_before": True}, 0)
    assert all(kinds(faults, *PLACE) == ["drop_before"] for _ in range(50))
    faults.clear()
    assert faults.take(*PLACE) == []


@pytest.mark.parametrize(
    ("routes", "met"),
    [
        ("all", ["POST", "PUT", "DELETE", "GET", "GET /trades"]),
        ("orders", ["POST", "PUT", "DELETE"]),
        ("reads", ["GET", "GET /trades"]),
        ("place", ["POST"]),
        ("modify", ["PUT"]),
        ("cancel", ["DELETE"]),
        ("books", ["GET"]),
    ],
)
def test_routes_say_whom_a_fault_meets(faults, routes, met):
    faults.set({"status": {"status": 503, "routes": routes}}, 0)
    found = [method for method in ("POST", "PUT", "DELETE") if faults.take(method, "/orders/regular/1")]
    found += ["GET"] if faults.take(*BOOK) else []
    found += ["GET /trades"] if faults.take("GET", "/trades") else []
    assert found == met


def test_a_request_it_does_not_meet_does_not_count(faults):
    faults.set({"drop_after": {"next": 1, "routes": "cancel"}}, 0)
    assert kinds(faults, *PLACE) == []
    assert kinds(faults, *CANCEL) == ["drop_after"]


def test_a_zombie_is_an_order_that_is_placed_and_a_late_arrival_an_order_request(faults):
    faults.set({"zombie": True}, 0)
    assert kinds(faults, *CANCEL) == kinds(faults, *BOOK) == []
    assert [(fault.kind, fault.measure) for fault in faults.take(*PLACE)] == [("zombie", 180.0)]
    faults.clear()
    faults.set({"arrive_late": 5}, 0)
    assert kinds(faults, *BOOK) == []
    assert kinds(faults, *CANCEL) == ["arrive_late"]


def test_delay_and_lag_go_with_another_fault_and_of_the_others_the_first_is_met(faults):
    faults.set({"delay": 20, "too_many": {"next": 1}, "status": 500, "lag_book": 3}, 0)
    assert kinds(faults, *BOOK) == ["delay", "too_many", "lag_book"]
    assert kinds(faults, *BOOK) == ["delay", "status", "lag_book"]


def test_the_exchanges_own_routes_meet_no_fault(faults):
    faults.set({"drop_before": True}, 0)
    assert faults.take("DELETE", "/_exchange/faults") == []


def test_a_frozen_socket_thaws_by_itself_or_when_it_is_cleared(faults):
    faults.set({"freeze_socket": 4}, 100.0)
    assert (faults.frozen_s(101.0), faults.frozen_s(104.0)) == (3.0, 0.0)
    faults.set({"freeze_socket": {"seconds": 4}}, 200.0)
    faults.clear()
    assert faults.frozen_s(200.0) == 0.0


def test_what_is_set_is_shown_in_the_shape_it_is_set_with(faults):
    faults.set({"delay": {"ms": 250, "next": 3, "routes": "reads"}, "status": {"acts": True}}, 0)
    shown = faults.rows(0)
    assert shown == {
        "delay": {"routes": "reads", "ms": 250.0, "next": 3},
        "status": {"routes": "all", "status": 503, "acts": True},
    }
    again = Faults()
    again.set(shown, 0)
    assert again.rows(0) == shown


def test_the_meaning_of_a_modifys_quantity_is_handed_on(faults):
    assert faults.set({"modify_quantity": "pending"}, 0) == "pending"
    assert faults.set({"delay": 1}, 0) is None
    assert FaultKind.MODIFY_QUANTITY not in faults.rows(0)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "No fault was named"),
        ({"earthquake": True}, "'earthquake' is no fault. Give one of drop_before"),
        ({"delay": True}, "`ms` should be a number from 0 to 600000"),
        ({"delay": {"seconds": 3}}, "'seconds' is none of ms, next, routes"),
        ({"status": 200}, "`status` should be a number from 500 to 599"),
        ({"status": 503.5}, "`status` should be a whole number"),
        ({"arrive_late": -1}, "`seconds` should be a number from 0 to 86400"),
        ({"arrive_late": float("nan")}, "`seconds` should be a number"),
        ({"drop_after": {"next": 0}}, "`next` should be a whole number above 0"),
        ({"drop_after": {"next": True}}, "`next` should be a whole number above 0"),
        ({"drop_after": {"routes": "some"}}, "`routes` should be one of all, orders, reads"),
        ({"drop_after": {"acts": True}}, "'acts' is none of next, routes"),
        ({"drop_after": "yes"}, "Give true, or an object"),
        ({"freeze_socket": {"seconds": 1, "next": 1}}, "'next' is none of seconds"),
        ({"modify_quantity": "both"}, "Should be one of total, pending, refuse"),
    ],
)
def test_what_is_no_fault_is_refused_with_what_can_be_given(faults, asked, words):
    with pytest.raises(VenueRefusal, match=words) as refusal:
        faults.set({"too_many": True} | asked if asked else asked, 0)
    assert refusal.value.http_status == 400
    assert faults.rows(0) == {}
