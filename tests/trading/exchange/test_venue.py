"""An order's way through its states, the quota, and what survives."""

import json
import pickle
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.trading.exchange.market_builders import (
    NO_LATENCY,
    at,
    frame,
    open_venue,
    order,
    place,
    row,
    statuses,
    trades,
)
from trading.exchange.rules import Latency, VenueRefusal, VenueRules

FIXED = Latency(mean_ms=90, spread=0)
SAMPLES = Path(__file__).parents[4] / "shared" / "kite-samples"


def quoted_venue(rules: VenueRules | None = None, **more: int):
    venue = open_venue(rules, **more)
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    return venue


def refusal_of(call, *arguments) -> VenueRefusal:
    with pytest.raises(VenueRefusal) as caught:
        call(*arguments)
    return caught.value


def test_a_limit_goes_through_kites_states_a_third_of_the_latency_each():
    venue = quoted_venue(VenueRules(latency=FIXED))
    placed = venue.place(order("BUY", 10, "LIMIT", price=990), at("09:30:01"))
    seen = {}
    for ms in (0, 29, 30, 59, 60, 89, 90):
        venue.advance(at("09:30:01", ms=ms))
        seen[ms] = row(venue, placed)["status"]
    assert seen == {
        0: "PUT ORDER REQ RECEIVED",
        29: "PUT ORDER REQ RECEIVED",
        30: "VALIDATION PENDING",
        59: "VALIDATION PENDING",
        60: "OPEN PENDING",
        89: "OPEN PENDING",
        90: "OPEN",
    }
    assert venue.next_event_at() == at("15:15:00")


def test_a_modify_and_a_cancel_go_through_kites_states():
    venue = quoted_venue(VenueRules(latency=FIXED))
    placed = venue.place(order("BUY", 10, "LIMIT", price=990), at("09:30:01"))
    venue.modify(placed, {"price": 991}, at("09:30:02"))
    assert row(venue, placed)["price"] == 990
    venue.advance(at("09:30:03"))
    venue.cancel(placed, at("09:30:04"))
    venue.advance(at("09:30:05"))
    assert statuses(venue, placed)[3:] == [
        "OPEN",
        "MODIFY VALIDATION PENDING",
        "MODIFY PENDING",
        "MODIFIED",
        "OPEN",
        "CANCEL PENDING",
        "CANCELLED",
    ]
    assert (row(venue, placed)["price"], row(venue, placed)["modified"]) == (991, True)


def test_an_order_being_cancelled_may_still_fill():
    venue = quoted_venue(VenueRules(latency=FIXED))
    placed = venue.place(order("BUY", 10, "LIMIT", price=999), at("09:30:01"))
    venue.cancel(placed, at("09:30:02", ms=950))
    venue.apply_frame(frame("09:30:03", "998.0", "997.9x50", "998.1x30"))
    assert statuses(venue, placed)[-2:] == ["CANCEL PENDING", "COMPLETE"]
    venue.advance(at("09:30:04"))
    assert row(venue, placed)["status"] == "COMPLETE"


def test_an_order_on_its_way_can_be_neither_modified_nor_cancelled():
    venue = quoted_venue(VenueRules(latency=FIXED))
    placed = venue.place(order("BUY", 10, "LIMIT", price=990), at("09:30:01"))
    modify = refusal_of(venue.modify, placed, {"price": 991}, at("09:30:01"))
    cancel = refusal_of(venue.cancel, placed, at("09:30:01"))
    assert (modify.http_status, modify.error_type) == (400, "OrderException")
    assert modify.message == "Order cannot be modified as it is being processed. Try later."
    assert cancel.message == "Order cannot be cancelled as it is being processed. Try later."


def test_a_closed_order_answers_a_modify_in_both_of_kites_ways():
    venue = quoted_venue()
    filled = place(venue, order("BUY", 10), "09:30:01")
    messages = {
        refusal_of(venue.modify, filled, {"price": 991}, at("09:31:00") + timedelta(seconds=second)).message
        for second in range(20)
    }
    assert messages == {
        "Order cannot be modified as it is being processed. Try later.",
        f"The order for ID ({filled}) does not exist",
    }


def test_the_eleventh_order_in_a_second_is_too_many():
    venue = quoted_venue()
    for _ in range(10):
        venue.place(order("BUY", 1, "LIMIT", price=990), at("09:30:01"))
    late = refusal_of(venue.place, order("BUY", 1, "LIMIT", price=990), at("09:30:01", ms=999))
    assert (late.http_status, late.error_type, late.message) == (429, "NetworkException", "Too many requests")
    assert len(venue.order_rows()) == 10
    venue.place(order("BUY", 1, "LIMIT", price=990), at("09:30:02"))
    assert len(venue.order_rows()) == 11


def test_modifies_cancels_and_bad_requests_count_in_the_same_window():
    venue = quoted_venue(VenueRules(latency=NO_LATENCY, orders_per_s=4))
    placed = place(venue, order("BUY", 1, "LIMIT", price=990), "09:30:01")
    venue.modify(placed, {"price": 991}, at("09:30:01"))
    assert refusal_of(venue.place, order("BUY", 0), at("09:30:01")).error_type == "InputException"
    venue.advance(at("09:30:01"))
    venue.cancel(placed, at("09:30:01"))
    assert refusal_of(venue.cancel, placed, at("09:30:01")).http_status == 429


def test_the_minute_and_the_day_have_their_limits():
    rules = VenueRules(latency=NO_LATENCY, orders_per_minute=3, orders_per_day=5)
    venue = quoted_venue(rules)
    asked = [at("09:30:01"), at("09:30:10"), at("09:30:20")]
    for moment in asked:
        venue.place(order("BUY", 1, "LIMIT", price=990), moment)
    assert refusal_of(venue.place, order("BUY", 1, "LIMIT", price=990), at("09:31:00")).http_status == 429
    for moment in (at("09:31:01"), at("09:31:10")):
        venue.place(order("BUY", 1, "LIMIT", price=990), moment)
    assert refusal_of(venue.place, order("BUY", 1, "LIMIT", price=990), at("10:00:00")).http_status == 429


def test_somebody_elses_order_is_in_the_book_and_not_in_our_quota():
    venue = quoted_venue(VenueRules(latency=NO_LATENCY, orders_per_s=1))
    venue.place(order("BUY", 1, "LIMIT", price=990), at("09:30:01"))
    hand = venue.place_as_other(order("SELL", 5), at("09:30:01"), "AB1234-WEB")
    venue.advance(at("09:30:01"))
    assert (row(venue, hand)["placed_by"], row(venue, hand)["status"]) == ("AB1234-WEB", "COMPLETE")


def test_the_twenty_sixth_modification_is_refused():
    venue = quoted_venue()
    placed = place(venue, order("BUY", 1, "LIMIT", price=970), "09:30:01")
    for count in range(25):
        venue.modify(placed, {"price": 970 + count}, at("09:31:00") + timedelta(seconds=count))
    last = refusal_of(venue.modify, placed, {"price": 981}, at("09:32:00"))
    assert last.message == "Maximum allowed order modifications exceeded."
    venue.advance(at("09:32:00"))
    assert row(venue, placed)["price"] == 994


@pytest.mark.parametrize(("meaning", "quantity"), [("total", 50), ("pending", 80)])
def test_a_modified_quantity_of_a_partly_filled_order_means_what_the_rules_say(meaning, quantity):
    venue = quoted_venue(VenueRules(latency=NO_LATENCY, modified_quantity=meaning))
    placed = place(venue, order("BUY", 100, "LIMIT", price=1000.1), "09:30:01")
    assert trades(venue, placed) == [(30, 1000.1)]
    venue.modify(placed, {"quantity": 50}, at("09:30:02"))
    venue.advance(at("09:30:02"))
    assert row(venue, placed)["quantity"] == quantity
    assert row(venue, placed)["pending_quantity"] == quantity - 30


def test_a_modified_quantity_can_be_refused_by_rule():
    venue = quoted_venue(VenueRules(latency=NO_LATENCY, modified_quantity="refuse"))
    placed = place(venue, order("BUY", 100, "LIMIT", price=1000.1), "09:30:01")
    refusal = refusal_of(venue.modify, placed, {"quantity": 50}, at("09:30:02"))
    assert refusal.error_type == "OrderException"


def test_a_smaller_quantity_keeps_the_place_in_the_queue_and_a_new_price_loses_it():
    venue = quoted_venue()
    placed = place(venue, order("BUY", 40, "LIMIT", price=999.9), "09:30:01")
    venue.apply_frame(frame("09:30:02", "999.9", "999.9x50", "1000.1x30", volume=1_045))
    venue.modify(placed, {"quantity": 20}, at("09:30:03"))
    venue.apply_frame(frame("09:30:04", "999.9", "999.9x50", "1000.1x30", volume=1_055))
    assert trades(venue, placed) == [(5, 999.9)]
    venue.modify(placed, {"price": 999.8}, at("09:30:05"))
    venue.modify(placed, {"price": 999.9}, at("09:30:06"))
    venue.apply_frame(frame("09:30:07", "999.9", "999.9x50", "1000.1x30", volume=1_100))
    assert trades(venue, placed) == [(5, 999.9)]


def test_fills_modifications_and_ends_are_told_and_placing_is_not():
    venue = quoted_venue()
    placed = place(venue, order("BUY", 100, "LIMIT", price=1000.1, tag="E1"), "09:30:01")
    venue.modify(placed, {"price": 1000}, at("09:30:02"))
    venue.advance(at("09:30:02"))
    venue.cancel(placed, at("09:30:03"))
    venue.advance(at("09:30:03"))
    told = venue.drain_updates()
    assert [(each["status"], each["filled_quantity"]) for each in told] == [
        ("UPDATE", 30),
        ("UPDATE", 30),
        ("CANCELLED", 30),
    ]
    assert told[-1]["unfilled_quantity"] == 70
    assert venue.drain_updates() == []


def test_the_brokers_square_off_cancels_closes_in_freeze_sized_orders_and_charges():
    venue = quoted_venue()
    place(venue, order("BUY", 20), "09:30:01")
    stop = place(venue, order("SELL", 20, "SL", price=988, trigger_price=991), "09:30:02")
    before = venue.ledger.charges_paise
    (closing,) = venue.square_off_mis(at("15:10:00"))
    venue.advance(at("15:10:00"))
    assert row(venue, stop)["status"] == "CANCELLED"
    assert (row(venue, closing)["placed_by"], row(venue, closing)["filled_quantity"]) == ("RMS", 20)
    assert venue.position_rows()["net"][0]["quantity"] == 0
    assert venue.ledger.charges_paise - before > 59_00


def busy_day(seed: int):
    venue = quoted_venue(VenueRules(), seed=seed)
    for second in range(1, 40):
        last = 1000 + (second * 7 % 11 - 5)
        clock = f"09:30:{second:02d}"
        if second % 3 == 0:
            venue.place(order("BUY" if second % 2 else "SELL", 5, "LIMIT", price=1000), at(clock))
        venue.apply_frame(
            frame(clock, f"{last}", f"{last - 0.1:.1f}x50", f"{last + 0.1:.1f}x30", volume=1_000 + second)
        )
    return venue


def test_the_same_seed_gives_the_same_day_and_another_seed_another():
    assert busy_day(1).digest() == busy_day(1).digest()
    assert busy_day(1).digest() != busy_day(2).digest()


def test_a_venue_goes_on_after_being_stored_and_loaded():
    venue = busy_day(3)
    copy = pickle.loads(pickle.dumps(venue))
    for each in (venue, copy):
        each.place(order("BUY", 5), at("09:31:00"))
        each.apply_frame(frame("09:31:01", "1000.0", "999.9x50", "1000.1x30"))
    assert copy.digest() == venue.digest()
    assert copy.order_rows() == venue.order_rows()


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="Kite's published samples are not on this machine")
def test_rows_have_exactly_the_keys_of_kites_published_samples():
    venue = quoted_venue()
    place(venue, order("BUY", 10), "09:30:01")
    sample = {name: json.loads((SAMPLES / f"{name}.json").read_text()) for name in (
        "orders", "trades", "positions", "margins", "order_margins", "postback"
    )}  # fmt: skip
    assert row_keys(venue.order_rows()[0]) == row_keys(sample["orders"]["data"][0])
    assert row_keys(venue.trade_rows()[0]) == row_keys(sample["trades"]["data"][0])
    assert row_keys(venue.position_rows()["net"][0]) == row_keys(sample["positions"]["data"]["net"][0])
    assert row_keys(venue.margin_rows()) == row_keys(sample["margins"]["data"])
    margin = venue.order_margin_rows([order("BUY", 1)], at("09:31:00"))[0]
    assert row_keys(margin) == row_keys(sample["order_margins"]["data"][0])
    told = venue.drain_updates()[-1]
    assert row_keys(told) - {"modified"} == row_keys(sample["postback"])


def row_keys(row: dict[str, Any]) -> set[str]:
    """Keys, those of nested objects with their path."""
    keys = set()
    for key, value in row.items():
        keys.add(key)
        if isinstance(value, dict):
            keys |= {f"{key}.{inner}" for inner in row_keys(value)}
    return keys


def test_rules_that_make_no_sense_are_refused_when_they_are_written():
    with pytest.raises(ValueError, match="choose total, pending or refuse"):
        VenueRules(modified_quantity="both")
    with pytest.raises(ValueError, match="orders_per_s is 0"):
        replace(VenueRules(), orders_per_s=0)
