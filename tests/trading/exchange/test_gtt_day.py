"""Triggers in a day that runs: the order they place, and a day told again after a kill."""

import json
from datetime import time

from tests.trading.exchange.test_market_day import Recorder, synthetic_day
from trading.exchange.gtt import DELETE_GTT, PLACE_GTT
from trading.exchange.market_day import tell_again


def trigger(last_inr, trigger_inr):
    condition = {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "trigger_values": [trigger_inr],
        "last_price": last_inr,
    }
    leg = {
        "transaction_type": "BUY",
        "quantity": 10,
        "order_type": "LIMIT",
        "product": "CNC",
        "price": trigger_inr,
    }
    return {"type": "single", "condition": json.dumps(condition), "orders": json.dumps([leg])}


def recorded():
    recorder = Recorder(synthetic_day(time(10, 0)))
    recorder.frames(2)
    last = int(recorder.day.prices.snapshot([738561]).last_price_paise[0]) // 100
    # The last price is said to be far below, so that the next price is already beyond the trigger.
    recorder.write(PLACE_GTT, **trigger(last - 100, last - 50))
    recorder.write(PLACE_GTT, **trigger(last - 100, last + 90))
    recorder.write(DELETE_GTT, "100001")
    recorder.frames(3)
    return recorder


def test_a_met_trigger_places_a_limit_order_in_the_days_books():
    day = recorded().day
    row, deleted = day.gtts.row("100000"), day.gtts.row("100001")
    placed = day.venue.order_rows()
    assert (row["status"], deleted["status"]) == ("triggered", "deleted")
    assert [(order["order_type"], order["product"], order["placed_by"]) for order in placed] == [
        ("LIMIT", "CNC", "AB1234")
    ]
    assert row["orders"][0]["result"]["order_result"]["order_id"] == placed[0]["order_id"]


def test_a_day_told_again_has_the_same_triggers_and_the_orders_they_placed():
    recorder = recorded()
    again = synthetic_day(time(10, 0))
    tell_again(again, recorder.entries)
    assert again.gtts.rows() == recorder.day.gtts.rows()
    assert again.venue.order_rows() == recorder.day.venue.order_rows()
    assert len(again.venue.order_rows()) == 1
