"""Closing without the database: the direct flatten, and the dead man's rounds. Both need only the broker."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Final

import psycopg
import structlog
from django.conf import settings

from aitrapp_site import kite_token, wiring
from aitrapp_site.keeper import Wake
from oco.dead_man import DeadMan
from oco.direct import DirectFlatten, Holding, exposures
from risk import halt
from trading.broker.base import Broker, BrokerError
from trading.core.clocks import Clocks

log = structlog.get_logger(__name__)

ROUND_S: Final = 3.0
#: a leader of the exits whose last pass that worked is older than this makes no progress
PROGRESS_S: Final = 10


def journal() -> Path:
    """Commands sent without the database; imported before the first pass once it is back."""
    return Path(settings.VAR_DIR) / "exits.jsonl"


def flatten_directly(
    why: str, within_s: float = 30.0, *, wait: Callable[[float], object] | None = None
) -> bool:
    """Latch entries off by file and close everything of ours from the broker's books. True: flat.

    `wait` is called with the seconds between two looks; what it raises ends the run.
    """
    halt.put_up(why)
    clocks = wiring.clocks_now()
    run = DirectFlatten.begin(_broker(clocks), clocks, journal(), wait or Event().wait)
    return run.run(within_s)


class Disarmed(Exception):
    """Somebody guards the positions again, or the system is being stopped: the dead man lets go."""


def keep_watch(wake: Wake) -> None:
    """The dead man's rounds until asked to stop. Closes what nobody guards, after asking who guards it."""
    man, works = DeadMan(), True
    while not wake.stop_asked:
        wake.wait(ROUND_S)
        # Asked anew each round: the exchange may have come up, or begun another day.
        clocks = wiring.clocks_now()
        try:
            broker = _broker(clocks)
            found = exposures(broker.order_reports(), broker.position_reports())
        except BrokerError as error:
            log.warning("dead_man_cannot_see", reason=str(error))
            continue
        worked, works = works, exits_progress()
        if worked and not works:
            log.error("dead_man_misses_the_watcher", older_than_s=PROGRESS_S)
        judged = man.look(found, holder_works=works, now=clocks.machine_now())
        if judged.bare:
            log.warning("dead_man_sees_bare", holdings=_names(judged.bare))
        if judged.close and not wake.stop_asked:
            _close(judged.close, wake)
    log.info("dead_man_disarmed")


def _close(holdings: Sequence[Holding], wake: Wake) -> None:
    """Close everything of ours, until flat or until there is no need for us any more."""

    def wait(seconds: float) -> None:
        wake.wait(seconds)
        if wake.stop_asked or exits_progress():
            raise Disarmed

    log.error("dead_man_closes", holdings=_names(holdings))
    try:
        is_flat = flatten_directly("dead man: a position without a stop and nobody at work", wait=wait)
        log.error("dead_man_closed", is_flat=is_flat)
    except Disarmed:
        log.warning("dead_man_lets_go")


def _names(holdings: Sequence[Holding]) -> list[str]:
    return [":".join(holding) for holding in holdings]


def exits_progress() -> bool:
    """Whether some leader of the exits has finished a pass lately. With the database away nobody can have."""
    try:
        with psycopg.connect(_plain(settings.DATABASE_URL), connect_timeout=2) as asking:
            row = asking.execute(
                "SELECT count(*) FROM trading_lease WHERE loop = 'EXITS' AND expires_at > now()"
                " AND pass_at > now() - make_interval(secs => %s)",
                [PROGRESS_S],
            ).fetchone()
    except psycopg.OperationalError:
        return False
    return bool(row and row[0])


def _plain(url: str) -> str:
    return url.replace("postgres://", "postgresql://", 1)


def _broker(clocks: Clocks) -> Broker:
    where = wiring.place()
    return wiring.broker_with(where, kite_token.without_database(where.name), clocks)
