import base64
import json
import queue
import struct
from dataclasses import asdict, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from aitrapp_site.clocks import VenueClocks
from tests.trading.broker.kite.samples import text
from tests.trading.exchange.exchange_process import ExchangeProcess
from tests.trading.market_builders import future, market_of, moment, second, share
from trading.broker.kite.client import venue_state
from trading.broker.kite.environment import EXCHANGE
from trading.broker.kite.frames import TickMode, encode
from trading.broker.kite.recorder import Recorder
from trading.broker.kite.ticker import Ticker, TickerCalls
from trading.core.holidays import default_calendar
from trading.core.recording import Kind, Reader, Record, pack_block
from trading.core.ticks import TickFrame
from trading.exchange.markets import Market
from trading.exchange.recorded import BrokenRecording, RecordedSource
from trading.exchange.replay import NoSuchDay

DAY = date(2026, 11, 23)
INFY = share(1594)  # token 408065, as in Kite's published packets
OTHER = future(7, "NIFTY")
#: more than two minutes of the synthetic market, a frame each three seconds
FRAMES = 45


def framed(*packets: bytes) -> bytes:
    body = b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)
    return struct.pack(">H", len(packets)) + body


def opening(*specs, day: date = DAY) -> Record:
    words = {"trading_date": day, "environment": "production", "instruments": [asdict(s) for s in specs]}
    return Record(Kind.OPENING, moment("09:10"), json.dumps(words, default=str).encode())


def frame(wall: str, message: bytes) -> Record:
    return Record(Kind.FRAME, moment(wall), message)


def bars(token: int, *opened_at_s: int) -> Record:
    rows = [[at_s, 10000, 10100, 9900, 10050, 5] for at_s in opened_at_s]
    data = b"".join(struct.pack("<6q", *row) for row in rows)
    return Record(Kind.BARS, moment("09:10"), token.to_bytes(8, "little") + data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "2026-11-23-entries.ticks"


def source_of(path: Path, *records: Record) -> RecordedSource:
    path.write_bytes(pack_block(records))
    return RecordedSource(path)


def frames_of(source: RecordedSource, **options) -> list[TickFrame]:
    return list(source.frames(lambda token: None, **options))


def test_kites_own_packet_leaves_as_it_came_with_fields_that_nobody_here_trades_by(path):
    packet = base64.b64decode(text("ticker_full.packet"))
    source = source_of(path, opening(INFY), frame("09:15:01", framed(packet)))
    (only,) = frames_of(source)
    assert encode(only, TickMode.FULL) == framed(packet)
    assert only.last_price_paise.tolist() == [157370]
    assert source.instruments[0].previous_close_paise == 156780


def test_frames_come_at_their_times_which_never_run_back(path):
    ltp = struct.pack(">2I", INFY.instrument_token, 100)
    stamped = struct.pack(">46I", INFY.instrument_token, *[100] * 14, second("09:15:04"), *[0] * 30)
    walls = ("09:15:01", "09:15:03", "09:15:02", "09:15:05")
    records = [frame(wall, framed(ltp)) for wall in walls] + [frame("09:15:03", framed(stamped))]
    source = source_of(path, opening(INFY), *records)
    times = [one.received_at.strftime("%H:%M:%S") for one in frames_of(source)]
    assert times == ["09:15:01", "09:15:03", "09:15:03", "09:15:05", "09:15:05"]
    late = source_of(path, opening(INFY), frame("09:15:03", framed(stamped)))
    assert [one.received_at for one in frames_of(late)] == [moment("09:15:04")]
    assert [
        one.received_at
        for one in frames_of(source_of(path, opening(INFY), *records), after=moment("09:15:03"))
    ] == [
        moment("09:15:05"),
        moment("09:15:05"),
    ]


def test_what_is_of_no_instrument_of_the_recording_is_left_out(path):
    mine, strange = (struct.pack(">2I", token, 100) for token in (INFY.instrument_token, 999 << 8 | 1))
    currency = struct.pack(">2I", 999 << 8 | 3, 725_000_000)
    source = source_of(
        path,
        opening(INFY),
        frame("09:15:01", framed(strange, currency, mine)),
        frame("09:15:02", framed(strange)),
        frame("09:15:03", b"\x00\x05broken"),
    )
    (only,) = frames_of(source)
    assert (only.tokens.tolist(), only.packets) == ([INFY.instrument_token], (mine,))


def test_the_days_before_are_those_that_the_recording_began_with(path):
    days = [second("10:00") - 86_400 * back for back in (4, 3, 2, 1, 0)]
    source = source_of(path, opening(INFY, OTHER), bars(INFY.instrument_token, *days))
    assert source.warm_up(3)[INFY.instrument_token].opened_at_s.tolist() == days[1:4]
    assert len(source.warm_up(0)[INFY.instrument_token]) == 0
    assert len(source.warm_up(3)[OTHER.instrument_token]) == 0
    assert (source.trading_date, source.instruments) == (DAY, (INFY, OTHER))


def test_a_recording_begun_in_mid_day_has_that_days_earlier_minutes_too(path):
    minutes = [second(wall) for wall in ("09:58", "09:59", "10:00")]
    ltp = framed(struct.pack(">2I", INFY.instrument_token, 100))
    source = source_of(path, opening(INFY), bars(INFY.instrument_token, *minutes), frame("10:00:30", ltp))
    assert source.warm_up(3)[INFY.instrument_token].opened_at_s.tolist() == minutes[:2]


def test_a_torn_tail_is_said_and_the_rest_is_replayed(path):
    ltp = framed(struct.pack(">2I", INFY.instrument_token, 100))
    second_block = pack_block([frame("09:15:02", ltp)])
    path.write_bytes(pack_block([opening(INFY), frame("09:15:01", ltp)]) + second_block[:-3])
    source = RecordedSource(path)
    assert [one.received_at for one in frames_of(source)] == [moment("09:15:01")]
    assert source.describe() == (
        "recording of 2026-11-23 at production from 2026-11-23-entries.ticks: 1 instruments, frames byte for byte; "
        f"its last block is torn, {len(second_block) - 3} bytes are lost"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"a text file", "is no recording, it does not begin with a block"),
        (pack_block([frame("09:15:01", b"\x00\x00")]), "does not say what its frames are of"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused_with_the_reason(path, content, said):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BrokenRecording, match=said):
        RecordedSource(path)


def test_a_recording_is_a_market_of_one_day(path):
    path.write_bytes(pack_block([opening(INFY)]))
    market = Market(name="record", calendar=default_calendar(), data=path)
    assert market.first_day(date(2030, 1, 1)) == DAY
    assert market.day_after(DAY) is None
    assert market.source(DAY).trading_date == DAY
    with pytest.raises(NoSuchDay, match="a recording of 2026-11-23, not of 2026-11-24"):
        market.source(DAY + timedelta(days=1))


def columns(frame: TickFrame) -> dict[str, Any]:
    """Everything the exchange said; when it arrived depends on the machine."""
    names = [each.name for each in fields(frame) if each.name not in ("received_at", "packets")]
    return {name: getattr(frame, name).tolist() for name in names}


def late_s(frame: TickFrame) -> float:
    return frame.received_at.timestamp() - int(frame.exchange_time_s.max())


class Seat:
    """A strategy's place at an exchange: it records, and takes each frame before the next one comes."""

    def __init__(self, exchange: ExchangeProcess, path: Path) -> None:
        self.place = EXCHANGE.at(exchange.first["url"], exchange.first["ticker_url"])
        state = venue_state(self.place)
        self.clocks = VenueClocks(state.market_at, state.speed)
        self.market = Market(name="synthetic", calendar=default_calendar()).source(DAY)
        self.recorder = Recorder(path, self.clocks)
        self.tokens = [spec.instrument_token for spec in self.market.instruments]
        self.called: queue.Queue[str] = queue.Queue()

    def take(self, count: int) -> tuple[list[TickFrame], list[Any]]:
        """Frames as the loop gets them, and the candles that they close."""
        state = market_of(*self.market.instruments)
        self.recorder.open(DAY, "exchange", self.market.instruments)
        for token, history in self.market.warm_up(3).items():
            self.recorder.bars(token, history)
        strategy, watcher = self._ticker("strategy", self.recorder), self._ticker("watcher", None)
        strategy.watch(dict.fromkeys(self.tokens, TickMode.FULL))
        watcher.start()
        strategy.start()
        frames: list[TickFrame] = []
        candles: list[Any] = []
        try:
            while len(frames) < count:
                frame = strategy.next_frame(20)
                assert frame is not None
                frames.append(self.clocks.stamp(frame))
                candles += [
                    (c.interval_min, c.slots.tolist(), c.rows.tolist()) for c in state.apply(frames[-1])
                ]
                strategy.acknowledge()
        finally:
            strategy.stop()
            watcher.stop()
            self.recorder.close()
        return frames, candles

    def _ticker(self, role: str, recorder: Recorder | None) -> Ticker:
        return Ticker(
            self.place,
            api_key="key",
            access_token="token",
            user_id="AB1234",
            clocks=self.clocks,
            announce=role,
            recorder=recorder,
            calls=TickerCalls(connected=lambda: self.called.put(role)),
        )


def messages(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return [record.data for record in Reader(file).records() if record.kind is Kind.FRAME]


def test_a_recorded_session_comes_again_byte_for_byte_at_its_times_with_the_same_candles(tmp_path):
    options = ("--speed", "60", "--await", "20")
    first_file, second_file = tmp_path / "first.ticks", tmp_path / "second.ticks"
    with ExchangeProcess(tmp_path / "synthetic", options) as exchange:
        frames, candles = Seat(exchange, first_file).take(FRAMES)
    again = ("--market", "record", "--file", str(first_file))
    with ExchangeProcess(tmp_path / "record", (*options, *again)) as exchange:
        assert (exchange.state()["market"], exchange.first["trading_date"]) == ("record", "2026-11-23")
        frames_again, candles_again = Seat(exchange, second_file).take(FRAMES)
    assert messages(second_file)[:FRAMES] == messages(first_file)[:FRAMES]
    assert [columns(one) for one in frames_again] == [columns(one) for one in frames]
    assert candles_again == candles
    # The next frame was 3 s away: each was dealt with in its own time, live and again.
    assert all(0 <= late_s(one) < 3 for one in (*frames, *frames_again))
    assert len([one for one in candles if one[0] == 1]) >= 2
    recorded, made = (
        RecordedSource(first_file),
        Market(name="synthetic", calendar=default_calendar()).source(DAY),
    )
    assert recorded.instruments == made.instruments
    for token, history in made.warm_up(3).items():
        assert recorded.warm_up(3)[token].to_rows().tolist() == history.to_rows().tolist()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--market", "record"), "needs --file"),
        (("--market", "record", "--file", "/nowhere"), "cannot be read"),
    ],
)
def test_an_exchange_without_a_recording_says_what_it_needs(tmp_path, options, said):
    with pytest.raises(RuntimeError, match=said):
        ExchangeProcess(tmp_path, options).start()
