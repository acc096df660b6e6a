"""Our charges beside the broker's own: each evening, order by order, against its virtual contract note."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Protocol

from trading import trades
from trading.core.values import OrderReport
from trading.models import Trade, VenueSession

#: the note is made of an average price with four places, ours of the executions
TOLERANCE_INR: Final = Decimal("0.05")


class ChargesBook(Protocol):
    """What is asked of a broker. Both raise BrokerUnavailable or SessionExpired."""

    def order_reports(self) -> list[OrderReport]: ...

    def charges_inr(self, executed: Sequence[OrderReport]) -> list[Decimal]: ...


@dataclass(frozen=True, slots=True)
class Compared:
    """One evening: how many orders were compared, both sums, and a sentence for each that differs."""

    orders: int
    ours_inr: Decimal
    note_inr: Decimal
    differences: tuple[str, ...]


def compare(session: VenueSession, trading_date: date, broker: ChargesBook) -> Compared:
    """Compare every order of ours that was executed. Raises BrokerUnavailable or SessionExpired."""
    ours = {
        broker_order_id: cost.total_inr
        for trade in Trade.objects.filter(session=session, trading_date=trading_date)
        for broker_order_id, cost in trades.charges_by_order(trade).items()
    }
    executed = [one for one in broker.order_reports() if one.broker_order_id in ours and one.filled_quantity]
    notes = broker.charges_inr(executed)
    found = []
    for report, note in zip(executed, notes, strict=True):
        mine = ours[report.broker_order_id]
        if abs(note - mine) > TOLERANCE_INR:
            what = f"{report.side} {report.filled_quantity} {report.tradingsymbol}"
            said = f"charges ₹{mine:.2f}, the broker's note says ₹{note:.2f}"
            found.append(f"order {report.broker_order_id} {what}: {said}")
    return Compared(
        orders=len(executed),
        ours_inr=sum((ours[one.broker_order_id] for one in executed), Decimal(0)),
        note_inr=sum(notes, Decimal(0)),
        differences=tuple(found),
    )
