"""Live prices for a paper day: the login they come by, and the recording in which the exchange follows them.

One process connects, writes what comes into a file and does nothing else: no order leaves by this login.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Final

from django.conf import settings

from aitrapp_site import kite_token, wiring
from aitrapp_site.clocks import MachineClocks
from trading import logins
from trading.broker.base import BrokerError
from trading.broker.kite import environment, login
from trading.broker.kite.client import KiteBroker, venue_state
from trading.broker.kite.environment import KiteEnvironment
from trading.broker.kite.frames import TickMode
from trading.broker.kite.recorder import Recorder
from trading.broker.kite.ticker import Ticker, TickerCalls
from trading.core.values import InstrumentSpec

FILE: Final = "upstream_login.json"
#: the exchange follows the file: what waits here is the age of its prices
FLUSH_S: Final = 0.05
LOOK_EVERY_S: Final = 1.0


class NoUpstream(Exception):
    """There are no live prices to be had; the text says why and what to do."""


class VenueTime(MachineClocks):
    """The market time of a place that plays Kite: what it said once, and from there on at its speed."""

    def __init__(self, market_at: datetime, speed: float) -> None:
        self._said, self._speed, self._heard_s = market_at, speed, time.monotonic()

    def market_now(self) -> datetime:
        return self._said + timedelta(seconds=(time.monotonic() - self._heard_s) * self._speed)


def place() -> KiteEnvironment:
    """Kite, or the place on this machine that plays it."""
    if not settings.UPSTREAM_URL:
        return environment.PRODUCTION
    return environment.rehearsal(settings.UPSTREAM_URL, settings.UPSTREAM_TICKER_URL)


def clocks() -> MachineClocks:
    """Raises BrokerUnavailable where a place that plays Kite does not say its time."""
    if not settings.UPSTREAM_URL:
        return MachineClocks()
    state = venue_state(place())
    return VenueTime(state.market_at, state.speed)


def recording_path(trading_date: date) -> Path:
    """The file of a day, in which prices are written and followed."""
    return Path(settings.VAR_DIR) / "market" / f"{trading_date}-kite.ticks"


def login_url() -> str:
    """The page at which the day's login begins. Raises NoUpstream."""
    missing = [name for name in ("UPSTREAM_API_KEY", "UPSTREAM_API_SECRET") if not getattr(settings, name)]
    if missing:
        raise NoUpstream(
            f"Set {' and '.join(missing)}: they are on your app's page at developers.kite.trade, whose plan must "
            "include live data."
        )
    return login.login_url(place(), api_key=settings.UPSTREAM_API_KEY, state="upstream")


def complete_login(request_token: str) -> str:
    """Trade what the login page brought back for the day's token and keep it; returns whose it is.

    Raises NoUpstream.
    """
    login_url()
    try:
        session = login.exchange_token(
            place(),
            api_key=settings.UPSTREAM_API_KEY,
            api_secret=settings.UPSTREAM_API_SECRET,
            request_token=request_token,
            clocks=clocks(),
        )
    except BrokerError as error:
        raise NoUpstream(
            f"Kite refused the login: {error}. Begin again with `manage.py upstream_login`."
        ) from error
    kept = {"sealed_token": logins.seal(session.access_token), "dies_at": session.dies_at.isoformat()}
    kite_token.write_private(Path(settings.VAR_DIR) / FILE, kept)
    return session.user_id


def token() -> str:
    """Today's token. Raises NoUpstream, which says how to get one."""
    try:
        kept = json.loads((Path(settings.VAR_DIR) / FILE).read_text())
        found, dies_at = logins.unseal(kept["sealed_token"]), datetime.fromisoformat(kept["dies_at"])
    except (OSError, ValueError, KeyError, logins.UnreadableLogin):
        found, dies_at = "", None
    if not found or dies_at is None or clocks().market_now() >= dies_at:
        raise NoUpstream(
            f"Live prices need today's login. Open {login_url()}, log in, and give the request_token of the address "
            "you end at: `.venv/bin/python manage.py upstream_login --request-token TOKEN`."
        )
    return found


def record(stopping: Event, names: frozenset[str], ready: Callable[[Path, int], object]) -> None:
    """Write what comes of these names until `stopping`. `ready` is told the file and how many instruments it is of.

    Raises NoUpstream when the login ended or the file cannot be written, and what a broker raises before that.
    """
    where, now, access_token = place(), clocks(), token()
    broker = KiteBroker(where, api_key=settings.UPSTREAM_API_KEY, access_token=access_token, clocks=now)
    user_id = broker.user_id()
    trading_date = now.market_now().date()
    specs = _with_closes(broker, tuple(wiring.watched_specs(broker, trading_date, names)))
    recorder = Recorder(
        recording_path(trading_date), now, max_bytes=settings.RECORD_MAX_MB << 20, flush_s=FLUSH_S
    )
    expired = Event()
    ticker = Ticker(
        where,
        api_key=settings.UPSTREAM_API_KEY,
        access_token=access_token,
        user_id=user_id,
        clocks=now,
        recorder=recorder,
        calls=TickerCalls(session_expired=expired.set),
    )
    try:
        _begin(recorder, broker, now, specs)
        recorder.open(trading_date, where.name, specs)
        ticker.watch({spec.instrument_token: TickMode.FULL for spec in specs})
        ticker.start()
        ready(recorder.path, len(specs))
        while not stopping.wait(LOOK_EVERY_S):
            if expired.is_set():
                raise NoUpstream("The login has ended: log in again with `manage.py upstream_login`.")
            if not recorder.is_recording:
                raise NoUpstream(f"{recorder.path} cannot be written any more; the log says why.")
    finally:
        ticker.stop()
        recorder.close()


def _begin(
    recorder: Recorder, broker: KiteBroker, now: MachineClocks, specs: tuple[InstrumentSpec, ...]
) -> None:
    """The minutes of the days before, in the file before it says what it is of: who reads that has them all."""
    end = now.market_now()
    for spec in specs:
        bars = wiring.minute_bars(broker, spec.instrument_token, end - wiring.WARM_UP_SPAN, end)
        recorder.bars(spec.instrument_token, bars)


def _with_closes(broker: KiteBroker, specs: tuple[InstrumentSpec, ...]) -> tuple[InstrumentSpec, ...]:
    """With the closes of the day before, from which the exchange takes its circuit limits."""
    names = [f"{spec.exchange}:{spec.tradingsymbol}" for spec in specs]
    closes: dict[str, int] = {}
    for first in range(0, len(names), wiring.QUOTES_PER_CALL):
        found = broker.quotes(names[first : first + wiring.QUOTES_PER_CALL])
        closes |= {name: quote.previous_close_paise for name, quote in found.items()}
    return tuple(
        replace(spec, previous_close_paise=closes.get(name, 0) or spec.previous_close_paise)
        for name, spec in zip(names, specs, strict=True)
    )
