"""`manage.py paper`: the whole system on paper, from one command."""

import argparse
import re
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from aitrapp_site import paper
from aitrapp_site.paper_run import PaperOptions, PaperRun
from aitrapp_site.supervisor import read_procfile

BAD_USAGE = 2


def wall_time(words: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", words):
        raise argparse.ArgumentTypeError(f"{words!r} is no time of day: write it like 14:40")
    return words


def trading_day(words: str) -> date:
    try:
        return date.fromisoformat(words)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{words!r} is no date: write it like 2022-03-15") from None


class Command(BaseCommand):
    help = "Trade on paper: private servers, the paper exchange, every process. Ctrl-C stops all of it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--speed", type=float, help="market seconds a second, a ceiling (60; live prices: 1)"
        )
        parser.add_argument(
            "--market", choices=["synthetic", "replay", "record", "kite"], default="synthetic"
        )
        parser.add_argument(
            "--day", type=trading_day, help="first trading date; synthetic: the next one unless given"
        )
        parser.add_argument("--from", dest="begin", type=wall_time, help="begin in mid-day, HH:MM")
        parser.add_argument("--days", type=int, help="end after so many days; without it, go on")
        parser.add_argument("--seed", type=int, default=1, help="of everything drawn")
        parser.add_argument("--data", type=Path, help="folder with recorded minutes, for --market replay")
        parser.add_argument("--file", type=Path, help="recording of a day's frames, for --market record")
        parser.add_argument("--port", type=int, default=8000, help="of the console (8000)")
        parser.add_argument(
            "--fresh", action="store_true", help="begin new books, even where a day was left unfinished"
        )
        parser.add_argument("--memory", action="store_true", help="only say what the running system uses")

    def handle(self, *args: Any, **options: Any) -> None:
        if options.pop("memory"):
            self._print_memory()
            return
        if options["speed"] is None:
            options["speed"] = 1.0 if options["market"] == "kite" else 60.0
        known = {name: options[name] for name in PaperOptions.__dataclass_fields__}
        chosen = PaperOptions(**known)
        if problem := chosen.problem():
            raise CommandError(problem, returncode=BAD_USAGE)
        call_command("migrate", verbosity=0)
        try:
            with paper.only_one(settings.VAR_DIR):
                PaperRun(chosen, read_procfile(settings.BASE_DIR / "Procfile"), self.stdout.write).run()
        except paper.CannotStart as error:
            raise CommandError(str(error), returncode=BAD_USAGE) from error

    def _print_memory(self) -> None:
        found = paper.memory_mb(settings.VAR_DIR)
        for name, pss_mb in sorted(found.items(), key=lambda item: -item[1]):
            self.stdout.write(f"{pss_mb:8.1f} MB  {name}")
        self.stdout.write(f"{sum(found.values()):8.1f} MB  in all (proportional set size)")
