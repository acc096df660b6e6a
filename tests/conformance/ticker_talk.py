"""The official ticker client, unmodified, in a process of its own (its reactor runs once): every method in turn.

    python -m tests.conformance.ticker_talk ROOT TICKER_ROOT API_KEY ACCESS_TOKEN

prints what happened as JSON: `done` names each method and callback that did what it should, `seen` what came.
"""

import json
import sys
from typing import Any

from kiteconnect import KiteConnect, KiteTicker
from twisted.internet import reactor

#: its types know Twisted's interfaces only
loop: Any = reactor
SHARE, INDEX = 408065, 256265
BOTH = [SHARE, INDEX]
#: bytes of a packet of the share and of the index, by mode
LENGTHS = {"ltp": {8}, "quote": {44, 28}, "full": {184, 32}}
PATIENCE_S = 25


def lengths_of(message: bytes) -> list[int]:
    lengths, offset = [], 2
    while offset < len(message):
        lengths.append(int.from_bytes(message[offset : offset + 2], "big"))
        offset += 2 + lengths[-1]
    return lengths


class Talk:
    """One connection that is taken through its stages by what it hears."""

    def __init__(self, root: str, ticker_root: str, api_key: str, access_token: str) -> None:
        self.kite = KiteConnect(api_key, access_token=access_token, root=root)
        self.done: set[str] = set()
        self.seen: dict[str, Any] = {"heard_full": False}
        self.waiting_for = ""
        self.ticker = KiteTicker(api_key, access_token, root=ticker_root)
        for name in ("connect", "open", "ticks", "message", "order_update", "error", "close"):
            setattr(self.ticker, f"on_{name}", getattr(self, name))
        self.refused = KiteTicker(api_key, "nobody", root=ticker_root, reconnect_max_tries=1)
        self.refused.on_error = lambda ticker, code, reason: self.seen.update(refusal=f"{code} {reason}")
        self.refused.on_reconnect = lambda ticker, attempts: self.done.add("on_reconnect")
        self.refused.on_noreconnect = self.gave_up

    def run(self) -> dict[str, Any]:
        loop.callLater(PATIENCE_S, loop.stop)
        loop.callWhenRunning(self.refused.connect)
        self.ticker.connect()
        return {"done": sorted(self.done), "seen": self.seen}

    def connect(self, ticker: Any, response: Any) -> None:
        self.done |= {"connect", "on_connect"} | ({"is_connected"} if ticker.is_connected() else set())
        ticker.subscribe(BOTH)
        self.waiting_for = "quote"

    def open(self, ticker: Any) -> None:
        self.done.add("on_open")

    def message(self, ticker: Any, payload: bytes, is_binary: bool) -> None:
        self.done.add("on_message")
        if is_binary and len(payload) > 4 and self.waiting_for in LENGTHS:
            # A frame of the mode before may have been on its way: what the last one brought counts.
            self.seen[f"{self.waiting_for}_lengths"] = lengths_of(payload)
        if is_binary and len(payload) == 1 and self.waiting_for == "heartbeat":
            self.done.add("unsubscribe")
            self.waiting_for = "error"
            ticker.subscribe(list(range(1, 3002)))

    def ticks(self, ticker: Any, ticks: list[dict[str, Any]]) -> None:
        self.done.add("on_ticks")
        if self.waiting_for == "heartbeat":
            self.seen["ticks_after_unsubscribe"] = len(ticks)
        if {tick["mode"] for tick in ticks} != {self.waiting_for} or len(ticks) != len(BOTH):
            return
        self.seen[self.waiting_for] = json.loads(json.dumps(ticks, default=str))
        if self.waiting_for == "quote":
            self.done.add("subscribe")
            self._ask_mode("ltp")
        elif self.waiting_for == "ltp":
            self._ask_mode("full")
        elif not self.seen["heard_full"]:
            self.seen["heard_full"] = True
            self.done.add("set_mode")
            ticker.resubscribe()
        else:
            self.done.add("resubscribe")
            ticker.unsubscribe(BOTH)
            self.waiting_for = "heartbeat"

    def _ask_mode(self, mode: str) -> None:
        self.waiting_for = mode
        self.ticker.set_mode(mode, BOTH)

    def error(self, ticker: Any, code: int, reason: str) -> None:
        if self.waiting_for == "error":
            self.done.add("on_error")
            self.seen["error"] = f"{code} {reason}"
            self.waiting_for = "order"
            loop.callInThread(self.order)

    def order(self) -> None:
        price = round(self.kite.ltp("NSE:INFY")["NSE:INFY"]["last_price"] * 1.005)
        self.kite.place_order("regular", "NSE", "INFY", "BUY", 1, "MIS", "LIMIT", price=price, tag="TALK")

    def order_update(self, ticker: Any, data: dict[str, Any]) -> None:
        if data["tag"] == "TALK" and data["status"] == "COMPLETE" and self.waiting_for == "order":
            self.done.add("on_order_update")
            self.seen["order_update"] = data
            self.waiting_for = "close"
            ticker.close()

    def close(self, ticker: Any, code: int, reason: str) -> None:
        if self.waiting_for == "close":
            self.done |= {"close", "on_close"}
            self.seen["closed"] = code
            self._end()

    def gave_up(self, ticker: Any) -> None:
        self.done.add("on_noreconnect")
        ticker.stop_retry()
        self.done.add("stop_retry")
        self._end()

    def _end(self) -> None:
        if {"on_noreconnect", "close"} <= self.done:
            self.done.add("stop")
            self.ticker.stop()


if __name__ == "__main__":
    print(json.dumps(Talk(*sys.argv[1:5]).run()))
