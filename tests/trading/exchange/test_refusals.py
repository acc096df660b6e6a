"""What is refused, at once or in the book, and in which words."""

from decimal import Decimal

import pytest

from tests.trading.exchange.market_builders import (
    FUTURE,
    NO_LATENCY,
    OPTION,
    at,
    frame,
    future_order,
    open_venue,
    order,
    place,
    row,
)
from trading.exchange.rules import VenueRefusal, VenueRules


@pytest.fixture
def venue():
    market = open_venue()
    market.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    market.apply_frame(frame("09:30:00", "26000.0", "25999x650", "26001x650", spec=FUTURE))
    market.apply_frame(frame("09:30:00", "200.00", "199.9x650", "200.1x650", spec=OPTION))
    return market


SELL_STOP = {"price": 990, "trigger_price": 995}
REFUSED_AT_ONCE = [
    (
        order("BUY", 10, market_protection=0),
        "Market orders without market protection are not allowed via API. "
        "Please set market protection or use a Limit order.",
    ),
    (order("BUY", 10, "SL-M", trigger_price=1010), "Market orders without market protection"),
    (
        future_order(
            "BUY", 65, "SL-M", tradingsymbol="NIFTY26NOV26000CE", trigger_price=210, market_protection=-1
        ),
        "SL-M orders are not allowed for this instrument.",
    ),
    (
        order("BUY", 10, "LIMIT", price=1000.05),
        "Tick size for this script is 0.10. Kindly enter price in the multiple of tick size for this script",
    ),
    (future_order("BUY", 64), "Invalid `quantity`. Should be in multiples of lot size 65."),
    (future_order("BUY", 1820), "Quantity 1820 exceeds the freeze limit of 1800."),
    (order("BUY", 10, tag="x" * 21), "Invalid `tag`. Maximum 20 characters are allowed."),
    (
        order("SELL", 10, "SL", price=1000, trigger_price=1000),
        "Trigger price for stoploss sell orders should be below the last traded price (1000.00).",
    ),
    (
        order("BUY", 10, "SL", price=1000, trigger_price=1000),
        "Trigger price for stoploss buy orders should be above the last traded price (1000.00).",
    ),
    (
        order("SELL", 10, "SL", price=996, trigger_price=995),
        "Limit price for stoploss sell orders cannot be higher than the trigger price.",
    ),
    (order("SELL", 0), "Invalid `quantity`. Should be a whole number above 0."),
    (order("SELL", 1, "LIMIT"), "Invalid `price`. Should be above 0."),
    (order("SELL", 1, "LIMIT", price="abc"), "Invalid `price`."),
    (order("SELL", 1, product="NRML"), "Product NRML is not allowed for NSE:RELIANCE."),
    (order("SELL", 1, "STOP"), "Invalid `order_type`. Should be one of MARKET, LIMIT, SL, SL-M."),
    (
        order("SELL", 1, tradingsymbol="GONE"),
        "The instrument you are placing an order for has either expired",
    ),
    (order("SELL", 1, variety="auction"), "Invalid `variety`. Should be one of regular, amo, co, iceberg."),
    (order("SELL", 1, validity="GTC"), "Invalid `validity`. Should be DAY, IOC or TTL."),
]


@pytest.mark.parametrize(("request_", "words"), REFUSED_AT_ONCE)
def test_a_request_that_can_never_be_right_is_refused_at_once(venue, request_, words):
    with pytest.raises(VenueRefusal) as caught:
        venue.place(request_, at("09:30:01"))
    assert (caught.value.http_status, caught.value.error_type) == (400, "InputException")
    assert caught.value.message.startswith(words)
    assert venue.order_rows() == []


def test_fields_may_be_text_as_a_form_gives_them(venue):
    request = order("SELL", 10, "SL", **SELL_STOP)
    placed = place(venue, {key: str(value) for key, value in request.items()}, "09:30:01")
    assert row(venue, placed)["status"] == "TRIGGER PENDING"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (
            order("BUY", 1, "LIMIT", price=899.9),
            "Your order price is lower than the current lower circuit limit of 900.00.",
        ),
        (
            order("SELL", 1, "LIMIT", price=1100.1),
            "Your order price is higher than the current upper circuit limit of 1100.00.",
        ),
        (
            order("SELL", 1, "SL", price=901, trigger_price=890) | {"price": 880},
            "Your order price is lower than the current lower circuit limit of 900.00.",
        ),
        (
            future_order("BUY", 65, "LIMIT", price=27300.1),
            "The price is out of the current execution range: 27300.10 is more than 5 % from 26000.00.",
        ),
        (
            future_order("SELL", 65, "SL", price=24600, trigger_price=25900),
            "The price is out of the current execution range: 24600.00 is more than 5 % from 25900.00.",
        ),
    ],
)
def test_a_price_out_of_range_is_rejected_in_the_book(venue, request_, words):
    placed = place(venue, request_, "09:30:01")
    assert row(venue, placed)["status"] == "REJECTED"
    assert row(venue, placed)["status_message"].startswith(words)
    assert row(venue, placed)["pending_quantity"] == 0


def test_too_little_money_is_said_in_kites_words(venue):
    # 20 % of 12,501 shares at 1,000.00 against a capital of 25,00,000.00
    placed = place(venue, order("BUY", 12_501, "LIMIT", price=999), "09:30:01")
    last = row(venue, placed)
    assert last["status"] == "REJECTED"
    assert last["status_message"] == (
        "Insufficient funds. Required margin is 2500200.00 but available margin is 2500000.00. "
        "Check the orderbook for open orders."
    )
    assert last["exchange_order_id"] is None
    assert row(venue, place(venue, order("BUY", 12_500, "LIMIT", price=999), "09:30:02"))["status"] == "OPEN"


def test_an_exit_needs_no_margin_even_when_all_of_it_is_used(venue):
    rich = open_venue(capital_inr=3_200)
    rich.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    place(rich, order("BUY", 15), "09:30:01")
    assert row(rich, place(rich, order("BUY", 2), "09:30:02"))["status"] == "REJECTED"
    stop = place(rich, order("SELL", 15, "SL", **SELL_STOP), "09:30:03")
    second = place(rich, order("SELL", 15, "LIMIT", price=1010), "09:30:04")
    assert [row(rich, each)["status"] for each in (stop, second)] == ["TRIGGER PENDING", "OPEN"]


def test_an_exit_is_taken_when_the_account_has_lost_more_than_it_has():
    poor = open_venue(capital_inr=3_200)
    poor.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
    place(poor, order("BUY", 15), "09:30:01")
    poor.apply_frame(frame("09:30:03", "910.0", "909.9x50", "910.1x30"))
    assert poor.margin_rows()["equity"]["net"] < 0
    assert row(poor, place(poor, order("SELL", 15), "09:30:04"))["status"] == "COMPLETE"


def test_after_the_square_off_time_an_mis_order_may_only_reduce():
    rules = VenueRules(latency=NO_LATENCY, mis_until={"NSE": at("15:05:00").time()})
    venue = open_venue(rules)
    venue.apply_frame(frame("15:00:00", "1000.0", "999.9x50", "1000.1x30"))
    place(venue, order("BUY", 10), "15:04:59")
    entry = place(venue, order("BUY", 1), "15:05:00")
    turning = place(venue, order("SELL", 11), "15:05:00")
    exit_ = place(venue, order("SELL", 10), "15:05:00")
    assert [row(venue, each)["status"] for each in (entry, turning, exit_)] == [
        "REJECTED",
        "REJECTED",
        "COMPLETE",
    ]
    assert row(venue, entry)["status_message"].startswith(
        "MIS orders are blocked after the square-off time of 15:05."
    )


@pytest.mark.parametrize("clock", ["09:14:59", "15:15:00"])
def test_nothing_is_taken_outside_market_hours(clock):
    with pytest.raises(VenueRefusal, match="Markets are closed right now"):
        open_venue().place(order("BUY", 1, "LIMIT", price=990), at(clock))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"order_type": "SL", "trigger_price": 995, "price": 990},
            "Order type cannot be changed from LIMIT to SL.",
        ),
        ({"order_type": "MARKET"}, "Market orders without market protection"),
        ({"price": 1010.05}, "Tick size for this script is 0.10."),
    ],
)
def test_a_waiting_limit_refuses_changes_that_cannot_be(venue, change, words):
    placed = place(venue, order("SELL", 10, "LIMIT", price=1010), "09:30:01")
    with pytest.raises(VenueRefusal) as caught:
        venue.modify(placed, change, at("09:30:02"))
    assert caught.value.message.startswith(words)
    assert row(venue, placed)["status"] == "OPEN"


def test_a_stop_becomes_a_limit_only_where_the_rules_allow_it():
    for allowed in (True, False):
        venue = open_venue(VenueRules(latency=NO_LATENCY, stop_may_become_limit=allowed))
        venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30"))
        stop = place(venue, order("SELL", 10, "SL", **SELL_STOP), "09:30:01")
        if allowed:
            venue.modify(stop, {"order_type": "LIMIT"}, at("09:30:02"))
        else:
            with pytest.raises(VenueRefusal, match="cannot be changed from SL to LIMIT"):
                venue.modify(stop, {"order_type": "LIMIT"}, at("09:30:02"))
        venue.advance(at("09:30:02"))
        assert row(venue, stop)["status"] == ("COMPLETE" if allowed else "TRIGGER PENDING")


def test_a_change_the_exchange_refuses_leaves_the_order_as_it_was_with_the_reason(venue):
    placed = place(venue, future_order("BUY", 65, "LIMIT", price=25900), "09:30:01")
    venue.modify(placed, {"price": 24000}, at("09:30:02"))
    venue.advance(at("09:30:02"))
    last = row(venue, placed)
    assert (last["status"], last["price"], last["modified"]) == ("OPEN", 25900, False)
    assert last["status_message"].startswith("The price is out of the current execution range")


def test_a_larger_quantity_needs_its_margin(venue):
    placed = place(venue, order("BUY", 10_000, "LIMIT", price=999), "09:30:01")
    venue.modify(placed, {"quantity": 13_000}, at("09:30:02"))
    venue.advance(at("09:30:02"))
    assert row(venue, placed)["quantity"] == 10_000
    assert row(venue, placed)["status_message"].startswith("Insufficient funds. Required margin is 600000.00")


def test_an_unknown_order_is_named(venue):
    with pytest.raises(VenueRefusal, match=r"The order for ID \(123\) does not exist"):
        venue.cancel("123", at("09:30:01"))
    with pytest.raises(VenueRefusal, match=r"The order for ID \(123\) does not exist"):
        venue.order_history_rows("123")


def test_a_price_without_a_rule_for_its_range_passes():
    rules = VenueRules(latency=NO_LATENCY, limit_protection_pct=None, circuit_pct=Decimal(20))
    venue = open_venue(rules)
    venue.apply_frame(frame("09:30:00", "26000.0", "25999x650", "26001x650", spec=FUTURE))
    placed = place(venue, future_order("BUY", 65, "LIMIT", price=22000), "09:30:01")
    assert row(venue, placed)["status"] == "OPEN"
