"""INBOUND: order book, trades, positions → orders → fills → trades → groups → exits, the day's table, flatten.

One pass is bounded, may be run twice without harm and returns what it did. An order update only wakes it; the
broker's books are the truth. What is in memory is a copy of rows, read again whenever something was written.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from oco import books, day, exits, flatten, groups, reading, reconciliation, stop_moves
from oco import plan as oco_plan
from oco.books import BookRead
from oco.day import DayRow
from oco.differences import Holding
from oco.eye import MarketEye
from oco.groups import LiveGroup
from oco.models import Flatten
from oco.problems import ProblemWatch
from oco.reading import ReadingPlan
from oco.reconciliation import Reconciler
from oco.views import ExitPolicy, FinishGroup, MarketView
from risk import state
from risk.limits import Limits
from trading import account, changes, orders
from trading.account import DayBook
from trading.broker.base import BrokerError
from trading.core import order_states
from trading.core.enums import ExitReason, GroupState
from trading.core.market_state import MarketState
from trading.core.sizing import risk_budget_inr
from trading.core.values import Quote
from trading.desk import Desk
from trading.models import Order
from trading.sending import BudgetSpent

log = logging.getLogger(__name__)

#: while something is unsettled the pass looks again after this long
SOON = timedelta(milliseconds=250)
#: more orders than this are read as one whole book: one call tells of all, where a slow broker makes each one dear
ONE_BY_ONE = 1
#: what the books said is acted on for so long, machine time
KNOWLEDGE_LASTS = timedelta(seconds=3)
#: a limit that was changed is seen here after so long, machine time; entries ask for it themselves each time
LIMITS_LAST = timedelta(seconds=2)


@dataclass(slots=True)
class WatchPass:
    """What one pass did."""

    reports_applied: int = 0
    fills_applied: int = 0
    actions_performed: int = 0
    groups_closed: int = 0
    day_rows_run: int = 0
    flattens_finished: int = 0


@dataclass(slots=True)
class OrderWatcher:
    """The inbound loop of one account on one trading date."""

    desk: Desk
    market: MarketState
    day_rows: Sequence[DayRow]
    policy: ExitPolicy = field(default_factory=ExitPolicy)
    #: an entry that is not filled this long after it was accepted is cancelled
    entry_rests: timedelta = timedelta(seconds=10)
    #: our own rows are read again at least this often, whoever forgot to wake us
    rows_last: timedelta = timedelta(seconds=15)
    reads: ReadingPlan = field(default_factory=ReadingPlan)
    reconciler: Reconciler = field(default_factory=Reconciler)
    live: list[LiveGroup] = field(default_factory=list)
    _entries: list[Order] = field(default_factory=list)
    _followed: set[str] = field(default_factory=set)
    _flattens: list[Flatten] = field(default_factory=list)
    #: entries that a flatten's verdict could only watch
    _late: dict[str, ExitReason] = field(default_factory=dict)
    _day_book: DayBook | None = None
    _limits: Limits | None = None
    _limits_at: datetime | None = None
    _capital_inr: Decimal | None = None
    _pending_rows: list[DayRow] = field(default_factory=list)
    _read_at: datetime | None = None
    _book: BookRead | None = None
    _traded: set[Holding] = field(default_factory=set)
    #: machine time since which the order book has shown more executed than the trade book has told
    _lacks_fills_since: datetime | None = None
    #: market time at which the order rate has room for what waits
    _room_at: datetime | None = None
    _problems: ProblemWatch = field(default_factory=ProblemWatch)
    #: pks of orders whose news no group has followed yet; a pass that is given up half-way loses none
    _changed: set[int] = field(default_factory=set)
    _eye: MarketEye = field(init=False)

    def __post_init__(self) -> None:
        self._eye = MarketEye(self.desk, self.market)

    def recover(self) -> int:
        """Rebuild from database and broker before the first pass. Returns how many interrupted commands it found."""
        interrupted = orders.settle_interrupted(self.desk)
        self._pending_rows = day.pending(self.desk, self.day_rows)
        self.reads.read_all_now(self.desk.clocks.machine_now())
        self._lacks_fills_since = self.desk.clocks.machine_now()
        # The process before may have ended between an order's news and its group.
        filled = orders.of_session(self.desk).filter(filled_quantity__gt=0)
        self._changed = set(filled.values_list("pk", flat=True))
        self._read_at = None
        return interrupted

    def wake(self, broker_order_ids: Sequence[str] = ()) -> None:
        """Something changed: read these orders and our own rows in the next pass."""
        now = self.desk.clocks.machine_now()
        for broker_order_id in broker_order_ids:
            self.reads.woke(broker_order_id, now)
        self._read_at = None

    def run_pass(self) -> WatchPass:
        """Bring our books up to the broker's, then keep every position protected and the day on time, once."""
        done = WatchPass()
        self._room_at = None
        self._refresh()
        self._read_books(done)
        self._run_day(done)
        self._stop_what_must_end()
        self._protect(done)
        self._cancel_entries_that_are_over(done)
        for row in self._flattens:
            done.flattens_finished += flatten.conclude(self.desk, row, self.live)
        if done.flattens_finished:
            self._read_at = None
            self._refresh()
            self._protect(done)
        if not flatten.comes_first(self.desk, self._flattens):
            self._read_trades(done)
        return done

    def next_due(self) -> datetime | None:
        """Machine time at which the next pass is due if nothing wakes it before."""
        now, market_now = self.desk.clocks.machine_now(), self.desk.clocks.market_now()
        if self._read_at is None or self._flattens or any(not group.is_calm for group in self.live):
            return now + min(SOON, max(self._room_at - market_now, timedelta(0)) if self._room_at else SOON)
        market_moments = [row.due_at for row in self._pending_rows[:1]]
        # One that has rested long enough waits for the answer to its cancel.
        market_moments += [
            max(order.accepted_at + self.entry_rests, market_now + SOON)
            for order in self._entries
            if order.accepted_at
        ]
        moments = [now + (moment - market_now) for moment in market_moments]
        if reading_at := self.reads.next_at():
            moments.append(reading_at)
        return max(min(moments), now) if moments else None

    def quote(self, exchange: str, tradingsymbol: str) -> Quote | None:
        """The newest quote of an instrument, None when it is not watched."""
        return self._eye.quote(exchange, tradingsymbol)

    def _refresh(self) -> None:
        """Read our own rows again when something was written, or every so often."""
        now = self.desk.clocks.machine_now()
        if self._read_at is not None and now - self._read_at < self.rows_last:
            return
        self.live = groups.live(self.desk, self.policy)
        stop_moves.standing(self.desk, self.live)
        self._entries = list(orders.unresolved_entries(self.desk))
        self._follow_new_entries(now)
        self._flattens, self._late = flatten.standing(self.desk)
        if self.live and (self._limits_at is None or now - self._limits_at >= LIMITS_LAST):
            self._limits, self._limits_at = state.limits_in_force(self.desk.account.pk).value(), now
        if self._day_book is None:
            self._day_book = account.day_book(self.desk)
            self._traded = account.holdings(self.desk)
        # Asked for since, or held: ours, whatever the positions show before its fills are told.
        self._traded |= {account.holding_of(order) for order in self._entries}
        self._traded |= {account.holding_of(group.row.entry_order) for group in self.live}
        self._read_at = now

    def _follow_new_entries(self, now: datetime) -> None:
        """The other loop's writes are read like our own: soon, whether or not an update comes."""
        for order in self._entries:
            is_new = order.broker_order_id and order.broker_order_id not in self._followed
            if is_new and order.status in order_states.IN_FLIGHT:
                self._followed.add(order.broker_order_id)
                self.reads.wrote(order.broker_order_id, now)

    def _read_books(self, done: WatchPass) -> None:
        now = self.desk.clocks.machine_now()
        unsettled = any(order.status in order_states.IN_FLIGHT for order in self._entries)
        if unsettled:
            self._book = None
        try:
            book = self._read_orders(now, self._book_every(now, is_unsettled=unsettled))
        except BrokerError:
            # What this pass was to read, and what happened while it waited, the next one reads whole.
            self.reads.read_all_now(now)
            raise
        is_calm = not self._changed and not unsettled and self._lacks_fills_since is None
        if self._changed:
            done.reports_applied += len(self._changed)
            books.follow(self.desk, self._changed, self.policy)
            self._changed.clear()
            self._lacks_fills_since = self._lacks_fills_since or now
            self._read_at = None
            self._refresh()
        if book is not None:
            self._reconcile(book, is_calm=is_calm)

    def _read_orders(self, now: datetime, every: timedelta) -> BookRead | None:
        """Read what is due, order by order, and the whole book where that is due."""
        changing = groups.changing(self.live)
        due = self.reads.orders_due(now)
        if len(due) > ONE_BY_ONE:
            self.reads.read_all_now(now)
        if self.reads.whole_due(now, every):
            # The book says what each of them would say, in one call.
            due = []
        for broker_order_id in due:
            found = books.read_order(self.desk, broker_order_id, changing, groups.exits_by_id(self.live))
            if found is None:
                self.reads.missed(broker_order_id, now)
                continue
            if not found.changed and not found.is_ours:
                # Somebody else's order: what it did to our positions is looked at in this very pass.
                self.reads.read_all_now(now)
            self._changed.update(found.changed)
        if not self.reads.whole_due(now, every):
            return None
        self._book = book = books.read_all(self.desk, changing, self._book)
        self.reads.whole_read(now, every)
        self._changed.update(book.changed)
        if book.lacks_exits:
            # An absence that was counted is news to the plan, though no order changed.
            self._read_at = None
            self._refresh()
        return book

    def _read_trades(self, done: WatchPass) -> None:
        """After the exits, which go by the order book: no position waits for its price."""
        if self._lacks_fills_since is None:
            return
        waited = self.desk.clocks.machine_now() - self._lacks_fills_since
        if waited < KNOWLEDGE_LASTS and any(group.row.unprotected_since for group in self.live):
            return
        read = books.read_fills(self.desk, self._lacks_fills_since)
        done.fills_applied += read.applied
        if not read.is_behind:
            self._lacks_fills_since = None
        if read.trades_closed:
            account.keep_locks(self.desk, self.quote)
        if read.applied or read.trades_closed:
            self._day_book = None
            self._read_at = None
            self._refresh()

    def _book_every(self, now: datetime, *, is_unsettled: bool) -> timedelta:
        """How often the whole book is read: the less we know of an exit, the oftener."""
        if any(group.view.exit and group.view.exit.is_on_its_way for group in self.live):
            return reading.URGENT
        # What somebody else did counts when a later look has seen it too, and meanwhile our stop still rests.
        if (
            is_unsettled
            or self.reconciler.is_suspicious(now)
            or any(group.view.exits_unknown for group in self.live)
        ):
            return reading.ALERT
        is_idle = not self.live and not self._entries and self.reconciler.is_settled
        return reading.IDLE if is_idle else reading.CALM

    def _reconcile(self, book: BookRead, *, is_calm: bool) -> None:
        """Positions as second witness. `is_calm`: nothing of ours is under way that could explain a difference."""
        if self.reconciler.look(self.desk, self.live, self._traded, book, is_calm=is_calm):
            self._read_at = None
            self._refresh()

    def _run_day(self, done: WatchPass) -> None:
        now = self.desk.clocks.market_now()
        while self._pending_rows and self._pending_rows[0].due_at <= now:
            row = self._pending_rows.pop(0)
            done.day_rows_run += day.run(self.desk, row)
            self._read_at = None
            self._refresh()

    def _stop_what_must_end(self) -> None:
        """Flattens, the daily loss. Where the order rate has no room the next pass goes on."""
        try:
            for row in self._flattens:
                flatten.begin(self.desk, row, self.live)
            flatten.stop_late(self.desk, self._late, self.live, self._entries)
            self._watch_daily_loss()
        except BudgetSpent as error:
            log.warning("cancels wait for the order rate: %s", error)
            self._read_at, self._room_at = None, error.again_at

    def _watch_daily_loss(self) -> None:
        """Realised and open result against the limit; reaching it latches entries off and closes everything."""
        if not self.live or self._day_book is None or self._limits is None:
            return
        if any(not row.tradingsymbols for row in self._flattens):
            return
        self._capital_inr = self._capital_inr or account.capital_inr(self.desk)  # fixed in the morning
        limit = risk_budget_inr(self._capital_inr, self._limits.daily_loss_pct)
        if self._day_book.result_inr(self.quote) > -limit:
            return
        flatten.request(
            self.desk.account,
            self.desk.session,
            ExitReason.DAILY_LOSS,
            asked_by="daily loss",
            clocks=self.desk.clocks,
        )
        self._read_at = None
        self._refresh()
        for row in self._flattens:
            flatten.begin(self.desk, row, self.live)

    def _cancel_entries_that_are_over(self, done: WatchPass) -> None:
        """What did not fill in time is cancelled: the setup is over, protection is sized to what did fill.

        So is the rest of one whose position is already being closed: each further fill would have to follow it.
        """
        now = self.desk.clocks.market_now()
        closing = {group.row.entry_order_id for group in self.live if group.row.state == GroupState.CLOSING}
        for order in self._entries:
            if order.accepted_at is None or order.status not in order_states.OPEN:
                continue
            came_late = order.accepted_at - order.asked_at >= self.entry_rests
            rested = now - order.accepted_at >= self.entry_rests
            is_over = came_late or rested or order.pk in closing
            if not is_over or changes.cancel_is_open(self.desk, order):
                continue
            try:
                orders.cancel(self.desk, order)
            except BudgetSpent as error:
                log.warning("cancels wait for the order rate: %s", error)
                self._read_at, self._room_at = None, error.again_at
                return
            self.reads.wrote(order.broker_order_id, self.desk.clocks.machine_now())
            done.actions_performed += 1
            self._read_at = None

    def _protect(self, done: WatchPass) -> None:
        """Ask the plan about every group and do what it says, largest risk first."""
        began = self.desk.clocks.machine_now()
        for group in sorted(self.live, key=lambda one: one.risk_paise, reverse=True):
            if group.row.state == GroupState.CLOSED:
                continue
            if self.desk.clocks.machine_now() - began > KNOWLEDGE_LASTS:
                # A call hung. What happened meanwhile is read before anything else is asked for.
                self.reads.read_all_now(self.desk.clocks.machine_now())
                self._read_at = None
                return
            view = self._eye.look(group)
            fresh = view.is_fresh(self.policy)
            if groups.note_protection(self.desk, group, feed_is_fresh=fresh):
                self._read_at = None
            stop_moves.answer(self.desk, group, view, self.policy)
            if lasting := self._problems.lasting(group.row.pk, group.view, self.desk.clocks.machine_now()):
                log.error("group %s is broken: %s", group.row.pk, "; ".join(lasting))
                groups.break_group(self.desk, group.row, "; ".join(lasting))
            try:
                self._act(group, view, done)
            except BudgetSpent as error:
                log.warning("exits wait for the order rate: %s", error)
                self._read_at, self._room_at = None, error.again_at
                return

    def _act(self, group: LiveGroup, view: MarketView, done: WatchPass) -> None:
        now = self.desk.clocks.machine_now()
        for action in oco_plan.next_actions(group.view, view, self.policy, now):
            if not reconciliation.bears_out(self.desk, self.reconciler, self.live, group, action):
                # Somebody else may have closed it: a new exit would turn it round. The next look tells.
                self.reads.read_all_now(now)
                self._read_at = None
                continue
            if isinstance(action, FinishGroup) and flatten.comes_first(self.desk, self._flattens):
                continue
            self._book = None
            order = exits.perform(self.desk, group, action)
            done.actions_performed += 1
            if group.row.state == GroupState.CLOSED:
                done.groups_closed += 1
                self._day_book = None
                self.reads.group_closed(now)
            self._read_at = None
            if order is not None and order.broker_order_id:
                self.reads.wrote(order.broker_order_id, self.desk.clocks.machine_now())
