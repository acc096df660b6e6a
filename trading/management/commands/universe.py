"""`manage.py universe`: the names an account watches and which of them it does not enter, as a file."""

import csv
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading import current, universe

BAD_FILE = 3


class Command(BaseCommand):
    help = (
        "Without an option writes the account's universe as CSV: name, exclusion, why. `--file F` puts that file in "
        "its place. An exclusion counts at once, what is watched from the next start. Exit code 3: nothing changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, help="CSV to take over, with a head: name,exclusion,why")

    def handle(self, *args: Any, **options: Any) -> None:
        account = current.account_named()
        if options["file"] is None:
            csv.writer(sys.stdout).writerows(universe.as_lines(account))
            return
        try:
            with options["file"].open(newline="") as file:
                count = universe.load(account, file, by="command line")
        except (OSError, universe.UnreadableUniverse) as error:
            raise CommandError(str(error), returncode=BAD_FILE) from error
        self.stdout.write(f"{account} watches {count} names.")
