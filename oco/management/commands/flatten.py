"""`manage.py flatten`: close every position of ours and take no new one. The kill switch from a terminal."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from aitrapp_site import levers, unguarded
from oco.models import Flatten
from trading import current
from trading.core.enums import FlattenState

NOT_FLAT, BAD_USAGE = 3, 2


class Command(BaseCommand):
    help = (
        "Latch entries off, close every position of ours, wait for the verdict. Exit code 0: flat; 3: not yet, or an "
        "entry may still arrive; 2: there is nothing that could be closed. Resume at the console afterwards."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--account", default="", help="name of the account; the installation's own without it"
        )
        parser.add_argument("--json", action="store_true", help="for machines")
        parser.add_argument(
            "--direct", action="store_true", help="from the broker's books alone, without the database"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["direct"]:
            self._directly("flatten --direct", is_json=options["json"])
            return
        try:
            row = levers.flatten(current.account_named(options["account"]), by="command line")
        except (current.NoAccount, levers.NothingToFlatten) as error:
            raise CommandError(str(error), returncode=BAD_USAGE) from error
        except (OperationalError, InterfaceError):
            self.stderr.write("The database does not answer: closing from the broker's books alone.")
            self._directly("flatten: the database was away", is_json=options["json"])
            return
        if options["json"]:
            answer = {
                "state": row.state,
                "took_ms": row.took_ms,
                "positions": row.positions_at_start,
                **row.verdict,
            }
            self.stdout.write(json.dumps(answer))
        else:
            self.stdout.write(_sentence(row))
        if row.state != FlattenState.FLAT:
            sys.exit(NOT_FLAT)

    def _directly(self, why: str, *, is_json: bool) -> None:
        """Works with the database, Redis and every process of ours away."""
        is_flat = unguarded.flatten_directly(why)
        if is_json:
            self.stdout.write(json.dumps({"state": "FLAT" if is_flat else "RUNNING", "direct": True}))
        elif is_flat:
            self.stdout.write("Flat at the broker. Entries stay off (file HALT) until you resume them.")
        else:
            self.stdout.write(
                "Not flat yet: run it again, or close in the broker's own app. Entries stay off."
            )
        if not is_flat:
            sys.exit(NOT_FLAT)


def _sentence(row: Flatten) -> str:
    if row.finished_at is None:
        return f"Not flat yet ({row.state.lower()}): it goes on, and entries stay off. Look at the console."
    closed = f"{row.positions_at_start} positions were open, {row.took_ms} ms"
    if row.state == FlattenState.FLAT:
        return f"Flat ({closed}). Entries stay off until you resume them."
    return f"Flat, but an entry whose outcome is unknown may still arrive ({closed}); it is watched. Entries stay off."
