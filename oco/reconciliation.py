"""The broker's positions against ours: what somebody else's hand did to the account.

Below the sum of our groups: the exits shrink, entries pause. Beyond it: not ours, so pause and alarm, never touched.
Books and positions are read one after the other and each may show the past, so a difference counts only when somebody
else's order in the same book explains it, or when every look has seen the very same for longer than books lag.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from django.db.models import F, Q

from oco.differences import NOTHING, Difference, Holding, Traded, compare, held_at, others_executed
from oco.groups import LiveGroup, exited_units, of_session, write
from oco.models import OcoGroup
from oco.views import Action, CancelExit, FinishGroup, PlaceExit, RestStop, TakeBack
from risk import state
from trading import account
from trading.core.enums import CommandKind, GroupState, OrderStatus, PauseReason, Side
from trading.core.values import OrderReport
from trading.desk import Desk
from trading.models import Order

BY = "reconciliation"
#: a group that closed longer ago than this was not closed by somebody else as well
BOTH_CLOSED_WITHIN = timedelta(minutes=5)
#: the broker stamps its orders to the second
STAMPS_TO = timedelta(seconds=1)
#: the broker's positions may show the past up to this long
BOOKS_LAG = timedelta(seconds=6)
#: after a difference or a doubt was seen first, books are read often for so long
SUSPICION_LASTS = timedelta(seconds=60)
#: looks in a row without a difference that lift what a difference put up
CALM_LOOKS = 2


class Book(Protocol):
    """One whole read of the order book."""

    @property
    def reports(self) -> Sequence[OrderReport]: ...

    @property
    def our_order_ids(self) -> frozenset[str]: ...


def bears_out(
    desk: Desk, reconciler: "Reconciler", live: Iterable[LiveGroup], group: LiveGroup, action: Action
) -> bool:
    """Whether the broker's own positions agree with what an order of ours is to change."""
    is_cancel = isinstance(action, CancelExit | FinishGroup)
    if not is_cancel and reconciler.is_doubted(group, desk.clocks.machine_now()):
        return False
    match action:
        case PlaceExit(quantity):
            return is_held(desk, group, quantity)
        case RestStop(quantity):
            return may_rest(desk, group, quantity)
        case TakeBack():
            return is_turned(desk, live, group)
    return True


def is_held(desk: Desk, group: LiveGroup, quantity: int) -> bool:
    """Whether the broker's own positions say that so many units of a group are there to be closed.

    Asked before a new closing order, whose predecessor ended for a reason that may be somebody else's.
    """
    if _ended_by_others(group.exit_order, desk.clocks.market_now()):
        return False
    net = held_at(desk.broker.position_reports()).get(_holding_of(group), 0)
    return net * group.view.side.sign >= quantity


def may_rest(desk: Desk, group: LiveGroup, quantity: int) -> bool:
    """Whether a stop may be placed: always, but where somebody else has just cancelled the entry's rest.

    Who did that (the broker's square-off does) may have closed the position with it: then positions must show it.
    """
    entry = group.row.entry_order
    if not _ended_by_others(entry, desk.clocks.market_now()):
        return True
    net = held_at(desk.broker.position_reports()).get(_holding_of(group), 0)
    return net * group.view.side.sign >= quantity


def is_turned(desk: Desk, live: Iterable[LiveGroup], group: LiveGroup) -> bool:
    """Whether the broker's own positions show the units that a group has exited too much.

    Asked before they are taken back. Groups of the same holding may hide each other: their sum shows it as well.
    """
    holding = _holding_of(group)
    net = held_at(desk.broker.position_reports()).get(holding, 0)
    ours = sum(_signed(one) for one in live if _holding_of(one) == holding)
    return net == ours or net * group.view.side.sign <= group.view.position_quantity


def _holding_of(group: LiveGroup) -> Holding:
    entry = group.row.entry_order
    return (entry.exchange, entry.tradingsymbol, entry.product)


def _signed(group: LiveGroup) -> int:
    return group.view.side.sign * group.view.position_quantity


def _ended_by_others(exit_order: Order | None, now: datetime) -> bool:
    """Taken out just now, and not by us: whoever did it may have closed the position too, and the books lag."""
    if exit_order is None or exit_order.status != OrderStatus.CANCELED or exit_order.closed_at is None:
        return False
    is_fresh = now - exit_order.closed_at < BOOKS_LAG
    return is_fresh and not exit_order.commands.filter(kind=CommandKind.CANCEL).exists()


def _differences(
    desk: Desk,
    groups: list[LiveGroup],
    traded: Iterable[Holding],
    positions: Mapping[Holding, int],
    others: Mapping[Holding, Traded],
) -> list[Difference]:
    ours = dict.fromkeys(traded, 0)
    exited = dict.fromkeys(ours, 0)
    for group in groups:
        holding = _holding_of(group)
        ours[holding] = ours.get(holding, 0) + _signed(group)
        exited[holding] = exited.get(holding, 0) + group.view.exited_quantity
    unequal = compare(ours, positions)
    executed = account.executed(desk) if unequal else {}
    return [
        Difference(one, *said, executed.get(one, 0), others.get(one, NOTHING), exited[one])
        for one, said in unequal.items()
    ]


@dataclass(slots=True)
class Reconciler:
    """Looks at each whole read of the books, and remembers since when it has seen each difference."""

    #: machine time of the first of the looks in a row that saw it
    _since: dict[Difference, datetime] = field(default_factory=dict)
    #: what others have executed as far as it was looked into
    _others: dict[Holding, Traded] = field(default_factory=dict)
    #: holdings that somebody else has traded and positions do not show it yet, and since when
    _doubted: dict[Holding, datetime] = field(default_factory=dict)
    _calm_looks: int = 0
    #: machine time since which looks in a row have found a difference, or a trade that positions do not show yet
    _suspicious_since: datetime | None = None

    def look(
        self, desk: Desk, live: Iterable[LiveGroup], traded: Iterable[Holding], book: Book, *, is_calm: bool
    ) -> bool:
        """Compare once. True when a group's quantity was corrected, so that its exit must shrink in this pass.

        While something of ours is under way only news of others' executions is looked at, and believed only where all
        executions of the book add up to the position.
        """
        others = others_executed(book.reports, book.our_order_ids)
        news = {one for one in traded if others.get(one, NOTHING) != self._others.get(one, NOTHING)}
        if not is_calm:
            # What is under way may make a difference, and may end one: no row of looks goes on through it.
            self._since = {}
        if not is_calm and not news:
            return False
        groups, now = list(live), desk.clocks.machine_now()
        positions = held_at(desk.broker.position_reports())
        found = _differences(desk, groups, traded, positions, others)
        self._doubt(desk, news, positions, others, {one.holding for one in found}, now)
        self._suspicious_since = (self._suspicious_since or now) if found or self._doubted else None
        if not is_calm:
            sure = [one for one in found if one.is_explained]
        elif not found:
            self._since = {}
            self._calm(desk)
            return False
        else:
            self._since = {one: self._since.get(one, now) for one in found}
            sure = [one for one in found if one.is_explained or now - self._since[one] >= BOOKS_LAG]
        self._calm_looks = 0
        corrected = False
        for difference in sure:
            self._pause(desk, difference)
            given = _give_back(desk, groups, difference)
            corrected |= given > 0 or (difference.taken > 0 and _take_from(desk, groups, difference) > 0)
            corrected |= _open_what_both_closed(desk, difference, book)
            corrected |= _open_what_nobody_took(desk, difference)
        if corrected:
            self._since = {}
        return corrected

    def is_suspicious(self, now: datetime) -> bool:
        """Whether the next look is to come soon; what has differed for long is known to."""
        since = self._suspicious_since
        return since is not None and now - since < SUSPICION_LASTS

    @property
    def is_settled(self) -> bool:
        """Whether the last looks found nothing. Until then books are read often: entries may be off for it."""
        return self._calm_looks >= CALM_LOOKS

    def is_doubted(self, group: LiveGroup, now: datetime) -> bool:
        """Whether somebody else has just traded a group's holding and positions do not show it yet."""
        since = self._doubted.get(_holding_of(group))
        return since is not None and now - since < BOOKS_LAG

    def _doubt(
        self,
        desk: Desk,
        news: Iterable[Holding],
        positions: Mapping[Holding, int],
        others: Mapping[Holding, Traded],
        differing: AbstractSet[Holding],
        now: datetime,
    ) -> None:
        """What others did is no doubt any more once all executions of the order book make the position, and no news
        any more once our groups hold what the broker says: until then it is looked at whatever is under way.
        """
        executed = account.executed(desk) if news else {}
        for one in news:
            theirs = others.get(one, NOTHING)
            if positions.get(one, 0) == executed.get(one, 0) + theirs.net:
                if one not in differing:
                    self._others[one] = theirs
                self._doubted.pop(one, None)
            else:
                self._doubted.setdefault(one, now)

    def _pause(self, desk: Desk, difference: Difference) -> None:
        now = desk.clocks.market_now()
        state.turn_off(desk.account.pk, PauseReason.RECONCILIATION, by=BY, why=str(difference), now=now)

    def _calm(self, desk: Desk) -> None:
        """Enough looks in a row without a difference lift what a difference put up."""
        self._calm_looks += 1
        if self._calm_looks == CALM_LOOKS:
            state.lift_own(desk.account.pk, PauseReason.RECONCILIATION, by=BY, now=desk.clocks.market_now())


def _take_from(desk: Desk, groups: list[LiveGroup], difference: Difference) -> int:
    """Book units that somebody else closed, from the newest group first; returns how many found a group."""
    left = difference.taken
    mine = [group for group in groups if _holding_of(group) == difference.holding]
    mine.sort(key=lambda one: one.row.pk, reverse=True)
    # What is still held first; then what our own exits closed although it was gone.
    for held in (True, False):
        for group in mine:
            most = group.view.position_quantity if held else group.view.exited_quantity
            share = min(left, max(most, 0))
            if share:
                write(desk, group.row, taken_by_others_quantity=F("taken_by_others_quantity") + share)
                left -= share
    return difference.taken - left


def _give_back(desk: Desk, groups: list[LiveGroup], difference: Difference) -> int:
    """What groups exited too much and the broker does not show: somebody else took it back, or had taken less."""
    sign = 1 if difference.ours > 0 else -1
    excess = abs(difference.ours) - max(difference.broker * sign, 0)
    given = 0
    for group in groups:
        if _holding_of(group) != difference.holding or _signed(group) * difference.ours <= 0:
            continue
        share = min(-group.view.position_quantity, excess - given)
        if share > 0:
            write(desk, group.row, taken_by_others_quantity=F("taken_by_others_quantity") - share)
            given += share
    return given


def _open_what_both_closed(desk: Desk, difference: Difference, book: Book) -> bool:
    """Somebody else closed a position in the moment in which our exit did: what that turned round is ours.

    A trade of theirs before our entry or after our exit is their own and is not touched. A group may be closed
    already, or hold nothing and still wait for an order that nobody has heard of. None takes back more than it has
    exited: what others sold beyond that is theirs.
    """
    if difference.ours or not difference.is_explained:
        return False
    exchange, tradingsymbol, product = difference.holding
    now = desk.clocks.market_now()
    suspects = of_session(desk).filter(
        Q(closed_at__gte=now - BOTH_CLOSED_WITHIN) | Q(closed_at=None),
        entry_order__exchange=exchange,
        entry_order__tradingsymbol=tradingsymbol,
        entry_order__product=product,
        side=Side.BUY if difference.broker < 0 else Side.SELL,
    )
    opened = 0
    for group in suspects.select_related("entry_order").order_by("-pk"):
        theirs = sum(
            report.filled_quantity
            for report in book.reports
            if report.broker_order_id not in book.our_order_ids
            and (report.exchange.value, report.tradingsymbol, report.product) == difference.holding
            and report.side != group.side
            and group.entry_order.asked_at - STAMPS_TO <= report.order_at <= (group.closed_at or now)
        )
        share = min(abs(difference.broker) - opened, exited_units(group), theirs - opened)
        if share > 0:
            _reopen(desk, group, taken=share)
            opened += share
    return opened > 0


def _open_what_nobody_took(desk: Desk, difference: Difference) -> bool:
    """Units booked as taken by others that no other order took: a book must have lagged longer than books do."""
    if not difference.is_all_ours:
        return False
    exchange, tradingsymbol, product = difference.holding
    left = abs(difference.broker - difference.ours)
    suspects = of_session(desk).filter(
        entry_order__exchange=exchange,
        entry_order__tradingsymbol=tradingsymbol,
        entry_order__product=product,
        side=Side.BUY if difference.broker > difference.ours else Side.SELL,
        taken_by_others_quantity__gt=0,
    )
    for group in suspects.order_by("-pk"):
        share = min(left, group.taken_by_others_quantity)
        if not share:
            break
        _reopen(desk, group, taken=-share)
        left -= share
    return left < abs(difference.broker - difference.ours)


def _reopen(desk: Desk, group: OcoGroup, *, taken: int) -> None:
    """Change what others took of a group by so much; one that was closed goes to flat again."""
    values: dict[str, object] = {"taken_by_others_quantity": F("taken_by_others_quantity") + taken}
    if group.closed_at:
        reason = group.close_reason or group.exit_reason
        values |= {"state": GroupState.CLOSING, "closed_at": None, "close_reason": reason}
    write(desk, group, **values)
