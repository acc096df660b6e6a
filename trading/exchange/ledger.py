"""The money side of a venue: executions, net positions, charges and margins.

Paise; fractions of a paisa are kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from trading.core.charges import charges_of_value, segment_of
from trading.core.enums import Product, Side
from trading.core.money import to_inr, to_paise
from trading.core.values import InstrumentSpec
from trading.exchange.orders import VenueOrder
from trading.exchange.rules import VenueRules

Key = tuple[int, Product]


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One fill. `trade_id` is unique in the venue's session."""

    trade_id: str
    order_id: str
    exchange_order_id: str
    spec: InstrumentSpec
    side: Side
    product: Product
    quantity: int
    price_paise: int
    filled_at: datetime
    placed_at: datetime


@dataclass(slots=True)
class Position:
    """Net of one instrument and product. `cost_paise` is what the open quantity cost, signed like it."""

    spec: InstrumentSpec
    product: Product
    buy_quantity: int = 0
    buy_value_paise: int = 0
    sell_quantity: int = 0
    sell_value_paise: int = 0
    cost_paise: Fraction = Fraction(0)

    @property
    def quantity(self) -> int:
        return self.buy_quantity - self.sell_quantity

    @property
    def realised_paise(self) -> Fraction:
        """Cash that came in, less what the open quantity still holds."""
        return self.sell_value_paise - self.buy_value_paise + self.cost_paise

    def unrealised_paise(self, last_paise: int) -> Fraction:
        return self.quantity * last_paise - self.cost_paise

    def add(self, side: Side, quantity: int, price_paise: int | Fraction) -> None:
        """Book one execution: it closes what is open the other way at average cost, the rest opens.

        A price may be a fraction where `quantity` times it is whole paise.
        """
        value = int(quantity * price_paise)
        held = self.quantity
        closing = min(quantity, abs(held)) if held * side.sign < 0 else 0
        if closing:
            self.cost_paise -= self.cost_paise * closing / abs(held)
        self.cost_paise += side.sign * (quantity - closing) * price_paise
        if side is Side.BUY:
            self.buy_quantity += quantity
            self.buy_value_paise += value
        else:
            self.sell_quantity += quantity
            self.sell_value_paise += value

    def take(self, quantity: int) -> int:
        """Take open units out at their average cost; what they cost, whole paise, signed like the position."""
        sign = 1 if self.quantity > 0 else -1
        cost = int(self.cost_paise * quantity / abs(self.quantity))
        self.cost_paise -= cost
        if sign > 0:
            self.buy_quantity -= quantity
            self.buy_value_paise -= cost
        else:
            self.sell_quantity -= quantity
            self.sell_value_paise += cost
        return cost


class Ledger:
    """Books executions of one account.

    Charges follow each order's filled value, so a fill re-prices its order.
    """

    def __init__(self, capital_paise: int, rules: VenueRules) -> None:
        self.capital_paise = capital_paise
        self.executions: list[Execution] = []
        self.positions: dict[Key, Position] = {}
        self.rules = rules
        self._charges: dict[str, int] = {}
        self.charges_paise = 0

    def book(self, execution: Execution, order: VenueOrder) -> None:
        """Takes the order after its filled quantity and value were raised by this execution."""
        self.executions.append(execution)
        key = (execution.spec.instrument_token, execution.product)
        if key not in self.positions:
            self.positions[key] = Position(spec=execution.spec, product=execution.product)
        self.positions[key].add(execution.side, execution.quantity, execution.price_paise)
        charges = charges_of_value(
            segment_of(execution.spec),
            execution.side,
            to_inr(order.filled_value_paise),
            trade_date=execution.filled_at.date(),
            exchange=execution.spec.exchange,
        )
        self._set_charge(order.order_id, to_paise(charges.total_inr))

    def convert(self, spec: InstrumentSpec, side: Side, quantity: int, old: Product, new: Product) -> None:
        """Move open units to another product at their average cost; they must be there."""
        token = spec.instrument_token
        cost = abs(self.positions[token, old].take(quantity))
        if (token, new) not in self.positions:
            self.positions[token, new] = Position(spec=spec, product=new)
        self.positions[token, new].add(side, quantity, Fraction(cost, quantity))

    def charge(self, what: str, amount_paise: int) -> None:
        """A fee beside those of executions; `what` must be unique."""
        self._set_charge(what, amount_paise)

    def _set_charge(self, what: str, amount_paise: int) -> None:
        self.charges_paise += amount_paise - self._charges.get(what, 0)
        self._charges[what] = amount_paise

    @property
    def realised_paise(self) -> Fraction:
        return sum((position.realised_paise for position in self.positions.values()), Fraction(0))

    def quantity_of(self, token: int, product: Product) -> int:
        position = self.positions.get((token, product))
        return position.quantity if position else 0

    def unrealised_paise(self, last_paise: Mapping[int, int]) -> Fraction:
        """At last prices by token; a position whose price is unknown counts at cost."""
        return sum(
            (
                position.unrealised_paise(last_paise[token])
                for (token, _), position in self.positions.items()
                if last_paise.get(token)
            ),
            Fraction(0),
        )

    def margin_used_paise(self, working: Iterable[VenueOrder], last_paise: Mapping[int, int]) -> int:
        """For positions and working orders together: the dearer of all buys filled and all sells filled.

        So a first exit order needs no margin, nor does a second one up to twice the position.
        """
        held: dict[Key, tuple[InstrumentSpec, int, int, int]] = {
            key: (position.spec, position.quantity, position.quantity, 0)
            for key, position in self.positions.items()
        }
        for order in working:
            key = (order.spec.instrument_token, order.product)
            spec, most, least, price = held.get(key, (order.spec, 0, 0, 0))
            if order.side is Side.BUY:
                most += order.pending
            else:
                least -= order.pending
            held[key] = (spec, most, least, max(price, order.price_paise, order.trigger_paise))
        return sum(
            max(
                self.margin_paise(spec, product, quantity, last_paise.get(token) or price)
                for quantity in (most, least)
            )
            for (token, product), (spec, most, least, price) in held.items()
        )

    def margin_paise(self, spec: InstrumentSpec, product: Product, quantity: int, price_paise: int) -> int:
        """What a signed quantity binds: a bought option its premium, a sold one a share of its strike's
        notional.
        """
        if spec.instrument_type in ("CE", "PE"):
            if quantity >= 0:
                return quantity * price_paise
            price_paise = spec.strike_paise
        percent = self.rules.share_mis_margin_pct
        if spec.is_derivative:
            percent = self.rules.derivative_margin_pct
        elif product is Product.CNC:
            return abs(quantity) * price_paise
        return int(abs(quantity) * price_paise * percent / 100)

    def available_paise(self, margin_used_paise: int, last_paise: Mapping[int, int]) -> int:
        """Capital and realised result, less charges, open loss (open profit is no money yet) and margin."""
        open_loss = min(self.unrealised_paise(last_paise), Fraction(0))
        return int(
            self.capital_paise + self.realised_paise + open_loss - self.charges_paise - margin_used_paise
        )
