"""A broker as bad as it may be, and a caller of the plan as plain as it may be, for one group.

`orders` is the broker's truth; `rows` is what the caller knows, brought up to date only by `read_book`. An
order or a change may be done at once, refused, lost, done without an answer, or done later than thought.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from oco.plan import next_actions, problems
from oco.views import (
    Action,
    CancelExit,
    CloseExit,
    ExitView,
    FinishGroup,
    GroupView,
    MoveStop,
    PlaceExit,
    RepriceExit,
    ResizeExit,
    RestStop,
    TakeTarget,
)
from tests.oco.plan_builders import NOW, POLICY, group, market
from trading.core.enums import ExitReason, GroupState, OrderStatus, OrderType, Role

#: the caller gives an unseen order up for lost; nothing the toy holds back arrives so late
LOST_AFTER_S = 120
LATEST_ARRIVAL_S = 90
#: what the book said is acted on for so long
KNOWN_FOR_S = 3
#: the caller takes an unanswered change, which the book does not show, for one that was not done
CHANGE_GIVEN_UP_AFTER_S = 2


class Fate(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    LOST = "lost"
    UNANSWERED = "done, the reply is lost"
    LATE = "done later"


@dataclass(slots=True)
class ToyOrder:
    """One exit order as the broker has it. `is_here` is False until a late one arrives."""

    role: Role
    quantity: int
    price_paise: int
    trigger_paise: int
    sent_at_s: float
    is_here: bool
    filled: int = 0
    is_done: bool = False
    is_triggered: bool = False

    @property
    def is_live(self) -> bool:
        return self.is_here and not self.is_done

    @property
    def can_trade(self) -> bool:
        return self.is_live and (self.trigger_paise == 0 or self.is_triggered)

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled if self.is_live else 0


class ToyDesk:
    """The broker's truth, the caller's rows, and one clock."""

    def __init__(self, planned_quantity: int) -> None:
        self.now_s = self.read_at_s = 0.0
        self.entered = 0
        self.entry_is_working = True
        self.taken_by_others = 0
        self.orders: dict[str, ToyOrder] = {}
        self.rows: dict[str, ExitView] = {}
        self.late: list[tuple[str, Action]] = []
        self.stops_placed = 0
        #: orders the plan stopped waiting for: stops rest, if they come, behind a trigger far from the market
        self.given_up: set[str] = set()
        self.finished: FinishGroup | None = None
        self.view: GroupView = group(
            state=GroupState.OPENING,
            planned_quantity=planned_quantity,
            entered_quantity=0,
            entry_is_working=True,
            exit=None,
        )

    @property
    def now(self):
        return NOW + timedelta(seconds=self.now_s)

    @property
    def position(self) -> int:
        return self.entered - sum(order.filled for order in self.orders.values()) - self.taken_by_others

    @property
    def closes_in_doubt(self) -> bool:
        """A closing order was sent that may still come: a stop may guard the position beside it."""
        return any(row.role is Role.EXIT and row.is_on_its_way for row in self.rows.values())

    @property
    def exit_order(self) -> ToyOrder | None:
        return self.orders[list(self.rows)[-1]] if self.rows else None

    # the broker

    def fill_exit(self, quantity: int) -> None:
        order = self.exit_order
        if order is None or not order.can_trade:
            return
        order.filled += min(quantity, order.remaining)
        order.is_done = order.filled == order.quantity

    def arrive(self) -> None:
        """Everything held back happens now, in the order it was sent; too late a placement never does."""
        waiting, self.late = self.late, []
        for name, action in waiting:
            order = self.orders[name]
            if isinstance(action, RestStop | PlaceExit):
                order.is_here = self.now_s - order.sent_at_s < LATEST_ARRIVAL_S
                if order.is_here and name in self.given_up and isinstance(action, PlaceExit):
                    # A closing order trades as it comes; the stop beside it must go.
                    order.filled = min(order.quantity, max(self.position, 0))
                    order.is_done = True
            else:
                self._change(order, action)

    def _change(self, order: ToyOrder, action: Action) -> bool:
        """True where the broker carries it out."""
        if not order.is_live:
            return False
        match action:
            case ResizeExit(quantity):
                order.quantity = max(quantity, order.filled)
                order.is_done = order.filled == order.quantity
            case MoveStop(trigger, limit, _) if order.trigger_paise and not order.is_triggered:
                order.trigger_paise, order.price_paise = trigger, limit
            case TakeTarget(limit) | CloseExit(limit, _) | RepriceExit(limit):
                order.price_paise, order.trigger_paise = limit, 0
            case CancelExit():
                order.is_done = True
            case _:
                return False
        return True

    # the caller

    def read_book_if_old(self) -> None:
        """A pass asks the plan about nothing older: the watcher reads first, and ends where it cannot."""
        if self.now_s - self.read_at_s > KNOWN_FOR_S:
            self.read_book()

    def read_book(self) -> None:
        """Bring every row up to the broker's book of this moment, and the group with them."""
        self.read_at_s = self.now_s
        for name, row in self.rows.items():
            order = self.orders[name]
            self.rows[name] = self._seen(row, order) if order.is_here else self._unseen(row)
        rows = list(self.rows.values())
        exit_row = rows[-1] if rows else None
        state = self.view.state
        if state is GroupState.OPENING and exit_row and exit_row.is_working:
            state = GroupState.ARMED
        self.view = replace(
            self.view,
            state=state,
            entered_quantity=self.entered,
            entry_is_working=self.entry_is_working,
            taken_by_others_quantity=self.taken_by_others,
        )

    def _seen(self, row: ExitView, order: ToyOrder) -> ExitView:
        is_partial = 0 < order.filled < order.quantity
        status = OrderStatus.PARTIALLY_FILLED if is_partial else OrderStatus.ACCEPTED
        if order.is_done:
            status = OrderStatus.FILLED if order.filled == order.quantity else OrderStatus.CANCELED
        is_limit = order.trigger_paise == 0
        seen = replace(
            row,
            status=status,
            order_type=OrderType.LIMIT if is_limit else OrderType.SL,
            quantity=order.quantity,
            filled_quantity=order.filled,
            price_paise=order.price_paise,
            trigger_price_paise=order.trigger_paise,
            first_seen_at=row.first_seen_at or self.now,
            triggered_at=row.triggered_at or (self.now if order.is_triggered else None),
            books_without=0,
        )
        is_answered = (
            seen != replace(row, books_without=0) or self._since(row.changed_at) >= CHANGE_GIVEN_UP_AFTER_S
        )
        return replace(seen, has_unconfirmed_change=row.has_unconfirmed_change and not is_answered)

    def _unseen(self, row: ExitView) -> ExitView:
        if row.is_closed:
            return row
        is_lost = self._since(row.submitted_at) >= LOST_AFTER_S
        return replace(
            row,
            status=OrderStatus.LOST if is_lost else OrderStatus.UNKNOWN,
            books_without=row.books_without + 1,
        )

    def _since(self, moment) -> float:
        return (self.now - moment).total_seconds() if moment else 0.0

    def run_pass(self, fate: Fate, last_paise: int = 100_500, **quotes) -> list[Action]:
        rows = list(self.rows.values())
        self.view = replace(
            self.view,
            exit=rows[-1] if rows else None,
            exits_unknown=tuple(row for row in rows[:-1] if not row.is_closed),
            exited_quantity=sum(row.filled_quantity for row in rows),
        )
        actions = next_actions(self.view, market(last_paise, **quotes), POLICY, self.now)
        for action in actions:
            self._perform(action, fate)
        return actions

    def problems(self) -> list[str]:
        return problems(replace(self.view, exit=list(self.rows.values())[-1] if self.rows else None))

    def _perform(self, action: Action, fate: Fate) -> None:
        match action:
            case FinishGroup():
                self.finished = action
                self.view = replace(self.view, state=GroupState.CLOSED)
            case RestStop(quantity, trigger, limit):
                self.stops_placed += not self.closes_in_doubt
                self._place(action, Role.STOP, quantity, limit, trigger, fate)
            case PlaceExit(quantity, limit, reason):
                self._begin_closing(reason)
                self._place(action, Role.EXIT, quantity, limit, 0, fate)
            case CancelExit(name):
                self._send_change(name, action, fate)
            case _:
                if isinstance(action, TakeTarget | CloseExit | RepriceExit):
                    self._begin_closing(getattr(action, "reason", ExitReason.TARGET))
                self._send_change(list(self.rows)[-1], action, fate)

    def _begin_closing(self, reason: ExitReason) -> None:
        first = self.view.close_reason or reason
        self.view = replace(self.view, state=GroupState.CLOSING, close_reason=first)

    def _place(self, action: Action, role: Role, quantity: int, limit: int, trigger: int, fate: Fate) -> None:
        name = f"order-{len(self.rows)}"
        here = fate in (Fate.DONE, Fate.UNANSWERED)
        if self.rows and (earlier := list(self.rows.values())[-1]).is_on_its_way:
            sent_again = Role.EXIT is role is earlier.role
            assert not sent_again, "a closing order that may still come was sent again"
            self.given_up.add(earlier.client_order_id)
        self.orders[name] = ToyOrder(role, quantity, limit, trigger, self.now_s, here)
        status = OrderStatus.UNKNOWN
        if fate is Fate.DONE:
            status = OrderStatus.PENDING_NEW
        if fate is Fate.REFUSED:
            status = OrderStatus.REJECTED
        if fate is Fate.LATE:
            self.late.append((name, action))
        self.rows[name] = ExitView(
            client_order_id=name,
            role=role,
            status=status,
            order_type=OrderType.SL if trigger else OrderType.LIMIT,
            quantity=quantity,
            price_paise=limit,
            trigger_price_paise=trigger,
            attempt=len(self.rows),
            submitted_at=self.now,
            first_seen_at=self.now if fate is Fate.DONE else None,
        )

    def _send_change(self, name: str, action: Action, fate: Fate) -> None:
        is_refused = fate is Fate.REFUSED
        if fate in (Fate.DONE, Fate.UNANSWERED):
            is_refused = not self._change(self.orders[name], action)
        if fate is Fate.LATE:
            self.late.append((name, action))
        row = self.rows[name]
        purpose = "closings"
        if isinstance(action, ResizeExit):
            purpose = "resizes"
        if isinstance(action, MoveStop):
            purpose = "trails"
            self.view = replace(self.view, stop_paise=action.trigger_paise)
        counted = {} if isinstance(action, CancelExit) else {purpose: getattr(row, purpose) + 1}
        self.rows[name] = replace(row, has_unconfirmed_change=not is_refused, changed_at=self.now, **counted)
