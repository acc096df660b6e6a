"""One run of the whole system on paper, from its first process to its last."""

import json
import secrets
import shlex
import socket
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import psycopg
import structlog
from django.conf import settings
from django.db import connection

from aitrapp_site import embedded, kite_token, paper, upstream, wiring
from aitrapp_site.clocks import MachineClocks
from aitrapp_site.paper import CannotStart
from aitrapp_site.supervisor import Process, Supervisor
from reporting import burnin, text
from risk import state
from risk.models import BurninDay
from trading import lease
from trading.broker.base import BrokerUnavailable
from trading.core.enums import Loop, PauseReason
from trading.looping import DATABASE_AWAY
from trading.models import Account

log = structlog.get_logger(__name__)

READY_WITHIN_S: Final = 60.0
#: a process that ended so often before the system was ready will not come up
STARTS_MAX: Final = 3
LOOK_AT_ROWS_S: Final = 1.0
#: the exchange holds the day's first frame back so long for strategy and watcher
AWAIT_S: Final = 45.0
#: and where a person must log in first
LOGIN_AWAIT_S: Final = 900.0
#: the worker is the standby of both loops
LOOPS: Final = ("strategy", "watcher", "worker")
#: who records live prices, where a day is traded on them
UPSTREAM: Final = '"${PYTHON:-.venv/bin/python}" manage.py upstream'


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperOptions:
    """What the command line asks for."""

    speed: float
    market: str
    day: date | None
    begin: str | None
    days: int | None
    seed: int
    data: Path | None
    port: int
    fresh: bool
    file: Path | None = None

    def problem(self) -> str:
        """Why these cannot be used, and what to write instead; empty when they can."""
        if self.market == "kite" and self.speed != 1:
            return f"SPEED is {self.speed:g}: live prices come at their own pace; leave it out."
        if self.market == "kite" and (self.day or self.begin or self.file):
            return "MARKET=kite is today, from now on: leave out DAY, FROM and FILE."
        if not 0 < self.speed <= 1000:
            return f"SPEED is {self.speed:g}: give market seconds per second, from 1 to 1000."
        if self.days is not None and self.days < 1:
            return f"DAYS is {self.days}: give 1 or more, or leave it out to go on for ever."
        if self.market == "replay" and self.data is None:
            return "MARKET=replay needs the folder with the recorded minutes: DATA=folder."
        if self.market == "replay" and self.data is not None and not self.data.is_dir():
            return f"{self.data} is no folder: set DATA to the one with the recorded minutes."
        if self.market == "record" and not (self.file and self.file.is_file()):
            return "MARKET=record needs the recording of a day's frames: FILE=var/recordings/2026-11-23-strategy.ticks."
        if not 0 < self.port < 65536:
            return f"PORT is {self.port}: give one from 1024 to 65535."
        return ""

    def exchange_arguments(self, port: int, journal_dir: Path, account: Account, run: str) -> list[str]:
        """For the exchange's command line; `run` names this run of ours."""
        words = ["--port", str(port), "--market", self.market, "--speed", f"{self.speed:g}"]
        words += ["--seed", str(self.seed), "--journal", str(journal_dir)]
        words += ["--user", account.broker_user, "--capital", str(int(account.paper_capital_inr))]
        words += ["--run", run, "--await", f"{LOGIN_AWAIT_S if paper.is_rehearsal() else AWAIT_S:g}"]
        words += ["--redirect", f"http://localhost:{self.port}/kite/callback"]
        words += ["--fresh"] if self.fresh else []
        named = {"--date": self.day, "--from": self.begin, "--days": self.days, "--data": self.data}
        named["--file"] = self.file and self.file.absolute()
        return words + [
            word for name, value in named.items() if value is not None for word in (name, str(value))
        ]


class PaperRun:
    """Starts, watches and stops everything. `say` prints a line for the operator."""

    def __init__(
        self, options: PaperOptions, processes: Sequence[Process], say: Callable[[str], object]
    ) -> None:
        self.options = options
        self._say = say
        self._clocks = MachineClocks()
        self._web_host = "127.0.0.1"
        paper.check_place()
        paper.check_port(self._web_host, options.port)
        self._exchange_port = paper.free_port(paper.EXCHANGE_PORT)
        self._account: Account = paper.paper_account()
        # Its own login is the newest: whoever logged in at an earlier run's exchange is unknown to this one.
        now = self._clocks.machine_now()
        kite_token.forget(self._account, settings.KITE_ENVIRONMENT, why="another exchange runs now", now=now)
        self._operator = paper.operator(settings.VAR_DIR)
        self._reported = set(BurninDay.objects.values_list("pk", flat=True))
        self._run = secrets.token_hex(6)
        self._looked_s = 0.0
        self._days_reported = 0
        if options.market == "kite":
            options = self._follow_upstream(options)
            names = ",".join(sorted(wiring.watched_names(self._account.pk)))
            processes = [Process("upstream", f"{UPSTREAM} --names {shlex.quote(names)}"), *processes]
        for process in processes:
            if process.name == "exchange":
                words = options.exchange_arguments(
                    self._exchange_port,
                    settings.VAR_DIR / "exchange",
                    self._account,
                    self._run,
                )
                process.command += " " + shlex.join(words)
        self._variables = self._environ()
        self.supervisor = Supervisor(
            processes=list(processes),
            variables=self._variables,
            project_dir=settings.BASE_DIR,
            out_dir=settings.LOG_DIR,
            ended=self._free_leases,
        )

    def run(self) -> None:
        """Until Ctrl-C, SIGTERM, or the end of the last day asked for. Raises CannotStart."""
        began_s = time.monotonic()
        with paper.shared_environ(settings.VAR_DIR, self._variables):
            try:
                self.supervisor.start()
                if self._wait_until_ready(began_s):
                    self._say(self._welcome(time.monotonic() - began_s))
                    self.supervisor.watch(self._look)
            finally:
                self._look_at_rows()
                self._shut_down()

    def _follow_upstream(self, options: PaperOptions) -> PaperOptions:
        """The same with the file in which today's live prices are recorded. Raises CannotStart without a login."""
        try:
            upstream.token()
            today = upstream.clocks().market_now().date()
        except (upstream.NoUpstream, BrokerUnavailable) as error:
            raise CannotStart(str(error)) from error
        return replace(options, file=upstream.recording_path(today))

    def _environ(self) -> dict[str, str]:
        login = paper.exchange_login(settings.VAR_DIR)
        return {
            "WEB_HOST": self._web_host,
            "WEB_PORT": str(self.options.port),
            "EXCHANGE_URL": f"http://127.0.0.1:{self._exchange_port}",
            "EXCHANGE_TICKER_URL": f"ws://127.0.0.1:{self._exchange_port}",
            "KITE_ENVIRONMENT": settings.KITE_ENVIRONMENT,
            "ACCOUNT_NAME": self._account.name,
            "KITE_API_KEY": login.api_key,
            "KITE_API_SECRET": login.api_secret,
            "KITE_ACCESS_TOKEN": "" if paper.is_rehearsal() else login.access_token,
            "KITE_USER_ID": self._account.broker_user,
        }

    def _wait_until_ready(self, began_s: float) -> bool:
        """False when asked to stop meanwhile. Raises CannotStart, with the words of whoever did not come up."""
        supervisor = self.supervisor
        while not supervisor.wake.stop_asked:
            missing = self._missing()
            if not missing:
                return True
            for process in supervisor.processes:
                if process.starts > STARTS_MAX:
                    raise CannotStart(f"{process.name} does not come up:\n{supervisor.last_words(process)}")
                supervisor.keep(process)
            if time.monotonic() - began_s > READY_WITHIN_S:
                raise CannotStart(
                    f"Not ready after {READY_WITHIN_S:.0f} s: {', '.join(missing)}. See {settings.LOG_DIR}."
                )
            supervisor.wake.wait(0.1)
        return False

    def _missing(self) -> list[str]:
        """Who is not at work yet: the exchange, the web, and a leader of this run for each loop."""
        missing = []
        # Two that start in the same moment may both have found the port free; only one of them got it.
        if not self._is_own_exchange():
            missing.append("exchange")
        if not _listens(self._web_host, self.options.port):
            missing.append("web")
        if paper.is_rehearsal():
            # The loops lead when somebody has logged in.
            return missing
        pids = {process.pid for process in self.supervisor.processes if process.name in LOOPS}
        leaders = lease.leaders()
        for loop in Loop:
            holder = leaders.get((self._account.pk, loop.value), "")
            if not holder or int(holder.rpartition(":")[2]) not in pids:
                missing.append(f"{loop.lower()} loop")
        return missing

    def _is_own_exchange(self) -> bool:
        address = f"http://127.0.0.1:{self._exchange_port}/_exchange/state"
        try:
            with urllib.request.urlopen(address, timeout=1) as reply:
                return bool(json.load(reply).get("run") == self._run)
        except (OSError, ValueError):
            return False

    def _welcome(self, took_s: float) -> str:
        market = self.options.market + (f" {self.options.day}" if self.options.day else "")
        address = f"http://localhost:{self.options.port}"
        does = "rehearses LIVE: log in at the console first" if paper.is_rehearsal() else "trades on paper"
        return "\n".join(
            (
                f"AITRAPP {does} ({market} market at {self.options.speed:g}×), ready in {took_s:.1f} s.",
                f"  console   {address}/admin/",
                f"  operator  {self._operator.user}  password  {self._operator.password}",
                f"  API key   {self._operator.key}",
                f"  API       {address}/docs   metrics  {address}/metrics",
                f"  log       {settings.LOG_DIR / 'aitrapp.log'}",
                "Ctrl-C stops everything; the stops of open positions stay at the exchange.",
            )
        )

    def _look(self) -> bool:
        """Between two looks at the processes: the servers' keeper, and days that were reported."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_AT_ROWS_S:
            self._looked_s = now_s
            if settings.EMBEDDED and embedded.restart_keeper(settings.VAR_DIR):
                self._say("the private servers' keeper ended; starting it again")
            self._look_at_rows()
        return not self.options.days or self._days_reported < self.options.days

    def _look_at_rows(self) -> None:
        try:
            rows = BurninDay.objects.filter(account=self._account).exclude(pk__in=self._reported)
            for row in rows.select_related("session", "account").order_by("pk"):
                self._say(text.day_text(burnin.stored(row)))
                self._reported.add(row.pk)
                self._days_reported += 1
        except DATABASE_AWAY as error:
            connection.close()
            log.warning("supervisor_database_away", reason=str(error))

    def _free_leases(self, pid: int) -> None:
        """A process of ours is dead: its standby leads at once instead of when the lease has run out."""
        try:
            if freed := lease.release_of_dead(pid):
                log.warning("leases_of_dead_process_freed", pid=pid, count=freed)
        except DATABASE_AWAY as error:
            connection.close()
            log.warning("supervisor_database_away", reason=str(error))

    def _shut_down(self) -> None:
        say, supervisor = self._say, self.supervisor
        say("Shutting down AITRAPP")
        # Disarmed before anybody else stops, so that it never takes a shutdown for a death.
        supervisor.stop(("dead_man",), 2.0)
        self._pause()
        supervisor.stop(("strategy", "beat", "worker"), 6.0)
        supervisor.stop(("watcher",), 6.0)
        say("OrderWatcher stopped")
        supervisor.stop(("web", "exchange", "upstream"), 6.0)
        say("Redis bus disconnected")

    def _pause(self) -> None:
        now = self._clocks.machine_now()
        why = "AITRAPP was shut down; the next clean start lifts this"
        try:
            state.turn_off(self._account.pk, PauseReason.SHUTDOWN, by="supervisor", why=why, now=now)
            self._say("Trading PAUSED")
        except (*DATABASE_AWAY, psycopg.Error) as error:
            self._say(f"Trading could not be marked as paused: {error}")


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
