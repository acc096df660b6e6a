"""Replayed and made-up days."""

import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.trading.exchange.market_builders import NO_LATENCY, at
from trading.core.candles import IST
from trading.exchange.gfdl import BrokenMarketData
from trading.exchange.replay import NoSuchDay, ReplaySource
from trading.exchange.rules import VenueRules
from trading.exchange.synthetic import SyntheticSource
from trading.exchange.venue import Venue

DATA = Path(__file__).parents[4] / "shared" / "market-data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the recorded minutes of 2022 are not on this machine"
)
NIFTY_TOKEN = 256258
GOOD = (
    "NIFTY,20220314,09:08,16600.00,16600.00,16600.00,16600.00,0,0\n"
    "NIFTY,20220314,09:16,16600.00,16620.00,16590.00,16610.00,0,0\n"
    "NIFTY,20220315,09:16,16700.00,16740.00,16690.00,16710.00,0,0\n"
    "NIFTY,20220315,09:17,16710.00,16710.00,16650.00,16660.00,0,0\n"
    "NIFTY,20220315,15:31,16660.00,16660.00,16660.00,16660.00,0,0\n"
)


def whatever(token: int) -> str | None:
    return None


def prices_of(source, token: int, first_extreme=whatever) -> list[int]:
    return [
        int(frame.last_price_paise[frame.tokens.tolist().index(token)])
        for frame in source.frames(first_extreme)
        if token in frame.tokens
    ]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "NIFTY-2022-MAR.txt").write_text(GOOD)
    return tmp_path


def test_a_bar_goes_to_the_extreme_that_was_asked_for_first(folder):
    source = ReplaySource(folder, date(2022, 3, 15))
    basis = source.basis_paise("NIFTY", date(2022, 3, 15))
    for wish, first, second in (("LOW", 16690_00, 16740_00), ("HIGH", 16740_00, 16690_00)):
        minute = prices_of(source, NIFTY_TOKEN, lambda _, wish=wish: wish)[:20]
        assert (minute[0], minute[-1]) == (16700_00 + basis, 16710_00 + basis)
        assert (min(minute), max(minute)) == (16690_00 + basis, 16740_00 + basis)
        assert minute.index(first + basis) < minute.index(second + basis)


def test_a_rising_bar_left_alone_goes_to_its_low_first_and_a_falling_one_to_its_high(folder):
    source = ReplaySource(folder, date(2022, 3, 15))
    basis = source.basis_paise("NIFTY", date(2022, 3, 15))
    prices = prices_of(source, NIFTY_TOKEN)
    rising, falling = prices[:20], prices[20:]
    assert rising.index(16690_00 + basis) < rising.index(16740_00 + basis)
    assert falling.index(16710_00 + basis) < falling.index(16650_00 + basis)


def test_minutes_are_labelled_by_their_beginning_and_only_the_session_counts(folder):
    source = ReplaySource(folder, date(2022, 3, 15))
    frames = list(source.frames(whatever))
    assert len(frames) == 40
    assert frames[0].received_at.astimezone(IST).isoformat() == "2022-03-15T09:15:00+05:30"
    assert frames[-1].received_at.astimezone(IST).isoformat() == "2022-03-15T09:16:57+05:30"
    bars = source.warm_up(3)[NIFTY_TOKEN]
    assert len(bars) == 1
    assert bars.opened_at_s[0] == int(frames[0].received_at.timestamp()) - 86_400


def test_frames_can_go_on_from_a_moment(folder):
    source = ReplaySource(folder, date(2022, 3, 15))
    every = list(source.frames(whatever))
    rest = list(source.frames(whatever, after=every[24].received_at))
    assert [frame.received_at for frame in rest] == [frame.received_at for frame in every[25:]]
    assert rest[0].volume.tolist() == every[25].volume.tolist()


def test_an_index_becomes_a_front_month_future_and_says_so(folder):
    source = ReplaySource(folder, date(2022, 3, 15))
    (future,) = source.instruments
    assert (future.tradingsymbol, future.exchange, future.lot_size, future.tick_size_paise) == (
        "NIFTY22MARFUT",
        "NFO",
        50,
        5,
    )
    basis = source.basis_paise("NIFTY", date(2022, 3, 15))
    assert future.previous_close_paise == 16610_00 + basis
    assert "NIFTY22MARFUT: index minutes plus a constant basis" in source.describe()


def test_a_share_keeps_its_recorded_volume_and_has_no_basis(tmp_path):
    (tmp_path / "a.csv").write_text("RELIANCE,20220315,09:16,2400.00,2404.00,2399.00,2401.00,1234,0\n")
    source = ReplaySource(tmp_path, date(2022, 3, 15))
    assert (source.instruments[0].instrument_type, source.instruments[0].lot_size) == ("EQ", 1)
    frames = list(source.frames(whatever))
    assert (frames[0].last_price_paise[0], frames[-1].volume[0]) == (2400_00, 1234)


BROKEN = [
    ("NIFTY,20220315,09:18,16710.00,16710.00\n", "5 fields instead of 9"),
    ("NIFTY,20220315,09:18,16710.00,16700.00,16650.00,16660.00,0,0\n", "contradict each other"),
    ("NIFTY,20220315,09:18,abc,16710.00,16650.00,16660.00,0,0\n", "'abc' is no price"),
    ("NIFTY,20220315,25:18,16710.00,16710.00,16650.00,16660.00,0,0\n", "'25:18' is no time of day"),
    ("NIFTY,20220315,09:17,16710.00,16710.00,16650.00,16660.00,0,0\n", "not after the line before it"),
    ("NIFTY,20220315,09:18,16710.001,16710.01,16650.00,16660.00,0,0\n", "fraction of a paisa"),
]


@pytest.mark.parametrize(("line", "why"), BROKEN)
def test_a_broken_line_is_named_with_file_line_reason_and_remedy(tmp_path, line, why):
    lines = GOOD.splitlines(keepends=True)
    (tmp_path / "minutes.txt").write_text("".join([*lines[:4], line]))
    with pytest.raises(BrokenMarketData) as caught:
        list(ReplaySource(tmp_path, date(2022, 3, 15)).frames(whatever))
    text = str(caught.value)
    assert "minutes.txt, line 5: " in text
    assert why in text
    assert "Correct or remove the line" in text


def test_an_unknown_day_names_what_there_is(folder):
    with pytest.raises(NoSuchDay, match="on 2022-03-16; it holds 2022-03-14 to 2022-03-15, 2 days of NIFTY"):
        ReplaySource(folder, date(2022, 3, 16))


def test_an_empty_folder_says_what_to_give(tmp_path):
    with pytest.raises(BrokenMarketData, match="give the folder that has them"):
        ReplaySource(tmp_path, date(2022, 3, 15))


@needs_data
def test_a_real_day_hits_open_high_low_and_close_of_each_minute():
    source = ReplaySource(DATA, date(2022, 3, 15))
    basis = source.basis_paise("NIFTY", date(2022, 3, 15))
    minutes = np.array(prices_of(source, NIFTY_TOKEN)).reshape(375, 20) - basis
    # NIFTY-2022-MAR.txt, the lines of 2022-03-15 labelled 09:16, 12:00 and 15:30
    assert hit(minutes[0]) == (16906_25, 16920_95, 16880_10, 16918_35)
    assert hit(minutes[164]) == (16875_85, 16879_50, 16874_20, 16879_50)
    assert hit(minutes[374]) == (16644_40, 16648_60, 16641_70, 16645_00)
    assert (minutes % 5 == 0).all()


def hit(minute) -> tuple[int, int, int, int]:
    return int(minute[0]), int(minute.max()), int(minute.min()), int(minute[-1])


@needs_data
def test_a_day_with_missing_minutes_is_silent_in_them():
    source = ReplaySource(DATA, date(2022, 3, 7))
    seen = {
        frame.received_at.strftime("%H:%M")
        for frame in source.frames(whatever)
        if NIFTY_TOKEN in frame.tokens
    }
    # 375 minutes less the forty that were not recorded
    assert len(seen) == 335
    assert len(source.warm_up(2)[NIFTY_TOKEN]) == 750


@needs_data
def test_a_replayed_day_passes_an_idle_venue_quickly():
    source = ReplaySource(DATA, date(2022, 3, 15))
    venue = Venue(
        source.instruments,
        VenueRules(latency=NO_LATENCY),
        seed=1,
        capital_paise=10**9,
        user_id="A",
        venue_session="s",
    )
    frames = list(source.frames(venue.first_extreme))
    began = time.process_time()
    for frame in frames:
        venue.apply_frame(frame)
    assert len(frames) == 7_500
    assert time.process_time() - began < 1


def test_the_same_seed_makes_the_same_day_and_another_seed_another():
    def market(seed: int) -> list[int]:
        source = SyntheticSource(date(2026, 11, 23), seed=seed, symbols=("NIFTY", "TCS"))
        return [int(frame.last_price_paise.sum()) for frame in source.frames(whatever)]

    first = market(1)
    assert first == market(1)
    assert first != market(2)


def test_a_synthetic_day_has_the_newcomers_instruments():
    source = SyntheticSource(date(2026, 11, 23))
    names = {spec.tradingsymbol: spec for spec in source.instruments}
    assert len(names) == 23
    assert [names[f"{index}26NOVFUT"].lot_size for index in ("NIFTY", "BANKNIFTY", "FINNIFTY")] == [
        65,
        30,
        60,
    ]
    assert (names["TATASTEEL"].tick_size_paise, names["ITC"].tick_size_paise) == (1, 5)
    assert (names["RELIANCE"].tick_size_paise, names["MARUTI"].tick_size_paise) == (10, 100)


def test_synthetic_prices_are_on_the_grid_and_the_quote_stands_around_them():
    source = SyntheticSource(date(2026, 11, 23), seed=4)
    ticks = {spec.instrument_token: spec.tick_size_paise for spec in source.instruments}
    for frame in list(source.frames(whatever))[::500]:
        grid = np.array([ticks[token] for token in frame.tokens.tolist()])
        assert (frame.last_price_paise % grid == 0).all()
        assert (frame.bid_price_paise[:, 0] <= frame.last_price_paise).all()
        assert (frame.last_price_paise <= frame.ask_price_paise[:, 0]).all()
        assert (frame.bid_price_paise[:, 0] < frame.ask_price_paise[:, 0]).all()
        assert (np.diff(frame.bid_price_paise, axis=1) < 0).all()
        assert (frame.ask_quantity > 0).all()


def test_a_synthetic_day_goes_on_where_its_warm_up_ended():
    source = SyntheticSource(date(2026, 11, 23), seed=2)
    warm_up = source.warm_up(3)
    first = next(iter(source.frames(whatever)))
    for token, price in zip(first.tokens.tolist(), first.last_price_paise.tolist(), strict=True):
        assert abs(price / int(warm_up[token].close[-1]) - 1) < 0.02
    assert len(warm_up[NIFTY_TOKEN]) == 3 * 385
    assert len(warm_up[2885 << 8 | 1]) == 3 * 360


def test_shares_stop_at_the_closing_auction_and_futures_at_their_close():
    source = SyntheticSource(date(2026, 11, 23), symbols=("NIFTY", "RELIANCE"))
    frames = list(source.frames(whatever))
    last_share = max(frame.received_at for frame in frames if (2885 << 8 | 1) in frame.tokens)
    assert at("15:15:00") - timedelta(minutes=1) < last_share < at("15:15:00")
    assert at("15:39:00") < frames[-1].received_at < at("15:40:00")
    assert frames[0].received_at == at("09:15:00")


def test_a_synthetic_day_is_made_quickly():
    began = time.process_time()
    frames = sum(1 for _ in SyntheticSource(date(2026, 11, 23), seed=5).frames(whatever))
    assert frames == 7_700
    assert time.process_time() - began < 4  # 2 s is the aim on an idle machine


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"trading_date": date(2026, 11, 22)}, "2026-11-22 is no trading day"),
        (
            {"trading_date": date(2026, 11, 24), "holidays": {date(2026, 11, 24)}},
            "2026-11-24 is no trading day",
        ),
        ({"trading_date": date(2026, 11, 23), "symbols": ("GOLD",)}, "GOLD is not served"),
        ({"trading_date": date(2026, 11, 23), "step_s": 7}, "choose a divisor of 60"),
    ],
)
def test_a_synthetic_day_that_cannot_be_says_why(arguments, words):
    with pytest.raises(ValueError, match=words):
        SyntheticSource(**arguments)
