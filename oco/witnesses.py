"""Three witnesses of what we hold: our rows, the broker's orders, the broker's positions. Pure: values to verdicts.

This is what a person is shown; what the program does about a difference is `oco.reconciliation`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from oco.differences import NOTHING, Holding, held_at, others_executed
from trading.core import order_states
from trading.core.enums import OrderStatus
from trading.core.order_states import IllegalTransition
from trading.core.values import OrderReport, PositionReport

#: ended before the broker could know of it, or never found there
NEVER_THERE: Final = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.LOST})


class Verdict(StrEnum):
    AGREE = "agree"
    UNDER_WAY = "under way"
    STATUS_DIFFERS = "status differs"
    QUANTITY_DIFFERS = "quantity differs"
    OURS_ONLY = "ours only"
    BROKER_ONLY = "broker only"
    WRONG_WAY = "wrong way round"


#: what to do about a holding, and about an order
DO_ABOUT_HOLDING: Final[Mapping[Verdict, str]] = {
    Verdict.AGREE: "",
    Verdict.UNDER_WAY: "An order of ours is being answered: read again in a few seconds.",
    Verdict.OURS_ONLY: "Somebody closed it at the broker, or its books lag. Read again after 6 s; if it stays, the "
    "watcher books it as closed by others and pauses entries. Sell nothing by hand.",
    Verdict.BROKER_ONLY: "Not ours: nothing here guards it or closes it. Close it in the Kite app, or leave it if it "
    "is meant.",
    Verdict.QUANTITY_DIFFERS: "Read again after 6 s. If it stays, entries are paused: find in the Kite app who traded "
    "it, flatten if in doubt.",
    Verdict.WRONG_WAY: "The broker holds the opposite of ours. Read again at once; if it stays, flatten and look into "
    "the Kite app.",
}
DO_ABOUT_ORDER: Final[Mapping[Verdict, str]] = {
    Verdict.AGREE: "",
    Verdict.UNDER_WAY: "Its answer is awaited: read again in a few seconds.",
    Verdict.STATUS_DIFFERS: "The watcher reads the whole book every 15 s at the latest: read again then.",
    Verdict.QUANTITY_DIFFERS: "A fill is not booked here yet: read again in a few seconds.",
    Verdict.OURS_ONLY: "The broker's book does not show it. The watcher goes on asking for it; do not send it again.",
    Verdict.BROKER_ONLY: "Placed by hand or by another program: it is left alone.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OurOrder:
    """An order as our rows have it."""

    pk: int
    broker_order_id: str
    tag: str
    words: str
    status: OrderStatus
    filled_quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldingRow:
    """Signed units of one holding: our groups', executed by our orders and by others', the broker's position."""

    holding: Holding
    ours: int
    executed: int
    others: int
    broker: int
    verdict: Verdict

    @property
    def what_to_do(self) -> str:
        return DO_ABOUT_HOLDING[self.verdict]


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRow:
    """One order on both sides; one of them may be missing."""

    ours: OurOrder | None
    broker: OrderReport | None
    verdict: Verdict

    @property
    def what_to_do(self) -> str:
        return DO_ABOUT_ORDER[self.verdict]


def order_rows(ours: Iterable[OurOrder], reports: Iterable[OrderReport]) -> list[OrderRow]:
    """Every order of either side, what does not agree first."""
    left = {report.broker_order_id: report for report in reports}
    by_tag = {report.tag: report for report in left.values() if report.tag}
    rows = []
    for order in ours:
        report = left.get(order.broker_order_id) if order.broker_order_id else by_tag.get(order.tag)
        if report is not None:
            left.pop(report.broker_order_id, None)
        rows.append(OrderRow(ours=order, broker=report, verdict=verdict_on_order(order, report)))
    rows += [OrderRow(ours=None, broker=report, verdict=Verdict.BROKER_ONLY) for report in left.values()]
    return sorted(rows, key=lambda row: row.verdict is Verdict.AGREE)


def verdict_on_order(order: OurOrder, report: OrderReport | None) -> Verdict:
    """How an order of ours stands to the broker's row of it."""
    is_awaited = order.status not in order_states.CLOSED | order_states.OPEN
    if report is None:
        if order.status in NEVER_THERE and not order.filled_quantity:
            return Verdict.AGREE
        return Verdict.UNDER_WAY if is_awaited else Verdict.OURS_ONLY
    if report.filled_quantity != order.filled_quantity:
        return Verdict.UNDER_WAY if is_awaited else Verdict.QUANTITY_DIFFERS
    try:
        is_same = order_states.next_status(order.status, report.status) is order.status
    except IllegalTransition:
        return Verdict.STATUS_DIFFERS
    if is_same:
        return Verdict.AGREE
    return Verdict.UNDER_WAY if is_awaited else Verdict.STATUS_DIFFERS


def holding_rows(
    ours: Mapping[Holding, int],
    orders: Collection[OrderRow],
    positions: Iterable[PositionReport],
) -> list[HoldingRow]:
    """Every holding of either side, what does not agree first. `ours` names also what we traded and hold no more."""
    broker = held_at(positions)
    reports = [row.broker for row in orders if row.broker is not None]
    mine = frozenset(row.broker.broker_order_id for row in orders if row.broker and row.ours)
    others = others_executed(reports, mine)
    theirs = frozenset(report.broker_order_id for report in reports) - mine
    executed = others_executed(reports, theirs)
    awaited = {
        (row.broker.exchange.value, row.broker.tradingsymbol, row.broker.product)
        for row in orders
        if row.broker and row.verdict in (Verdict.UNDER_WAY, Verdict.QUANTITY_DIFFERS)
    }
    rows = []
    for holding in sorted({*ours, *others, *(one for one, units in broker.items() if units)}):
        row = HoldingRow(
            holding=holding,
            ours=ours.get(holding, 0),
            executed=executed.get(holding, NOTHING).net,
            others=others.get(holding, NOTHING).net,
            broker=broker.get(holding, 0),
            verdict=Verdict.AGREE,
        )
        rows.append(_judged(row, is_awaited=holding in awaited))
    return sorted(rows, key=lambda row: row.verdict is Verdict.AGREE)


def _judged(row: HoldingRow, *, is_awaited: bool) -> HoldingRow:
    verdict = verdict_on_holding(row.ours, row.executed + row.others, row.broker)
    if is_awaited and verdict is not Verdict.AGREE:
        verdict = Verdict.UNDER_WAY
    return HoldingRow(
        holding=row.holding,
        ours=row.ours,
        executed=row.executed,
        others=row.others,
        broker=row.broker,
        verdict=verdict,
    )


def verdict_on_holding(ours: int, executed: int, broker: int) -> Verdict:
    """Signed units: what our groups hold, what all orders of the book executed, what the broker's positions say."""
    if ours == broker:
        # An order book that says otherwise than both: one of the three is wrong.
        return Verdict.AGREE if executed == broker or not ours else Verdict.QUANTITY_DIFFERS
    if ours == 0:
        return Verdict.BROKER_ONLY
    if broker == 0:
        return Verdict.OURS_ONLY
    return Verdict.WRONG_WAY if ours * broker < 0 else Verdict.QUANTITY_DIFFERS
