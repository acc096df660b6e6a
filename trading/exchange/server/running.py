"""The market goes on: frames at their market times, order events between them, day after day."""

import asyncio
import logging
import time
from datetime import datetime, timedelta
from typing import Final

from trading.exchange.market_day import FRAME, TIME
from trading.exchange.pacing import PATIENCE_S
from trading.exchange.server.feed import Feed
from trading.exchange.server.floor import Floor
from trading.exchange.server.opening import Opened, Plan, open_new

# Not structlog, which brings Twisted and rich along where they are installed: 20 MB for four lines a day.
log = logging.getLogger(__name__)

#: without frames the participants are told the market time, and the journal notes it, this often
CLOCK_S: Final = 1.0
NOTE_EVERY: Final = timedelta(seconds=15)
#: a day that is over stays readable until the participants acknowledge its end, at most so long
CLOSING_S: Final = 15.0
#: nothing waits longer without looking again
LOOK_AGAIN_S: Final = 0.25
#: a live market's recording is looked at this often
FOLLOW_S: Final = 0.02


class Running:
    """The one task that moves market time."""

    def __init__(self, floor: Floor, feed: Feed, plan: Plan, opened: Opened, *, await_s: float) -> None:
        """`await_s` is how long a day's first frame waits for a strategy and a watcher, machine time."""
        self._floor = floor
        self._feed = feed
        self._plan = plan
        self._opened = opened
        self._await_s = await_s
        self._frame_s = self._clock_s = time.monotonic()
        self._noted_at = opened.day.market_at

    async def run(self) -> None:
        """Until there is no further day; then the last one stays open for reading until it is cancelled."""
        while True:
            log.info("%s at %s", self._floor.day.venue_session, self._floor.day.market_at.isoformat())
            if self._floor.day.is_live:
                await self._follow_day()
            else:
                await self._await_participants()
                if not self._opened.is_done:
                    await self._run_day()
            await self._close()
            following = await self._next_day()
            if following is None:
                self._floor.is_last_day = True
                log.info("the last day is over: %s stays open for reading", self._floor.day.venue_session)
                await asyncio.Event().wait()
            else:
                self._opened.journal.close()
                self._opened = following
                self._noted_at = following.day.market_at
                self._floor.open(following.day, following.journal)
                self._feed.send_clock(self._floor.now())

    async def _run_day(self) -> None:
        day = self._floor.day
        while not day.is_exhausted:
            if day.pending is None:
                await self._until(day.fetch_at())
                await self._until_caught_up()
                frame = day.fetch()
                if frame is not None:
                    self._opened.journal.note(FRAME, frame.received_at)
            else:
                await self._until(day.pending.received_at)
                self._feed.send_frame(day.apply_pending())
                self._frame_s = time.monotonic()
                self._noted_at = day.market_at
        await self._until(day.ends_at)
        self._end_day()

    async def _follow_day(self) -> None:
        """A market that goes on elsewhere is not waited for: its frames come when they have come.

        Before the first of them time stands: nobody knows what time that market has.
        """
        floor, day = self._floor, self._floor.day
        while not self._opened.is_done and floor.now() < day.ends_at:
            frame = day.fetch(floor.now())
            if frame is None:
                self._settle()
                await self._wait(FOLLOW_S)
                continue
            self._opened.journal.note(FRAME, frame.received_at)
            floor.clock.jump_to(frame.received_at)
            floor.clock.run_to(day.ends_at)
            self._feed.send_frame(day.apply_pending())
            self._frame_s, self._noted_at = time.monotonic(), day.market_at
            self._settle()
            # After a restart many come at once, and answers must go on between them.
            await asyncio.sleep(0)
        self._end_day()

    def _end_day(self) -> None:
        self._opened.journal.keep({"done": True, "triggers": self._floor.day.triggers()})

    async def _close(self) -> None:
        """Let the participants end their day on these books."""
        self._feed.send_clock(self._floor.now(), to_be_acknowledged=True)
        until_s = time.monotonic() + CLOSING_S
        while time.monotonic() < until_s and not self._floor.attendance.has_caught_up(time.monotonic()):
            await self._wait(LOOK_AGAIN_S)

    async def _next_day(self) -> Opened | None:
        header = self._opened.header
        if header.day_number == self._plan.days:
            return None
        following = self._plan.market.day_after(header.trading_date)
        if following is None:
            return None
        # Drawing a day takes a second, in which heartbeats and answers must go on.
        return await asyncio.to_thread(
            open_new,
            self._plan,
            following,
            number=header.day_number + 1,
            triggers=self._floor.day.triggers(),
        )

    async def _await_participants(self) -> None:
        until_s = time.monotonic() + self._await_s
        while time.monotonic() < until_s and not self._floor.attendance.is_ready():
            self._tell_time()
            await self._wait(LOOK_AGAIN_S)

    async def _until(self, moment: datetime) -> None:
        """Let market time go on to `moment`, with everything that falls due on the way."""
        floor = self._floor
        floor.clock.run_to(moment)
        while True:
            self._settle()
            if floor.clock.now() >= moment:
                return
            await self._wait(floor.clock.seconds_until(self._next_event(moment)))

    async def _until_caught_up(self) -> None:
        """Hold market time for those who have not dealt with the last frame, but not longer than patience."""
        until_s = self._frame_s + PATIENCE_S
        while self._floor.is_paced:
            now_s = time.monotonic()
            self._settle()
            if now_s >= until_s or self._floor.attendance.has_caught_up(now_s):
                return
            await self._wait(until_s - now_s)

    def _next_event(self, moment: datetime) -> datetime:
        due = self._floor.day.next_event_at()
        return moment if due is None else min(due, moment)

    def _settle(self) -> None:
        day = self._floor.day
        day.advance(self._floor.now())
        for account in day.accounts.values():
            updates = account.venue.drain_updates()
            if updates:
                self._feed.send_updates(updates)
        self._tell_time()

    def _tell_time(self) -> None:
        now_s, now = time.monotonic(), self._floor.now()
        if now - self._noted_at >= NOTE_EVERY:
            self._opened.journal.note(TIME, now)
            self._noted_at = now
        if now_s - max(self._frame_s, self._clock_s) >= CLOCK_S:
            self._clock_s = now_s
            self._feed.send_clock(now)

    async def _wait(self, seconds: float) -> None:
        """Until something changes, at the latest after `seconds` or when it is time to look again."""
        try:
            async with asyncio.timeout(min(seconds, LOOK_AGAIN_S)):
                await self._floor.changed.wait()
        except TimeoutError:
            return
        self._floor.changed.clear()
