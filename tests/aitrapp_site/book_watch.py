"""Looks at the paper exchange's books ten times a second and keeps how long each holding had no cover there."""

import time
from collections import Counter
from threading import Event, Thread
from typing import Any

from tests.aitrapp_site.paper_process import PaperProcess
from trading.core.enums import Role
from trading.core.order_ids import role_of_tag

DONE = {"COMPLETE", "CANCELLED", "REJECTED"}
LOOK_EVERY_S = 0.1
#: between two looks further apart the exchange did not answer, and nobody could have sent it a stop
GAP_S = 1.0


class BookWatch:
    """Machine seconds of the exchange's own truth; our rows are not asked. Use it as a context manager."""

    def __init__(self, paper: PaperProcess) -> None:
        self._paper = paper
        self._over = Event()
        self._thread = Thread(target=self._run, name="book-watch", daemon=True)
        self._looked_s: float | None = None
        self._bare_s: dict[str, float] = {}
        #: each time without cover that has ended or still lasts: holding and machine seconds
        self.bare: list[tuple[str, float]] = []
        self.looks = 0
        self.held_now = 0

    def __enter__(self) -> "BookWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5)
        self.bare += self._bare_s.items()

    @property
    def worst_bare_s(self) -> float:
        return max((seconds for _, seconds in [*self.bare, *self._bare_s.items()]), default=0.0)

    def _run(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            orders = self._paper.exchange_says("/orders")
            positions = self._paper.exchange_says("/portfolio/positions")
            now_s = time.monotonic()
            if orders is None or positions is None:
                continue
            gap_s = now_s - self._looked_s if self._looked_s is not None else 0.0
            self._looked_s = now_s
            self.looks += 1
            self._take(uncovered(orders, positions["net"]), gap_s if gap_s < GAP_S else 0.0)
            self.held_now = sum(1 for position in positions["net"] if position["quantity"])

    def _take(self, bare: set[str], gap_s: float) -> None:
        for holding in list(self._bare_s):
            if holding not in bare:
                self.bare.append((holding, self._bare_s.pop(holding)))
        for holding in bare:
            # Bare since some moment between the last look and this one: the first sight counts nothing.
            self._bare_s[holding] = self._bare_s[holding] + gap_s if holding in self._bare_s else 0.0


def uncovered(orders: list[dict[str, Any]], net: list[dict[str, Any]]) -> set[str]:
    """Holdings with more units than working exits of ours would close."""
    covers: Counter[str] = Counter()
    for order in orders:
        role = role_of_tag(order["tag"] or "")
        if role is not None and role is not Role.ENTRY and order["status"] not in DONE:
            covers[order["tradingsymbol"]] += order["quantity"] - order["filled_quantity"]
    return {
        position["tradingsymbol"]
        for position in net
        if abs(position["quantity"]) > covers[position["tradingsymbol"]]
    }
