"""`manage.py bench NAME`: how fast a part is, measured now on this machine."""

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

BAD_USAGE, MISSED = 2, 3
#: Each is a module of tests/benchmarks with HELP, add_arguments(parser), measure(options) and told(found); `passed`
#: in what it found says whether its figure was met.
BENCHES = ("console", "decode", "exchange", "feed", "lists", "risk")


class Command(BaseCommand):
    help = "Measure one part. Exit code 0: as fast as it should be; 3: not; 2: it could not be done."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        if find_spec("tests") is None or find_spec("tests.benchmarks") is None:
            raise CommandError("The benches live in tests/, which this copy lacks.", returncode=BAD_USAGE)
        names = parser.add_subparsers(dest="bench", metavar="NAME", required=True)
        for name in BENCHES:
            bench = import_module(f"tests.benchmarks.{name}")
            words = names.add_parser(name, help=bench.HELP, description=bench.__doc__)
            words.add_argument("--json", action="store_true", help="print the figures as JSON")
            bench.add_arguments(words)

    def handle(self, *args: Any, **options: Any) -> None:
        bench = import_module(f"tests.benchmarks.{options['bench']}")
        found = bench.measure(options)
        self.stdout.write(json.dumps(found) if options["json"] else bench.told(found))
        if not found["passed"]:
            sys.exit(MISSED)
