import json
from datetime import timedelta

import pytest

from tests.trading.exchange.market_builders import FUTURE, INSTRUMENTS, SHARE, at, frame
from trading.exchange.gtt import DELETE_GTT, MODIFY_GTT, PLACE_GTT, GttBook
from trading.exchange.rules import VenueRefusal, order_error

SPECS = {(str(spec.exchange), spec.tradingsymbol): spec for spec in INSTRUMENTS}


def sell(price, **more):
    return {
        "transaction_type": "SELL",
        "quantity": 10,
        "order_type": "LIMIT",
        "product": "CNC",
        "price": price,
    } | more


def request(*triggers, orders=None, kind="single", last=1000.0, spec=SHARE):
    condition = {
        "exchange": str(spec.exchange),
        "tradingsymbol": spec.tradingsymbol,
        "trigger_values": list(triggers),
        "last_price": last,
    }
    orders = orders or [sell(trigger) for trigger in triggers]
    return {"type": kind, "condition": json.dumps(condition), "orders": json.dumps(orders)}


def book(**more):
    return GttBook(specs=SPECS, user_id="AB1234", **more)


def price(last, clock="10:00:05", spec=SHARE):
    return frame(clock, last, f"{last}x50", f"{last}x50", spec=spec)


class Orders:
    """Takes what a trigger places."""

    def __init__(self, refusal=None):
        self.placed = []
        self.refusal = refusal

    def __call__(self, fields):
        if self.refusal:
            raise self.refusal
        self.placed.append(dict(fields))
        return f"order{len(self.placed)}"


def test_a_trigger_waits_as_kite_shows_it():
    gtts = book()
    assert gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00")) == "100000"
    row = gtts.row("100000")
    assert row == gtts.rows()[0]
    assert (row["type"], row["status"], row["user_id"]) == ("single", "active", "AB1234")
    assert (row["created_at"], row["expires_at"]) == ("2026-11-23 10:00:00", "2027-11-23 10:00:00")
    assert row["condition"] == {
        "exchange": "NSE",
        "last_price": 1000,
        "tradingsymbol": "RELIANCE",
        "trigger_values": [990],
        "instrument_token": 738561,
    }
    assert row["orders"] == [
        {
            "exchange": "NSE",
            "tradingsymbol": "RELIANCE",
            "transaction_type": "SELL",
            "order_type": "LIMIT",
            "product": "CNC",
            "quantity": 10,
            "price": 990,
            "result": None,
        }
    ]


@pytest.mark.parametrize(
    ("trigger", "silent", "met"), [(990.0, "990.1", "990.0"), (1010.0, "1009.9", "1010.0")]
)
def test_a_single_trigger_fires_once_at_its_price(trigger, silent, met):
    gtts, orders = book(), Orders()
    gtts.write(PLACE_GTT, "", request(trigger), at("10:00:00"))
    gtts.judge(price(silent), orders)
    assert orders.placed == []
    gtts.judge(price(met), orders)
    gtts.judge(price(met), orders)
    assert [(row["order_type"], row["price"], row["quantity"]) for row in orders.placed] == [
        ("LIMIT", trigger, 10)
    ]
    row = gtts.row("100000")
    result = row["orders"][0]["result"]
    assert (row["status"], row["updated_at"]) == ("triggered", "2026-11-23 10:00:05")
    assert result["order_result"] == {"status": "success", "order_id": "order1", "rejection_reason": ""}
    assert result["triggered_at"] == float(met)
    assert json.loads(result["meta"])["gtt"] == 100000


@pytest.mark.parametrize(("last", "leg", "limit"), [("980.0", 0, 979.0), ("1020.5", 1, 1019.0)])
def test_of_two_legs_one_fires_and_the_other_never_does(last, leg, limit):
    gtts, orders = book(), Orders()
    fields = request(980.0, 1020.0, orders=[sell(979.0), sell(1019.0)], kind="two-leg")
    gtts.write(PLACE_GTT, "", fields, at("10:00:00"))
    for passing in (last, "980.0", "1020.5"):
        gtts.judge(price(passing), orders)
    assert [row["price"] for row in orders.placed] == [limit]
    results = [order["result"] for order in gtts.row("100000")["orders"]]
    assert [result is not None for result in results] == [leg == 0, leg == 1]


def test_an_order_refused_when_the_trigger_fires_is_told_in_the_result():
    gtts = book()
    gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00"))
    gtts.judge(price("985.0"), Orders(refusal=order_error("Markets are closed right now.")))
    row = gtts.row("100000")
    assert row["status"] == "triggered"
    assert row["orders"][0]["result"]["order_result"] == {
        "status": "failed",
        "order_id": "",
        "rejection_reason": "Markets are closed right now.",
    }


def test_prices_of_another_instrument_fire_nothing():
    gtts, orders = book(), Orders()
    gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00"))
    gtts.judge(price("900.0", spec=FUTURE), orders)
    assert (orders.placed, gtts.row("100000")["status"]) == ([], "active")


def test_a_modified_trigger_waits_for_the_new_price_only():
    gtts, orders = book(), Orders()
    gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00"))
    gtts.write(MODIFY_GTT, "100000", request(980.0), at("10:01:00"))
    gtts.judge(price("985.0", "10:02:00"), orders)
    assert orders.placed == []
    gtts.judge(price("980.0", "10:03:00"), orders)
    assert [row["price"] for row in orders.placed] == [980]
    assert gtts.row("100000")["created_at"] == "2026-11-23 10:00:00"


def test_a_deleted_trigger_never_fires_and_cannot_be_changed():
    gtts, orders = book(), Orders()
    gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00"))
    gtts.write(DELETE_GTT, "100000", {}, at("10:01:00"))
    gtts.judge(price("980.0"), orders)
    assert (orders.placed, gtts.row("100000")["status"]) == ([], "deleted")
    for verb in (MODIFY_GTT, DELETE_GTT):
        with pytest.raises(VenueRefusal, match="only an active one"):
            gtts.write(verb, "100000", request(980.0), at("10:02:00"))


def test_a_type_or_an_instrument_cannot_be_changed():
    gtts = book()
    gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00"))
    with pytest.raises(VenueRefusal, match="cannot be changed"):
        gtts.write(MODIFY_GTT, "100000", request(980.0, 1020.0, kind="two-leg"), at("10:01:00"))
    assert gtts.row("100000")["condition"]["trigger_values"] == [990]


@pytest.mark.parametrize("number", ["1", "x", "", "-1", "٣"])
def test_an_unknown_trigger_is_not_found(number):
    with pytest.raises(VenueRefusal, match="not found") as refusal:
        book().row(number)
    assert refusal.value.http_status == 404


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Invalid `condition`. Should be an object"),
        (request(990.0) | {"orders": "{}"}, "Invalid `orders`. Should be a list"),
        (request(990.0) | {"orders": "[]"}, "1 orders; 0 were given"),
        (request(990.0) | {"orders": "[1]"}, "Should be a list of objects"),
        (request(990.0) | {"type": "triple"}, "Invalid `type`"),
        (request(990.0, kind="two-leg"), "A two-leg trigger has 2"),
        (request(1000.0), "already met"),
        (request(1010.0, 1020.0, kind="two-leg"), "first trigger price more than"),
        (request(980.0, 990.0, kind="two-leg"), "second trigger price less than"),
        (request(990.05), "in multiples of 0.1"),
        (request("x"), "Invalid `trigger_values`"),
        (request(990.0, last=None), "Invalid `last_price`"),
        (request(990.0, orders=[sell(990.0, order_type="MARKET")]), "Only LIMIT"),
        (request(990.0, orders=[sell(990.0, product="MIS")]), "Should be one of CNC, NRML"),
        (request(990.0, orders=[sell(990.0, quantity=0)]), "Invalid `quantity`"),
        (request(990.0, orders=[sell(990.0, quantity="ten")]), "Invalid `quantity`"),
        (request(990.0, orders=[sell(0)]), "Invalid `price`"),
        (request(990.0, orders=[sell(990.0, transaction_type="HOLD")]), "transaction_type"),
        (request(25000.0, last=26000.0, spec=FUTURE), "lot size 65"),
    ],
)
def test_a_trigger_that_cannot_be_is_refused_and_leaves_no_trace(fields, words):
    gtts = book()
    with pytest.raises(VenueRefusal, match=words) as refusal:
        gtts.write(PLACE_GTT, "", fields, at("10:00:00"))
    assert (refusal.value.http_status, refusal.value.error_type) == (400, "InputException")
    assert gtts.rows() == []


def test_only_so_many_triggers_are_active_at_a_time():
    gtts = book(most_active=2)
    for _ in range(2):
        gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00"))
    with pytest.raises(VenueRefusal, match="At most 2"):
        gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00"))
    gtts.write(DELETE_GTT, "100000", {}, at("10:00:00"))
    assert gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00")) == "100002"
    assert [row["id"] for row in gtts.rows()] == [100002, 100001, 100000]


def carried(gtts, now, **more):
    """The book of a later day."""
    later = book(**more)
    later.restore(gtts.events(), now)
    return later


def test_a_trigger_waits_on_the_day_after_under_its_number():
    gtts = book()
    gtts.write(PLACE_GTT, "", request(990.0, 1010.0, kind="two-leg"), at("10:00:00"))
    later = carried(gtts, at("09:14:00") + timedelta(days=1))
    assert later.rows() == gtts.rows()
    assert later.write(PLACE_GTT, "", request(980.0), at("09:15:00") + timedelta(days=1)) == "100001"
    orders = Orders()
    later.judge(price("1010.0"), orders)
    assert [placed["price"] for placed in orders.placed] == [1010]
    assert later.row("100000")["status"] == "triggered"


def test_what_has_ended_is_shown_for_seven_days_and_its_number_is_never_given_again():
    gtts = book()
    gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00"))
    gtts.write(DELETE_GTT, "100000", {}, at("10:00:01"))
    week = carried(gtts, at("10:00:01") + timedelta(days=7))
    assert [row["status"] for row in week.rows()] == ["deleted"]
    gone = carried(gtts, at("10:00:02") + timedelta(days=7))
    assert gone.rows() == []
    assert gone.write(PLACE_GTT, "", request(990.0), at("10:00:02")) == "100001"


@pytest.mark.parametrize(
    ("spec", "days"),
    [
        (SHARE, 365),
        (FUTURE, 7),  # expires on Monday 30 November
    ],
)
def test_a_trigger_whose_time_is_over_expires(spec, days):
    gtts, lots = book(), {"quantity": spec.lot_size, "product": "NRML"}
    asked = request(990.0, orders=[sell(990.0, **lots)], spec=spec)
    gtts.write(PLACE_GTT, "", asked, at("00:00:00"))
    waiting = carried(gtts, at("00:00:00") + timedelta(days=days, seconds=-1))
    assert waiting.row("100000")["status"] == "active"
    over = carried(gtts, at("00:00:00") + timedelta(days=days))
    assert over.row("100000")["status"] == "expired"
    orders = Orders()
    over.judge(price("990.0", spec=spec), orders)
    assert orders.placed == []


def test_a_trigger_of_an_instrument_that_is_gone_expires():
    gtts = book()
    gtts.write(PLACE_GTT, "", request(990.0), at("10:00:00"))
    later = GttBook(specs={}, user_id="AB1234")
    later.restore(gtts.events(), at("09:14:00"))
    assert (later.row("100000")["status"], later.row("100000")["condition"]["tradingsymbol"]) == (
        "expired",
        "RELIANCE",
    )
