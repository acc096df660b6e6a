import zlib
from datetime import datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.core import recording
from trading.core.recording import Kind, NotARecording, Reader, Record, pack_block

NOW = datetime(2026, 11, 23, 9, 15, 0, 123456, tzinfo=ZoneInfo("Asia/Kolkata"))


def frame(number: int, data: bytes = b"") -> Record:
    return Record(Kind.FRAME, NOW + timedelta(seconds=number), data or bytes([number]) * 10)


def read(data: bytes) -> tuple[list[Record], list[str]]:
    reader = Reader(BytesIO(data))
    return list(reader.records()), reader.problems


def records() -> st.SearchStrategy[Record]:
    moments = st.integers(-(10**9), 10**9).map(
        lambda microseconds: NOW + timedelta(microseconds=microseconds)
    )
    return st.builds(Record, st.sampled_from(Kind), moments, st.binary(max_size=12))


@given(st.lists(st.lists(records(), max_size=6), max_size=4))
def test_what_was_packed_is_read_back_to_the_bit_and_the_microsecond(blocks):
    data = b"".join(pack_block(block) for block in blocks)
    assert read(data) == ([record for block in blocks for record in block], [])
    assert recording.whole_bytes(BytesIO(data)) == len(data)


def test_frames_that_hardly_differ_take_hardly_any_room():
    wide = np.random.default_rng(1).bytes(100_000)
    frames = [frame(number, wide[:-1] + bytes([number])) for number in range(20)]
    packed = pack_block(frames)
    assert read(packed) == (frames, [])
    assert len(packed) < 120_000


@pytest.mark.parametrize("cut", [1, 20, 38, 45])
def test_a_torn_tail_loses_the_last_block_alone_and_says_so(cut):
    first, second = pack_block([frame(1)]), pack_block([frame(2), frame(3)])
    assert len(second) > 45
    torn = (first + second)[:-cut]
    found, problems = read(torn)
    assert found == [frame(1)]
    assert problems == [
        f"the last block is torn: {len(second) - cut} bytes from byte {len(first)} on"
        if len(second) - cut >= 4
        else f"nothing can be read from byte {len(first)} on: the last block is torn"
    ]
    assert recording.whole_bytes(BytesIO(torn)) == len(first)


def test_a_damaged_block_is_passed_over_and_named():
    blocks = [pack_block([frame(number)]) for number in (1, 2, 3)]
    damaged = blocks[1][:-1] + bytes([blocks[1][-1] ^ 1])
    found, problems = read(blocks[0] + damaged + blocks[2])
    assert found == [frame(1), frame(3)]
    assert problems == [f"the block at byte {len(blocks[0])} is damaged and was passed over"]


def test_a_last_block_with_a_wrong_checksum_is_not_gone_on_behind():
    first, second = pack_block([frame(1)]), pack_block([frame(2)])
    damaged = second[:-1] + bytes([second[-1] ^ 1])
    assert recording.whole_bytes(BytesIO(first + damaged)) == len(first)


def test_an_empty_file_is_a_recording_of_nothing():
    assert read(b"") == ([], [])
    assert recording.whole_bytes(BytesIO(b"")) == 0


def test_another_file_is_no_recording():
    with pytest.raises(NotARecording, match="does not begin with a block"):
        read(zlib.compress(b"something else"))
    assert recording.whole_bytes(BytesIO(b"something else altogether")) == 0
