"""Positions, results, charges and margins of executed orders."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.exchange.market_builders import (
    FUTURE,
    at,
    frame,
    future_order,
    open_venue,
    order,
    place,
    row,
)
from trading.exchange.rules import VenueRefusal, VenueRules


def test_a_partly_closed_position_splits_its_result_at_average_cost():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30 1000.3x40 1000.6x100"))
    place(venue, order("BUY", 100), "09:30:01")
    venue.apply_frame(frame("09:31:00", "1015.1", "1015.0x40 1014.8x50", "1015.2x30"))
    place(venue, order("SELL", 60), "09:31:01")
    (net,) = venue.position_rows()["net"]
    assert (net["quantity"], net["average_price"], net["last_price"]) == (40, 1000.33, 1015.1)
    # sold 40 x 1015.00 + 20 x 1014.80 = 60,896.00 for what had cost 60 x 1000.33 = 60,019.80
    assert net["realised"] == 876.2
    # 40 x (1015.10 - 1000.33)
    assert net["unrealised"] == 590.8
    assert net["pnl"] == 1467
    assert (net["buy_quantity"], net["buy_value"], net["sell_quantity"], net["sell_value"]) == (
        100,
        100033,
        60,
        60896,
    )


def test_charges_are_booked_for_each_executed_order():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x50", "1000.1x30 1000.3x40 1000.6x100"))
    place(venue, order("BUY", 100), "09:30:01")
    # value 1,00,033.00: brokerage 20.00, exchange 3.07, SEBI 0.10, stamp 3.00, GST 4.17
    assert venue.ledger.charges_paise == 30_34
    venue.apply_frame(frame("09:31:00", "1015.1", "1015.0x40 1014.8x50", "1015.2x30"))
    place(venue, order("SELL", 60), "09:31:01")
    # value 60,896.00: brokerage 18.27, STT 15.22, exchange 1.87, SEBI 0.06, GST 3.64
    assert venue.ledger.charges_paise == 30_34 + 39_06


def test_a_position_that_turns_starts_at_the_price_that_turned_it():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "1000.0x500", "1000.1x500"))
    place(venue, order("BUY", 10, "LIMIT", price=1000.1), "09:30:01")
    place(venue, order("SELL", 25), "09:30:02")
    (net,) = venue.position_rows()["net"]
    assert (net["quantity"], net["average_price"], net["realised"]) == (-15, 1000, -1)


def test_products_are_kept_apart():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "1000.0x500", "1000.1x500"))
    place(venue, order("BUY", 10), "09:30:01")
    place(venue, order("SELL", 10, product="CNC"), "09:30:02")
    quantities = {each["product"]: each["quantity"] for each in venue.position_rows()["net"]}
    assert quantities == {"MIS": 10, "CNC": -10}


def test_margins_follow_positions_orders_and_results():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.0x500", "1000.0x500"))
    venue.apply_frame(frame("09:30:00", "26000.0", "25999x650", "26001x650", spec=FUTURE))
    place(venue, order("BUY", 100), "09:30:01")
    place(venue, future_order("BUY", 65, "LIMIT", price=25900), "09:30:02")
    equity = venue.margin_rows()["equity"]
    # 20 % of 100 x 1000 and 12 % of 65 x 26000
    assert equity["utilised"]["span"] == 20_000 + 202_800
    # charges of the buy of 1,00,000.00: 20.00 + 3.07 + 0.10 + 3.00 + 4.17
    assert equity["net"] == 25_00_000 - 222_800 - 30.34
    assert equity["available"]["opening_balance"] == 25_00_000
    (asked,) = venue.order_margin_rows([future_order("SELL", 130)], at("09:30:03"))
    assert asked["total"] == 202_800


def test_an_open_loss_counts_and_an_open_profit_does_not():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x500", "1000.0x500"))
    place(venue, order("BUY", 100), "09:30:01")
    venue.apply_frame(frame("09:30:03", "1010.0", "1009.9x500", "1010.0x500"))
    # 20 % of 1,01,000.00
    assert venue.margin_rows()["equity"]["net"] == 25_00_000 - 20_200 - 30.34
    venue.apply_frame(frame("09:30:06", "990.0", "989.9x500", "990.0x500"))
    assert venue.margin_rows()["equity"]["net"] == 25_00_000 - 19_800 - 30.34 - 1_000


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from(["MARKET", "LIMIT", "SL"]),
        st.integers(1, 90),
        st.integers(-12, 12),
        st.integers(-12, 12),
        st.integers(0, 150),
        st.sampled_from(["leave", "cancel", "reprice", "resize", "to_limit"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_fills_never_exceed_orders_and_cash_and_positions_are_conserved(steps):
    venue = open_venue(VenueRules())
    venue.apply_frame(frame("10:00:00", "1000.0", "999.9x50", "1000.1x30"))
    volume = 1_000
    for number, (side, kind, quantity, away, move, traded, then) in enumerate(steps, 1):
        order_id = venue.place(asked(side, kind, quantity, away), at(f"10:00:{number * 2:02d}"))
        change(venue, order_id, then, at(f"10:00:{number * 2:02d}", ms=900))
        volume += traded
        last = 1000 + move
        quote = (f"{last - 0.1:.1f}x50", f"{last + 0.1:.1f}x30")
        venue.apply_frame(frame(f"10:00:{number * 2 + 1:02d}", f"{last}", *quote, volume=volume))
        check_books(venue)


def asked(side, kind, quantity, away):
    sign = 1 if side == "BUY" else -1
    prices = {
        "MARKET": {},
        "LIMIT": {"price": 1000 + away},
        "SL": {"trigger_price": 1000 + sign * 20, "price": 1000 + sign * 25},
    }
    return order(side, quantity, kind, **prices[kind])


def change(venue, order_id, verb, now):
    """Ask for it; a refusal (the order is closed by then, or the change makes no sense) is as good."""
    changes = {
        "reprice": {"price": 1001},
        "resize": {"quantity": 17},
        "to_limit": {"order_type": "LIMIT", "price": 999},
    }
    with suppress(VenueRefusal):
        if verb == "cancel":
            venue.cancel(order_id, now)
        elif verb != "leave":
            venue.modify(order_id, changes[verb], now)


def check_books(venue):
    rows, trades = venue.order_rows(), venue.trade_rows()
    for each in rows:
        own = [trade for trade in trades if trade["order_id"] == each["order_id"]]
        assert sum(trade["quantity"] for trade in own) == each["filled_quantity"] <= each["quantity"]
        if each["order_type"] == "LIMIT" and each["price"] and not each["modified"]:
            sign = 1 if each["transaction_type"] == "BUY" else -1
            assert all((each["price"] - trade["average_price"]) * sign >= -1e-9 for trade in own)
    signed = sum(trade["quantity"] * (1 if trade["transaction_type"] == "BUY" else -1) for trade in trades)
    net = venue.position_rows()["net"]
    assert sum(each["quantity"] for each in net) == signed
    for each in net:
        cash = each["sell_value"] - each["buy_value"]
        assert abs(each["pnl"] - (cash + each["quantity"] * each["last_price"])) < 1e-6
        assert abs(each["realised"] + each["unrealised"] - each["pnl"]) < 1e-6
    assert len({trade["trade_id"] for trade in trades}) == len(trades)


def test_a_margin_row_names_its_charges():
    venue = open_venue()
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x500", "1000.0x500"))
    (asked,) = venue.order_margin_rows([order("BUY", 100)], at("09:30:01"))
    assert (asked["total"], asked["charges"]["brokerage"], asked["charges"]["total"]) == (20_000, 20, 30.34)
    assert row(venue, place(venue, order("BUY", 1), "09:30:02"))["status"] == "COMPLETE"
