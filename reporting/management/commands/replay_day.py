"""`manage.py replay_day`: recorded days once more, through both passes, each with its burn-in report."""

import argparse
import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from reporting import text
from reporting.burnin import Report, as_json
from reporting.management.day_jobs import DayFailed, DayJob, replay, replay_all
from reporting.management.schema import bring_up_to_date
from trading.core.session import DayTimes, at
from trading.exchange.gfdl import BrokenMarketData, find_days

BAD_USAGE, NOT_PASSED = 2, 3
#: what a shell gives for Ctrl-C
STOPPED = 130
MINUTES_A_DAY = 375


def iso_date(words: str) -> date:
    """A date of the command line."""
    try:
        return date.fromisoformat(words)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{words!r} is no date: write it like 2022-03-15") from None


def at_least_one(words: str) -> int:
    """A number of processes of the command line."""
    if not words.isdecimal() or int(words) < 1:
        raise argparse.ArgumentTypeError(f"{words!r} is no number of processes: write 1 or more")
    return int(words)


class Command(BaseCommand):
    help = (
        "Replay recorded days as fast as they go and report each as a burn-in day. Exit code 0: every "
        "criterion true, no problem; 3: a named criterion false or a problem found; 2: it could not be done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--data", type=Path, required=True, help="folder with recorded minutes (.txt, .csv)"
        )
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--date", type=iso_date, help="the day to replay, YYYY-MM-DD")
        which.add_argument("--all", action="store_true", help="every day of the folder")
        parser.add_argument(
            "--json", action="store_true", help='print {"days": […]}; pnl_inr is after charges'
        )
        parser.add_argument("--seed", type=int, default=1, help="of everything drawn: same seed, same day")
        parser.add_argument("--jobs", type=at_least_one, default=2, help="processes for --all (2)")
        parser.add_argument(
            "--account", default="replay", help="paper account, made if missing; --all adds -1, -2, … to it"
        )
        parser.add_argument("--no-drill", action="store_true", help="without the flatten drill")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["data"]
        if not folder.is_dir():
            raise CommandError(
                f"{folder} is no folder: give --data the folder with the recorded minutes",
                returncode=BAD_USAGE,
            )
        bring_up_to_date()
        try:
            days = self._days(folder, options)
        except (DayFailed, BrokenMarketData) as error:
            raise CommandError(str(error), returncode=BAD_USAGE) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped. The days that were finished are stored.", returncode=STOPPED
            ) from None
        self._print(days, is_json=options["json"], many=options["all"])
        if not all(day.passed for day in days):
            sys.exit(NOT_PASSED)

    def _days(self, folder: Path, options: dict[str, Any]) -> list[Report]:
        dates = find_days(folder).dates if options["all"] else (options["date"],)
        jobs = [
            DayJob(
                folder=folder,
                trading_date=day,
                seed=options["seed"],
                drill=not options["no_drill"],
                account=options["account"],
            )
            for day in dates
        ]
        if not jobs:
            raise DayFailed(f"{folder} holds no day of recorded minutes")
        with _progress() as progress:
            if not options["all"]:
                return [_one(jobs[0], progress)]
            lanes = min(options["jobs"], len(jobs))
            found = list(progress.track(replay_all(jobs, lanes), total=len(jobs), description="days"))
        return sorted(found, key=lambda day: day.trading_date)

    def _print(self, days: list[Report], *, is_json: bool, many: bool) -> None:
        if is_json:
            self.stdout.write(
                json.dumps({"days": [as_json(day) for day in days]}, ensure_ascii=False, indent=1)
            )
        elif not many:
            self.stdout.write(text.day_text(days[0]))
        else:
            self.stdout.write("\n".join(text.day_line(day) for day in days))
            self.stdout.write("\n" + text.days_text(days))


def _one(job: DayJob, progress: Progress) -> Report:
    bar = progress.add_task(str(job.trading_date), total=MINUTES_A_DAY)
    opens = at(job.trading_date, DayTimes().opens)

    def show(now: datetime) -> None:
        progress.update(bar, completed=(now - opens).total_seconds() // 60 + 1)

    return replay(job, show)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
