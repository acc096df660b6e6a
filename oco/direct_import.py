"""What was sent while the database was away, brought back into rows before the next pass."""

import json
import logging
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import F

from oco import books, groups
from oco.groups import LiveGroup
from oco.models import OcoGroup
from oco.views import ExitPolicy
from risk import state
from trading import orders
from trading.core.enums import Exchange, ExitReason, OrderType, PauseReason, Product, Role, Side
from trading.core.values import OrderRequest
from trading.desk import Desk

log = logging.getLogger(__name__)


class BrokenJournal(ValueError):
    """A line that is not ours or was cut off. The file is kept; look at it before going on."""


def is_waiting(journal: Path) -> bool:
    """Whether something is to be taken in: also what an earlier try has left half-way."""
    return journal.exists() or _set_aside(journal).exists()


def _set_aside(journal: Path) -> Path:
    return journal.with_name(f"{journal.stem}-taken{journal.suffix}")


def take_in(desk: Desk, journal: Path, policy: ExitPolicy) -> int:
    """Adopt the closing orders of `journal`, mark what they close, keep entries latched off; returns how many.

    The books are read first: an entry may have filled while nobody looked. An order has one group: one that closes
    more than any single group holds is the largest's, and what the others held moves there with it.

    The file is set aside first: whoever still writes begins a new one, which the next call takes in. It gets the
    day's name when everything of it is in rows; run again after a crash it adopts nothing twice.
    Modifications and cancels need no row: the broker's book shows what became of them.
    Raises BrokenJournal for a line that cannot be read, unless it is the last one, which a crash may have cut.
    """
    if not is_waiting(journal):
        return 0
    taken = _set_aside(journal)
    if not taken.exists():
        journal.rename(taken)
    now = desk.clocks.market_now()
    placed = _placements(taken)
    read = books.read_all(desk, frozenset(), awaited={line["tag"] for line in placed.values()})
    books.follow(desk, read.changed, policy)
    state.turn_off(desk.account.pk, PauseReason.FLATTEN, by="direct", why="flattened directly", now=now)
    live = groups.live(desk, policy)
    held = {group.row.pk: max(group.view.position_quantity, 0) for group in live}
    with transaction.atomic():
        for line in placed.values():
            if orders.of_session(desk).filter(client_order_id=line["client_order_id"]).exists():
                continue
            mine = [group for group in live if _closes(line, group)]
            if not mine:
                _adopt_late(desk, line)
                continue
            found = _group_of(mine, held, line["quantity"])
            _move_to(desk, found, mine, held, line["quantity"])
            _adopt(desk, line, found.row)
            held[found.row.pk] -= line["quantity"]
        for group in live:
            groups.ask_to_close(desk, [group], ExitReason.OPERATOR)
    taken.rename(journal.with_name(f"{journal.stem}-{now:%Y%m%d-%H%M%S.%f}{journal.suffix}"))
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


def _closes(line: dict[str, Any], group: LiveGroup) -> bool:
    entry = group.row.entry_order
    holding = (entry.exchange, entry.tradingsymbol, entry.product)
    return (
        holding == (line["exchange"], line["tradingsymbol"], line["product"]) and line["side"] != entry.side
    )


def _group_of(mine: list[LiveGroup], held: Mapping[int, int], quantity: int) -> LiveGroup:
    """The group that holds just that many units, else the largest."""
    exact = [group for group in mine if held[group.row.pk] == quantity]
    return max(exact or mine, key=lambda group: held[group.row.pk])


def _move_to(
    desk: Desk, group: LiveGroup, mine: list[LiveGroup], held: dict[int, int], quantity: int
) -> None:
    """What an order closes beyond its own group is taken from the others and given to it: the sum stays."""
    for other in mine:
        share = min(quantity - held[group.row.pk], held[other.row.pk])
        if other is group or share <= 0:
            continue
        for one, change in ((other, share), (group, -share)):
            groups.write(desk, one.row, taken_by_others_quantity=F("taken_by_others_quantity") + change)
            held[one.row.pk] -= change


def _adopt_late(desk: Desk, line: dict[str, Any]) -> None:
    """Its position was closed meanwhile: what it executes turned that one round, and its group takes it back."""
    newest = (
        groups.of_session(desk)
        .filter(
            entry_order__exchange=line["exchange"],
            entry_order__tradingsymbol=line["tradingsymbol"],
            entry_order__product=line["product"],
            side=Side(line["side"]).opposite,
        )
        .select_related("entry_order")
        .order_by("-pk")
        .first()
    )
    if newest is None:
        log.error("direct order %s closes no group of ours", line["client_order_id"])
        return
    _adopt(desk, line, newest)


def _adopt(desk: Desk, line: dict[str, Any], group: OcoGroup) -> None:
    orders.adopt(
        desk,
        _request(line),
        str(line.get("value", "")) if line.get("outcome") == "ACCEPTED" else "",
        entry=group.entry_order,
        group_number=group.number,
        why="sent while the database was away",
    )


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
