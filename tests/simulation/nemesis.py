"""Who plans a seed's troubles that are not tied to a call, and the operator who answers some of them."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from oco import flatten
from oco.models import Flatten
from risk import locks, state
from risk.locks import CannotBeLifted
from risk.models import EntriesOff, Lock
from tests.simulation import market as paths
from tests.simulation.rates import PROMISED, Fault
from trading.core.enums import ExitReason, OrderType, PauseReason, Product, Side
from trading.core.order_ids import role_of_tag
from trading.core.values import InstrumentSpec
from trading.exchange.orders import KiteStatus, VenueOrder
from trading.exchange.rules import VenueRefusal

if TYPE_CHECKING:
    from tests.simulation.world import World

MINUTE = 60.0
#: how many of the operator's flattens are pressed while an entry is on its way, and how soon after it left
WITH_AN_ENTRY = 0.4
ENTRY_TRAVELS_S = 0.6
#: what the operator is told of an odd row
ODD_ROW = "an order that is FILLED cannot become CANCELED"
#: troubles come in this span of a seed, in seconds from its start
TROUBLES = (1.5 * MINUTE, (paths.MINUTES - 3.5) * MINUTE)
#: a seed in which no fault met an open position proves nothing: from here on none is waited for
HIT_BY = 12 * MINUTE


def request_of(spec: InstrumentSpec, quantity: int, side: Side) -> dict[str, Any]:
    """A market order from the broker's own terminal."""
    return {
        "exchange": spec.exchange,
        "tradingsymbol": spec.tradingsymbol,
        "transaction_type": side,
        "order_type": OrderType.MARKET,
        "quantity": quantity,
        "product": Product.MIS,
        "market_protection": -1,
    }


class Nemesis:
    """Schedules events on the stage. `stream` is the seed's own for this."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.stream = Random(f"{world.seed}/nemesis")
        self.operator = Random(f"{world.seed}/operator")
        self._awaits_entry = 0

    def plan_all(self) -> None:
        rates, world = self.world.rates, self.world
        if not world.is_healthy:
            for _ in range(3):
                self._some_time(self._promise)
            world.stage.at(paths.OPENS + timedelta(seconds=HIT_BY), self._hit_at_last)
            for minute in range(1, paths.MINUTES):
                world.stage.at(paths.OPENS + timedelta(minutes=minute), self._log_in_where_asked)
        for _ in range(rates.bursts):
            self._some_time(self._burst)
        for _ in range(rates.stopped):
            self._some_time(lambda: self.world.weather.coming.append(Fault.STOPPED))
        for _ in range(rates.feed_gaps):
            self._some_time(self._feed_gap)
        for _ in range(rates.failovers):
            self._some_time(self._lose_database)
        for _ in range(rates.token_expiries):
            self._some_time(self._expire_token)
        for _ in range(rates.clock_steps):
            self._some_time(self._step_clock)
        for _ in range(rates.hand_closes):
            self._some_time(lambda: self._hand(is_close=True))
        for _ in range(rates.hand_trades):
            self._some_time(lambda: self._hand(is_close=False))
        for _ in range(rates.square_offs):
            self._some_time(self._square_off)
        for _ in range(rates.odd_rows):
            self._some_time(self._show_odd_row)
        for _ in range(rates.flattens):
            moment = paths.OPENS + timedelta(seconds=self.operator.uniform(*TROUBLES))
            with_entry = self.operator.random() < WITH_AN_ENTRY
            world.stage.at(moment, self._await_entry if with_entry else self._drill)

    def _some_time(self, act: "object") -> None:
        moment = paths.OPENS + timedelta(seconds=self.stream.uniform(*TROUBLES))
        self.world.stage.at(moment, act)  # type: ignore[arg-type]  # a callable without arguments

    def _note(self, fault: Fault, lasts_s: float) -> None:
        self.world.note(fault, lasts_s)

    def _promise(self, among: Sequence[Fault] = PROMISED, look_every_s: float = 2.0) -> None:
        """One promised fault: at once if a position is open, else as soon as one is."""
        world = self.world
        if not world.oracle.is_open and world.stage.now < paths.OPENS + timedelta(minutes=paths.MINUTES - 3):
            world.stage.after(look_every_s, lambda: self._promise(among, look_every_s))
            return
        world.weather.coming.append(self.stream.choice(among))
        world.stage.after(20.0, self._keep_the_promise)

    def _keep_the_promise(self) -> None:
        """The position may have been gone when it struck: another one, until one has hit while something was open."""
        world = self.world
        is_in_time = world.stage.now < paths.OPENS + timedelta(minutes=paths.MINUTES - 3)
        if is_in_time and not world.happened.while_open.total():
            # A crash needs no call of the right kind: whoever commits next ends.
            self._promise((Fault.CRASH,), 0.5)

    def _hit_at_last(self) -> None:
        """No promise was kept by now: the next open position is met by a fault that needs no call to strike."""
        if not self.world.happened.while_open.total():
            # A hand's leftovers may be why nothing was entered.
            self.close_what_is_the_users()
            self.resume()
            self._hit_next()

    def _hit_next(self) -> None:
        world = self.world
        if world.happened.while_open.total() or not world.is_troubled:
            return
        if world.oracle.is_open:
            self._burst()
            return
        world.stage.after(0.5, self._hit_next)

    def _burst(self) -> None:
        span_s = self.stream.uniform(0.5, 5)
        world = self.world
        world.weather.burst_until = world.stage.now + timedelta(seconds=span_s)
        world.refused_for(span_s)
        self._note(Fault.TOO_MANY, span_s + 2)

    def _feed_gap(self) -> None:
        world, span_s = self.world, self.stream.uniform(5, 120)
        end = min(world.stage.now + timedelta(seconds=span_s), world.heals_at)
        which = self.stream.choice(("both", "strategy", "watcher"))
        if which in ("both", "strategy"):
            world.strategy_deaf_until = end
        if which in ("both", "watcher"):
            world.watcher_deaf_until = end
            world.stage.at(end, world.watcher.reconnect)
        self._note(Fault.FEED_GAP, span_s)

    def _lose_database(self) -> None:
        """The next statement of an actor fails."""
        self.world.fails_next = True
        self._note(Fault.DATABASE, 12)

    def _expire_token(self) -> None:
        world, span_s = self.world, self.stream.uniform(5, 60)
        world.weather.token_dead = True
        world.refused_for(span_s)
        self._note(Fault.TOKEN, span_s + 8)
        world.stage.after(span_s, self._log_in)

    def _log_in_where_asked(self) -> None:
        """Where the broker took no order of ours for want of a right, the console says: log in again."""
        if not self.world.weather.token_dead:
            now = self.world.stage.now
            state.lift_own(self.world.account.pk, PauseReason.LOGIN, by="orders", now=now)

    def _log_in(self) -> None:
        self.world.weather.token_dead = False
        self.world.trace("operator: logged in")

    def _show_odd_row(self) -> None:
        """The order book calls an order of ours cancelled that was executed whole, for a while."""
        world = self.world
        done = [
            order.order_id
            for order in world.venue.orders.values()
            if order.status is KiteStatus.COMPLETE and role_of_tag(order.tag)
        ]
        if not done:
            world.stage.after(5, self._show_odd_row) if world.is_troubled else None
            return
        world.weather.odd_order_ids.add(self.stream.choice(done))
        self._note(Fault.ODD_ROW, 0)
        world.stage.after(self.stream.uniform(20, 60), self._set_row_right)

    def _set_row_right(self) -> None:
        """The operator was called for it, sees that the row is right again and lets entries go on."""
        self.world.weather.odd_order_ids.clear()
        self._let_go_on()

    def _let_go_on(self) -> None:
        called = EntriesOff.objects.filter(account=self.world.account, lifted_at=None, why__contains=ODD_ROW)
        called.update(lifted_at=self.world.stage.now, lifted_by="operator")

    def _step_clock(self) -> None:
        clocks = self.world.stage.clocks
        clocks.step = timedelta(seconds=self.stream.uniform(-2, 2))
        self._note(Fault.CLOCK, 5)

    def _hand(self, *, is_close: bool) -> None:
        """The user trades on the broker's own terminal: closes a position of ours, or opens something."""
        world = self.world
        lines = [line for line in world.oracle.lines.values() if line.held]
        if is_close and not lines:
            world.stage.after(5, lambda: self._hand(is_close=True)) if world.is_troubled else None
            return
        if is_close:
            line = self.stream.choice(lines)
            spec, quantity = line.spec, abs(line.held)
            lots = quantity // spec.lot_size
            quantity = self.stream.randint(1, lots) * spec.lot_size
            side = Side.SELL if line.held > 0 else Side.BUY
        else:
            spec = self.stream.choice(world.path.specs)
            quantity, side = spec.lot_size, self.stream.choice((Side.BUY, Side.SELL))
            back = request_of(spec, quantity, side.opposite)
            world.stage.after(self.stream.uniform(20, 80), lambda: self._by_hand(back))
        self._note(Fault.HAND_CLOSE if is_close else Fault.HAND_TRADE, 30)
        self._by_hand(request_of(spec, quantity, side))

    def _by_hand(self, request: dict[str, Any]) -> None:
        world = self.world
        world.oracle.surprise(request["tradingsymbol"])
        try:
            world.venue.place_as_other(request, world.stage.now, "user")
        except VenueRefusal as refusal:
            world.trace(f"the user's order was refused: {refusal.message}")

    def close_what_is_the_users(self) -> None:
        """In a healed world nobody else holds anything beside us: that keeps entries off, and rightly so."""
        for line in self.world.oracle.lines.values():
            if line.others:
                side = Side.SELL if line.others > 0 else Side.BUY
                self._by_hand(request_of(line.spec, abs(line.others), side))

    def _square_off(self) -> None:
        world = self.world
        if not world.oracle.is_open and world.is_troubled:
            world.stage.after(5, self._square_off)
            return
        self._note(Fault.SQUARE_OFF, 30)
        for symbol in list(world.oracle.lines):
            world.oracle.surprise(symbol)
        world.venue.square_off_mis(world.stage.now)

    def maybe_raise(self, order: VenueOrder) -> None:
        """A cancelled order of ours may be executed after all."""
        world = self.world
        if not order.cancelled or not world.is_troubled:
            return
        if self.stream.random() < world.rates.zombie:
            world.stage.after(self.stream.uniform(0.5, 20), lambda: self._raise(order))

    def _raise(self, order: VenueOrder) -> None:
        world = self.world
        world.oracle.surprise(order.spec.tradingsymbol)
        if world.venue.raise_from_dead(order, world.stage.now):
            self._note(Fault.ZOMBIE, 10)

    # the operator

    def _await_entry(self) -> None:
        self._awaits_entry += 1

    def entry_leaves(self) -> None:
        """An entry is being sent: an operator who waited for one presses before its answer is known."""
        if self._awaits_entry and self.world.is_troubled:
            self._awaits_entry -= 1
            self.world.stage.after(self.operator.uniform(0, ENTRY_TRAVELS_S), self._drill)
            self.world.weather.coming += self.operator.choice(([], [Fault.STALL], [Fault.LATE_CALL]))

    def _drill(self) -> None:
        self.press_flatten(is_drill=True)

    def press_flatten(self, *, is_drill: bool) -> None:
        """The kill switch; twice with some chance. In a drill the operator lets entries go on after the verdict."""
        world = self.world
        if is_drill:
            self._note(Fault.FLATTEN, 0)
        world.oracle.press()
        world.trace("operator: flatten")
        for _ in range(2 if self.operator.random() < 0.3 else 1):
            row = flatten.request(
                world.account,
                world.session,
                ExitReason.OPERATOR,
                asked_by="operator",
                clocks=world.stage.clocks,
            )
        world.stage.after(0.05, world.ring_watcher)
        if is_drill:
            world.stage.after(self.operator.uniform(20, 150), lambda: self._resume_after(row))

    def _resume_after(self, row: Flatten) -> None:
        world = self.world
        row.refresh_from_db()
        if row.finished_at is None and world.is_troubled:
            world.stage.after(10, lambda: self._resume_after(row))
            return
        self.resume()

    def lift_locks(self) -> None:
        """What protections locked while all went wrong is let go of where a person may."""
        world = self.world
        for lock in Lock.objects.filter(account=world.account, lifted_at=None):
            with suppress(CannotBeLifted):
                locks.lift(lock, by="operator", now=world.stage.now)

    def resume(self) -> None:
        world = self.world
        world.oracle.resumed()
        if not world.weather.odd_order_ids:
            # What was read before the row was right may have been said after.
            self._let_go_on()
        self._log_in_where_asked()
        left = state.resume(world.account.pk, by="operator", now=world.stage.now)
        world.trace(f"operator: resume; still off: {', '.join(sorted(left)) or 'nothing'}")
