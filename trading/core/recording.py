"""A day's bytes as they came, in blocks that are only ever appended: frames, texts, calls, and what to read them by.

A block is its mark, the length and the checksum of what follows, and records compressed together; a file cut off in
the middle of one loses that one. A frame of the same length as the one before in its block is kept as the bits that
differ, which are few: the compressor alone does not look back as far as a wide frame is long.
"""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import BinaryIO
from zoneinfo import ZoneInfo

import numpy as np

SUFFIX = ".ticks"
MARK = b"TKB1"
_HEAD = struct.Struct(">4sII")
_RECORD = struct.Struct(">BqI")
_EPOCH = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
_IST = ZoneInfo("Asia/Kolkata")
_MICROSECOND = timedelta(microseconds=1)
#: of the compressor: on the ticker's bytes level 6 takes three times as long for seven per cent
LEVEL = 3


class Kind(IntEnum):
    """What a record holds."""

    #: JSON: trading date, where it was recorded, and the instruments
    OPENING = 1
    #: one instrument's minutes before the first frame: its token and rows of six, all 8 bytes little-endian
    BARS = 2
    #: one binary message of the ticker
    FRAME = 3
    #: one text of the ticker
    TEXT = 4
    #: JSON: an order call with its fields, and its answer
    CALL = 5


@dataclass(frozen=True, slots=True)
class Record:
    """`at` is aware market time, kept to the microsecond."""

    kind: Kind
    at: datetime
    data: bytes


class NotARecording(ValueError):
    """The file does not begin as a recording does."""


def pack_block(records: Iterable[Record]) -> bytes:
    """Records as one block."""
    # Piece by piece: the compressor lets other threads run, one large copy would not.
    compressor = zlib.compressobj(LEVEL)
    pieces = [compressor.compress(piece) for piece in _packed(records)]
    body = b"".join((*pieces, compressor.flush()))
    return _HEAD.pack(MARK, len(body), zlib.crc32(body)) + body


@dataclass(slots=True)
class Reader:
    """Reads a file from its beginning. `problems` says, as reading goes on, what could not be read."""

    file: BinaryIO
    problems: list[str] = field(default_factory=list)

    def records(self) -> Iterator[Record]:
        """All records that can be read. A block with a wrong checksum is passed over. Raises NotARecording."""
        begins = 0
        while head := self.file.read(_HEAD.size):
            body = self._body(head, begins)
            if body is None:
                return
            if zlib.crc32(body) == _HEAD.unpack(head)[2]:
                yield from _unpacked(zlib.decompress(body))
            else:
                self.problems.append(f"the block at byte {begins} is damaged and was passed over")
            begins += _HEAD.size + len(body)

    def _body(self, head: bytes, begins: int) -> bytes | None:
        if not head.startswith(MARK):
            if begins == 0 and len(head) >= len(MARK):
                raise NotARecording("it does not begin with a block")
            self.problems.append(f"nothing can be read from byte {begins} on: the last block is torn")
            return None
        body = b""
        if len(head) == _HEAD.size:
            length = _HEAD.unpack(head)[1]
            body = self.file.read(length)
            if len(body) == length:
                return body
        self.problems.append(f"the last block is torn: {len(head) + len(body)} bytes from byte {begins} on")
        return None


def follow(file: int) -> Iterator[Record | None]:
    """All records of an open file that somebody still writes, oldest first, and None each time it has no more yet.

    What it does not hold whole is looked at again, since a writer that begins anew cuts a torn block off and writes
    another in its place. Raises NotARecording, OSError.
    """
    begins = 0
    while True:
        head = os.pread(file, _HEAD.size, begins)
        if not MARK.startswith(head[: len(MARK)]):
            raise NotARecording(f"there is no block at byte {begins}")
        body = b""
        if len(head) == _HEAD.size:
            _, length, checksum = _HEAD.unpack(head)
            body = os.pread(file, length, begins + _HEAD.size)
            if len(body) == length:
                if zlib.crc32(body) == checksum:
                    yield from _unpacked(zlib.decompress(body))
                begins += _HEAD.size + length
                continue
        yield None


def whole_bytes(file: BinaryIO) -> int:
    """Where the last whole block ends: a file is gone on with from there. Looks at heads and the last block only."""
    end = last = last_checksum = 0
    size = file.seek(0, 2)
    file.seek(0)
    while len(head := file.read(_HEAD.size)) == _HEAD.size and head.startswith(MARK):
        _, length, checksum = _HEAD.unpack(head)
        if end + _HEAD.size + length > size:
            break
        last, last_checksum, end = end, checksum, end + _HEAD.size + length
        file.seek(end)
    file.seek(last + _HEAD.size)
    return end if zlib.crc32(file.read(max(end - last - _HEAD.size, 0))) == last_checksum else last


def _packed(records: Iterable[Record]) -> Iterator[bytes]:
    before = b""
    for record in records:
        data = record.data
        yield _RECORD.pack(record.kind, (record.at - _EPOCH) // _MICROSECOND, len(data))
        if record.kind is Kind.FRAME:
            yield _differing(data, before)
            before = data
        else:
            yield data


def _unpacked(body: bytes) -> Iterator[Record]:
    before, offset = b"", 0
    while offset < len(body):
        kind, at_us, length = _RECORD.unpack_from(body, offset)
        offset += _RECORD.size
        data = body[offset : offset + length]
        offset += length
        if kind == Kind.FRAME:
            data = before = _differing(data, before)
        yield Record(Kind(kind), (_EPOCH + at_us * _MICROSECOND).astimezone(_IST), data)


def _differing(data: bytes, before: bytes) -> bytes:
    """The bits in which two frames of one length differ; done twice it gives the frame again."""
    if len(data) != len(before):
        return data
    return (np.frombuffer(data, np.uint8) ^ np.frombuffer(before, np.uint8)).tobytes()
