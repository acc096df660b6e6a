"""Many seeds: in as many processes as asked for, each on a private database of its own, added up to one sheet."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.simulation.world import SeedResult

#: of so many seeds one is run twice and must come out the same, and one is run without any fault
TWICE_EVERY: Final = 100
HEALTHY_EVERY: Final = 20
MINUTES_A_SEED: Final = 36
MINIMUM_FAULTS: Final = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One seed for one process. `mutant` names a deliberate defect."""

    seed: int
    is_healthy: bool = False
    is_twice: bool = False
    mutant: str = ""
    keeps_log: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    job: Job
    result: "SeedResult"
    log: list[str]


@dataclass(slots=True)
class Sheet:
    """A campaign added up. `as_json` is what `manage.py simulate --json` prints."""

    seeds: int = 0
    healthy_seeds: int = 0
    entries: int = 0
    fills: int = 0
    crashes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    faults_while_open: Counter[str] = field(default_factory=Counter)
    violations: list[dict[str, Any]] = field(default_factory=list)
    unprotected_s: list[float] = field(default_factory=list)
    healthy_unprotected_s: list[float] = field(default_factory=list)
    flatten_s: list[float] = field(default_factory=list)
    minima: dict[str, int] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)

    def add(self, answer: Answer) -> None:
        result = answer.result
        self.seeds += 1
        self.entries += result.entries
        self.fills += result.entry_fills + result.exit_fills
        self.crashes += result.crashes
        self.faults.update(result.faults)
        self.faults_while_open.update(result.faults_while_open)
        self.flatten_s += result.flatten_s
        self.digests[result.seed] = result.digest
        for at, invariant, what in result.violations:
            self.violations.append({"seed": result.seed, "invariant": invariant, "at": at, "what": what})
        if answer.job.is_healthy:
            self.healthy_seeds += 1
            self.healthy_unprotected_s += result.unprotected_s
            return
        self.unprotected_s += result.unprotected_s
        self._note_minima(result)

    def _note_minima(self, result: "SeedResult") -> None:
        figures = {
            "entries": result.entries,
            "fills": result.entry_fills + result.exit_fills,
            "faults": sum(result.faults.values()),
            "faults_while_open": sum(result.faults_while_open.values()),
        }
        for name, figure in figures.items():
            self.minima[name] = min(self.minima.get(name, figure), figure)

    def as_json(self) -> dict[str, Any]:
        from tests.simulation.oracle import worst

        every = self.unprotected_s + self.healthy_unprotected_s
        joined = "".join(self.digests[seed] for seed in sorted(self.digests))
        return {
            "seeds": self.seeds,
            "healthy_seeds": self.healthy_seeds,
            "market_hours": round(self.seeds * MINUTES_A_SEED / 60, 1),
            "entries": self.entries,
            "fills": self.fills,
            "faults": {
                kind: {"count": count, "while_open": self.faults_while_open[kind]}
                for kind, count in sorted(self.faults.items())
            },
            "crashes": self.crashes,
            "minima": self.minima,
            "violations": sorted(self.violations, key=lambda one: (one["seed"], one["at"])),
            "unprotected_s": worst(every) | {"healthy_max": worst(self.healthy_unprotected_s)["max"]},
            "flatten_s": worst(self.flatten_s),
            "digest": sha256(joined.encode()).hexdigest(),
        }


def jobs_of(start: int, count: int) -> list[Job]:
    """The jobs of a campaign; which are healthy or run twice follows from the seed alone."""
    return [
        Job(seed=seed, is_healthy=seed % HEALTHY_EVERY == 0, is_twice=seed % TWICE_EVERY == 1)
        for seed in range(start, start + count)
    ]


def play(job: Job) -> Answer:
    """Run one seed in this process, whose database is ready."""
    from tests.simulation import mutants
    from tests.simulation.rates import Rates
    from tests.simulation.world import World

    rates = Rates.healthy(job.seed) if job.is_healthy else None

    def world() -> World:
        return World(job.seed, rates=rates, keeps_log=job.keeps_log, is_first_enough=bool(job.mutant))

    with mutants.applied(job.mutant):
        first = world()
        result = first.run()
        if job.is_twice and world().run().digest != result.digest:
            again = ("", "DIGEST", "the same seed came out otherwise the second time")
            result = replace(result, violations=(*result.violations, again))
    return Answer(job, result, first.log.lines)


@contextmanager
def lanes(count: int) -> Iterator[list[ProcessPoolExecutor]]:
    """`count` processes, each with a database of its own on one private server that goes away afterwards."""
    from aitrapp_site import embedded
    from aitrapp_site.server_folders import folders_of

    data_dir = Path(tempfile.mkdtemp(prefix="aitrapp-simulation-", dir="/tmp"))
    data_dir.chmod(0o755)
    context = get_context("spawn")
    pools: list[ProcessPoolExecutor] = []
    try:
        with embedded.use_servers(data_dir, throwaway=True):
            url = folders_of(data_dir).database_url_of
            for lane in range(count):
                environment = {
                    "DATABASE_URL": url(f"simulation_{lane + 1}"),
                    "AITRAPP_VAR_DIR": str(data_dir),
                    "AITRAPP_LOG_DIR": str(data_dir / "logs"),
                }
                pools.append(
                    ProcessPoolExecutor(1, mp_context=context, initializer=_prepare, initargs=(environment,))
                )
            yield pools
            for pool in pools:
                pool.shutdown(cancel_futures=True)
        embedded.wait_until_stopped(data_dir, timeout_s=20)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


def run(jobs: Sequence[Job], pools: Sequence[ProcessPoolExecutor]) -> Iterator[Answer]:
    """Run jobs on all lanes; answers come as seeds end."""
    waiting = [pools[place % len(pools)].submit(play, job) for place, job in enumerate(jobs)]
    for future in as_completed(waiting):
        yield future.result()


def run_all(jobs: Sequence[Job], count: int, heard: Callable[[Answer], None]) -> Sheet:
    """A whole campaign on `count` processes."""
    sheet = Sheet()
    with lanes(min(count, max(len(jobs), 1))) as pools:
        for answer in run(jobs, pools):
            sheet.add(answer)
            heard(answer)
    return sheet


def catch_mutants(
    names: Iterable[str],
    seeds: int,
    pools: Sequence[ProcessPoolExecutor],
    heard: Callable[[dict[str, Any]], None],
) -> list[dict[str, Any]]:
    """For each deliberate defect the first seed whose oracle saw it; None within `seeds` seeds: not caught."""
    from tests.simulation import mutants

    found = []
    for name in names:
        caught: dict[str, Any] = {
            "name": name,
            "undoes": mutants.MUTANTS[name].undoes,
            "caught": False,
            "seed": None,
        }
        numbers = list(mutants.MUTANTS[name].first_seeds) + list(range(1, seeds + 1))
        for start in range(0, len(numbers), len(pools)):
            part = [Job(seed=seed, mutant=name) for seed in numbers[start : start + len(pools)]]
            hits = [answer for answer in run(part, pools) if answer.result.violations]
            if hits:
                first = min(hits, key=lambda answer: answer.job.seed)
                _, invariant, what = first.result.violations[0]
                caught |= {"caught": True, "seed": first.job.seed, "by": invariant, "what": what}
                break
        found.append(caught)
        heard(caught)
    return found


def _prepare(environment: dict[str, str]) -> None:
    """In a fresh process: its own database, up to date."""
    import gc
    import logging

    os.environ.update(environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "aitrapp_site.settings"
    import django
    import psycopg

    url, _, name = environment["DATABASE_URL"].partition("?")[0].rpartition("/")
    query = environment["DATABASE_URL"].partition("?")[2]
    with psycopg.connect(f"{url}/postgres?{query}", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    django.setup()
    from django.core.management import call_command

    from tests.simulation.database import prepare_statements

    call_command("migrate", verbosity=0)
    prepare_statements()
    logging.disable(logging.CRITICAL)
    # What is loaded by now stays: the collector need not walk it a few hundred times a seed.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
