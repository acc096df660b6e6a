"""Our packets beside the official client's ticks of the same bytes."""

import struct
from typing import Any

from kiteconnect import KiteTicker

from trading.core.kite_packets import Packets

OFFICIAL = KiteTicker("key", "token")
TIMES = {
    "last_trade_time": "last_trade_time_s",
    "exchange_timestamp": "exchange_time_s",
}
QUANTITIES = {
    "instrument_token": "tokens",
    "last_traded_quantity": "last_quantity",
    "volume_traded": "volume",
    "total_buy_quantity": "total_buy_quantity",
    "total_sell_quantity": "total_sell_quantity",
    "oi": "open_interest",
    "oi_day_high": "open_interest_high",
    "oi_day_low": "open_interest_low",
}
PRICES = {"last_price": "last_price", "average_traded_price": "average_price"}


def framed(*packets: bytes) -> bytes:
    body = b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)
    return struct.pack(">H", len(packets)) + body


def differences(packets: Packets, ticks: list[dict[str, Any]]) -> list[str]:
    """What of the official client's ticks is not the same here; a field it does not have must be 0."""
    found = [] if len(packets) == len(ticks) else [f"{len(packets)} packets, {len(ticks)} ticks"]
    divisors = packets.price_divisors()
    for row, tick in enumerate(ticks):
        divisor = int(divisors[row])
        expected: dict[str, Any] = {ours: tick.get(theirs, 0) for theirs, ours in QUANTITIES.items()}
        ohlc = tick.get("ohlc", {})
        prices = {ours: tick.get(theirs, 0) for theirs, ours in PRICES.items()}
        prices |= {name: ohlc.get(name, 0) for name in ("open", "high", "low", "close")}
        for theirs, ours in TIMES.items():
            expected[ours] = int(tick[theirs].timestamp()) if tick.get(theirs) else 0
        depth = tick.get("depth", {})
        for side, word in (("buy", "bid"), ("sell", "ask")):
            levels = depth.get(side) or [{"quantity": 0, "price": 0, "orders": 0}] * 5
            for field in ("quantity", "orders"):
                expected[f"{word}_{field}"] = [level[field] for level in levels]
            prices[f"{word}_price"] = [level["price"] for level in levels]
        here = {name: getattr(packets, name)[row].tolist() for name in expected}
        rupees = {name: (getattr(packets, name)[row] / divisor).tolist() for name in prices}
        found += [f"{row} {name}" for name in expected if here[name] != expected[name]]
        found += [f"{row} {name}" for name in prices if rupees[name] != prices[name]]
    return found
