"""A market that goes on elsewhere: its frames, as another process records them while they come.

The recording is the only thing that connects the two. So the exchange needs no login and waits for no network, and
after a restart it reads again what it had read.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from trading.core import recording
from trading.core.recording import NotARecording, Record
from trading.core.ticks import TickFrame
from trading.exchange.recorded import BrokenRecording, RecordedSource


class FollowedSource(RecordedSource):
    """Today, in one file that grows (see `MarketSource`)."""

    def __init__(self, path: Path) -> None:
        """Raises BrokenRecording, also where the recording has not begun yet."""
        super().__init__(path)
        # What is torn now is still being written.
        self._torn_bytes = 0

    def describe(self) -> str:
        """One line: whose prices these are."""
        return (
            f"live prices of {self.trading_date} from {self.environment}, followed in {self.path.name} since "
            f"{self.begun_at:%H:%M:%S}: {len(self.instruments)} instruments, frames byte for byte"
        )

    def arrivals(self, begins_at: datetime) -> Iterator[TickFrame | None]:
        """The frames since `begins_at`, and None each time nothing more has come yet. It has no end."""
        for frame in self.frames_of(self._follow()):
            if frame is None or frame.received_at >= begins_at:
                yield frame

    def _follow(self) -> Iterator[Record | None]:
        try:
            file = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise BrokenRecording(f"{self.path} cannot be read: {error.strerror}") from error
        try:
            yield from recording.follow(file)
        except NotARecording as error:
            raise BrokenRecording(f"{self.path} cannot be followed any more, {error}") from error
        finally:
            os.close(file)
