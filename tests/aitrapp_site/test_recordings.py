import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from aitrapp_site import recordings
from tests.trading.market_builders import share
from trading.broker.kite.environment import EXCHANGE, PRODUCTION, SANDBOX
from trading.core.candles import Bars
from trading.core.clocks import VirtualClocks
from trading.core.enums import Loop
from trading.core.recording import Kind, Reader
from trading.desk import Desk
from trading.lease import Held
from trading.models import Account, VenueSession

DAY = date(2026, 11, 23)
INFY = 408065


@pytest.mark.parametrize(
    ("word", "wanted"), [("auto", [False, True, True]), ("0", [False] * 3), ("1", [True] * 3)]
)
def test_a_day_is_recorded_everywhere_but_at_the_paper_exchange_unless_told(settings, word, wanted):
    settings.RECORD = word
    assert [recordings.is_wanted(where) for where in (EXCHANGE, SANDBOX, PRODUCTION)] == wanted


def desk(session_key: str = "") -> Desk:
    now = datetime(2026, 11, 23, 9, 10, tzinfo=ZoneInfo("Asia/Kolkata"))
    return Desk(
        account=Account(),
        session=VenueSession(key=session_key),
        trading_date=DAY,
        broker=None,  # type: ignore[arg-type]  # nothing is asked of a broker here
        clocks=VirtualClocks(now),
        lease=Held(1, Loop.ENTRIES, "test", 1),
        installation="test",
    )


def test_a_recording_begins_with_its_instruments_and_the_minutes_before(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    settings.RECORD, settings.RECORD_DAYS, settings.RECORD_MAX_MB = "1", 3, 1
    bars = Bars.from_rows(np.array([[1795146300, 100, 110, 90, 105, 7]], np.int64))
    ours = recordings.begin(PRODUCTION, desk(), "strategy", (share(1594),), {INFY: bars})
    assert ours is not None
    ours.close()
    assert ours.path == tmp_path / "recordings" / "2026-11-23-strategy.ticks"
    with ours.path.open("rb") as file:
        opening, minutes = Reader(file).records()
    words = json.loads(opening.data)
    assert (opening.kind, words["environment"], words["trading_date"]) == (
        Kind.OPENING,
        "production",
        "2026-11-23",
    )
    assert minutes.kind is Kind.BARS
    assert np.frombuffer(minutes.data, "<i8").tolist() == [INFY, 1795146300, 100, 110, 90, 105, 7]


def test_a_session_of_the_paper_exchange_has_a_file_of_its_own(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    settings.RECORD = "1"
    ours = recordings.begin(EXCHANGE, desk("synthetic-1"), "watcher", (), {})
    assert ours is not None
    ours.close()
    assert ours.path.name == "2026-11-23-watcher-synthetic-1.ticks"


def test_nothing_is_written_where_no_recording_is_wanted(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    settings.RECORD = "0"
    assert recordings.begin(PRODUCTION, desk(), "strategy", (), {}) is None
    assert list(tmp_path.iterdir()) == []
