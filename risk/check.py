"""The pre-trade check. Only this module makes an `Approved`, and only an `Approved` can be submitted."""

from dataclasses import dataclass

from risk import rules
from risk.rules import Denial, EntryRequest, RiskContext
from trading.core.enums import RiskReason, Role
from trading.core.values import OrderRequest


@dataclass(frozen=True, slots=True)
class Approved:
    """An order that may be sent. `asked` are the rules that were asked of an entry, by the reason each gives."""

    request: OrderRequest
    asked: tuple[RiskReason, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """All reasons against an entry, not just the first."""

    denials: tuple[Denial, ...]
    asked: tuple[RiskReason, ...] = ()


def check_entry(request: EntryRequest, order: OrderRequest, context: RiskContext) -> Approved | Refused:
    """Ask every rule about an entry. `order` is what would be sent for `request`.

    Raises ValueError when the two do not describe the same thing.
    """
    same = (order.role, order.side, order.tradingsymbol, order.price) == (
        Role.ENTRY,
        request.side,
        request.tradingsymbol,
        request.entry_price,
    )
    if not same or order.quantity > request.quantity:
        raise ValueError(f"the order {order} is not the entry that was checked: {request}")
    denials, asked = rules.check(request, context), tuple(rules.RULES)
    return Refused(denials, asked) if denials else Approved(order, asked)


def allow_exit(order: OrderRequest, *, position_quantity: int, position_sign: int) -> Approved:
    """Approve an order that provably reduces a position, in every state of the account.

    `position_sign` is +1 for a long. Raises ValueError when it would add to the position or turn it round.
    """
    if order.role is Role.ENTRY or order.side.sign == position_sign:
        raise ValueError(f"{order.role} {order.side} of {order.tradingsymbol} does not reduce the position")
    if not 0 < order.quantity <= position_quantity:
        raise ValueError(
            f"an exit of {order.quantity} {order.tradingsymbol} for a position of {position_quantity} "
            "would turn it round"
        )
    return Approved(order)
