"""One sync for all requests of a turn of the loop, and none that is answered before it."""

import asyncio

import pytest

from tests.trading.exchange.test_journal import WRITTEN, header
from trading.exchange.journal import ROOM, Journal, read_current
from trading.exchange.server.commits import Commits


class CountedJournal(Journal):
    """Counts its syncs; `breaks` stands for a disk that fails."""

    syncs = 0
    breaks = False

    def sync(self):
        self.syncs += 1
        if self.breaks:
            raise OSError("no space left on device")
        super().sync()


@pytest.fixture
def journal(tmp_path):
    journal = CountedJournal.begin(tmp_path, header())
    journal.syncs = 0
    yield journal
    journal.breaks = False
    journal.close()


async def write_and_wait(journal, commits):
    journal.write(WRITTEN)
    await commits.durable()
    assert not journal.is_behind


async def many(journal, count):
    commits = Commits(journal)
    await asyncio.gather(*(write_and_wait(journal, commits) for _ in range(count)))


def test_requests_of_one_turn_share_a_sync(journal):
    asyncio.run(many(journal, 10))
    assert journal.syncs == 1


def test_requests_after_each_other_are_synced_each(journal):
    async def one_by_one():
        commits = Commits(journal)
        for _ in range(3):
            await write_and_wait(journal, commits)

    asyncio.run(one_by_one())
    assert journal.syncs == 3


def test_nothing_written_waits_for_nothing(journal):
    asyncio.run(Commits(journal).durable())
    assert journal.syncs == 0


def test_a_disk_that_fails_is_told_to_all_who_wait(journal):
    journal.breaks = True

    async def all_fail():
        commits = Commits(journal)
        return await asyncio.gather(
            *(write_and_wait(journal, commits) for _ in range(3)), return_exceptions=True
        )

    assert [str(each) for each in asyncio.run(all_fail())] == ["no space left on device"] * 3


def test_the_room_kept_free_in_a_file_is_no_part_of_it(tmp_path):
    journal = Journal.begin(tmp_path, header())
    journal.write(WRITTEN)
    assert journal.path.stat().st_size == ROOM
    assert len(read_current(tmp_path)[1].entries) == 1
    again = Journal.go_on(journal.path)
    again.write(WRITTEN)
    again.close()
    assert len(read_current(tmp_path)[1].entries) == 2
    assert b"\0" not in journal.path.read_bytes()


def test_a_line_longer_than_the_room_is_kept_whole(tmp_path):
    journal = Journal.begin(tmp_path, header())
    journal.keep({"run": "x" * (2 * ROOM)})
    journal.keep({"run": "after"})
    journal.write(WRITTEN)
    _, kept = read_current(tmp_path)
    assert (kept.run, len(kept.entries)) == ("after", 1)
    journal.close()
