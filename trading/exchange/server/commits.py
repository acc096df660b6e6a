"""Group commit: one fdatasync for all requests that were written in the same turn of the event loop."""

import asyncio

from trading.exchange.journal import Journal


class Commits:
    """Brings one journal to the disk.

    In the loop itself: a thread would have to win the interpreter back from it, which costs more than a disk does.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._next: asyncio.Future[None] | None = None

    async def durable(self) -> None:
        """Return when all that is written by now is on disk. Raises OSError where the disk fails."""
        if not self._journal.is_behind:
            return
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.create_future()
            loop.call_soon(self._sync)
        # One client that goes away must not cancel what the others wait for.
        await asyncio.shield(self._next)

    def _sync(self) -> None:
        waiting, self._next = self._next, None
        if waiting is None:
            return
        try:
            self._journal.sync()
        except OSError as error:
            waiting.set_exception(error)
        else:
            waiting.set_result(None)
