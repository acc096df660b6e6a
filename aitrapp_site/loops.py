"""The two loops of this installation's account, ready to be started by whoever hosts them."""

import gc
import sys
from collections.abc import Callable

from aitrapp_site.clocks import MachineClocks
from aitrapp_site.passes import StrategyWork, WatcherWork
from trading import current, looping
from trading.core.enums import Loop


def strategy_loop(ended: Callable[[], None]) -> looping.Loop:
    """Ticks in, entries out. `ended` is called when something unknown ended it."""
    return _loop(Loop.ENTRIES, StrategyWork, ended)


def watcher_loop(ended: Callable[[], None]) -> looping.Loop:
    """Books in, protection and exits out."""
    return _loop(Loop.EXITS, WatcherWork, ended)


def _loop(
    kind: Loop, work: Callable[[looping.Held, looping.Bell], looping.Work], ended: Callable[[], None]
) -> looping.Loop:
    # A busy thread beside the loop would hold it up for 5 ms each time; a full collection takes up to 59 ms.
    sys.setswitchinterval(1e-4)
    gc.freeze()
    return looping.Loop(
        kind,
        find_account=lambda: current.account_named().pk,
        make_work=work,
        clocks=MachineClocks(),
        ended=ended,
    )
