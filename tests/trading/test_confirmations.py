"""A setup that waits is confirmed by three ticks in a row or the next close beyond its price, or dropped."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.trading.market_builders import Tick, frame, market_of, moment, share
from trading.confirmations import Confirmations
from trading.core.candles import Candle
from trading.core.enums import Side
from trading.core.values import Setup

SHARE = share()


def candle(wall: str, close_paise: int) -> Candle:
    return Candle(
        opened_at=moment(wall),
        interval_min=1,
        open_paise=close_paise,
        high_paise=close_paise,
        low_paise=close_paise,
        close_paise=close_paise,
        volume=100,
    )


def setup(confirm: str | None = "100.00", side: Side = Side.BUY) -> Setup:
    up = side is Side.BUY
    return Setup(
        side=side,
        entry_price=Decimal("100"),
        stop_price=Decimal("99" if up else "101"),
        target_price=Decimal("102" if up else "98"),
        reason="broke the range",
        confirm_price=Decimal(confirm) if confirm else None,
    )


class Waiting:
    def __init__(self, side: Side = Side.BUY) -> None:
        self.market = market_of(SHARE)
        self.waiting = Confirmations()
        self.waiting.wait(0, candle("09:30", 10_005), "ORB", setup(side=side))
        self.volume = 0

    def tick(self, wall: str, paise: int) -> list[str]:
        self.volume += 10
        tick: Tick = (SHARE, paise, self.volume)
        found = frame(wall, tick)
        self.market.apply(found)
        return [strategy for _, _, strategy, _ in self.waiting.on_ticks(self.market, found)]


def test_three_ticks_in_a_row_beyond_the_price_confirm_once():
    waiting = Waiting()
    assert waiting.tick("09:31:00", 10_005) == []
    assert waiting.tick("09:31:03", 10_010) == []
    assert waiting.tick("09:31:06", 10_005) == ["ORB"]
    assert waiting.tick("09:31:09", 10_020) == []


def test_one_tick_back_inside_starts_the_count_anew_and_the_edge_is_inside():
    waiting = Waiting()
    for wall, paise in (("09:31:00", 10_005), ("09:31:03", 10_010), ("09:31:06", 10_000)):
        assert waiting.tick(wall, paise) == []
    assert waiting.tick("09:31:09", 10_005) == []
    assert waiting.tick("09:31:12", 10_005) == []
    assert waiting.tick("09:31:15", 10_005) == ["ORB"]


def test_a_short_waits_for_ticks_below():
    waiting = Waiting(Side.SELL)
    assert waiting.tick("09:31:00", 9_995) == []
    assert waiting.tick("09:31:03", 9_990) == []
    assert waiting.tick("09:31:06", 9_990) == ["ORB"]


def test_ticks_of_another_instrument_count_for_nothing():
    other = share(7)
    market, waiting = market_of(SHARE, other), Confirmations()
    waiting.wait(0, candle("09:30", 10_005), "ORB", setup())
    for second in range(5):
        found = frame(f"09:31:{second:02d}", (other, 10_500, 10 + second))
        market.apply(found)
        assert list(waiting.on_ticks(market, found)) == []


@pytest.mark.parametrize(("close_paise", "confirmed"), [(10_005, ["ORB"]), (10_000, []), (9_990, [])])
def test_the_next_close_decides_and_nothing_waits_on(close_paise, confirmed):
    waiting = Confirmations()
    waiting.wait(0, candle("09:30", 10_005), "ORB", setup())
    assert [name for _, _, name, _ in waiting.on_close(0, candle("09:31", close_paise))] == confirmed
    assert list(waiting.on_close(0, candle("09:32", 10_100))) == []


def test_the_setups_own_candle_and_those_of_others_do_not_decide():
    waiting = Confirmations()
    waiting.wait(0, candle("09:30", 10_005), "ORB", setup())
    assert list(waiting.on_close(0, candle("09:30", 10_050))) == []
    assert list(waiting.on_close(1, candle("09:31", 10_050))) == []
    found = list(waiting.on_close(0, candle("09:31", 10_050)))
    assert [(slot, seen.opened_at) for slot, seen, _, _ in found] == [(0, moment("09:30"))]
    assert found[0][1].closed_at_s == int((moment("09:30") + timedelta(minutes=1)).timestamp())


def test_a_setup_that_needs_no_confirmation_cannot_wait():
    with pytest.raises(ValueError, match="needs no waiting"):
        Confirmations().wait(0, candle("09:30", 10_005), "ORB", setup(confirm=None))
