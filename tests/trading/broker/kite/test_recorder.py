import json
import struct
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from tests.trading.broker.kite import ticker_server
from tests.trading.broker.kite.ticker_server import WAIT_S
from tests.trading.market_builders import share
from trading.broker.kite import recorder
from trading.broker.kite.connection import KiteConnection
from trading.broker.kite.environment import EXCHANGE
from trading.broker.kite.errors import KiteFailure
from trading.broker.kite.recorder import Recorder
from trading.broker.kite.ticker import Ticker
from trading.core.candles import Bars
from trading.core.clocks import VirtualClocks
from trading.core.recording import Kind, Reader, Record

NOW = datetime(2026, 11, 23, 9, 45, tzinfo=ZoneInfo("Asia/Kolkata"))
DAY = NOW.date()
INFY = 408065


@pytest.fixture
def clocks() -> VirtualClocks:
    return VirtualClocks(NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings" / "2026-11-23-entries.ticks"


def records(path: Path) -> list[Record]:
    with path.open("rb") as file:
        return list(Reader(file).records())


def test_a_closed_recording_holds_everything_in_the_order_it_was_told(path, clocks):
    ours = Recorder(path, clocks)
    ours.open(DAY, "production", (share(1594),))
    ours.bars(INFY, Bars.empty())
    ours.frame(NOW, b"\x00\x01abc")
    ours.text('{"type": "order"}')
    ours.call("order.place", {"quantity": 65}, 200, '{"status": "success"}')
    ours.close()
    found = records(path)
    assert [record.kind for record in found] == [
        Kind.OPENING,
        Kind.BARS,
        Kind.FRAME,
        Kind.TEXT,
        Kind.CALL,
    ]
    assert found[2] == Record(Kind.FRAME, NOW, b"\x00\x01abc")
    assert json.loads(found[0].data)["instruments"][0]["instrument_token"] == INFY
    assert json.loads(found[4].data) == {
        "route": "order.place",
        "fields": {"quantity": 65},
        "status": 200,
        "answer": '{"status": "success"}',
    }
    assert ours.written_bytes == path.stat().st_size


def test_a_restart_goes_on_behind_the_last_whole_block(path, clocks):
    first = Recorder(path, clocks)
    first.frame(NOW, b"first")
    first.close()
    with path.open("ab") as file:
        file.write(b"TKB1\x00\x00\x01\x00torn")
    with capture_logs() as said:
        second = Recorder(path, clocks)
    second.frame(NOW, b"second")
    second.close()
    assert [record.data for record in records(path)] == [b"first", b"second"]
    assert [(line["event"], line["lost_bytes"]) for line in said] == [("recording_tail_torn", 12)]


def test_a_full_recording_stops_with_an_alarm_and_nobody_is_disturbed(path, clocks):
    with capture_logs() as said:
        ours = Recorder(path, clocks, max_bytes=200, flush_s=0.01)
        ours.frame(NOW, b"small")
        ours.frame(NOW, bytes(range(256)) * 4)
        ours._thread.join(WAIT_S)
        ours.frame(NOW, b"after the end")
        ours.close()
    alarms = [line for line in said if line["event"] == "alarm_recording_stopped"]
    assert [(line["log_level"], "cap" in line["why"]) for line in alarms] == [("error", True)]
    assert not ours.is_recording
    assert path.stat().st_size <= 200


def test_what_finds_no_room_in_memory_is_dropped_and_counted(path, clocks):
    with capture_logs() as said:
        ours = Recorder(path, clocks, held_bytes=10, flush_s=60)
        for data in (b"12345678", b"dropped", b"9"):
            ours.frame(NOW, data)
        assert ours.dropped == 1
        ours.close()
    assert [record.data for record in records(path)] == [b"12345678", b"9"]
    assert [line["dropped"] for line in said if line["event"] == "recording_dropped_records"] == [1]


def test_a_day_begins_its_own_file_and_forgets_the_oldest_days(tmp_path, clocks):
    for name in ("2026-11-18-entries", "2026-11-19-entries", "2026-11-19-exits", "2026-11-20-exits"):
        (tmp_path / f"{name}.ticks").touch()
    (tmp_path / "notes.txt").touch()
    ours = recorder.begin(tmp_path, date(2026, 11, 23), "entries", clocks, days_kept=3, max_bytes=10**6)
    assert ours is not None
    ours.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "2026-11-19-entries.ticks",
        "2026-11-19-exits.ticks",
        "2026-11-20-exits.ticks",
        "2026-11-23-entries.ticks",
        "notes.txt",
    ]


def test_a_folder_that_cannot_be_had_costs_the_recording_and_nothing_else(tmp_path, clocks):
    (tmp_path / "taken").touch()
    with capture_logs() as said:
        ours = recorder.begin(tmp_path / "taken", DAY, "entries", clocks, days_kept=3, max_bytes=10**6)
    assert ours is None
    assert [line["event"] for line in said] == ["alarm_recording_stopped"]


def test_the_ticker_records_frames_and_texts_as_they_came_and_no_token(path, clocks):
    frame = struct.pack(">HHII", 1, 8, INFY, 157360)
    ours = Recorder(path, clocks)
    with ticker_server.running() as server:
        ticker = Ticker(
            EXCHANGE.at("http://127.0.0.1:1", server.url),
            api_key="k3y",
            access_token="s3cret",
            user_id="AB1234",
            clocks=clocks,
            recorder=ours,
        )
        ticker.start()
        connection = server.take_connection()
        connection.send('{"type": "message", "data": "hello"}')
        connection.send(b"\x00")
        connection.send(frame)
        assert ticker.next_frame(WAIT_S) is not None
        ticker.stop()
    ours.close()
    assert [(record.kind, record.at, record.data) for record in records(path)] == [
        (Kind.TEXT, NOW, b'{"type": "message", "data": "hello"}'),
        (Kind.FRAME, NOW, frame),
    ]
    assert b"s3cret" not in path.read_bytes()


def test_an_order_call_that_was_never_answered_is_recorded_with_its_reason(path, clocks):
    kite = KiteConnection(
        EXCHANGE.at("http://127.0.0.1:1", "ws://127.0.0.1:1"), api_key="k3y", access_token="s3cret"
    )
    kite.recorder = Recorder(path, clocks)
    with pytest.raises(KiteFailure):
        kite.cancel_order(variety="regular", order_id="7")
    with pytest.raises(KiteFailure):
        kite.profile()
    kite.recorder.close()
    (call,) = (json.loads(record.data) for record in records(path))
    assert (call["route"], call["fields"]["order_id"], call["status"]) == ("order.cancel", "7", 0)
    assert "ConnectionError" in call["answer"] or "NewConnectionError" in call["answer"]
    assert "s3cret" not in json.dumps(call)
