"""`manage.py upstream`: records Kite's live prices, in the file that the paper exchange follows."""

import signal
from pathlib import Path
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aitrapp_site import upstream, wiring
from trading.broker.base import BrokerError, SessionExpired

REFUSED = 3


class Command(BaseCommand):
    help = "Record Kite's live prices for `make paper MARKET=kite`, which starts this. Ends on SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--names", default="", help="underlyings and shares between commas (INSTRUMENTS)")

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        try:
            names = frozenset(filter(None, options["names"].split(","))) or wiring.default_names()
            upstream.record(stopping, names, self._tell)
        except (upstream.NoUpstream, BrokerError, SessionExpired) as error:
            raise CommandError(str(error), returncode=REFUSED) from error

    def _tell(self, path: Path, count: int) -> None:
        self.stdout.write(f"recording {count} instruments in {path}")
        self.stdout.flush()
