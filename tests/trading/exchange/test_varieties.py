"""Orders beside the regular ones: after market, cover, iceberg, sliced; and positions converted."""

import pytest

from tests.trading.exchange.market_builders import (
    FUTURE,
    NO_LATENCY,
    at,
    frame,
    future_order,
    open_venue,
    order,
    place,
    row,
    statuses,
    trades,
)
from trading.exchange.rules import VenueRefusal, VenueRules, changed


@pytest.fixture
def venue():
    """The share at 1000.0, bid 1000.0 for 50, asked 1000.1 for 60."""
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "1000.0x50", "1000.1x60"))
    return venue


def refusal(venue, request, clock):
    with pytest.raises(VenueRefusal) as refused:
        venue.place(request, at(clock))
    return refused.value.message


# after market orders


def test_an_after_market_order_rests_until_the_open_and_then_goes_its_way():
    venue = open_venue()
    order_id = place(venue, order("BUY", 10, "LIMIT", price=1001, variety="amo"), "09:14:00")
    assert (row(venue, order_id)["status"], row(venue, order_id)["variety"]) == ("AMO REQ RECEIVED", "amo")
    venue.apply_frame(frame("09:15:05", "1000.0", "1000.0x50", "1000.1x60"))
    venue.advance(at("09:15:06"))
    assert statuses(venue, order_id)[:3] == [
        "AMO REQ RECEIVED",
        "PUT ORDER REQ RECEIVED",
        "VALIDATION PENDING",
    ]
    assert trades(venue, order_id) == [(10, 1000.1)]


def test_an_after_market_order_is_refused_while_the_market_is_open(venue):
    assert "Markets are open" in refusal(venue, order("BUY", 1, variety="amo"), "10:00:00")


def test_an_after_market_order_of_the_evening_waits_for_another_day(venue):
    order_id = place(venue, order("BUY", 1, variety="amo"), "15:41:00")
    venue.advance(at("15:45:00"))
    assert statuses(venue, order_id) == ["AMO REQ RECEIVED"]


def test_an_after_market_order_can_be_changed_and_cancelled_before_the_open():
    venue = open_venue()
    request = order("BUY", 10, "LIMIT", price=1001, variety="amo")
    order_id = place(venue, request, "09:14:00")
    venue.modify(order_id, {"price": "999"}, at("09:14:10"), variety="amo")
    assert (row(venue, order_id)["price"], row(venue, order_id)["modified"]) == (999, True)
    venue.cancel(order_id, at("09:14:20"), variety="amo")
    assert row(venue, order_id)["status"] == "CANCELLED"


def test_after_the_open_an_after_market_order_is_addressed_as_a_regular_one():
    venue = open_venue()
    order_id = place(venue, order("BUY", 10, "LIMIT", price=990, variety="amo"), "09:14:00")
    venue.apply_frame(frame("09:15:05", "1000.0", "1000.0x50", "1000.1x60"))
    venue.advance(at("09:16:00"))
    with pytest.raises(VenueRefusal, match="addressed as regular"):
        venue.cancel(order_id, at("09:16:01"), variety="amo")
    venue.cancel(order_id, at("09:16:02"), variety="regular")
    venue.advance(at("09:16:03"))
    assert (row(venue, order_id)["status"], row(venue, order_id)["variety"]) == ("CANCELLED", "amo")


# cover orders


def cover(side, quantity, trigger, **more):
    return order(side, quantity, variety="co", trigger_price=trigger, **more)


def stops(venue, parent_id):
    return [each for each in venue.order_rows() if each["parent_order_id"] == parent_id]


def test_a_filled_cover_order_has_a_stop_of_what_is_filled(venue):
    parent_id = place(venue, cover("BUY", 40, 990), "09:30:01")
    venue.advance(at("09:30:02"))
    (stop,) = stops(venue, parent_id)
    assert (stop["status"], stop["order_type"], stop["transaction_type"]) == (
        "TRIGGER PENDING",
        "SL-M",
        "SELL",
    )
    assert (stop["quantity"], stop["trigger_price"], stop["variety"]) == (40, 990, "co")


def test_a_cover_order_filled_in_parts_has_one_stop_that_grows(venue):
    parent_id = place(venue, cover("BUY", 100, 990, order_type="LIMIT", price="1000.1"), "09:30:01")
    venue.advance(at("09:30:02"))
    assert [stop["quantity"] for stop in stops(venue, parent_id)] == [60]
    venue.apply_frame(frame("09:30:05", "1000.0", "1000.0x50", "1000.1x500", volume=2_000))
    venue.advance(at("09:30:06"))
    assert [(stop["quantity"], stop["status"]) for stop in stops(venue, parent_id)] == [
        (100, "TRIGGER PENDING")
    ]


def test_exiting_a_cover_order_sells_it_at_market_by_its_stop(venue):
    parent_id = place(venue, cover("BUY", 40, 990), "09:30:01")
    venue.advance(at("09:30:02"))
    (stop,) = stops(venue, parent_id)
    venue.cancel(parent_id, at("09:30:03"), variety="co")
    venue.advance(at("09:30:04"))
    assert row(venue, stop["order_id"])["status"] == "COMPLETE"
    assert trades(venue, stop["order_id"]) == [(40, 1000.0)]
    assert venue.position_rows()["net"][0]["quantity"] == 0


def test_a_cover_order_that_has_not_filled_is_cancelled_and_has_no_stop(venue):
    parent_id = place(venue, cover("BUY", 10, 980, order_type="LIMIT", price=990), "09:30:01")
    venue.cancel(parent_id, at("09:30:02"), variety="co")
    venue.advance(at("09:30:03"))
    assert row(venue, parent_id)["status"] == "CANCELLED"
    assert stops(venue, parent_id) == []


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (cover("BUY", 1, 1010), "Trigger price for stoploss sell orders should be below"),
        (cover("SELL", 1, 990), "Trigger price for stoploss buy orders should be above"),
        (cover("BUY", 1, 990, product="CNC"), "Cover orders are intraday"),
        (cover("BUY", 1, 0), "Invalid `trigger_price`"),
        (cover("BUY", 1, 990, order_type="SL", price=1001), "not allowed for `variety` co"),
        (
            cover("BUY", 65, 150, exchange="NFO", tradingsymbol="NIFTY26NOV26000CE", price=200)
            | {"order_type": "LIMIT"},
            "SL-M orders are not allowed",
        ),
    ],
)
def test_a_cover_order_that_cannot_be_is_refused(venue, request_, words):
    assert words in refusal(venue, request_, "09:30:01")


# icebergs


def iceberg(quantity, legs, each, **more):
    fields = {"iceberg_legs": legs, "iceberg_quantity": each, "price": "1000.1", "variety": "iceberg"}
    return order("BUY", quantity, "LIMIT", **fields | more)


def test_an_iceberg_shows_one_leg_and_the_next_when_that_is_filled(venue):
    place(venue, iceberg(50, 3, 20), "09:30:01")
    venue.advance(at("09:30:02"))
    rows = venue.order_rows()
    assert [each["quantity"] for each in rows] == [20, 20, 10]
    assert [each["status"] for each in rows] == ["COMPLETE"] * 3
    assert [each["meta"]["iceberg"]["remaining_quantity"] for each in rows] == [30, 10, 0]
    assert rows[0]["meta"]["iceberg"] == {
        "leg": 1,
        "legs": 3,
        "leg_quantity": 20,
        "total_quantity": 50,
        "remaining_quantity": 30,
    }


def test_a_cancelled_leg_ends_an_iceberg(venue):
    order_id = place(venue, iceberg(40, 2, 20, price=990), "09:30:01")
    venue.cancel(order_id, at("09:30:02"), variety="iceberg")
    venue.advance(at("09:30:05"))
    assert [each["status"] for each in venue.order_rows()] == ["CANCELLED"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (iceberg(20, 1, 20), "Invalid `iceberg_legs`. Should be 2 to 50."),
        (iceberg(510, 51, 10), "Invalid `iceberg_legs`. Should be 2 to 50."),
        (iceberg(50, 2, 20), "2 legs of 20 do not make 50"),
        (iceberg(50, "", 20), "Invalid `iceberg_legs`"),
        (iceberg(40, 2, 20, disclosed_quantity=41), "Cannot be more than the quantity"),
    ],
)
def test_an_iceberg_that_cannot_be_is_refused(venue, request_, words):
    assert words in refusal(venue, request_, "09:30:01")


# validity and disclosed quantity


def test_a_ttl_order_ends_after_its_minutes_and_says_so_in_its_row(venue):
    ttl = {"validity": "TTL", "validity_ttl": 2, "disclosed_quantity": 5}
    order_id = place(venue, order("BUY", 10, "LIMIT", price=990, **ttl), "09:30:00")
    shown = row(venue, order_id)
    assert (shown["validity"], shown["validity_ttl"], shown["disclosed_quantity"]) == ("TTL", 2, 5)
    venue.advance(at("09:31:59"))
    assert row(venue, order_id)["status"] == "OPEN"
    venue.advance(at("09:32:00"))
    assert (row(venue, order_id)["status"], row(venue, order_id)["cancelled_quantity"]) == ("CANCELLED", 10)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"validity": "TTL"}, "Invalid `validity_ttl`"),
        ({"validity": "WEEK"}, "Should be DAY, IOC or TTL"),
        ({"disclosed_quantity": "some"}, "Invalid `disclosed_quantity`"),
        ({"disclosed_quantity": 11}, "Cannot be more than the quantity"),
    ],
)
def test_a_validity_or_a_disclosed_quantity_that_cannot_be_is_refused(venue, more, words):
    assert words in refusal(venue, order("BUY", 10, "LIMIT", price=990, **more), "09:30:00")


# the broker's square-off and rules that change


def test_mis_is_squared_off_at_its_time_and_other_products_stay():
    rules = VenueRules(latency=NO_LATENCY, mis_until={"NSE": at("14:30:00").time()})
    venue = open_venue(rules)
    venue.square_off_at_times(at("09:14:00"))
    venue.apply_frame(frame("14:29:00", "1000.0", "1000.0x500", "1000.1x500"))
    place(venue, order("BUY", 10), "14:29:01")
    place(venue, order("BUY", 10, product="CNC"), "14:29:02")
    waiting = place(venue, order("SELL", 10, "LIMIT", price=1010), "14:29:03")
    assert venue.next_event_at() == at("14:30:00")
    venue.advance(at("14:31:00"))
    assert row(venue, waiting)["status"] == "CANCELLED"
    held = {each["product"]: each["quantity"] for each in venue.position_rows()["net"]}
    assert held == {"MIS": 0, "CNC": 10}
    assert [each["placed_by"] for each in venue.order_rows()][-1] == "RMS"


def test_a_share_with_a_closing_auction_is_squared_off_before_its_market_ends(venue):
    venue.square_off_at_times(at("09:30:00"))
    assert venue.next_event_at() == at("15:12:00")


def test_rules_can_be_changed_while_the_day_runs(venue):
    venue.square_off_at_times(at("09:30:00"))
    rules = changed(venue.rules, {"mis_until_with_auction": "11:00", "modifications_per_order": 1})
    venue.use_rules(rules, at("10:00:00"))
    assert venue.next_event_at() == at("11:00:00")
    order_id = place(venue, order("BUY", 1, "LIMIT", price=990), "10:00:01")
    venue.modify(order_id, {"price": "991"}, at("10:00:02"))
    venue.advance(at("10:00:03"))
    with pytest.raises(VenueRefusal, match="Maximum allowed order modifications exceeded"):
        venue.modify(order_id, {"price": "992"}, at("10:00:04"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"colour": 1}, "'colour' is no rule that can be set. Give one of modified_quantity"),
        ({"mis_until": {"NSE": "noon"}}, "Invalid `mis_until`"),
        ({"circuit_pct": "much"}, "Invalid `circuit_pct`"),
        ({"orders_per_s": 0}, "orders_per_s is 0; give a number above 0"),
        ({"modified_quantity": "both"}, "choose total, pending or refuse"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(fields, words):
    with pytest.raises(VenueRefusal, match=words):
        changed(VenueRules(), fields)


# conversions


def conversion(quantity, old="MIS", new="CNC", **more):
    return {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "transaction_type": "BUY",
        "position_type": "day",
        "quantity": quantity,
        "old_product": old,
        "new_product": new,
        **more,
    }


def positions(venue):
    return {
        each["product"]: (each["quantity"], each["average_price"]) for each in venue.position_rows()["net"]
    }


def test_a_converted_position_keeps_what_it_cost(venue):
    place(venue, order("BUY", 60), "09:30:01")
    before = venue.ledger.realised_paise
    venue.convert(conversion(20), at("09:30:02"))
    assert positions(venue) == {"MIS": (40, 1000.1), "CNC": (20, 1000.1)}
    assert venue.ledger.realised_paise == before == 0


def test_a_short_position_is_converted_as_a_sale(venue):
    venue.apply_frame(frame("09:31:00", "26000", "26000x650", "26001x650", spec=FUTURE))
    place(venue, future_order("SELL", 130, product="MIS"), "09:31:01")
    names = {"exchange": "NFO", "tradingsymbol": "NIFTY26NOVFUT", "transaction_type": "SELL"}
    venue.convert(conversion(65, new="NRML", **names), at("09:31:02"))
    assert positions(venue) == {"MIS": (-65, 26000), "NRML": (-65, 26000)}


def test_a_conversion_that_needs_more_money_than_there_is_leaves_all_as_it_was():
    venue = open_venue(capital_inr=20_000)
    venue.apply_frame(frame("09:30:00", "1000.0", "1000.0x50", "1000.1x60"))
    place(venue, order("BUY", 50), "09:30:01")
    with pytest.raises(VenueRefusal, match="Insufficient funds") as refused:
        venue.convert(conversion(50), at("09:30:02"))
    assert (refused.value.http_status, refused.value.error_type) == (400, "MarginException")
    assert positions(venue) == {"MIS": (50, 1000.1)}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (conversion(61), "60 of RELIANCE MIS can be converted"),
        (conversion(1, transaction_type="SELL"), "0 of RELIANCE MIS can be converted"),
        (conversion(1, old="CNC", new="MIS"), "0 of RELIANCE CNC can be converted"),
        (conversion(1, new="MIS"), "The position is MIS already"),
        (conversion(1, new="NRML"), "Product NRML is not allowed"),
        (conversion(1, position_type="night"), "Invalid `position_type`"),
        (conversion(1, position_type="overnight"), "nothing is carried overnight"),
        (conversion(0), "Invalid `quantity`"),
        (conversion(1, tradingsymbol="NOBODY"), "expired or does not exist"),
    ],
)
def test_a_conversion_that_cannot_be_is_refused(venue, fields, words):
    place(venue, order("BUY", 60), "09:30:01")
    with pytest.raises(VenueRefusal, match=words):
        venue.convert(fields, at("09:30:02"))


def test_nothing_is_converted_to_mis_after_its_square_off(venue):
    place(venue, order("BUY", 60, product="CNC"), "15:00:00")
    with pytest.raises(VenueRefusal, match="MIS is blocked after the square-off time"):
        venue.convert(conversion(60, old="CNC", new="MIS"), at("15:12:00"))
