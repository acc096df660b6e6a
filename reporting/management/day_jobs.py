"""Recorded days replayed, judged and stored, here or in processes of their own; failures in plain words."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import date, datetime
from multiprocessing import get_context
from pathlib import Path

from django.db import DatabaseError, InterfaceError

from reporting import burnin
from reporting.burnin import Report
from reporting.management import processes
from reporting.replay import run_day
from trading.core.enums import Mode
from trading.exchange.gfdl import BrokenMarketData
from trading.exchange.replay import ReplaySource
from trading.lease import HeldByAnother
from trading.models import Account

BROKER_USER_LENGTH = 20
#: PostgreSQL's disk_full
NO_SPACE = "53100"


class DayFailed(Exception):
    """A day that could not be replayed; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DayJob:
    """What one process is asked to do."""

    folder: Path
    trading_date: date
    seed: int
    drill: bool
    #: name of the paper account; two jobs at a time must not share one
    account: str


def replay(job: DayJob, on_progress: Callable[[datetime], None] | None = None) -> Report:
    """Replay one day, judge it by the broker's books and store the verdict. Raises DayFailed."""
    try:
        source = ReplaySource(job.folder, job.trading_date, seed=job.seed)
    except ValueError as error:
        raise DayFailed(str(error)) from error
    try:
        day = run_day(
            paper_account(job.account), source, seed=job.seed, drill=job.drill, on_progress=on_progress
        )
        now = day.clocks.market_now()
        judged = burnin.report(day.desk.account, day.session, job.trading_date, day.broker, now=now)
        judged = replace(judged, problems=(*day.problems, *judged.problems))
        burnin.store(judged)
    except (BrokenMarketData, HeldByAnother) as error:
        raise DayFailed(str(error)) from error
    except (DatabaseError, InterfaceError) as error:
        raise DayFailed(f"{job.trading_date}: {database_problem(error)}") from error
    return judged


def replay_all(jobs: Sequence[DayJob], lanes: int) -> Iterator[Report]:
    """Replay many days in `lanes` processes, each with an account of its own; reports come as days end.

    One lane is this very process. Raises DayFailed at the first day that fails; days done before stay stored.
    """
    if lanes == 1:
        yield from (replay(replace(job, account=f"{job.account}-1")) for job in jobs)
        return
    context = get_context("spawn")
    pools = [ProcessPoolExecutor(1, mp_context=context, initializer=processes.begin) for _ in range(lanes)]
    try:
        pending: list[Future[Report]] = []
        for place, job in enumerate(jobs):
            lane = place % lanes
            pending.append(pools[lane].submit(replay, replace(job, account=f"{job.account}-{lane + 1}")))
        for future in as_completed(pending):
            yield future.result()
    except BrokenProcessPool as error:
        raise DayFailed("a replaying process was ended from outside; try again with fewer --jobs") from error
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def paper_account(name: str) -> Account:
    """The paper account of that name, made where there is none. Raises DayFailed for a LIVE one.

    The broker user is part of every order id, so it is as unique as the name.
    """
    user = name.upper()
    if len(user) > BROKER_USER_LENGTH:
        user = f"{user[:11]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    account, _ = Account.objects.get_or_create(name=name, defaults={"broker_user": user})
    if account.mode != Mode.PAPER:
        raise DayFailed(f"the account {name} is {account.mode}: replay into a paper account, with --account")
    return account


def database_problem(error: DatabaseError | InterfaceError) -> str:
    """What went wrong in the database, and what to do about it."""
    cause = error.__cause__
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if getattr(cause, "sqlstate", None) == NO_SPACE or "No space left on device" in str(error):
        return (
            f"the database has no disk space left ({said}). Free some space on its disk and run the command "
            "again; what was stored before is kept"
        )
    return f"the database failed ({said}). See its log, then run the command again; finished days are kept"
