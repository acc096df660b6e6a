"""The official client, unmodified, at an exchange; its raw answers are kept beside what it makes of them."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kiteconnect import KiteConnect
from kiteconnect.exceptions import KiteException, NetworkException

from tests.conformance.shape import differences

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "kite-samples"
#: how long a 429 and a slow order are waited for, seconds
PATIENCE_S = 20.0
#: a share that every Kite has
SYMBOL, TOKEN = "INFY", 408065
NAME = f"NSE:{SYMBOL}"


def sample(name: str) -> Any:
    """A published sample answer; skips where the samples are not there."""
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"there is no {path}: the published sample answers are needed")
    return json.loads(path.read_text())


@dataclass
class Desk:
    """One login at one exchange. `is_ours`: the paper exchange, started for this run."""

    root: str
    ticker_root: str
    api_key: str
    api_secret: str
    access_token: str
    is_ours: bool
    kite: KiteConnect = field(init=False)
    #: the body of the last answer, as it came
    body: Any = None

    def __post_init__(self) -> None:
        self.kite = KiteConnect(self.api_key, access_token=self.access_token, root=self.root)
        self.kite.reqsession.hooks["response"].append(self._keep)

    def _keep(self, response: Any, *args: Any, **kwargs: Any) -> None:
        is_json = "json" in response.headers.get("content-type", "")
        self.body = response.json() if is_json else response.text

    def ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call the client's method; a full second is waited out."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return getattr(self.kite, method)(*args, **kwargs)
            except NetworkException as error:
                if "Too many requests" not in str(error) or time.monotonic() > until_s:
                    raise
            threading.Event().wait(0.3)

    def like(self, name: str) -> list[str]:
        """How the last answer differs from a published sample."""
        return differences([sample(f"{name}.json")], self.body)

    def refusal(self, method: str, *args: Any, **kwargs: Any) -> tuple[str, int, str]:
        """Class, HTTP status and text of the error that the client raises; empty where it raises none."""
        try:
            self.ask(method, *args, **kwargs)
        except KiteException as error:
            return type(error).__name__, error.code, str(error)
        return "", 200, ""

    def last_price(self) -> float:
        return float(self.ask("ltp", NAME)[NAME]["last_price"])

    def order(self, side: str = "BUY", away: float = 0.0, **more: Any) -> str:
        """A LIMIT order for one share, so far from the last price; 0: at a price that fills at once."""
        slip = away or (0.005 if side == "BUY" else -0.005)
        fields = {
            "variety": "regular",
            "exchange": "NSE",
            "tradingsymbol": SYMBOL,
            "transaction_type": side,
            "quantity": 1,
            "product": "MIS",
            "order_type": "LIMIT",
            "price": round(self.last_price() * (1 + slip)),
        }
        return str(self.ask("place_order", **fields | more))

    def wait_for(self, order_id: str, *statuses: str) -> list[dict[str, Any]]:
        """The history of an order that has come to one of these statuses."""
        rows: list[dict[str, Any]] = self.until(
            lambda: self.ask("order_history", order_id),
            lambda rows: rows[-1]["status"] in statuses,
            f"{order_id} never became {' or '.join(statuses)}",
        )
        return rows

    def until(self, ask: Callable[[], Any], is_so: Callable[[Any], bool], problem: str) -> Any:
        until_s = time.monotonic() + PATIENCE_S
        while not is_so(answer := ask()):
            assert time.monotonic() < until_s, f"{problem}: {answer}"
        return answer

    def filled(self, side: str = "BUY", **more: Any) -> str:
        """An order that has filled."""
        order_id = self.order(side, **more)
        self.wait_for(order_id, "COMPLETE")
        return order_id
