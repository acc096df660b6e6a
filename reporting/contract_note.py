"""Our charges beside the broker's own: each evening, order by order, against its virtual contract note."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Protocol

from trading.core import charges
from trading.core.enums import Exchange, Side
from trading.core.values import OrderReport
from trading.market import instruments
from trading.models import Fill, VenueSession

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
    ours = dict(_our_charges(session, trading_date))
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


def _our_charges(session: VenueSession, trading_date: date) -> Iterable[tuple[str, Decimal]]:
    """Broker order id and rupees, from the executions that are told."""
    values: dict[str, tuple[Fill, Decimal]] = {}
    for fill in Fill.objects.filter(session=session, trading_date=trading_date).select_related("order"):
        _, before = values.get(fill.broker_order_id, (fill, Decimal(0)))
        values[fill.broker_order_id] = (fill, before + fill.quantity * fill.price)
    for broker_order_id, (fill, value) in values.items():
        spec = instruments.spec_of(fill.exchange, fill.order.tradingsymbol, trading_date)
        cost = charges.charges_of_value(
            charges.segment_of(spec),
            Side(fill.side),
            value,
            trade_date=trading_date,
            exchange=Exchange(fill.exchange),
        )
        yield broker_order_id, cost.total_inr
