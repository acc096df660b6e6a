"""A signal is stored once for its candle; its plan's id names everything that makes it what it is."""

from datetime import timedelta

import pytest

from tests.days.desk import SCORE, Day
from trading import signals
from trading.core.enums import Side
from trading.models import Signal

pytestmark = pytest.mark.django_db


def test_19_the_same_strategy_says_the_same_of_a_candle_once():
    day = Day.opens()
    candle_at = day.now.replace(second=0) - timedelta(minutes=1)
    assert day.sees(stop="24900", target="25300", candle_at=candle_at) is not None
    assert day.sees(stop="24950", target="25100", candle_at=candle_at) is None
    assert Signal.objects.count() == 1


@pytest.mark.parametrize("other", ["strategy", "side", "candle"])
def test_another_strategy_side_or_candle_is_another_signal(other):
    day = Day.opens()
    candle_at = day.now.replace(second=0) - timedelta(minutes=1)
    first = day.sees(stop="24900", target="25300", candle_at=candle_at)
    second = day.sees(
        stop="25100" if other == "side" else "24900",
        target="24700" if other == "side" else "25300",
        side=Side.SELL if other == "side" else Side.BUY,
        strategy="another" if other == "strategy" else "test",
        candle_at=candle_at + timedelta(minutes=1) if other == "candle" else candle_at,
    )
    assert first is not None
    assert second is not None
    assert first.plan_id != second.plan_id


def test_a_signal_keeps_its_score_with_all_parts():
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    assert set(signal.score_parts) == set(SCORE.__slots__)
    assert (signal.seen_at, signal.session) == (day.now, day.desk.session)


def test_the_plan_names_the_venue_session_so_that_a_second_run_of_a_day_trades_again():
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    again = Day.opens(account=ended(day))
    repeated = again.sees(stop="24900", target="25300")
    assert repeated is not None
    assert repeated.plan_id != signal.plan_id
    assert signals.Signal.objects.count() == 2


def ended(day: Day):
    day.ends()
    return day.account
