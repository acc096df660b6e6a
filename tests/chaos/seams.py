"""What the kill test changes inside the program's processes, beside what it does to them from outside.

Four things: one strategy that trades often and limits that let it, the broker's address (a proxy), a wall clock that
can be stepped, and a process that can be stopped exactly between the commit of a command and its bytes.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Any, Final

FOLDER: Final = "CHAOS_FOLDER"
PROXY_PORT: Final = "CHAOS_PROXY_PORT"
SEED: Final = "CHAOS_SEED"
DEFECT: Final = "CHAOS_DEFECT"

#: open positions that the limits of a run allow
OPEN_POSITIONS: Final = 10
LIMITS: Final[dict[str, Any]] = {
    "risk_per_trade_pct": Decimal("0.1"),
    "heat_pct": Decimal("5"),
    "daily_loss_pct": Decimal("10"),
    "open_positions": OPEN_POSITIONS,
    "trades_per_day": 500,
    "reward_to_costs": Decimal("0"),
    "cooldown_min": 0,
    "losses_in_a_row": 50,
}


class Point(StrEnum):
    """Where a process can be stopped on a command's way, its intent being committed."""

    BEFORE_CHECK = "before the last check"
    BEFORE_BYTES = "between the last check and the bytes"


@dataclass(frozen=True, slots=True)
class Board:
    """The folder through which nemesis and processes talk: a file is a wish or its fulfilment."""

    folder: Path

    @property
    def clock(self) -> Path:
        """Seconds by which the wall clock of the workers is off."""
        return self.folder / "clock_s"

    @property
    def exchange(self) -> Path:
        """Port of the exchange itself, behind the proxy."""
        return self.folder / "exchange_port"

    def wish(self, point: Point, loop: str) -> Path:
        """Whoever of this loop comes to this point next shall stop."""
        return self.folder / f"stop {loop} {point.name}"

    def wishes(self) -> list[Path]:
        """Those nobody came to yet."""
        return list(self.folder.glob("stop *"))

    def withdraw(self) -> None:
        for wish in self.wishes():
            wish.unlink(missing_ok=True)

    def stopped_by(self, pid: int) -> Path:
        return self.folder / f"stopped-{pid}"

    def stopped(self) -> dict[int, str]:
        """Processes that fulfilled a wish and stand still, with its words."""
        found = {}
        for path in self.folder.glob("stopped-*"):
            with suppress(FileNotFoundError):
                found[int(path.name.removeprefix("stopped-"))] = path.read_text()
        return found

    def stand_still(self, point: Point, loop: str) -> None:
        """Called by the process: stop here and now if that is wished. Returns when it is continued."""
        with suppress(FileNotFoundError):
            self.wish(point, loop).rename(self.stopped_by(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)

    def clock_off(self) -> timedelta:
        try:
            return timedelta(seconds=float(self.clock.read_text()))
        except (FileNotFoundError, ValueError):
            return timedelta()


def install() -> None:
    """Put all seams into this process; what it forks has them too."""
    from aitrapp_site.clocks import MachineClocks
    from aitrapp_site.paper_run import PaperRun
    from tests.chaos.idea import OftenIdea
    from trading import sending
    from trading.strategies import registry

    board = Board(Path(os.environ[FOLDER]))
    if os.environ[DEFECT]:
        _break(os.environ[DEFECT])
    OftenIdea.seed = os.environ[SEED]
    registry.STRATEGIES = {OftenIdea.name: OftenIdea}
    registry.ON_BY_DEFAULT = frozenset({OftenIdea.name})
    for owner, name, wrap in (
        (sending, "carry_out", _stoppable),
        (MachineClocks, "machine_now", _stepped),
        (PaperRun, "_environ", _behind_proxy),
    ):
        setattr(owner, name, wrap(getattr(owner, name), board))


def _break(name: str) -> None:
    """Give the program one of the simulation's deliberate defects, to see the judge find it."""
    from tests.simulation.mutants import MUTANTS

    for owner, attribute, breaking in MUTANTS[name].patches:
        setattr(owner, attribute, breaking(owner.__dict__[attribute]))


def _stoppable(carry_out: Callable[..., Any], board: Board) -> Callable[..., Any]:
    @wraps(carry_out)
    def stoppable(desk: Any, call: Callable[[], str | None], **named: Any) -> Any:
        def call_later() -> str | None:
            board.stand_still(Point.BEFORE_BYTES, desk.lease.loop)
            return call()

        board.stand_still(Point.BEFORE_CHECK, desk.lease.loop)
        return carry_out(desk, call_later, **named)

    return stoppable


def _stepped(machine_now: Callable[[Any], datetime], board: Board) -> Callable[[Any], datetime]:
    @wraps(machine_now)
    def stepped(clocks: Any) -> datetime:
        return machine_now(clocks) + board.clock_off()

    return stepped


def _behind_proxy(environ: Callable[[Any], dict[str, str]], board: Board) -> Callable[[Any], dict[str, str]]:
    """The launcher has the account by then: its limits are put in force here."""

    @wraps(environ)
    def behind_proxy(run: Any) -> dict[str, str]:
        from risk.models import RiskLimits

        version = RiskLimits.objects.filter(account=run._account).count() + 1
        if version == 1:
            why = "the kill test trades often"
            RiskLimits.objects.create(
                account=run._account, version=1, created_by="kill test", why=why, **LIMITS
            )
        board.exchange.write_text(str(run._exchange_port))
        address = f"127.0.0.1:{os.environ[PROXY_PORT]}"
        return environ(run) | {
            "EXCHANGE_URL": f"http://{address}",
            "EXCHANGE_TICKER_URL": f"ws://{address}",
        }

    return behind_proxy
