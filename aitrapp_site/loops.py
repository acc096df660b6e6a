"""The two loops of this installation's account, ready to be started by whoever hosts them."""

import gc
import sys
from collections.abc import Callable
from typing import Final

from aitrapp_site.clocks import MachineClocks
from aitrapp_site.passes import StrategyWork, WatcherWork
from trading import current, looping
from trading.core.enums import Loop
from trading.lease import Held
from trading.wakeups import Bell

#: how long a worker that is the standby lets the dedicated ones start
STANDBY_WAITS_S: Final = 8.0


def strategy_loop(ended: Callable[[], None], *, is_standby: bool) -> looping.Loop:
    """Ticks in, entries out. `ended` is called when something unknown ended it."""
    return _loop(Loop.ENTRIES, StrategyWork, ended, is_standby)


def watcher_loop(ended: Callable[[], None], *, is_standby: bool) -> looping.Loop:
    """Books in, protection and exits out."""
    return _loop(Loop.EXITS, WatcherWork, ended, is_standby)


def _loop(
    kind: Loop,
    work: Callable[[Held, Bell], looping.Work],
    ended: Callable[[], None],
    is_standby: bool,
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
        timing=looping.Timing(first_try_after_s=STANDBY_WAITS_S if is_standby else 0.0),
    )
