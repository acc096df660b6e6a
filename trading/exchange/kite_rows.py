"""Kite's JSON rows: exact keys and types of Kite Connect v3.

Prices leave as JSON numbers, times as IST strings.
"""

from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from trading.core.values import Charges
from trading.exchange.ledger import Execution, Ledger, Position
from trading.exchange.orders import KiteStatus, VenueOrder

IST = ZoneInfo("Asia/Kolkata")
Row = dict[str, Any]


def number(paise: int | Fraction) -> int | float:
    """Rupees as JSON has them: 420.65, and 420 where there are no paise."""
    if paise % 100 == 0:
        return int(paise // 100)
    return paise.numerator / (paise.denominator * 100)


def stamp(moment: datetime | None) -> str | None:
    """`2022-03-15 09:30:04`, IST, to the second."""
    return None if moment is None else moment.astimezone(IST).isoformat(" ", "seconds")[:19]


def average_of(value_paise: int, quantity: int) -> int | float:
    return number(Fraction(value_paise, quantity)) if quantity else 0


def order_row(order: VenueOrder) -> Row:
    """A row of `/orders`.

    A cancelled order keeps its pending quantity beside the cancelled one, as Kite's do.
    """
    row: Row = {
        "placed_by": order.placed_by,
        "order_id": order.order_id,
        "exchange_order_id": order.exchange_order_id,
        "parent_order_id": order.parent_order_id,
        "status": str(order.status),
        "status_message": order.status_message,
        "status_message_raw": order.status_message_raw,
        "order_timestamp": stamp(order.placed_at),
        "exchange_update_timestamp": stamp(order.updated_at),
        "exchange_timestamp": stamp(order.exchange_at),
        "variety": order.variety,
        "modified": order.is_modified,
        "exchange": str(order.spec.exchange),
        "tradingsymbol": order.spec.tradingsymbol,
        "instrument_token": order.spec.instrument_token,
        "order_type": str(order.order_type),
        "transaction_type": str(order.side),
        "validity": order.validity,
        "product": str(order.product),
        "quantity": order.quantity,
        "disclosed_quantity": order.disclosed,
        "price": number(order.price_paise),
        "trigger_price": number(order.trigger_paise),
        "average_price": average_of(order.filled_value_paise, order.filled),
        "filled_quantity": order.filled,
        "pending_quantity": _pending_shown(order),
        "cancelled_quantity": order.cancelled,
        "market_protection": 0,
        "meta": order.meta,
        "tag": order.tag or None,
        "guid": f"paper-{order.order_id}",
    }
    if order.ttl_min:
        row["validity_ttl"] = order.ttl_min
    if order.tag or order.system_tags:
        row["tags"] = [*([order.tag] if order.tag else []), *order.system_tags]
    return row


def _pending_shown(order: VenueOrder) -> int:
    if order.status is KiteStatus.REJECTED:
        return 0
    return order.pending + order.cancelled


def update_row(row: Row, user_id: str, status: str) -> Row:
    """A postback's payload from an order row; whoever knows the API secret fills in `checksum`."""
    return {key: value for key, value in row.items() if key != "modified"} | {
        "user_id": user_id,
        "app_id": 0,
        "checksum": "",
        "status": status,
        "unfilled_quantity": row["quantity"] - row["filled_quantity"],
    }


def trade_row(execution: Execution) -> Row:
    """A row of `/trades`. `order_timestamp` is a bare time of day there."""
    return {
        "trade_id": execution.trade_id,
        "order_id": execution.order_id,
        "exchange": str(execution.spec.exchange),
        "tradingsymbol": execution.spec.tradingsymbol,
        "instrument_token": execution.spec.instrument_token,
        "product": str(execution.product),
        "average_price": number(execution.price_paise),
        "quantity": execution.quantity,
        "exchange_order_id": execution.exchange_order_id,
        "transaction_type": str(execution.side),
        "fill_timestamp": stamp(execution.filled_at),
        "order_timestamp": execution.placed_at.astimezone(IST).strftime("%H:%M:%S"),
        "exchange_timestamp": stamp(execution.filled_at),
    }


def position_row(position: Position, last_paise: int) -> Row:
    """A row of `/portfolio/positions`; nothing is carried overnight here, so `net` and `day` are alike."""
    quantity = position.quantity
    unrealised = position.unrealised_paise(last_paise) if last_paise else Fraction(0)
    pnl = number(position.realised_paise + unrealised)
    buy_price = average_of(position.buy_value_paise, position.buy_quantity)
    sell_price = average_of(position.sell_value_paise, position.sell_quantity)
    buys = {"quantity": position.buy_quantity, "price": buy_price, "value": number(position.buy_value_paise)}
    sells = {
        "quantity": position.sell_quantity,
        "price": sell_price,
        "value": number(position.sell_value_paise),
    }
    row: Row = {
        "tradingsymbol": position.spec.tradingsymbol,
        "exchange": str(position.spec.exchange),
        "instrument_token": position.spec.instrument_token,
        "product": str(position.product),
        "quantity": quantity,
        "overnight_quantity": 0,
        "multiplier": 1,
        "average_price": number(position.cost_paise / quantity) if quantity else 0,
        "close_price": number(position.spec.previous_close_paise),
        "last_price": number(last_paise),
        "value": number(position.sell_value_paise - position.buy_value_paise),
        "pnl": pnl,
        "m2m": pnl,
        "unrealised": number(unrealised),
        "realised": number(position.realised_paise),
    }
    for name, side in (("buy", buys), ("sell", sells)):
        row |= {f"{name}_{key}": value for key, value in side.items()}
        row[f"{name}_m2m"] = side["value"]
        row |= {f"day_{name}_{key}": value for key, value in side.items()}
    return row


def margins_row(ledger: Ledger, used_paise: int, last_paise: dict[int, int]) -> Row:
    """`/user/margins`: the equity segment has it all, the commodity segment is off."""
    available = ledger.available_paise(used_paise, last_paise)
    unrealised = ledger.unrealised_paise(last_paise)
    utilised = {
        "debits": number(ledger.capital_paise - available),
        "exposure": 0,
        "m2m_realised": number(ledger.realised_paise),
        "m2m_unrealised": number(unrealised),
        "option_premium": 0,
        "payout": 0,
        "span": number(used_paise),
        "holding_sales": 0,
        "turnover": 0,
        "liquid_collateral": 0,
        "stock_collateral": 0,
        "delivery": 0,
    }
    available_now = {
        "adhoc_margin": 0,
        "cash": number(ledger.capital_paise),
        "opening_balance": number(ledger.capital_paise),
        "live_balance": number(available),
        "collateral": 0,
        "intraday_payin": 0,
    }
    equity = {
        "enabled": True,
        "net": number(available),
        "available": available_now,
        "utilised": utilised,
    }
    commodity = {
        "enabled": False,
        "net": 0,
        "available": dict.fromkeys(available_now, 0),
        "utilised": dict.fromkeys(utilised, 0),
    }
    return {"equity": equity, "commodity": commodity}


def charges_row(charges: Charges) -> Row:
    """The `charges` block of an order margin or a virtual contract note."""
    lines = {
        "exchange_turnover_charge": charges.exchange_inr,
        "sebi_turnover_charge": charges.sebi_inr,
        "brokerage": charges.brokerage_inr,
        "stamp_duty": charges.stamp_inr,
        "total": charges.total_inr,
    }
    gst = number(int(charges.gst_inr * 100))
    return {
        "transaction_tax": number(int(charges.stt_inr * 100)),
        "transaction_tax_type": "stt",
        **{name: number(int(amount * 100)) for name, amount in lines.items()},
        "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
    }


def order_margin_row(spec_names: tuple[str, str], required_paise: int, charges: Charges) -> Row:
    """A row of `/margins/orders` for (exchange, tradingsymbol)."""
    is_derivative = spec_names[0] in ("NFO", "BFO")
    return {
        "type": "equity",
        "tradingsymbol": spec_names[1],
        "exchange": spec_names[0],
        "span": number(required_paise) if is_derivative else 0,
        "exposure": 0,
        "option_premium": 0,
        "additional": 0,
        "bo": 0,
        "cash": 0,
        "var": 0 if is_derivative else number(required_paise),
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": 1,
        "charges": charges_row(charges),
        "total": number(required_paise),
    }
