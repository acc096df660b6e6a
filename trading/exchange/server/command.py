"""The paper exchange's command line: options, the listening socket, and the one event loop."""

import argparse
import asyncio
import gc
import json
import secrets
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import uvicorn

from trading.core.holidays import default_calendar
from trading.core.session import IST
from trading.exchange import journal
from trading.exchange.followed import FollowedSource
from trading.exchange.journal import JournalInUse
from trading.exchange.logins import Logins
from trading.exchange.markets import KITE, ONE_DAY, RECORD, REPLAY, SYNTHETIC, Market
from trading.exchange.recorded import BrokenRecording
from trading.exchange.server.app import KiteApp
from trading.exchange.server.feed import Feed
from trading.exchange.server.floor import Floor
from trading.exchange.server.opening import Opened, Plan, open_first
from trading.exchange.server.postbacks import PostOffice, check_address
from trading.exchange.server.running import Running
from trading.exchange.sources import MarketSource

DEFAULT_PORT = 8010
USER_ID = "PAPER1"
#: longer than any pause of a client between two calls, so that its kept socket is not closed under it
KEEP_ALIVE_S = 120
GOODBYE_S = 3
RECORDING_LOOK_S = 0.1
#: what a recording calls the real Kite
REAL_PLACE = "production"
#: new objects between two runs of the collector
COLLECT_AFTER = 20_000


class CannotOpen(Exception):
    """The exchange could not begin; the text says why and what to do."""


def iso_date(words: str) -> date:
    try:
        return date.fromisoformat(words)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{words!r} is no date: write it like 2022-03-15") from None


def wall_time(words: str) -> time:
    try:
        return datetime.strptime(words, "%H:%M").time()  # noqa: DTZ007  # a wall time has no zone
    except ValueError:
        raise argparse.ArgumentTypeError(f"{words!r} is no time of day: write it like 14:40") from None


def add_arguments(parser: argparse.ArgumentParser, folder: Path) -> None:
    """The same for `manage.py exchange` and `python -m trading.exchange`; `folder` is the journal's default."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"0 takes a free one ({DEFAULT_PORT})")
    parser.add_argument("--market", choices=(SYNTHETIC, REPLAY, RECORD, KITE), default=SYNTHETIC)
    parser.add_argument("--data", type=Path, help="folder with recorded minutes, for --market replay")
    parser.add_argument("--file", type=Path, help="recording of a day's frames, for --market record or kite")
    parser.add_argument(
        "--date", type=iso_date, help="first trading day, YYYY-MM-DD (the market's own first)"
    )
    parser.add_argument("--from", dest="begin", type=wall_time, help="begin the first day at HH:MM")
    parser.add_argument("--speed", type=float, default=1.0, help="market seconds per second, a ceiling (1)")
    parser.add_argument("--seed", type=int, default=1, help="of everything drawn: same seed, same day (1)")
    parser.add_argument("--days", type=int, default=0, help="trading days to run, 0 without end (0)")
    parser.add_argument("--capital", type=int, default=2_500_000, help="opening balance, rupees (2500000)")
    parser.add_argument("--user", default="", help=f"Kite user id of the account (KITE_USER_ID, {USER_ID})")
    parser.add_argument("--redirect", default="", help="address the login page sends the browser to")
    parser.add_argument("--postback", default="", help="address that order updates are posted to")
    parser.add_argument("--journal", type=Path, default=folder, help=f"folder ({folder})")
    parser.add_argument("--run", default="", help="name of the launcher's run: it may reopen a finished day")
    parser.add_argument(
        "--fresh", action="store_true", help="begin a new session, whatever the journal holds"
    )
    parser.add_argument(
        "--await",
        dest="await_s",
        type=float,
        default=30.0,
        help="seconds a day waits for a strategy and a watcher before its first frame (30)",
    )
    parser.add_argument("--json", action="store_true", help="the first line as JSON")


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """The login as the environment has it. An empty word is drawn, or taken from the journal."""

    api_key: str = ""
    api_secret: str = ""
    access_token: str = ""
    user_id: str = ""


def run(options: argparse.Namespace, given: Given, now: datetime) -> None:
    """Serve until SIGINT or SIGTERM.

    `now` decides which day a synthetic market begins with. Raises CannotOpen.
    """
    if not options.speed > 0:
        raise CannotOpen(
            f"--speed {options.speed:g} leads nowhere: give market seconds per second, such as 60"
        )
    postback_url = _postback_url(options.postback)
    plan = _plan(options, options.user or given.user_id or USER_ID, now)
    listener = _listen(options.host, options.port)
    try:
        journal.lock(plan.folder)
        if options.market == KITE:
            _await_recording(options.file, options.await_s)
        opened = open_first(plan)
    except (ValueError, JournalInUse, OSError) as error:
        raise CannotOpen(str(error)) from error
    logins = _logins(plan.user_id, given, opened)
    logins.redirect_url, logins.postback_url = options.redirect, postback_url
    print(_first_line(options, listener, logins, opened), flush=True)
    if not options.json:
        print(opened.day.source.describe(), flush=True)
    _spare_the_collector()
    asyncio.run(_serve(options, plan, opened, logins, listener))


def _spare_the_collector() -> None:
    """What stands at the opening stays, and orders are kept to the day's end: looking at them all again and again
    costs milliseconds at a time.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)


def _postback_url(url: str) -> str:
    try:
        return check_address(url) if url else ""
    except ValueError as error:
        raise CannotOpen(f"--postback: {error}") from None


def _plan(options: argparse.Namespace, user_id: str, now: datetime) -> Plan:
    if options.market == REPLAY and options.data is None:
        raise CannotOpen("--market replay needs --data: the folder with recorded minutes")
    if options.market in ONE_DAY and options.file is None:
        raise CannotOpen(f"--market {options.market} needs --file: the recording of a day's frames")
    if options.market == KITE and options.speed != 1:
        raise CannotOpen(
            f"--speed {options.speed:g} cannot be: live prices come at their own pace; leave it out"
        )
    data = {REPLAY: options.data, RECORD: options.file, KITE: options.file}.get(options.market, Path())
    return Plan(
        market=Market(
            name=options.market,
            calendar=default_calendar(),
            seed=options.seed,
            data=data,
        ),
        folder=options.journal,
        today=now.astimezone(IST).date(),
        user_id=user_id,
        capital_paise=options.capital * 100,
        day=options.date,
        begin=options.begin,
        days=options.days,
        run=options.run,
        is_fresh=options.fresh,
    )


def _await_recording(path: Path, within_s: float) -> None:
    """Whoever records begins in the same moment as we. Raises CannotOpen where nobody does."""
    until_s = monotonic() + within_s
    while True:
        try:
            FollowedSource(path)
            return
        except BrokenRecording as problem:
            if monotonic() > until_s:
                raise CannotOpen(f"nobody records live prices: {problem}") from problem
        sleep(RECORDING_LOOK_S)


def _listen(host: str, port: int) -> socket.socket:
    # Only for a socket that says it is TCP does asyncio send small answers at once instead of 40 ms later.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Whoever connects before the loop runs waits in the backlog instead of being refused.
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise CannotOpen(
            f"cannot listen on {host}:{port} ({error.strerror}): end what runs there, or give another --port"
        ) from error
    return listener


def _logins(user_id: str, given: Given, opened: Opened) -> Logins:
    kept = opened.logins
    logins = Logins(
        api_key=given.api_key or str(kept.get("api_key") or secrets.token_hex(8)),
        api_secret=given.api_secret or str(kept.get("api_secret") or secrets.token_hex(16)),
        user_id=user_id,
        access_token=given.access_token or secrets.token_hex(16),
        new_token=lambda: secrets.token_hex(16),
        given=given.access_token,
    )
    if kept:
        logins.restore(kept)
    return logins


def _first_line(options: argparse.Namespace, listener: socket.socket, logins: Logins, opened: Opened) -> str:
    host, port = listener.getsockname()[:2]
    words: dict[str, Any] = {
        "url": f"http://{host}:{port}",
        "ticker_url": f"ws://{host}:{port}",
        "user_id": logins.user_id,
        "api_key": logins.api_key,
        "api_secret": logins.api_secret,
        "access_token": logins.access_token,
        "venue_session": opened.header.venue_session,
        "trading_date": opened.header.trading_date.isoformat(),
        "market_time": opened.day.market_at.isoformat(),
        "speed": options.speed,
    }
    if options.json:
        return json.dumps(words)
    return "paper exchange  " + "  ".join(f"{name} {word}" for name, word in words.items())


class _Server(uvicorn.Server):
    """Signals are ours: the market must stop with the doors, and a clean end is exit code 0."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _market_name(market: str, source: MarketSource) -> str:
    """Prices of a place that only plays Kite are no evidence of anything: they go by another name."""
    if isinstance(source, FollowedSource) and source.environment != REAL_PLACE:
        return f"{market} ({source.environment})"
    return market


async def _serve(
    options: argparse.Namespace,
    plan: Plan,
    opened: Opened,
    logins: Logins,
    listener: socket.socket,
) -> None:
    floor = Floor(
        market=_market_name(options.market, opened.day.source),
        speed=options.speed,
        logins=logins,
        day=opened.day,
        journal=opened.journal,
    )
    floor.run = options.run
    floor.restore_accounts(opened.logins)
    floor.keep_logins()
    office = PostOffice()
    feed = Feed(floor, office)
    config = uvicorn.Config(
        KiteApp(floor, feed),
        lifespan="off",
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GOODBYE_S,
        server_header=False,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    market = asyncio.create_task(Running(floor, feed, plan, opened, await_s=options.await_s).run())
    doors = asyncio.create_task(server.serve(sockets=[listener]))
    await asyncio.wait({market, doors}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    market.cancel()
    office.close()
    await asyncio.gather(doors)
    await asyncio.gather(market, return_exceptions=True)
    if market.done() and not market.cancelled() and (failure := market.exception()):
        raise failure
