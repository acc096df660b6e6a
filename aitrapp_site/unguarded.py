"""Closing without the database: the direct flatten, and the dead man's rounds. Both need only the broker."""

from pathlib import Path
from threading import Event
from typing import Final

import psycopg
import structlog
from django.conf import settings

from aitrapp_site import wiring
from oco.dead_man import DeadMan
from oco.direct import DirectFlatten, exposures
from risk import halt
from trading.broker.base import Broker, BrokerError
from trading.broker.kite.client import KiteBroker
from trading.core.clocks import Clocks

log = structlog.get_logger(__name__)

ROUND_S: Final = 3.0
#: a leader of the exits whose last pass that worked is older than this makes no progress
PROGRESS_S: Final = 10


def journal() -> Path:
    """Commands sent without the database; imported before the first pass once it is back."""
    return Path(settings.VAR_DIR) / "exits.jsonl"


def flatten_directly(why: str, within_s: float = 30.0) -> bool:
    """Latch entries off by file and close everything of ours from the broker's books. True: flat."""
    halt.put_up(why)
    clocks = wiring.clocks_now()
    run = DirectFlatten.begin(_broker(clocks), clocks, journal(), Event().wait)
    return run.run(within_s)


def keep_watch(stop: Event) -> None:
    """The dead man's rounds until `stop`. Closes what nobody guards, after asking who guards it."""
    man, clocks = DeadMan(), wiring.clocks_now()
    broker = _broker(clocks)
    while not stop.wait(ROUND_S):
        try:
            found = exposures(broker.order_reports(), broker.position_reports())
        except BrokerError as error:
            log.warning("dead_man_cannot_see", reason=str(error))
            continue
        judged = man.look(found, holder_works=exits_progress(), now=clocks.machine_now())
        if judged.bare:
            log.warning("dead_man_sees_bare", holdings=[":".join(holding) for holding in judged.bare])
        if judged.close:
            log.error("dead_man_closes", holdings=[":".join(holding) for holding in judged.close])
            flatten_directly("dead man: a position without a stop and nobody at work")


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
    return KiteBroker(
        wiring.place(), api_key=settings.KITE_API_KEY, access_token=settings.KITE_ACCESS_TOKEN, clocks=clocks
    )
