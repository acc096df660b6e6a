"""Whoever asks for a flatten sees it through: when no leader of the exits takes it, the asking process leads itself.

It becomes a standby like any other, so the lease still decides: with a living leader it never acts, after a crash it
leads as soon as the dead one's lease has run out.
"""

from threading import Event
from typing import Final

from aitrapp_site.clocks import MachineClocks
from oco.models import Flatten
from trading import looping
from trading.core.enums import FlattenState, Loop

#: a leader that is awake has taken the flatten by then
LEADER_TAKES_IT_S: Final = 0.3
LOOK_EVERY_S: Final = 0.02
STOP_WITHIN_S: Final = 5.0


def see_through(row: Flatten, within_s: float) -> None:
    """Wait until the flatten has its verdict, at most `within_s`; `row` is refreshed. Leads if nobody else does."""
    clocks, pause, helper = MachineClocks(), Event(), None
    began_s = clocks.monotonic_s()
    try:
        while row.finished_at is None and (waited_s := clocks.monotonic_s() - began_s) < within_s:
            if helper is None and waited_s > LEADER_TAKES_IT_S and row.state == FlattenState.REQUESTED:
                helper = _standby(row.account_id)
            pause.wait(LOOK_EVERY_S)
            row.refresh_from_db()
    finally:
        if helper is not None:
            helper.stop_and_join(STOP_WITHIN_S)


def _standby(account_id: int) -> looping.Loop:
    # The broker's client weighs megabytes that a web process needs only in this rare case.
    from aitrapp_site.passes import WatcherWork

    loop = looping.Loop(
        Loop.EXITS, find_account=lambda: account_id, make_work=WatcherWork, clocks=MachineClocks()
    )
    loop.start()
    return loop
