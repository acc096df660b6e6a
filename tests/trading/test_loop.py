"""The outbound pass: closed candles to strategies, setups to signals, the best to entries."""

from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar

import pytest

from risk.models import Lock, RiskLimits
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from trading.core.candles import Candle
from trading.core.enums import Protection, Role, Side
from trading.core.history import History
from trading.core.values import Setup
from trading.models import Decision, Signal, StrategySetting
from trading.strategies.base import Strategy, Warming

pytestmark = pytest.mark.django_db

Answer = Setup | Warming | None


def buy(spec_name: str = "NIFTY", confirm: str | None = None) -> Setup:
    entry = Decimal("25000") if spec_name == "NIFTY" else Decimal("1000")
    return Setup(
        side=Side.BUY,
        entry_price=entry,
        stop_price=entry * Decimal("0.996"),
        target_price=entry * Decimal("1.012"),
        reason="a test says so",
        confirm_price=Decimal(confirm) if confirm else None,
    )


class Says(Strategy):
    """Answers what it is told to, for the candle that opened at a wall time; remembers what it was asked."""

    interval_min: ClassVar[int] = 1
    summary: ClassVar[str] = "for tests"

    def __init__(self, name: str, at: str, answer: Callable[[History], Answer]) -> None:
        self.name = name  # type: ignore[misc]  # several of them in one test
        self.at = at
        self.answer = answer
        self.asked: list[str] = []

    def on_candle(self, candle: Candle, history: History) -> Answer:
        self.asked.append(f"{candle.opened_at:%H:%M} {history.spec.name}")
        return self.answer(history) if f"{candle.opened_at:%H:%M}" == self.at else None


def test_a_setup_becomes_a_signal_a_decision_and_an_entry_in_the_pass_that_closed_its_candle():
    strategy = Says("says", "09:45", lambda history: buy())
    day = Day.opens(strategies=[strategy])
    day.run_until("09:45:59")
    assert Signal.objects.count() == 0
    day.run_until("09:46:06")
    signal = Signal.objects.get()
    assert (signal.strategy, f"{signal.candle_at.astimezone(day.now.tzinfo):%H:%M}") == ("says", "09:45")
    assert Decision.objects.get(signal=signal).approved
    assert (day.net(), day.working()) == (75, [("SELL", 75)])
    assert day.replayed.done.signals_recorded == 1
    assert day.replayed.done.entries_sent == 1


def test_what_an_entry_locks_is_written_down_before_the_next_signal_comes():
    day = Day.opens(strategies=[Says("says", "09:45", lambda history: buy())])
    RiskLimits.objects.create(account=day.account, version=2, trades_per_day=1)
    day.run_until("09:46:06")
    lock = Lock.objects.get()
    assert (lock.protection, lock.why) == (
        Protection.TRADES_PER_DAY,
        "1 trades were made today; 1 is the most",
    )
    assert day.trades()[0].closed_at is None


def test_strategies_are_asked_once_about_each_closed_candle():
    strategy = Says("says", "never", lambda history: None)
    day = Day.opens(strategies=[strategy])
    day.run_until("09:48:06")
    assert strategy.asked == ["09:45 NIFTY", "09:46 NIFTY", "09:47 NIFTY"]


def test_a_candle_closes_by_the_clock_when_no_tick_comes():
    strategy = Says("says", "never", lambda history: None)
    day = Day.opens(NIFTY, STEEL, strategies=[strategy])
    day.run_until("09:45:30")
    day.market.falls_silent(STEEL)
    day.run_until("09:46:09")
    assert sorted(strategy.asked) == ["09:45 NIFTY", "09:45 STEEL"]


def test_the_same_frame_again_does_nothing_new():
    strategy = Says("says", "09:45", lambda history: buy())
    day = Day.opens(strategies=[strategy])
    day.run_until("09:45:57")
    day.market.line().volume += 75
    frame = day.market.frame_at(day.now.replace(minute=46, second=0, microsecond=0))
    assert frame is not None
    day.replayed.take_frame(frame)
    again = day.loop.run_pass(frame)
    assert (again.candles_closed, again.signals_recorded, again.entries_sent) == (0, 0, 0)
    assert Signal.objects.count() == 1


def test_a_strategy_that_raises_is_named_and_off_for_the_day_and_the_others_go_on():
    def broken(history: History) -> Answer:
        raise ZeroDivisionError("range of nothing")

    bad, good = Says("bad", "09:45", broken), Says("good", "09:46", lambda history: buy())
    day = Day.opens(strategies=[bad, good])
    day.run_until("09:47:06")
    assert bad.asked == ["09:45 NIFTY"]
    assert [signal.strategy for signal in Signal.objects.all()] == ["good"]
    row = StrategySetting.objects.get()
    assert (row.strategy, row.off_on, row.off_why) == (
        "bad",
        day.market.trading_date,
        "ZeroDivisionError at 09:45: range of nothing",
    )


def test_a_strategy_without_enough_history_says_what_it_needs_until_it_has_it():
    needs = iter([Warming(needs="EMA 89: 61 of 89 candles"), None])
    strategy = Says("says", "09:45", lambda history: next(needs))
    day = Day.opens(strategies=[strategy])
    day.run_until("09:46:06")
    assert day.loop.warming == {("says", 0): "EMA 89: 61 of 89 candles"}
    day.run_until("09:47:06")
    assert day.loop.warming == {}


def test_a_setup_that_waits_for_three_ticks_enters_with_the_third():
    strategy = Says("says", "09:45", lambda history: buy(confirm="25005"))
    day = Day.opens(strategies=[strategy])
    day.run_until("09:46:03")
    assert Signal.objects.count() == 0
    day.market.goes_to("25010")
    day.run_until("09:46:09")
    assert Signal.objects.count() == 0
    day.run_until("09:46:12")
    assert Signal.objects.count() == 1


def test_of_one_pass_three_are_entered_at_most_and_each_signal_is_answered():
    names = [f"says-{number}" for number in range(7)]
    strategies: list[Strategy] = [Says(name, "09:45", lambda history: buy()) for name in names]
    day = Day.opens(strategies=strategies)
    day.run_until("09:46:06")
    found = {
        decision.signal.strategy: [one["reason"] for one in decision.reasons]
        for decision in Decision.objects.all()
    }
    assert sorted(found) == names
    assert sum(reasons == [] for reasons in found.values()) == 1
    assert sum(reasons == ["INSTRUMENT_BUSY"] for reasons in found.values()) == 4
    assert sum(reasons == ["NOT_RANKED"] for reasons in found.values()) == 2
    assert len(day.broker_orders(Role.ENTRY)) == 1


def test_an_instrument_that_is_only_watched_is_not_asked_about():
    strategy = Says("says", "09:45", lambda history: buy())
    day = Day.opens(NIFTY, STEEL, strategies=[strategy])
    day.loop.untraded = frozenset({0})
    day.run_until("09:46:06")
    assert strategy.asked == ["09:45 STEEL"]


def test_an_instrument_nobody_watches_has_no_quote():
    day = Day.opens()
    assert day.loop.quote("NFO", "BANKNIFTY25NOVFUT") is None
    quote = day.loop.quote("NFO", "NIFTY25NOVFUT")
    assert quote is not None
    assert (quote.bid_paise, quote.ask_paise) == (24_999_90, 25_000_10)
