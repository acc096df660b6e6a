"""`manage.py simulate`: the fault campaign. Seeds of thirty market minutes with faults, judged by the venue's truth."""

import json
import os
import sys
from argparse import ArgumentTypeError
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from tests.simulation.campaign import Answer

BAD_USAGE, VIOLATED = 2, 3
#: a mutant must be caught within so many seeds
MUTANT_SEEDS = 200
#: two resting legs are compared on so many
LEG_SEEDS = 100
SEEDS = 40


def at_least_one(words: str) -> int:
    """A number of the command line."""
    if not words.isdecimal() or int(words) < 1:
        raise ArgumentTypeError(f"{words!r} is no number that can be used here: write 1 or more")
    return int(words)


class Command(BaseCommand):
    help = (
        "Run the fault simulation on private databases of its own. Exit code 0: no invariant broken (with "
        "--mutants: every deliberate defect caught); 3: a violation, an uncaught defect, or a seed whose faults met "
        "no open position; 2: it could not be done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seeds", type=at_least_one, help="how many seeds (40; of each defect 200 at most)"
        )
        parser.add_argument("--start", type=at_least_one, default=1, help="the first seed (1)")
        parser.add_argument("--jobs", type=at_least_one, default=os.cpu_count() or 1, help="processes")
        parser.add_argument("--json", action="store_true", help="print the sheet as JSON")
        parser.add_argument("--seed", type=at_least_one, help="one seed alone")
        parser.add_argument("--trace", action="store_true", help="with --seed: print its event log")
        parser.add_argument("--mutants", action="store_true", help="feed it deliberate defects instead")
        parser.add_argument(
            "--sheet", type=Path, help="run both and write the reliability sheet to this file"
        )
        parser.add_argument(
            "--campaign", type=Path, help="with --sheet: a campaign printed by --json, instead of playing one"
        )
        parser.add_argument("--mutant", default="", help="with --seed or --mutants: this defect alone")

    def handle(self, *args: Any, **options: Any) -> None:
        if find_spec("tests") is None or find_spec("tests.simulation") is None:
            raise CommandError("The simulation lives in tests/, which this copy lacks.", returncode=BAD_USAGE)
        from tests.simulation.mutants import MUTANTS

        if options["mutant"] and options["mutant"] not in MUTANTS:
            known = "; ".join(MUTANTS)
            raise CommandError(
                f"There is no defect {options['mutant']!r}. Known: {known}", returncode=BAD_USAGE
            )
        if options["trace"] and options["seed"] is None:
            raise CommandError("--trace needs --seed: say which seed to print", returncode=BAD_USAGE)
        if options["sheet"] is not None:
            self._write_sheet(options)
        elif options["mutants"]:
            self._feed_mutants(options)
        elif options["seed"] is not None:
            self._one(options)
        else:
            self._campaign(options)

    def _campaign(self, options: dict[str, Any]) -> None:
        with _progress() as progress:
            found = self._play(options, progress)
        self.stdout.write(
            json.dumps(found, ensure_ascii=False, indent=1) if options["json"] else _text(found)
        )
        if found["violations"] or found["thin_seeds"]:
            sys.exit(VIOLATED)

    def _warn(self, answer: "Answer") -> None:
        """A violation is told when it is seen; a long campaign is not waited for."""
        for at, invariant, what in answer.result.violations:
            self.stderr.write(f"seed {answer.job.seed} {at} {invariant}: {what}")
        if answer.is_thin:
            self.stderr.write(f"seed {answer.job.seed} proves nothing: no fault met an open position")
        self.stderr.flush()

    def _one(self, options: dict[str, Any]) -> None:
        from tests.simulation import campaign

        seed = options["seed"]
        job = campaign.jobs_of(seed, 1)[0]
        job = campaign.Job(
            seed=seed,
            is_healthy=job.is_healthy and not options["mutant"],
            mutant=options["mutant"],
            keeps_log=options["trace"],
        )
        sheet = campaign.Sheet()
        with campaign.lanes(1) as pools:
            answer = next(campaign.run([job], pools))
        sheet.add(answer)
        if options["trace"]:
            self.stdout.write("\n".join(answer.log))
        found = sheet.as_json()
        self.stdout.write(
            json.dumps(found, ensure_ascii=False, indent=1) if options["json"] else _text(found)
        )
        if found["violations"]:
            sys.exit(VIOLATED)

    def _write_sheet(self, options: dict[str, Any]) -> None:
        from tests.simulation import campaign, reliability
        from tests.simulation.mutants import MUTANTS

        with _progress() as progress:
            found = self._played(options, progress)
            task = progress.add_task("mutants", total=len(MUTANTS))
            with campaign.lanes(options["jobs"]) as pools:
                mutants = campaign.catch_mutants(
                    list(MUTANTS), MUTANT_SEEDS, pools, lambda _: progress.advance(task)
                )
                compared = range(found["start"], found["start"] + min(LEG_SEEDS, found["seeds"]))
                legs = campaign.spoil(reliability.LEGS, compared, pools)
        page = reliability.page(
            found, mutants, legs, commit=found["commit"], start=found["start"], seeds_each=MUTANT_SEEDS
        )
        options["sheet"].write_text(page)
        self.stdout.write(f"{options['sheet']} is written")
        if found["violations"] or found["thin_seeds"] or not all(one["caught"] for one in mutants):
            sys.exit(VIOLATED)

    def _played(self, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """The campaign of the sheet: played now, or as `--json` printed it."""
        if options["campaign"] is None:
            return self._play(options, progress)
        try:
            found: dict[str, Any] = json.loads(options["campaign"].read_text())
            unknown = {"start", "commit", "seeds", "violations", "thin_seeds", "digest"} - found.keys()
        except (OSError, ValueError, AttributeError) as error:
            raise CommandError(f"{options['campaign']}: {error}", returncode=BAD_USAGE) from error
        if unknown:
            raise CommandError(
                f"{options['campaign']} is no campaign: it lacks {', '.join(sorted(unknown))}. "
                "`simulate --seeds N --json` prints one.",
                returncode=BAD_USAGE,
            )
        return found

    def _play(self, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from tests.simulation import campaign, reliability

        jobs = campaign.jobs_of(options["start"], options["seeds"] or SEEDS)
        task = progress.add_task("seeds", total=len(jobs))

        def heard(answer: campaign.Answer) -> None:
            progress.advance(task)
            self._warn(answer)
            done = int(progress.tasks[task].completed)
            if progress.disable and done % 100 == 0:
                self.stderr.write(f"{done} of {len(jobs)} seeds")
                self.stderr.flush()

        of = {"commit": reliability.commit_of(Path(settings.BASE_DIR)), "start": options["start"]}
        return of | campaign.run_all(jobs, options["jobs"], heard).as_json()

    def _feed_mutants(self, options: dict[str, Any]) -> None:
        from tests.simulation import campaign
        from tests.simulation.mutants import MUTANTS

        names = [options["mutant"]] if options["mutant"] else list(MUTANTS)
        seeds = min(options["seeds"] or MUTANT_SEEDS, MUTANT_SEEDS)
        with _progress() as progress, campaign.lanes(options["jobs"]) as pools:
            task = progress.add_task("mutants", total=len(names))

            def heard(one: dict[str, Any]) -> None:
                progress.advance(task)
                if not options["json"]:
                    self.stdout.write(_caught(one))
                    self.stdout.flush()

            found = campaign.catch_mutants(names, seeds, pools, heard)
        if options["json"]:
            self.stdout.write(
                json.dumps({"seeds_each": seeds, "mutants": found}, ensure_ascii=False, indent=1)
            )
        if not all(one["caught"] for one in found):
            sys.exit(VIOLATED)


def _caught(one: dict[str, Any]) -> str:
    how = f"seed {one['seed']}: {one['by']}, {one['what']}" if one["caught"] else "NOT CAUGHT"
    return f"{one['name']} (lesson {one['undoes']}): {how}"


def _text(sheet: dict[str, Any]) -> str:
    """The sheet for a person."""
    bare, flat = sheet["unprotected_s"], sheet["flatten_s"]
    lines = [
        f"{sheet['seeds']} seeds, {sheet['healthy_seeds']} of them without faults, {sheet['market_hours']} h of market"
        + (", ended before the rest was played" if sheet["is_cut_short"] else ""),
        f"{sheet['entries']} entries, {sheet['fills']} fills, {sheet['crashes']} crashes",
        f"each faulty seed at least: {sheet['minima']}",
        f"faulty seeds that met no open position with a fault: {sheet['thin_seeds'] or 'none'}",
        f"without a live stop: p50 {bare['p50']} s, p99 {bare['p99']} s, worst {bare['max']} s",
        f"without a live stop where nothing failed: worst {bare['healthy_max']} s",
        f"flatten: p50 {flat['p50']} s, p99 {flat['p99']} s, worst {flat['max']} s",
    ]
    lines += [
        f"  {kind}: {one['count']}, {one['while_open']} while a position was open"
        for kind, one in sheet["faults"].items()
    ]
    lines.append(f"violations: {len(sheet['violations'])}")
    lines += [
        f"  seed {one['seed']} {one['at']} {one['invariant']}: {one['what']}" for one in sheet["violations"]
    ]
    lines.append(f"digest {sheet['digest']}")
    return "\n".join(lines)


def _progress() -> Progress:
    """A bar on a terminal, silence elsewhere; standard output stays for the sheet."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
