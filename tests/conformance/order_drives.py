"""The client's order and GTT methods, driven. Each answers what was not as Kite's."""

from datetime import datetime
from typing import Any

from tests.conformance.desk import SYMBOL, Desk
from tests.conformance.session_drives import Problems, refused

FAR = -0.04


def place_order(desk: Desk) -> Problems:
    order_id = desk.order(away=FAR, tag="CONFORM1")
    found = desk.like("order_response")
    rows = desk.wait_for(order_id, "OPEN")
    if (rows[-1]["tag"], rows[-1]["tags"]) != ("CONFORM1", ["CONFORM1"]):
        found.append(f"the tag came back as {rows[-1]['tag']}, {rows[-1]['tags']}")
    desk.ask("cancel_order", "regular", order_id)
    last = desk.last_price()
    stops: dict[str, Any] = {
        "order_type": "SL",
        "trigger_price": round(last * 0.97),
        "price": round(last * 0.96),
    }
    kinds: list[tuple[dict[str, Any], str]] = [
        ({"order_type": "MARKET", "market_protection": -1, "price": None}, "COMPLETE"),
        (stops | {"transaction_type": "SELL"}, "TRIGGER PENDING"),
        (
            {
                "transaction_type": "SELL",
                "order_type": "SL-M",
                "trigger_price": round(last * 0.97),
                "market_protection": 2,
                "price": None,
            },
            "TRIGGER PENDING",
        ),
        ({"validity": "IOC", "price": round(last * 0.96)}, "CANCELLED"),
    ]
    for fields, status in kinds:
        order_id = desk.order(**fields)
        desk.wait_for(order_id, status)
        if status == "TRIGGER PENDING":
            desk.ask("cancel_order", "regular", order_id)
    missing = desk.refusal("place_order", "regular", "NSE", SYMBOL, "BUY", 1, "MIS", "MARKET")
    if missing[:2] != ("InputException", 400):
        found.append(f"MARKET without protection was answered {missing}")
    return found + _varieties(desk)


def _varieties(desk: Desk) -> Problems:
    price = round(desk.last_price() * (1 + FAR))
    iceberg = desk.order(variety="iceberg", quantity=4, price=price, iceberg_legs=2, iceberg_quantity=2)
    desk.wait_for(iceberg, "OPEN")
    found = desk.like("orders")
    desk.ask("cancel_order", "iceberg", iceberg)
    desk.wait_for(iceberg, "CANCELLED")
    return found + refused(
        desk, "InputException", 400, "place_order", "bo", "NSE", SYMBOL, "BUY", 1, "MIS", "LIMIT", price=price
    )


def place_autoslice_order(desk: Desk) -> Problems:
    price = round(desk.last_price() * 0.96)
    desk.ask(
        "place_autoslice_order", "regular", "NSE", SYMBOL, "BUY", 1, "MIS", "LIMIT", price=price, tag="SLICED"
    )
    return desk.like("autoslice_response")


def modify_order(desk: Desk) -> Problems:
    order_id = desk.order(away=FAR)
    desk.wait_for(order_id, "OPEN")
    price = round(desk.last_price() * 0.95)
    desk.ask("modify_order", "regular", order_id, price=price, quantity=2)
    found = desk.like("order_modify")
    rows = desk.until(
        lambda: desk.ask("order_history", order_id),
        lambda rows: rows[-1]["price"] == price and rows[-1]["status"] == "OPEN",
        "it was not modified",
    )
    if rows[-1]["quantity"] != 2 or "MODIFIED" not in [row["status"] for row in rows]:
        found.append(f"its last row is {rows[-1]}")
    desk.ask("cancel_order", "regular", order_id)
    return found + refused(desk, "OrderException", 400, "modify_order", "regular", "1", price=1)


def cancel_order(desk: Desk) -> Problems:
    order_id = desk.order(away=FAR)
    desk.wait_for(order_id, "OPEN")
    desk.ask("cancel_order", "regular", order_id)
    found = desk.like("order_cancel")
    rows = desk.wait_for(order_id, "CANCELLED")
    if (rows[-1]["cancelled_quantity"], rows[-1]["filled_quantity"]) != (1, 0):
        found.append(f"its last row is {rows[-1]}")
    return found


def exit_order(desk: Desk) -> Problems:
    """A cover order: the parent fills, its stop waits, and leaving it closes the position."""
    stop = round(desk.last_price() * 0.98)
    parent_id = desk.filled(variety="co", trigger_price=stop)
    found = desk.like("orders")
    children = desk.until(
        lambda: [row for row in desk.ask("orders") if row["parent_order_id"] == parent_id],
        lambda rows: rows and rows[0]["status"] == "TRIGGER PENDING",
        "its stop never waited",
    )
    found += desk.like("orders")
    if [(row["variety"], row["transaction_type"], row["trigger_price"]) for row in children] != [
        ("co", "SELL", stop)
    ]:
        found.append(f"its stops are {children}")
    desk.ask("exit_order", "co", children[0]["order_id"], parent_order_id=parent_id)
    desk.wait_for(children[0]["order_id"], "COMPLETE", "CANCELLED")
    return found


def orders(desk: Desk) -> Problems:
    desk.filled()
    desk.order(quantity=10**7, away=FAR)
    rows = desk.ask("orders")
    found = desk.like("orders")
    return (
        found if isinstance(rows[-1]["order_timestamp"], datetime) else [*found, "it has no order_timestamp"]
    )


def order_history(desk: Desk) -> Problems:
    order_id = desk.filled()
    rows = desk.ask("order_history", order_id)
    body = desk.body
    found = desk.like("orders")
    # Its own sample is of 2017 and lacks a few keys: those that it has must be here.
    desk.body = body
    found += [problem for problem in desk.like("order_info") if "unknown" not in problem]
    statuses = [row["status"] for row in rows]
    if statuses[0] != "PUT ORDER REQ RECEIVED" or statuses[-1] != "COMPLETE":
        found.append(f"it went through {statuses}")
    return found + refused(desk, "OrderException", 400, "order_history", "1")


def trades(desk: Desk) -> Problems:
    desk.filled()
    rows = desk.ask("trades")
    return desk.like("trades") + ([] if rows else ["there is no trade"])


def order_trades(desk: Desk) -> Problems:
    order_id = desk.filled("SELL")
    rows = desk.ask("order_trades", order_id)
    found = desk.like("order_trades")
    return found if sum(row["quantity"] for row in rows) == 1 else [*found, f"{rows}"]


def gtt_fields(desk: Desk, *aways: float) -> dict[str, object]:
    """A trigger on the share, so far from its last price; two of them: stop and target."""
    last = desk.last_price()
    prices = [round(last * (1 + away)) for away in aways]
    leg = {"transaction_type": "SELL", "quantity": 1, "order_type": "LIMIT", "product": "CNC"}
    return {
        "trigger_type": "single" if len(prices) == 1 else "two-leg",
        "tradingsymbol": SYMBOL,
        "exchange": "NSE",
        "trigger_values": prices,
        "last_price": last,
        "orders": [leg | {"price": price} for price in prices],
    }


def placed_gtt(desk: Desk, *aways: float) -> int:
    return int(desk.ask("place_gtt", **gtt_fields(desk, *aways))["trigger_id"])


def place_gtt(desk: Desk) -> Problems:
    placed_gtt(desk, -0.08)
    found = desk.like("gtt_place_order")
    placed_gtt(desk, -0.08, 0.08)
    found += desk.like("gtt_place_order")
    wrong = gtt_fields(desk, 0.08, 0.09)
    return found + refused(desk, "InputException", 400, "place_gtt", **wrong)


def get_gtt(desk: Desk) -> Problems:
    # Both prices are met: the first that comes fires the trigger.
    fields = gtt_fields(desk, -0.08, 0.08) | {"last_price": desk.last_price()}
    trigger_id = desk.ask("place_gtt", **fields)["trigger_id"]
    desk.ask("get_gtt", trigger_id)
    found = desk.like("gtt_get_order")
    if desk.is_ours:
        far = {"trigger_values": [desk.last_price() // 1 - 40], "last_price": desk.last_price() // 1 - 80}
        trigger_id = desk.ask("place_gtt", **gtt_fields(desk, -0.08) | far)["trigger_id"]
        row = desk.until(
            lambda: desk.ask("get_gtt", trigger_id),
            lambda row: row["status"] == "triggered",
            "it did not fire",
        )
        found += desk.like("gtt_get_order")
        if not row["orders"][0]["result"]["order_result"]["order_id"]:
            found.append(f"it placed no order: {row}")
    return found + refused(desk, "GeneralException", 404, "get_gtt", "1")


def get_gtts(desk: Desk) -> Problems:
    trigger_id = placed_gtt(desk, -0.08)
    rows = desk.ask("get_gtts")
    found = desk.like("gtt_get_orders")
    return found if trigger_id in [row["id"] for row in rows] else [*found, f"{trigger_id} is not in it"]


def modify_gtt(desk: Desk) -> Problems:
    trigger_id = placed_gtt(desk, -0.08)
    fields = gtt_fields(desk, -0.09)
    desk.ask("modify_gtt", trigger_id, **fields)
    found = desk.like("gtt_modify_order")
    shown = desk.ask("get_gtt", trigger_id)["condition"]["trigger_values"]
    return found if shown == fields["trigger_values"] else [*found, f"it waits for {shown}"]


def delete_gtt(desk: Desk) -> Problems:
    trigger_id = placed_gtt(desk, -0.08)
    desk.ask("delete_gtt", trigger_id)
    found = desk.like("gtt_delete_order")
    status = desk.ask("get_gtt", trigger_id)["status"]
    return found if status == "deleted" else [*found, f"it is {status}"]
