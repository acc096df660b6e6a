"""OUTBOUND: frame → ticks → candles → setups → signals → ranking → decisions → entry orders.

One pass takes one frame for all instruments at once. Strategies are asked only about candles that closed, so a pass
in which none did costs a few vector operations and no SQL.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from trading import account, approvals, decisions, signals
from trading.confirmations import Confirmations
from trading.core import ranking
from trading.core.candles import Candle, ClosedCandles
from trading.core.enums import ApprovalAnswer
from trading.core.market_state import MarketState
from trading.core.pictures import picture_of
from trading.core.ranking import Candidate, RankingSettings
from trading.core.ticks import TickFrame
from trading.core.values import Quote, Setup
from trading.decisions import Market
from trading.desk import Desk
from trading.models import Signal, StrategySetting
from trading.signals import Seen
from trading.strategies.base import Strategy, Warming

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LoopPass:
    """What one pass did."""

    candles_closed: int = 0
    signals_recorded: int = 0
    decisions_made: int = 0
    entries_sent: int = 0

    def add(self, other: "LoopPass") -> None:
        self.candles_closed += other.candles_closed
        self.signals_recorded += other.signals_recorded
        self.decisions_made += other.decisions_made
        self.entries_sent += other.entries_sent


@dataclass(slots=True)
class StrategyLoop:
    """The outbound loop of one account on one trading date. Holds the market, remembers nothing else of worth."""

    desk: Desk
    market: MarketState
    strategies: Sequence[Strategy]
    ranking_settings: RankingSettings = field(default_factory=RankingSettings)
    #: instruments that are watched but not traded: their candles count, their setups do not
    untraded: frozenset[int] = frozenset()
    warming: dict[tuple[str, int], str] = field(default_factory=dict)
    _confirmations: Confirmations = field(default_factory=Confirmations)
    _off: set[str] = field(default_factory=set)
    #: an operator may have been asked: by us, or by a process before us
    has_asked: bool = True

    def run_pass(self, frame: TickFrame) -> LoopPass:
        """Take one frame in, send what it leads to. Bounded; the same frame again does nothing new."""
        seen_s = self.desk.clocks.monotonic_s()
        closed = (*self.market.close_due(frame.received_at), *self.market.apply(frame))
        found = list(self._confirmations.on_ticks(self.market, frame))
        for candles in closed:
            found += self._ask(candles)
        done = LoopPass(candles_closed=sum(len(candles) for candles in closed))
        if self.has_asked:
            self._hear_answers(seen_s, done)
        if found:
            self._decide(found, seen_s, done)
        if done.entries_sent:
            # How long their answers took may lock the next entry: an operator is to see that before it comes.
            account.keep_locks(self.desk, self.quote)
        return done

    def quote(self, exchange: str, tradingsymbol: str) -> Quote | None:
        """The newest quote of an instrument, None when it is not watched."""
        slot = self._slots.get((exchange, tradingsymbol))
        return None if slot is None else self.market.quote(slot)

    @property
    def _slots(self) -> dict[tuple[str, str], int]:
        return {
            (spec.exchange.value, spec.tradingsymbol): slot for slot, spec in enumerate(self.market.specs)
        }

    def _ask(self, candles: ClosedCandles) -> list[tuple[int, Candle, str, Setup]]:
        """Every enabled strategy of this interval about every candle that closed; confirmed setups come back."""
        asked = [
            one
            for one in self.strategies
            if one.interval_min == candles.interval_min and one.name not in self._off
        ]
        found: list[tuple[int, Candle, str, Setup]] = []
        for slot, candle in candles:
            if candles.interval_min == 1:
                found += self._confirmations.on_close(slot, candle)
            if slot in self.untraded:
                continue
            for strategy in asked:
                setup = self._ask_one(strategy, slot, candle)
                if setup is None:
                    continue
                if setup.confirm_price is None:
                    found.append((slot, candle, strategy.name, setup))
                else:
                    self._confirmations.wait(slot, candle, strategy.name, setup)
        return found

    def _ask_one(self, strategy: Strategy, slot: int, candle: Candle) -> Setup | None:
        """One strategy about one candle. One that raises is named and switched off for the day; the rest goes on."""
        if strategy.name in self._off:
            return None
        try:
            answer = strategy.on_candle(candle, self.market.history(slot))
        except Exception as error:  # noqa: BLE001  # a plugin's bug must not stop the others nor the exits
            self._switch_off(strategy, f"{type(error).__name__} at {candle.opened_at:%H:%M}: {error}")
            return None
        if isinstance(answer, Warming):
            self.warming[strategy.name, slot] = answer.needs
            return None
        self.warming.pop((strategy.name, slot), None)
        return answer

    def _switch_off(self, strategy: Strategy, why: str) -> None:
        self._off.add(strategy.name)
        log.error("strategy %s switched off for %s: %s", strategy.name, self.desk.trading_date, why)
        StrategySetting.objects.update_or_create(
            account=self.desk.account,
            strategy=strategy.name,
            defaults={
                "off_on": self.desk.trading_date,
                "off_session": self.desk.session,
                "off_why": why[:300],
            },
        )

    def _decide(self, found: Iterable[tuple[int, Candle, str, Setup]], seen_s: float, done: LoopPass) -> None:
        """Store all setups as signals, look at the best few, refuse the rest by name."""
        recorded: dict[str, tuple[Signal, int]] = {}
        candidates = []
        for slot, candle, strategy, setup in found:
            score = ranking.score(picture_of(self.market, slot, setup), self.ranking_settings)
            seen = Seen(
                strategy=strategy,
                spec=self.market.specs[slot],
                candle_at=candle.opened_at,
                setup=setup,
                score=score,
            )
            signal = signals.record(self.desk, seen)
            if signal is None:
                continue
            # Equal scores are ordered by this name: it must be the same in every replay, as the plan's id is not.
            name = (
                f"{strategy}|{seen.spec.exchange}:{seen.spec.tradingsymbol}|{setup.side}|{candle.opened_at}"
            )
            recorded[name] = (signal, slot)
            candidates.append(Candidate(name, score))
        done.signals_recorded += len(recorded)
        entered = 0
        for place, candidate in enumerate(ranking.rank(candidates), start=1):
            signal, slot = recorded[candidate.key]
            done.decisions_made += 1
            if place > self.ranking_settings.looked_at or entered >= self.ranking_settings.entered:
                decisions.refuse_unranked(self.desk, signal, place, self.ranking_settings.entered)
                continue
            sent = decisions.decide(self.desk, signal, self._market(slot), seen_s=seen_s)
            self.has_asked |= not sent
            entered += bool(sent)
            done.entries_sent += len(sent)

    def _market(self, slot: int) -> Market:
        return Market(
            spec=self.market.specs[slot],
            session=self.market.sessions[slot],
            quote=self.market.quote(slot),
            quotes=self.quote,
        )

    def _hear_answers(self, seen_s: float, done: LoopPass) -> None:
        """A yes brings the entry before all rules again; a no, or no answer in time, is its decision."""
        self.has_asked = False
        now = self.desk.clocks.market_now()
        for approval in approvals.undecided(self.desk):
            signal = approval.signal
            slot = self._slots.get((signal.exchange, signal.tradingsymbol))
            if approval.answer == ApprovalAnswer.YES and slot is not None:
                sent = decisions.decide(self.desk, signal, self._market(slot), seen_s=seen_s, is_agreed=True)
                done.entries_sent += len(sent)
            elif approval.answer or approval.until <= now:
                decisions.refuse_unagreed(self.desk, approval)
            else:
                self.has_asked = True
                continue
            done.decisions_made += 1
