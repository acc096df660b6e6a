"""Many seeds: in as many processes as asked for, each on a private database of its own, added up to one sheet."""

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from traceback import format_exception
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.simulation.world import SeedResult

#: of so many seeds one is run twice and must come out the same, and one is run without any fault
TWICE_EVERY: Final = 100
#: memory that a campaign's databases may fill, journal included
ROOM_BYTES: Final = 4 * 2**30
HEALTHY_EVERY: Final = 20
MINUTES_A_SEED: Final = 30
MINIMUM_FAULTS: Final = 3
#: a seed takes seconds; one with a defect that has taken so long goes round in circles
SEED_LASTS_S: Final = 300.0
CRASHED: Final = "CRASHED"


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

    @property
    def is_thin(self) -> bool:
        """Whether it proves nothing: too few faults, or none of them while a position was open."""
        result = self.result
        has_few = sum(result.faults.values()) < MINIMUM_FAULTS or not sum(result.faults_while_open.values())
        return has_few and not self.job.is_healthy


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
    #: those that prove nothing
    thin_seeds: list[int] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)
    #: somebody ended the campaign before all its seeds were played
    is_cut_short: bool = False

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
        if answer.is_thin:
            self.thin_seeds.append(result.seed)

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
            "is_cut_short": self.is_cut_short,
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
            "thin_seeds": sorted(self.thin_seeds),
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
    import gc

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
    gc.collect()
    return Answer(job, result, first.log.lines)


class Lane:
    """One process with a database of its own. `renew` replaces it, whatever state it is in."""

    def __init__(self, environment: dict[str, str], database_url_of: Callable[[str], str], name: str) -> None:
        self._environment = environment
        self._url_of = database_url_of
        self._name = name
        self._begun = 0
        self._begin()

    def submit(self, job: Job) -> Future[Answer]:
        """Play a seed when the database is there. Raises what went wrong with that."""
        self._ready.result()
        return self._pool.submit(play, job)

    def renew(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid.result(), signal.SIGKILL)
        self.end()
        self._begin()
        self.make_database()

    def end(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def make_database(self) -> None:
        """To be called when the server runs; not waited for: lanes get ready side by side."""
        self._ready = self._pool.submit(_make_database)

    def _begin(self) -> None:
        self._begun += 1
        environment = self._environment | {"DATABASE_URL": self._url_of(f"{self._name}_{self._begun}")}
        context = get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_load, initargs=(environment,))
        self._pid = self._pool.submit(os.getpid)


@contextmanager
def lanes(count: int) -> Iterator[list[Lane]]:
    """`count` processes, each with a database of its own on one private server that goes away afterwards."""
    from aitrapp_site import embedded
    from aitrapp_site.server_folders import folders_of

    data_dir = Path(tempfile.mkdtemp(prefix="aitrapp-simulation-", dir=_fastest_dir()))
    data_dir.chmod(0o755)
    environment = {"AITRAPP_VAR_DIR": str(data_dir), "AITRAPP_LOG_DIR": str(data_dir / "logs")}
    url_of = folders_of(data_dir).database_url_of
    # They load the program while the servers start.
    made = [Lane(environment, url_of, f"simulation_{number}") for number in range(1, count + 1)]
    try:
        with embedded.use_servers(data_dir, throwaway=True):
            for lane in made:
                lane.make_database()
            yield made
            for lane in made:
                lane.end()
        embedded.wait_until_stopped(data_dir, timeout_s=20)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


def _fastest_dir() -> str:
    """Where a database that nobody keeps lives best: in memory, where there is enough; emptying its tables is the
    dearest statement of a seed on a disk.
    """
    shared = Path("/dev/shm")
    has_room = shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ROOM_BYTES
    return str(shared) if has_room else "/tmp"


def run(jobs: Sequence[Job], among: Sequence[Lane]) -> Iterator[Answer]:
    """Run jobs on all lanes, each the next one when it is free; answers come as seeds end.

    One that raised is a violation and ends nothing else.
    """
    left = iter(jobs)
    playing = {lane.submit(job): (lane, job) for lane, job in zip(among, left, strict=False)}
    while playing:
        for future in wait(playing, return_when=FIRST_COMPLETED).done:
            lane, job = playing.pop(future)
            if following := next(left, None):
                playing[lane.submit(following)] = (lane, following)
            error = future.exception()
            yield future.result() if error is None else _raised(job, error)


def _raised(job: Job, error: BaseException) -> Answer:
    from tests.simulation.world import SeedResult

    words = f"{type(error).__name__}: {error}"
    return Answer(job, SeedResult(seed=job.seed, violations=(("", CRASHED, words),)), format_exception(error))


def run_all(jobs: Sequence[Job], count: int, heard: Callable[[Answer], None]) -> Sheet:
    """A whole campaign on `count` processes; after Ctrl-C or SIGTERM as far as it came."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell's background job is started deaf to Ctrl-C.
        signal.signal(number, signal.default_int_handler)
    sheet = Sheet()
    with lanes(min(count, max(len(jobs), 1))) as made:
        try:
            for answer in run(jobs, made):
                sheet.add(answer)
                heard(answer)
        except KeyboardInterrupt:
            sheet.is_cut_short = True
    return sheet


def catch_mutants(
    names: Iterable[str],
    seeds: int,
    among: Sequence[Lane],
    heard: Callable[[dict[str, Any]], None],
) -> list[dict[str, Any]]:
    """For each deliberate defect the first seed that showed it; None within `seeds` seeds: not caught.

    A seed shows a defect when it ends well without it, and with it breaks an invariant, raises, or never ends.
    """
    from tests.simulation import mutants

    found = []
    ends_well: dict[int, bool] = {}
    for name in names:
        mutant = mutants.MUTANTS[name]
        caught: dict[str, Any] = {"name": name, "undoes": mutant.undoes, "caught": False, "seed": None}
        first = [seed for seed in mutant.first_seeds if seed <= seeds]
        numbers = first + [seed for seed in range(1, seeds + 1) if seed not in first]
        for start in range(0, len(numbers), len(among)):
            part = [Job(seed=seed, mutant=name) for seed in numbers[start : start + len(among)]]
            shown = _first_shown(part, among, ends_well)
            if shown:
                seed, invariant, what = shown
                caught |= {"caught": True, "seed": seed, "by": invariant, "what": what}
                break
        found.append(caught)
        heard(caught)
    return found


def spoil(name: str, seeds: Iterable[int], among: Sequence[Lane]) -> dict[str, Any]:
    """What a deliberate defect does to seeds that are all played: how many it spoils, by what they broke first."""
    numbers = list(seeds)
    by: Counter[str] = Counter()
    for start in range(0, len(numbers), len(among)):
        part = [Job(seed=seed, mutant=name) for seed in numbers[start : start + len(among)]]
        waiting = [(lane, lane.submit(job)) for lane, job in zip(among, part, strict=False)]
        endings = [_ending(lane, ended) for lane, ended in waiting]
        by.update(ending[0] for ending in endings if ending)
    return {"name": name, "seeds": len(numbers), "spoilt": by.total(), "by": dict(sorted(by.items()))}


def _first_shown(
    jobs: Sequence[Job], among: Sequence[Lane], ends_well: dict[int, bool]
) -> tuple[int, str, str] | None:
    """(seed, invariant, sentence) of the first of these seeds that a defect spoils, one job a lane at most."""
    waiting = [(lane, job, lane.submit(job)) for lane, job in zip(among, jobs, strict=False)]
    for lane, job, ended in [(lane, job, _ending(lane, future)) for lane, job, future in waiting]:
        if ended is None:
            continue
        if job.seed not in ends_well:
            plain = replace(job, mutant="")
            ends_well[job.seed] = _ending(lane, lane.submit(plain)) is None
        if ends_well[job.seed]:
            return (job.seed, *ended)
    return None


def _ending(lane: Lane, future: Future[Answer]) -> tuple[str, str] | None:
    """What is wrong with how a seed ended: an invariant and a sentence. None: nothing."""
    error: BaseException | None
    try:
        error = future.exception(timeout=SEED_LASTS_S)
    except TimeoutError:
        error = TimeoutError(f"no end within {SEED_LASTS_S:.0f} s")
    if error is not None:
        lane.renew()
        return CRASHED, f"{type(error).__name__}: {error}"
    violations = future.result().result.violations
    return violations[0][1:] if violations else None


def _end_with_parent() -> None:
    """A campaign that is killed leaves no lane behind that plays on for nobody."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _load(environment: dict[str, str]) -> None:
    """In a fresh process: the program, which needs no server yet."""
    import gc
    import logging

    Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    # Ctrl-C reaches every process of a terminal; the campaign decides what becomes of its lanes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "aitrapp_site.settings"
    import django

    django.setup()
    import tests.simulation.world  # noqa: F401  # loaded here, where it costs no seed its time

    logging.disable(logging.CRITICAL)
    # What is loaded by now stays, and a seed's own litter is swept after it.
    gc.freeze()
    gc.disable()


def _make_database() -> None:
    """The database of this process, up to date."""
    import psycopg
    from django.core.management import call_command

    from tests.audit_rows import let_the_audit_be_emptied
    from tests.simulation.database import prepare_statements

    url, _, name = os.environ["DATABASE_URL"].partition("?")[0].rpartition("/")
    query = os.environ["DATABASE_URL"].partition("?")[2]
    with psycopg.connect(f"{url}/postgres?{query}", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    call_command("migrate", verbosity=0)
    let_the_audit_be_emptied()
    prepare_statements()
