"""`manage.py audit_export`: audit entries of some days as JSON lines, for whoever must be shown them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aitrapp_site.ist_json import IstEncoder
from reporting.management.commands.replay_day import BAD_USAGE, iso_date
from risk.models import AuditEntry
from trading.core.session import IST

AT_ONCE = 2000
COLUMNS = (
    "id", "at", "actor", "address", "action", "outcome", "subject", "account__name", "before", "after", "words",
)  # fmt: skip


class Command(BaseCommand):
    help = (
        "Write the audit entries of whole days (IST), oldest first, one JSON object a line. Exit code 2: it could not "
        "be done. Entries are never deleted, so every day since the first can be exported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", dest="first", type=iso_date, required=True, help="first day, YYYY-MM-DD"
        )
        parser.add_argument("--to", dest="last", type=iso_date, required=True, help="last day, YYYY-MM-DD")
        parser.add_argument("--output", type=Path, help="a file that does not exist yet (standard output)")

    def handle(self, *args: Any, **options: Any) -> None:
        first, last = options["first"], options["last"]
        if last < first:
            raise CommandError(f"--to {last} is before --from {first}: exchange them.", returncode=BAD_USAGE)
        try:
            with _opened(options["output"], self.stdout) as out:
                written = _write(entries_of(first, last), out)
        except OSError as error:
            raise CommandError(f"The export could not be written: {error}", returncode=BAD_USAGE) from error
        self.stderr.write(f"{written} entries of {first} to {last}")


def entries_of(first: date, last: date) -> Iterator[dict[str, Any]]:
    """Entries of the days from `first` to `last`, both included, read in batches."""
    since = datetime.combine(first, time.min, tzinfo=IST)
    until = datetime.combine(last, time.min, tzinfo=IST) + timedelta(days=1)
    rows = AuditEntry.objects.filter(at__gte=since, at__lt=until).order_by("at", "id")
    yield from rows.values(*COLUMNS).iterator(chunk_size=AT_ONCE)


def _write(entries: Iterator[dict[str, Any]], out: TextIO) -> int:
    written = 0
    for entry in entries:
        entry["account"] = entry.pop("account__name")
        out.write(json.dumps(entry, ensure_ascii=False, cls=IstEncoder) + "\n")
        written += 1
    return written


@contextmanager
def _opened(path: Path | None, standard: Any) -> Iterator[TextIO]:
    """Evidence is not written over: a file that is there already is an error."""
    if path is None:
        yield standard
        return
    with path.open("x", encoding="utf-8") as file:
        yield file
