"""What we hold and what the broker says, side by side. Pure: numbers of units in, differences out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from trading.core.values import OrderReport, PositionReport

#: exchange, tradingsymbol, product
Holding = tuple[str, str, str]


class Traded(NamedTuple):
    """What somebody else has executed in one holding: signed units, and units bought and sold."""

    net: int
    units: int


NOTHING = Traded(0, 0)


@dataclass(frozen=True, slots=True)
class Difference:
    """Signed units of one holding: what our live groups hold, what the broker says, what has been executed today by
    orders of ours and of others.
    """

    holding: Holding
    ours: int
    broker: int
    executed: int
    others: Traded
    #: units our own exits have closed of the groups that are still live
    exited: int = 0

    @property
    def taken(self) -> int:
        """Units of ours that somebody else has closed.

        Where an exit of ours filled as well, the position was turned round by as many: then these are among them,
        so that the group shows what it has exited too much.
        """
        if self.ours == 0:
            return 0
        sign = 1 if self.ours > 0 else -1
        turned = min(max(-self.broker * sign, 0), self.exited) if self.is_explained else 0
        return abs(self.ours) - min(max(self.broker * sign, 0), abs(self.ours)) + turned

    @property
    def is_explained(self) -> bool:
        """All executions of the order book add up to the position, somebody else's among them."""
        return self.others.units > 0 and self.broker == self.executed + self.others.net

    @property
    def is_all_ours(self) -> bool:
        """Nobody else has traded this today, and what our own orders executed is what the broker says."""
        return self.others.units == 0 and self.broker == self.executed

    def __str__(self) -> str:
        exchange, tradingsymbol, product = self.holding
        return f"{exchange}:{tradingsymbol} {product}: ours {self.ours}, at the broker {self.broker}"


def compare(ours: Mapping[Holding, int], broker: Mapping[Holding, int]) -> dict[Holding, tuple[int, int]]:
    """Holdings of which we and the broker say different numbers. What we never traded is somebody else's, left out."""
    return {
        holding: (held, broker.get(holding, 0))
        for holding, held in sorted(ours.items())
        if broker.get(holding, 0) != held
    }


def others_executed(reports: Iterable[OrderReport], our_order_ids: frozenset[str]) -> dict[Holding, Traded]:
    """What orders that are not ours have executed today, by holding."""
    found: dict[Holding, Traded] = {}
    for report in reports:
        if report.broker_order_id not in our_order_ids and report.filled_quantity:
            holding = (report.exchange.value, report.tradingsymbol, report.product)
            before = found.get(holding, NOTHING)
            change = report.side.sign * report.filled_quantity
            found[holding] = Traded(before.net + change, before.units + report.filled_quantity)
    return found


def held_at(reports: Iterable[PositionReport]) -> dict[Holding, int]:
    """The broker's net positions by holding."""
    return {
        (report.exchange.value, report.tradingsymbol, report.product): report.quantity for report in reports
    }
