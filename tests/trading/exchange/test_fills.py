"""Who trades, at what price and how much."""

from tests.trading.exchange.market_builders import (
    FUTURE,
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
from trading.exchange.rules import Latency, VenueRules


def test_a_market_buy_takes_the_asks_level_by_level():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30 1000.3x40 1000.6x100"))
    bought = place(venue, order("BUY", 100), "09:30:01")
    assert trades(venue, bought) == [(30, 1000.1), (40, 1000.3), (30, 1000.6)]
    # (30 x 1000.10 + 40 x 1000.30 + 30 x 1000.60) / 100
    assert row(venue, bought)["average_price"] == 1000.33
    assert row(venue, bought)["status"] == "COMPLETE"


def test_what_was_taken_does_not_reappear_before_the_next_frame():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30 1000.3x40"))
    first = place(venue, order("BUY", 20, "LIMIT", price=1000.1), "09:30:01")
    second = place(venue, order("BUY", 20, "LIMIT", price=1000.1), "09:30:01")
    assert trades(venue, first) == [(20, 1000.1)]
    assert trades(venue, second) == [(10, 1000.1)]
    venue.apply_frame(frame("09:30:03", "1000.1", "1000.0x50", "1000.1x8 1000.3x40"))
    assert trades(venue, second) == [(10, 1000.1), (8, 1000.1)]
    assert row(venue, second)["status"] == "OPEN"
    assert (row(venue, second)["filled_quantity"], row(venue, second)["pending_quantity"]) == (18, 2)


def test_a_market_order_larger_than_the_visible_depth_goes_on_with_the_next_frame():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "1000.0x30 999.8x20", "1000.1x30"))
    sold = place(venue, order("SELL", 70), "09:30:01")
    assert trades(venue, sold) == [(30, 1000), (20, 999.8)]
    venue.apply_frame(frame("09:30:03", "999.7", "999.7x100", "999.8x30"))
    assert trades(venue, sold) == [(30, 1000), (20, 999.8), (20, 999.7)]


def test_a_market_remainder_outside_its_protection_hangs_as_a_limit():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30 1011.0x70"))
    bought = place(venue, order("BUY", 100, market_protection=1), "09:30:01")
    # 1 % above the last price of 1000.00
    assert trades(venue, bought) == [(30, 1000.1)]
    assert (row(venue, bought)["status"], row(venue, bought)["order_type"], row(venue, bought)["price"]) == (
        "OPEN",
        "LIMIT",
        1010,
    )


def test_a_waiting_limit_trades_at_its_own_price_when_the_market_trades_through_it():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    bought = place(venue, order("BUY", 40, "LIMIT", price=999.5), "09:30:01")
    venue.apply_frame(frame("09:30:03", "999.6", "999.5x50", "999.7x30", volume=1_200))
    assert trades(venue, bought) == []
    venue.apply_frame(frame("09:30:06", "999.0", "998.9x50", "999.1x30", volume=1_225))
    # 30 offered below its price and 25 - 0 traded past it cover all 40
    assert trades(venue, bought) == [(40, 999.5)]


def test_a_waiting_limit_fills_partially_when_less_came_to_its_price():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    bought = place(venue, order("BUY", 100, "LIMIT", price=999.5), "09:30:01")
    venue.apply_frame(frame("09:30:03", "999.0", "998.9x50", "999.1x30", volume=1_025))
    assert trades(venue, bought) == [(55, 999.5)]
    assert row(venue, bought)["pending_quantity"] == 45


def test_a_limit_at_the_touch_waits_for_those_in_front_of_it():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "1000.0x50", "1000.1x30", volume=1_000))
    bought = place(venue, order("BUY", 40, "LIMIT", price=1000), "09:30:01")
    venue.apply_frame(frame("09:30:03", "1000.0", "1000.0x50", "1000.1x30", volume=1_035))
    assert trades(venue, bought) == []
    venue.apply_frame(frame("09:30:06", "1000.0", "1000.0x50", "1000.1x30", volume=1_060))
    # 60 traded there, 50 stood in front
    assert trades(venue, bought) == [(10, 1000)]
    venue.apply_frame(frame("09:30:09", "1000.0", "1000.0x50", "1000.1x30", volume=1_200))
    assert trades(venue, bought) == [(10, 1000), (30, 1000)]


def test_those_in_front_who_left_make_the_wait_shorter():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "1000.0x500", "1000.1x30", volume=1_000))
    bought = place(venue, order("BUY", 40, "LIMIT", price=1000), "09:30:01")
    venue.apply_frame(frame("09:30:03", "1000.0", "1000.0x20", "1000.1x30", volume=1_025))
    assert trades(venue, bought) == [(5, 1000)]


def test_two_orders_of_ours_do_not_both_get_what_traded_once():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x10", "1000.1x30", volume=1_000))
    first = place(venue, order("BUY", 40, "LIMIT", price=1000), "09:30:01")
    second = place(venue, order("BUY", 40, "LIMIT", price=1000), "09:30:01")
    venue.apply_frame(frame("09:30:03", "1000.0", "999.9x10", "1000.1x30", volume=1_050))
    assert trades(venue, first) == [(40, 1000)]
    assert trades(venue, second) == [(10, 1000)]


def test_a_stop_is_triggered_by_the_last_price_and_then_takes_the_bids():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    stop = place(venue, order("SELL", 60, "SL", price=988, trigger_price=991), "09:30:01")
    assert row(venue, stop)["status"] == "TRIGGER PENDING"
    venue.apply_frame(frame("09:30:03", "991.1", "990.0x50", "991.2x30"))
    assert row(venue, stop)["status"] == "TRIGGER PENDING"
    venue.apply_frame(frame("09:30:06", "991.0", "990.9x50 990.5x70", "991.1x30"))
    assert trades(venue, stop) == [(50, 990.9), (10, 990.5)]
    assert statuses(venue, stop) == [
        "PUT ORDER REQ RECEIVED",
        "VALIDATION PENDING",
        "OPEN PENDING",
        "TRIGGER PENDING",
        "OPEN",
        "OPEN",
        "COMPLETE",
    ]


def test_a_stop_jumped_by_a_gap_rests_as_a_limit_until_the_market_comes_back():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    stop = place(venue, order("SELL", 40, "SL", price=988, trigger_price=991), "09:30:01")
    venue.apply_frame(frame("09:30:03", "985.0", "984.9x50", "985.1x30"))
    assert (row(venue, stop)["status"], trades(venue, stop)) == ("OPEN", [])
    venue.apply_frame(frame("09:30:06", "988.2", "988.1x100", "988.3x30"))
    assert trades(venue, stop) == [(40, 988)]


def test_a_stop_that_arrives_after_its_trigger_traded_is_triggered_at_once():
    venue = open_venue(VenueRules(latency=Latency(mean_ms=100, spread=0)))
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    stop = venue.place(order("SELL", 40, "SL", price=988, trigger_price=991), at("09:30:00", ms=950))
    venue.apply_frame(frame("09:30:01", "990.5", "990.4x50", "990.6x30"))
    assert row(venue, stop)["status"] == "VALIDATION PENDING"
    venue.advance(at("09:30:01", ms=50))
    assert trades(venue, stop) == [(40, 990.4)]
    assert statuses(venue, stop)[-3:] == ["TRIGGER PENDING", "OPEN", "COMPLETE"]


def test_a_resting_stop_turned_into_a_limit_takes_the_target_at_the_best_bid():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x100"))
    place(venue, order("BUY", 60), "09:30:01")
    stop = place(venue, order("SELL", 60, "SL", price=988, trigger_price=991), "09:30:02")
    venue.apply_frame(frame("09:35:00", "1015.1", "1015.0x40 1014.8x50", "1015.2x30"))
    venue.modify(stop, {"order_type": "LIMIT", "price": 988}, at("09:35:01"))
    venue.advance(at("09:35:01"))
    assert trades(venue, stop) == [(40, 1015), (20, 1014.8)]
    assert row(venue, stop)["order_type"] == "LIMIT"
    assert venue.position_rows()["net"][0]["quantity"] == 0


def test_an_immediate_or_cancel_order_does_not_rest():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    bought = place(venue, order("BUY", 50, "LIMIT", price=1000.1, validity="IOC"), "09:30:01")
    last = row(venue, bought)
    assert (last["status"], last["filled_quantity"], last["cancelled_quantity"]) == ("CANCELLED", 30, 20)


def test_a_day_order_is_cancelled_when_trading_of_its_instrument_ends():
    """The share's is below the band of its closing auction: 970 to 1,030."""
    venue = open_venue()
    venue.apply_frame(frame("15:00:00", "1000.0", "999.9x50", "1000.1x30"))
    venue.apply_frame(frame("15:00:00", "26000", "25999x65", "26001x65", spec=FUTURE))
    share = place(venue, order("BUY", 5, "LIMIT", price=960), "15:00:01")
    future = place(venue, future_order("BUY", 65, "LIMIT", price=25900), "15:00:01")
    venue.advance(at("15:14:59"))
    assert row(venue, share)["status"] == "OPEN"
    venue.advance(at("15:15:00"))
    assert (row(venue, share)["status"], row(venue, future)["status"]) == ("CANCELLED", "OPEN")
    venue.advance(at("15:40:00"))
    assert row(venue, future)["status"] == "CANCELLED"


def test_the_walk_of_a_bar_is_told_which_extreme_a_resting_stop_wants_first():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    assert venue.first_extreme(738561) is None
    place(venue, order("SELL", 40, "SL", price=988, trigger_price=991), "09:30:01")
    assert venue.first_extreme(738561) == "LOW"
    place(venue, order("BUY", 40, "SL", price=1006, trigger_price=1004), "09:30:01")
    assert venue.first_extreme(738561) == "HIGH"
