"""Market time as the program hears it from the paper exchange."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from aitrapp_site import clocks
from aitrapp_site.clocks import MachineClocks, VenueClocks
from trading.core.session import IST
from trading.core.ticks import TickFrame

TEN = datetime(2026, 11, 23, 10, 0, tzinfo=IST)


@pytest.fixture
def machine(monkeypatch):
    """The monotonic clock, moved by hand."""

    class Machine:
        now_s = 100.0

    monkeypatch.setattr(clocks.time, "monotonic", lambda: Machine.now_s)
    return Machine


def frame_at(moment: datetime) -> TickFrame:
    one, deep = np.zeros(1, np.int64), np.zeros((1, 5), np.int64)
    return TickFrame(
        received_at=datetime(2020, 1, 1, tzinfo=IST),
        tokens=one,
        last_price_paise=one,
        volume=one,
        average_price_paise=one,
        open_interest=one,
        exchange_time_s=np.array([int(moment.timestamp())]),
        bid_price_paise=deep,
        bid_quantity=deep,
        ask_price_paise=deep,
        ask_quantity=deep,
    )


def test_market_time_goes_on_at_the_venues_speed_and_stops_one_step_after_the_newest_frame(machine):
    venue = VenueClocks(TEN, speed=60)
    venue.stamp(frame_at(TEN + timedelta(seconds=3)))
    machine.now_s += 0.02
    assert venue.market_now() == TEN + timedelta(seconds=4.2)
    machine.now_s += 60
    assert venue.market_now() == TEN + timedelta(seconds=6)


def test_above_the_markets_own_speed_a_lost_venue_stops_time_after_a_quarter_second(machine):
    venue = VenueClocks(TEN, speed=60)
    venue.stamp(frame_at(TEN + timedelta(seconds=40)))
    machine.now_s += 5
    assert venue.market_now() == TEN + timedelta(seconds=55)


def test_market_time_never_runs_back(machine):
    venue = VenueClocks(TEN, speed=60)
    venue.stamp(frame_at(TEN + timedelta(seconds=3)))
    venue.hear(TEN + timedelta(seconds=9))
    venue.hear(TEN + timedelta(seconds=5))
    late = venue.stamp(frame_at(TEN + timedelta(seconds=6)))
    assert venue.market_now() == TEN + timedelta(seconds=9)
    assert late.received_at == TEN + timedelta(seconds=9)


def test_at_the_real_pace_the_wait_of_a_frame_in_our_own_queue_does_not_hold_the_clock_up(machine):
    venue = VenueClocks(TEN, speed=1)
    venue.stamp(frame_at(TEN + timedelta(seconds=3)))
    machine.now_s += 2.0
    came = replace(frame_at(TEN + timedelta(seconds=5)), received_at=venue.market_now())
    machine.now_s += 0.6
    venue.stamp(came)
    assert venue.market_now() == TEN + timedelta(seconds=5.6)


def test_at_the_real_pace_a_venue_that_lost_time_is_followed(machine):
    venue = VenueClocks(TEN, speed=1)
    venue.stamp(frame_at(TEN + timedelta(seconds=3)))
    machine.now_s += 3.4
    late = replace(frame_at(TEN + timedelta(seconds=6)), received_at=venue.market_now())
    venue.stamp(late)
    machine.now_s += 0.5
    assert venue.market_now() == TEN + timedelta(seconds=6.5)


def test_a_frame_is_stamped_with_its_exchange_time(machine):
    venue = VenueClocks(TEN, speed=60)
    assert venue.stamp(frame_at(TEN + timedelta(seconds=3))).received_at == TEN + timedelta(seconds=3)


def test_a_frame_without_a_time_is_stamped_with_the_clock(machine):
    venue = VenueClocks(TEN, speed=60)
    empty = replace(frame_at(TEN), exchange_time_s=np.zeros(1, np.int64))
    assert venue.stamp(empty).received_at == TEN


def test_at_a_real_market_a_frame_keeps_the_moment_at_which_it_came():
    frame = frame_at(TEN)
    assert MachineClocks().stamp(frame) is frame
