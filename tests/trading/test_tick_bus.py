"""Live ticks: what is published, how often, and that no Redis can hold the loop up."""

import json
import time
from datetime import date, datetime, timedelta

import numpy as np
import pytest
import redis
from django.conf import settings

from tests.live_prices import snapshot
from trading import tick_bus
from trading.core.enums import Exchange
from trading.core.market_state import MarketState
from trading.core.session import IST, ordinary_session
from trading.core.values import InstrumentSpec
from trading.tick_bus import TickPublisher

DAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 10, 31, 5, tzinfo=IST)


def market(count: int = 2) -> MarketState:
    specs = [
        InstrumentSpec(
            exchange=Exchange.NSE, tradingsymbol=f"S{number}", instrument_token=256 * (number + 1) + 1,
            name=f"S{number}", instrument_type="EQ", segment="NSE", lot_size=1, tick_size_paise=5,
        )
        for number in range(count)
    ]  # fmt: skip
    state = MarketState(specs, [ordinary_session(DAY, spec) for spec in specs])
    state.last_price_paise[0], state.bid_paise[0], state.ask_paise[0] = 10_005, 10_000, 10_010
    state.last_exchange_time_s[0] = int((NOW - timedelta(seconds=2)).timestamp())
    return state


@pytest.fixture
def listener():
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as channel:
        client.delete(tick_bus.NEWEST_KEY)
        channel.subscribe(tick_bus.CHANNEL)
        assert channel.get_message(timeout=2)["type"] == "subscribe"
        yield channel
        client.delete(tick_bus.NEWEST_KEY)


@pytest.fixture
def publisher_of():
    made = []

    def make(state, url=None, slots=None):
        made.append(TickPublisher(url or settings.REDIS_URL, state, slots))
        return made[-1]

    yield make
    for publisher in made:
        publisher.stop()


def test_a_snapshot_is_last_bid_ask_in_paise_and_the_age_in_ms(listener, publisher_of):
    assert publisher_of(market()).offer(NOW, 100.0)
    message = json.loads(listener.get_message(timeout=2)["data"])
    assert message == {
        "t": "2026-11-23T10:31:05+05:30",
        "q": {"NSE:S0": [10_005, 10_000, 10_010, 2000], "NSE:S1": [0, 0, 0, -1]},
        "lost": {},
    }


def test_a_snapshot_says_what_was_lost_on_the_way(listener):
    state = market()
    state.dropped["stale"] = 7
    publisher = TickPublisher(settings.REDIS_URL, state, lost=lambda: {"frame": 3, "record": 2})
    try:
        publisher.offer(NOW, 100.0)
        assert json.loads(listener.get_message(timeout=2)["data"])["lost"] == {
            "frame": 3,
            "record": 2,
            "stale": 7,
        }
    finally:
        publisher.stop()


def test_the_newest_snapshot_can_be_read_by_who_did_not_listen(listener, publisher_of):
    publisher_of(market()).offer(NOW, 100.0)
    assert listener.get_message(timeout=2)
    found = tick_bus.read_newest(settings.REDIS_URL)
    assert found is not None
    assert found.at == NOW
    assert found.price_paise("NSE", "S0") == 10_005
    assert found.price_paise("NSE", "S1") is None
    assert found.price_paise("NSE", "UNKNOWN") is None


def test_at_most_ten_snapshots_are_taken_in_a_second(publisher_of):
    publisher = publisher_of(market())
    taken = [publisher.offer(NOW, 100 + number / 100) for number in range(100)]
    assert taken.count(True) == 10


def test_frames_at_a_pace_of_their_own_do_not_make_it_fewer(publisher_of):
    publisher = publisher_of(market())
    # Every 60 ms: one snapshot in each tenth of a second, though never exactly a tenth after the last.
    taken = [publisher.offer(NOW, 100 + 0.06 * number) for number in range(17)]
    assert taken.count(True) == 10


def test_no_more_symbols_are_published_than_a_page_can_show(listener, publisher_of):
    publisher_of(market(300)).offer(NOW, 100.0)
    assert len(json.loads(listener.get_message(timeout=2)["data"])["q"]) == 250


def test_the_instruments_shown_can_be_chosen(listener, publisher_of):
    publisher_of(market(5), slots=[4, 0]).offer(NOW, 100.0)
    assert list(json.loads(listener.get_message(timeout=2)["data"])["q"]) == ["NSE:S4", "NSE:S0"]


def test_with_redis_away_the_loop_does_not_wait_and_readers_get_nothing(publisher_of):
    nowhere = "redis://127.0.0.1:1/0"
    publisher = publisher_of(market(), url=nowhere)
    began_s = time.monotonic()
    for number in range(20):
        publisher.offer(NOW, 100.0 + number)
    assert time.monotonic() - began_s < 1.0
    assert tick_bus.read_newest(nowhere) is None


def test_a_snapshot_is_plain_numbers_and_survives_the_way():
    ticks = snapshot(10_005)
    assert tick_bus.decode(tick_bus.encode(ticks)) == ticks
    assert not any(isinstance(value, np.integer) for row in ticks.rows.values() for value in row)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"[]",
        b'{"t": 1, "q": {}}',
        b'{"t": "x", "q": {}}',
        b'{"q": {"a": 1}}',
        b'{"t": "2026-11-23T10:00:00", "q": {}, "lost": []}',
    ],
)
def test_a_message_that_is_no_snapshot_is_named_so(message):
    with pytest.raises(ValueError):
        tick_bus.decode(message)
