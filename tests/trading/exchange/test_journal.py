import json
from datetime import date, datetime

import pytest

from trading.core.session import IST
from trading.exchange import journal
from trading.exchange.accounts import PLACE
from trading.exchange.journal import BrokenJournal, Header, Journal, JournalInUse, read_current
from trading.exchange.market_day import FRAME, TIME, WRITE, Entry

NOW = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=IST)
WRITTEN = Entry(
    kind=WRITE,
    at=NOW,
    verb=PLACE,
    fields={"quantity": "65", "tag": "ENTRYONE"},
    answer="261123000500001",
    books="0123456789ab",
)


def header(session="synthetic-2026-11-23-aaaaaa"):
    return Header(
        venue_session=session,
        asked={"market": "synthetic", "seed": 1},
        trading_date=date(2026, 11, 23),
        day_number=1,
        begin="10:00",
    )


def current(folder):
    """What the newest session's journal holds."""
    found = read_current(folder)
    assert found is not None
    return found[1]


def test_what_was_written_is_read_in_its_order(tmp_path):
    written = Journal.begin(tmp_path, header())
    written.keep({"run": "one"})
    written.keep({"logins": {"access_token": "old"}})
    written.note(FRAME, NOW)
    written.write(WRITTEN)
    written.keep({"logins": {"access_token": "new"}})
    written.note(TIME, NOW)
    kept = current(tmp_path)
    assert kept.header == header()
    assert kept.entries == [Entry(kind=FRAME, at=NOW), WRITTEN, Entry(kind=TIME, at=NOW)]
    assert (kept.run, kept.logins, kept.is_done) == ("one", {"access_token": "new"}, False)
    written.keep({"done": True})
    assert current(tmp_path).is_done


def test_a_line_cut_off_by_a_kill_is_taken_back_and_the_file_goes_on(tmp_path):
    written = Journal.begin(tmp_path, header())
    written.write(WRITTEN)
    with written.path.open("ab") as file:
        file.write(b'{"write":["2026-11-23T10:0')
    assert current(tmp_path).entries == [WRITTEN]
    again = Journal.go_on(written.path)
    again.note(FRAME, NOW)
    assert [entry.kind for entry in current(tmp_path).entries] == [WRITE, FRAME]


@pytest.mark.parametrize(
    "line", ["no json", json.dumps({"frame": "noon"}), json.dumps({"write": ["2026"]}), "[]"]
)
def test_a_broken_line_names_file_line_and_remedy(tmp_path, line):
    written = Journal.begin(tmp_path, header())
    with written.path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(BrokenJournal, match=r"aaaaaa.jsonl, line 2: .*--fresh"):
        read_current(tmp_path)


def test_an_empty_folder_holds_no_session(tmp_path):
    assert read_current(tmp_path) is None
    assert read_current(tmp_path / "nowhere") is None


def test_the_newest_session_is_current_and_only_ten_old_ones_are_kept(tmp_path):
    for number in range(14):
        Journal.begin(tmp_path, header(f"synthetic-2026-11-23-{number:06d}")).close()
    assert current(tmp_path).header.venue_session == "synthetic-2026-11-23-000013"
    assert len(list(tmp_path.glob("*.jsonl"))) == 11


def test_one_folder_has_one_writer(tmp_path):
    journal.lock(tmp_path / "new" / "folder")
    with pytest.raises(JournalInUse, match="another paper exchange keeps its journal in"):
        journal.lock(tmp_path / "new" / "folder")


def test_only_its_owner_may_read_a_journal(tmp_path):
    assert Journal.begin(tmp_path, header()).path.stat().st_mode & 0o077 == 0
