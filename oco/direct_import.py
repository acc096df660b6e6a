"""What was sent while the database was away, brought back into rows before the first pass."""

import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

from oco import groups
from oco.groups import LiveGroup
from oco.views import ExitPolicy
from risk import state
from trading import orders
from trading.core.enums import Exchange, ExitReason, OrderType, PauseReason, Product, Role, Side
from trading.core.values import OrderRequest
from trading.desk import Desk

log = logging.getLogger(__name__)


class BrokenJournal(ValueError):
    """A line that is not ours or was cut off. The file is kept; look at it before going on."""


def take_in(desk: Desk, journal: Path, policy: ExitPolicy) -> int:
    """Adopt the closing orders of `journal`, mark what they close, keep entries latched off; returns how many.

    The file is renamed when everything of it is in rows; run again after a crash it adopts nothing twice.
    Modifications and cancels need no row: the broker's book shows what became of them.
    Raises BrokenJournal for a line that cannot be read, unless it is the last one, which a crash may have cut.
    """
    if not journal.exists():
        return 0
    now = desk.clocks.market_now()
    live = groups.live(desk, policy)
    for group in live:
        groups.ask_to_close(group, ExitReason.OPERATOR)
    state.turn_off(desk.account.pk, PauseReason.FLATTEN, by="direct", why="flattened directly", now=now)
    placed = _placements(journal)
    for line in placed.values():
        found = _group_of(live, line)
        if found is None:
            log.error("direct order %s closes nothing we know of", line["client_order_id"])
            continue
        orders.adopt(
            desk,
            _request(line),
            str(line.get("value", "")) if line.get("outcome") == "ACCEPTED" else "",
            entry=found.row.entry_order,
            group_number=found.row.number,
            why="sent while the database was away",
        )
    journal.rename(journal.with_name(f"{journal.stem}-{now:%Y%m%d-%H%M%S}{journal.suffix}"))
    return len(placed)


def _placements(journal: Path) -> dict[str, dict[str, Any]]:
    """Newest line of each placement, by client order id. A refused one is left out: it never was."""
    found: dict[str, dict[str, Any]] = {}
    lines = journal.read_text(encoding="utf-8").splitlines()
    for number, text in enumerate(lines, start=1):
        try:
            line = json.loads(text)
        except ValueError as error:
            if number == len(lines):
                log.warning("%s line %d was cut off by a crash and is left out", journal, number)
                break
            raise BrokenJournal(f"{journal} line {number}: {error}; correct or remove that line") from error
        if line["kind"] == "PLACE":
            found[line["client_order_id"]] = line
    return {name: line for name, line in found.items() if line.get("outcome") != "BrokerRefused"}


def _group_of(live: list[LiveGroup], line: dict[str, Any]) -> LiveGroup | None:
    """The live group it closes: one that holds just that quantity, else the largest."""
    holding = (line["exchange"], line["tradingsymbol"], line["product"])
    mine = [
        group
        for group in live
        if (
            group.row.entry_order.exchange,
            group.row.entry_order.tradingsymbol,
            group.row.entry_order.product,
        )
        == holding
    ]
    exact = [group for group in mine if group.view.position_quantity == line["quantity"]]
    return max(exact or mine, key=lambda group: group.view.position_quantity, default=None)


def _request(line: dict[str, Any]) -> OrderRequest:
    return OrderRequest(
        client_order_id=line["client_order_id"],
        role=Role.EXIT,
        exchange=Exchange(line["exchange"]),
        tradingsymbol=line["tradingsymbol"],
        side=Side(line["side"]),
        quantity=line["quantity"],
        product=Product(line["product"]),
        order_type=OrderType.LIMIT,
        price=Decimal(line["price"]),
        tag=line["tag"],
    )
