"""The arrays against a loop that anybody can check: whatever ticks come, the same candles."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.market_builders import Tick, frame, future, market_of, moment, share

SPECS = (share(1594), share(3), future(7, "NIFTY"))

#: (seconds since the last tick, instrument, price, units traded)
TICKS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 2), st.integers(900, 1100), st.integers(0, 50)), max_size=60
)


def wall(second_of_day: int) -> str:
    return f"{second_of_day // 3600:02}:{second_of_day // 60 % 60:02}:{second_of_day % 60:02}"


def plain_candles(
    ticks: list[tuple[int, int, int, int]], interval_s: int
) -> dict[tuple[int, int], list[int]]:
    """(instrument, opening second) to open, high, low, close, volume."""
    candles: dict[tuple[int, int], list[int]] = {}
    for at_s, instrument, price, traded in ticks:
        key = (instrument, at_s - at_s % interval_s)
        if key not in candles:
            candles[key] = [price, price, price, price, 0]
        candle = candles[key]
        candle[1], candle[2], candle[3] = max(candle[1], price), min(candle[2], price), price
        candle[4] += traded
    return candles


@settings(max_examples=60, deadline=None)
@given(TICKS)
def test_any_ticks_make_the_candles_a_plain_loop_makes(steps):
    market = market_of(*SPECS)
    totals: dict[int, int] = defaultdict(int)
    now_s, ticks = 9 * 3600 + 15 * 60, []
    found: dict[int, dict[tuple[int, int], list[int]]] = {1: {}, 5: {}}

    def collect(closed):
        for each in closed:
            for slot, candle in each:
                opened = candle.opened_at
                key = (slot, opened.hour * 3600 + opened.minute * 60)
                assert key not in found[each.interval_min]
                row = each.rows[list(each.slots).index(slot)].tolist()
                found[each.interval_min][key] = row[1:]

    for wait_s, instrument, price, units in steps:
        now_s += wait_s
        is_first = instrument not in totals
        totals[instrument] += units
        ticks.append((now_s, instrument, price, 0 if is_first else units))
        collect(market.close_due(moment(wall(now_s))))
        collect(market.apply(frame(wall(now_s), (SPECS[instrument], price, totals[instrument]))))
    collect(market.close_due(moment("15:45:00")))

    assert found[1] == plain_candles(ticks, 60)
    assert found[5] == plain_candles(ticks, 300)


@settings(max_examples=30, deadline=None)
@given(TICKS)
def test_one_frame_of_all_ticks_of_a_second_equals_a_frame_for_each(steps):
    one_by_one, together = market_of(*SPECS), market_of(*SPECS)
    totals: dict[int, int] = defaultdict(int)
    seconds: dict[int, list[Tick]] = defaultdict(list)
    now_s = 9 * 3600 + 15 * 60
    for wait_s, instrument, price, units in steps:
        now_s += wait_s // 20
        totals[instrument] += units
        seconds[now_s].append((SPECS[instrument], price, totals[instrument]))
    for at_s, ticks in seconds.items():
        together.apply(frame(wall(at_s), *ticks))
        for tick in ticks:
            one_by_one.apply(frame(wall(at_s), tick))
    for market in (one_by_one, together):
        market.close_due(moment("15:45:00"))
    for slot in range(3):
        for interval_min in (1, 5):
            left, right = (each.history(slot).bars(interval_min) for each in (one_by_one, together))
            assert left.to_rows().tolist() == right.to_rows().tolist()
    assert one_by_one.dropped == together.dropped
