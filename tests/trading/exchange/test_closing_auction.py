"""The closing auction of shares with F&O (NSE circular 74/2026), on one share around 1,000 rupees.

Until 15:00 it has traded 1,000 units at 990.00 on average, until 15:15 1,500 at 1,000.00: the 500 since 15:00 cost
1,500 × 1,000 − 1,000 × 990 = 510,000, so the reference is 1,020.00 and the band of 3 % is 989.40 to 1,050.60.
"""

from datetime import date, time

import pytest

from tests.trading.exchange.market_builders import (
    FUTURE,
    INSTRUMENTS,
    NO_LATENCY,
    SHARE,
    at,
    frame,
    open_venue,
    order,
    place,
    row,
)
from trading.exchange import contracts
from trading.exchange.rules import VenueRefusal, VenueRules
from trading.exchange.venue import Venue


def at_a_quarter_past_three(venue=None):
    """The venue, with what rested before already carried over or cancelled."""
    venue = venue or open_venue()
    show(venue, "14:59:59", "1000.0", volume=1_000, average_inr=990)
    show(venue, "15:14:59", "1018.0", volume=1_500, average_inr=1_000)
    venue.advance(at("15:15:00"))
    return venue


def show(venue, clock, last, *, volume, average_inr=1_000):
    shown = frame(clock, last, "", "", volume=volume)
    shown.average_price_paise[0] = average_inr * 100
    venue.apply_frame(shown)


def delivery(side, quantity, order_type="LIMIT", **fields):
    """MIS is over by then."""
    return order(side, quantity, order_type, product="CNC", **fields)


def ends(venue, *order_ids):
    return [(row(venue, each)["status"], row(venue, each)["average_price"]) for each in order_ids]


def test_the_band_is_three_per_cent_about_what_traded_since_three():
    venue = open_venue()
    assert venue.circuits_of(SHARE) == (90_000, 110_000)
    at_a_quarter_past_three(venue)
    assert venue.circuits_of(SHARE) == (98_940, 105_060)
    assert venue.circuits_of(FUTURE) == (2_340_000, 2_860_000)


def test_a_share_that_did_not_trade_since_three_refers_to_its_last_price():
    venue = open_venue()
    show(venue, "14:59:59", "1000.0", volume=1_000)
    venue.advance(at("15:15:00"))
    assert venue.circuits_of(SHARE) == (97_000, 103_000)


def test_limits_within_the_band_stay_and_stops_and_others_are_cancelled():
    venue = open_venue()
    show(venue, "14:50:00", "1000.0", volume=900)
    within = place(venue, delivery("BUY", 5, price=989.4), "14:50:01")
    below = place(venue, delivery("BUY", 5, price=989.3), "14:50:01")
    stop = place(venue, delivery("SELL", 5, "SL", price=989.5, trigger_price=990), "14:50:01")
    at_a_quarter_past_three(venue)
    assert [row(venue, each)["status"] for each in (within, below, stop)] == [
        "OPEN",
        "CANCELLED",
        "CANCELLED",
    ]
    assert row(venue, stop)["filled_quantity"] == 0


def test_nothing_trades_before_the_match_whatever_the_market_shows():
    venue = at_a_quarter_past_three()
    bought = place(venue, delivery("BUY", 5, price=1040), "15:20:00")
    venue.apply_frame(frame("15:21:00", "1000.0", "999.9x50", "1000.1x50", volume=1_600))
    assert row(venue, bought)["status"] == "OPEN"
    venue.advance(at("15:34:59"))
    assert row(venue, bought)["status"] == "OPEN"


@pytest.mark.parametrize(
    ("shown", "price_inr"),
    [
        (None, 1020.0),  # no price came: the reference
        ("1025.0", 1025.0),
        ("1100.0", 1050.6),  # beyond the band: its edge
    ],
)
def test_what_meets_the_auctions_price_trades_at_it_and_the_rest_ends(shown, price_inr):
    venue = at_a_quarter_past_three()
    asked = [
        place(venue, delivery("BUY", 5, "MARKET", market_protection=-1), "15:20:00"),
        place(venue, delivery("BUY", 5, price=1050.6), "15:25:00"),
        place(venue, delivery("BUY", 5, price=1000), "15:25:00"),
        place(venue, delivery("BUY", 5, price=1020), "15:25:00"),
    ]
    if shown:
        show(venue, "15:31:00", shown, volume=2_000)
    venue.advance(at("15:35:00"))
    met = ("COMPLETE", price_inr)
    # The market order's limit is 2 % beyond the last price, 1,018.00: 1,038.30, on the tick inside.
    at_market = met if price_inr <= 1038.3 else ("CANCELLED", 0)
    at_reference = met if price_inr <= 1020 else ("CANCELLED", 0)
    assert ends(venue, *asked) == [at_market, met, ("CANCELLED", 0), at_reference]


def test_a_sale_trades_at_the_price_or_better():
    venue = at_a_quarter_past_three(bought_before(10))
    low = place(venue, delivery("SELL", 5, price=1019), "15:21:00")
    high = place(venue, delivery("SELL", 5, price=1021), "15:21:00")
    venue.advance(at("15:35:00"))
    assert ends(venue, low, high) == [("COMPLETE", 1020.0), ("CANCELLED", 0)]


def bought_before(quantity):
    venue = open_venue()
    venue.apply_frame(frame("14:00:00", "1000.0", "999.9x50", "1000.1x50", volume=800))
    place(venue, delivery("BUY", quantity, price=1000.1), "14:00:01")
    return venue


@pytest.mark.parametrize("clock", ["15:15:00", "15:19:59", "15:30:00", "15:36:00"])
def test_outside_its_hours_it_takes_nothing(clock):
    venue = at_a_quarter_past_three()
    with pytest.raises(VenueRefusal, match="Markets are closed right now"):
        place(venue, delivery("BUY", 5, price=1020), clock)


@pytest.mark.parametrize(
    ("clock", "asked", "words"),
    [
        (
            "15:24:59",
            delivery("BUY", 5, "SL", price=1031, trigger_price=1030),
            "only LIMIT and MARKET orders",
        ),
        ("15:24:59", delivery("BUY", 5, price=1020, validity="IOC"), "only LIMIT and MARKET orders"),
        ("15:25:00", delivery("BUY", 5, "MARKET", market_protection=-1), "only LIMIT orders are taken"),
        ("15:24:59", delivery("BUY", 5, price=1050.7), "higher than the current upper circuit limit"),
        ("15:24:59", delivery("SELL", 5, price=989.3), "lower than the current lower circuit limit"),
    ],
)
def test_what_does_not_take_part_is_rejected(clock, asked, words):
    venue = at_a_quarter_past_three()
    last = row(venue, place(venue, asked, clock))
    assert last["status"] == "REJECTED"
    assert words in last["status_message"]


def test_an_order_may_be_changed_and_cancelled_while_it_waits():
    venue = at_a_quarter_past_three()
    dearer = place(venue, delivery("BUY", 5, price=1000), "15:21:00")
    gone = place(venue, delivery("BUY", 5, price=1030), "15:21:00")
    venue.modify(dearer, {"price": 1021}, at("15:26:00"))
    venue.cancel(gone, at("15:26:00"))
    venue.advance(at("15:35:00"))
    assert ends(venue, dearer, gone) == [("COMPLETE", 1020.0), ("CANCELLED", 0)]


def test_a_change_to_market_is_refused_where_only_limits_are_taken():
    venue = at_a_quarter_past_three()
    resting = place(venue, delivery("BUY", 5, price=1000), "15:21:00")
    venue.modify(resting, {"order_type": "MARKET", "market_protection": -1}, at("15:26:00"))
    venue.advance(at("15:26:01"))
    last = row(venue, resting)
    assert (last["status"], last["order_type"], last["price"]) == ("OPEN", "LIMIT", 1000)
    assert "only LIMIT orders are taken" in last["status_message"]


def test_entry_ends_at_a_random_moment_between_28_and_30_that_is_one_for_all_accounts():
    def last_second(session, user_id):
        rules = VenueRules(latency=NO_LATENCY)
        fields = {"seed": user_id, "capital_paise": 10**9, "user_id": user_id, "venue_session": session}
        venue = at_a_quarter_past_three(Venue(INSTRUMENTS, rules, **fields))
        taken = 0
        for second in range(120):
            clock = f"15:{28 + second // 60}:{second % 60:02}"
            try:
                taken += row(venue, place(venue, delivery("BUY", 1, price=1020), clock))["status"] == "OPEN"
            except VenueRefusal:
                return taken
        return taken

    ends_s = [last_second(f"session {number}", "AB0001") for number in range(4)]
    assert len(set(ends_s)) > 1
    assert all(0 <= second <= 120 for second in ends_s)
    assert last_second("session 0", "ZZ9999") == ends_s[0]


def test_before_august_2026_and_for_other_shares_there_is_none():
    assert not contracts.has_closing_auction(SHARE, date(2026, 7, 31))
    assert contracts.has_closing_auction(SHARE, date(2026, 8, 3))
    assert contracts.market_close(SHARE, date(2026, 8, 3)) == time(15, 35)
    assert contracts.market_close(FUTURE, date(2026, 8, 3)) == time(15, 40)
