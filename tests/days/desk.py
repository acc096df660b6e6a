"""A trading day in a test's hand: the real passes, venue, broker port and database, driven by verbs.

`Day.opens()` is at 09:45 with one NIFTY future at 25,000.00, lot 75, and Rs 25 lakh: 0.5 % of risk is Rs 12,500,
so a stop 100 rupees away is one lot and one 80 rupees away is two.
"""

from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import cast

from oco import flatten
from oco.models import Flatten, OcoGroup
from oco.watcher import OrderWatcher
from reporting.replay import LEASE_TTL_S, ReplayedDay, open_day
from tests.days.broker import TroubledBroker
from tests.days.market import NIFTY, PACE, ScriptedMarket
from trading import decisions, lease, signals
from trading.broker.paper import PaperBroker
from trading.core.enums import ExitReason, Loop, Role, Side
from trading.core.market_state import MarketState
from trading.core.order_ids import role_of_tag
from trading.core.session import at
from trading.core.values import InstrumentSpec, Score, Setup
from trading.decisions import Market
from trading.desk import Desk
from trading.exchange.orders import VenueOrder
from trading.loop import StrategyLoop
from trading.market.calendar import sessions_of
from trading.models import Account, Decision, Order, Signal, Trade
from trading.signals import Seen
from trading.strategies.base import Strategy

SCORE = Score(momentum=0, trend=0, liquidity=0, regime=0, reward_risk=0, penalty=0, total=0)


class Day:
    """One account on one day. Verbs move the market and time; questions are asked of rows and of the venue."""

    def __init__(self, market: ScriptedMarket, account: Account, strategies: list[Strategy]) -> None:
        self.market = market
        self.account = account
        self.strategies = strategies
        self.replayed: ReplayedDay = open_day(account, market, seed=7, drill=False)
        self.broker = TroubledBroker(self.replayed.broker, self.replayed.venue)
        self.replayed.broker = cast(PaperBroker, self.broker)
        self.replayed.loop.strategies = strategies
        for actor in (self.replayed.loop, self.replayed.watcher):
            actor.desk = replace(actor.desk, broker=self.broker)
        self.replayed.desk = self.replayed.watcher.desk
        #: after each step: (market time, net units at the exchange, units that working exits can close)
        self.tape: list[tuple[datetime, int, int]] = []
        self._next_frame_at = market.first_frame_at
        # Nothing is of interest before the first frame but the rows of the day's table, which are caught up.
        self.replayed.clocks.move_to(market.first_frame_at)
        self.run_for(6)

    @classmethod
    def opens(
        cls,
        *specs: InstrumentSpec,
        opens: time = time(9, 45),
        capital_inr: str = "2500000",
        strategies: list[Strategy] | None = None,
        account: Account | None = None,
        market: ScriptedMarket | None = None,
    ) -> "Day":
        account = account or Account.objects.create(
            name="desk", broker_user="AB1234", paper_capital_inr=Decimal(capital_inr)
        )
        return cls(market or ScriptedMarket(*specs, opens=opens), account, strategies or [])

    # who acts

    @property
    def loop(self) -> StrategyLoop:
        return self.replayed.loop

    @property
    def watcher(self) -> OrderWatcher:
        return self.replayed.watcher

    @property
    def desk(self) -> Desk:
        """The watcher's."""
        return self.replayed.watcher.desk

    @property
    def now(self) -> datetime:
        return self.replayed.clocks.market_now()

    # what happens

    def run_until(self, wall: str) -> None:
        """Let the market and both passes go on to a wall time of the day."""
        self._run_to(at(self.market.trading_date, time.fromisoformat(wall)))

    def run_for(self, seconds: float) -> None:
        self._run_to(max(self.now, self._next_frame_at - PACE) + timedelta(seconds=seconds))

    def price_goes_to(self, price: str, *, frames: int = 1, spec: InstrumentSpec | None = None) -> None:
        """The market walks there in so many frames of three seconds, and everything that follows happens."""
        self.market.goes_to(price, frames=frames, spec=spec)
        self.run_for(frames * PACE.total_seconds())

    def sees(
        self,
        *,
        stop: str,
        target: str,
        first_target: str | None = None,
        side: Side = Side.BUY,
        entry: str | None = None,
        spec: InstrumentSpec | None = None,
        strategy: str = "test",
        candle_at: datetime | None = None,
    ) -> Signal | None:
        """Store a signal of the minute that has just closed."""
        spec = spec or self.market.instruments[0]
        last = Decimal(self.market.line(spec).price_paise).scaleb(-2)
        setup = Setup(
            side=side,
            entry_price=Decimal(entry) if entry else last,
            stop_price=Decimal(stop),
            target_price=Decimal(target),
            first_target_price=Decimal(first_target) if first_target else None,
            reason="a test says so",
        )
        candle_at = candle_at or self.now.replace(second=0, microsecond=0) - timedelta(minutes=1)
        seen = Seen(strategy=strategy, spec=spec, candle_at=candle_at, setup=setup, score=SCORE)
        return signals.record(self.loop.desk, seen)

    def decides(self, signal: Signal, spec: InstrumentSpec | None = None) -> Decision:
        """Answer a signal as the outbound pass does, then let the watcher have its turn."""
        self.asks(signal, spec)
        return Decision.objects.get(signal=signal)

    def asks(self, signal: Signal, spec: InstrumentSpec | None = None) -> None:
        """The same where an operator may be asked first, so that there need not be a decision yet."""
        slot = list(self.market.instruments).index(spec or self.market.instruments[0])
        market = Market(
            spec=self.loop.market.specs[slot],
            session=self.loop.market.sessions[slot],
            quote=self.loop.market.quote(slot),
            quotes=self.loop.quote,
        )
        seen_s = self.loop.desk.clocks.monotonic_s()
        self.loop.has_asked |= not decisions.decide(self.loop.desk, signal, market, seen_s=seen_s)
        self.watcher.wake()
        self.watcher.run_pass()

    def enters(
        self,
        *,
        stop: str = "24900",
        target: str = "25300",
        first_target: str | None = None,
        side: Side = Side.BUY,
        spec: InstrumentSpec | None = None,
        within_s: float = 6,
    ) -> Decision:
        """See, decide, and let two frames pass, in which the entry fills and is protected."""
        signal = self.sees(stop=stop, target=target, first_target=first_target, side=side, spec=spec)
        assert signal is not None, "the same signal was seen before"
        decision = self.decides(signal, spec)
        self.run_for(within_s)
        return decision

    def restarts(self) -> int:
        """All memory is lost; leases are taken anew, recovery runs. Returns the interrupted commands found."""
        sessions = sessions_of(self.market.instruments, self.market.trading_date)
        market = MarketState(self.market.instruments, sessions)
        market.warm_up(self.market.warm_up(1))
        loop_desk, desk = self._with_new_lease(self.loop.desk), self._with_new_lease(self.desk)
        rows = self.watcher.day_rows
        watcher = OrderWatcher(desk, market, rows, rows_last=self.watcher.rows_last)
        self.replayed.loop = StrategyLoop(loop_desk, market, self.strategies)
        self.replayed.desk, self.replayed.watcher = desk, watcher
        return watcher.recover()

    def ends(self) -> None:
        """Nobody leads any more, as after the day's last pass."""
        for desk in (self.loop.desk, self.desk):
            lease.release(desk.lease)

    def presses_flatten(self, reason: ExitReason = ExitReason.OPERATOR) -> Flatten:
        row = flatten.request(
            self.account, self.desk.session, reason, asked_by="operator", clocks=self.desk.clocks
        )
        self.watcher.wake()
        self.watcher.run_pass()
        return row

    # what is asked of the venue

    def broker_orders(self, role: Role) -> list[VenueOrder]:
        """Orders of a role as the exchange has them, by our tag, oldest first."""
        return [order for order in self.replayed.venue.orders.values() if role_of_tag(order.tag) is role]

    def working(self) -> list[tuple[str, int]]:
        """(side, units still to fill) of every order of ours at the exchange that is not closed."""
        orders = self.replayed.venue.working_orders()
        return [(order.side.value, order.pending) for order in orders if role_of_tag(order.tag)]

    def net(self, spec: InstrumentSpec = NIFTY) -> int:
        """The position at the exchange, signed units."""
        return sum(
            position.quantity
            for position in self.replayed.venue.ledger.positions.values()
            if position.spec.tradingsymbol == spec.tradingsymbol
        )

    # what is asked of rows

    def groups(self) -> list[OcoGroup]:
        return list(OcoGroup.objects.filter(session=self.desk.session).order_by("pk"))

    def trades(self) -> list[Trade]:
        return list(Trade.objects.filter(session=self.desk.session).order_by("pk"))

    def orders(self, role: Role) -> list[Order]:
        return list(Order.objects.filter(session=self.desk.session, role=role).order_by("pk"))

    # how time passes

    def _run_to(self, moment: datetime) -> None:
        while self._next_frame_at <= moment:
            frame_at, self._next_frame_at = self._next_frame_at, self._next_frame_at + PACE
            if (frame := self.market.frame_at(frame_at)) is not None:
                self.replayed.take_frame(frame)
            else:
                self.replayed.go_to(frame_at)
            self._note()
        self.replayed.go_to(moment)
        self._note()

    def _note(self) -> None:
        exits = [order for role in (Role.STOP, Role.EXIT) for order in self.broker_orders(role)]
        covering = sum(order.pending for order in exits if not order.is_closed)
        self.tape.append((self.now, self.net(self.market.instruments[0]), covering))

    def _with_new_lease(self, desk: Desk) -> Desk:
        held = lease.take_or_fail(self.account.pk, Loop(desk.lease.loop), desk.lease.holder, LEASE_TTL_S)
        return replace(desk, lease=held)
