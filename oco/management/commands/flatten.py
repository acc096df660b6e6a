"""`manage.py flatten`: close every position of ours and take no new one. The kill switch from a terminal."""

import json
import sys
from collections.abc import Sequence
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from aitrapp_site import levers, unguarded, wiring
from oco.everything import WholeAccount, open_positions
from oco.models import Flatten
from trading import current
from trading.broker.base import BrokerError
from trading.core.enums import FlattenState
from trading.core.values import PositionReport

NOT_FLAT, BAD_USAGE = 3, 2
WORD = "EVERYTHING"


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
        parser.add_argument(
            "--everything",
            action="store_true",
            help="then close every other position of the account as well, and cancel what works in it; asks again",
        )
        parser.add_argument("--yes", action="store_true", help="the second yes to --everything, for scripts")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["everything"]:
            self._check_second_yes(options)
        try:
            self._close_ours(options)
        finally:
            # What is not ours is closed whether or not ours is flat by now.
            if options["everything"]:
                self._close_others(is_json=options["json"])

    def _check_second_yes(self, options: dict[str, Any]) -> None:
        """Raises CommandError, before anything is closed, unless the operator says so a second time."""
        if options["yes"]:
            return
        if not sys.stdin.isatty():
            raise CommandError(
                "--everything asks again: run it in a terminal, or add --yes.", returncode=BAD_USAGE
            )
        try:
            held = open_positions(wiring.broker_at(wiring.place(), wiring.clocks_now()))
        except BrokerError as error:
            raise CommandError(
                f"The broker does not say what is held: {error}", returncode=BAD_USAGE
            ) from error
        self.stdout.write("This closes every position of the account, whoever opened it:\n" + _lines(held))
        if input(f"Type {WORD} to go on: ").strip() != WORD:
            raise CommandError("Nothing was done.", returncode=BAD_USAGE)

    def _close_others(self, *, is_json: bool) -> None:
        clocks = wiring.clocks_now()
        broker = wiring.broker_at(wiring.place(), clocks)
        whole = WholeAccount(broker, clocks, Event().wait)
        try:
            left = whole.run(open_positions(broker))
        except BrokerError as error:
            self.stderr.write(
                f"The broker does not say what is left: {error}. Close it in the broker's own app."
            )
            sys.exit(NOT_FLAT)
        reasons = {":".join(holding): why for holding, why in whole.refused.items()}
        if is_json:
            names = {f"{one.exchange}:{one.tradingsymbol}:{one.product}": one.quantity for one in left}
            self.stdout.write(json.dumps({"everything": not left, "left": names, "refused": reasons}))
        elif left:
            self.stdout.write("Still held; close it in the broker's own app:\n" + _lines(left))
            self.stdout.write("\n".join(f"  {name}: {why}" for name, why in reasons.items()))
        else:
            self.stdout.write("The whole account is flat.")
        if left:
            sys.exit(NOT_FLAT)

    def _close_ours(self, options: dict[str, Any]) -> None:
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


def _lines(held: Sequence[PositionReport]) -> str:
    return "\n".join(f"  {one.quantity:+} {one.tradingsymbol} {one.product}" for one in held) or "  nothing"


def _sentence(row: Flatten) -> str:
    if row.finished_at is None:
        return f"Not flat yet ({row.state.lower()}): it goes on, and entries stay off. Look at the console."
    closed = f"{row.positions_at_start} positions were open, {row.took_ms} ms"
    if row.state == FlattenState.FLAT:
        return f"Flat ({closed}). Entries stay off until you resume them."
    return f"Flat, but an entry whose outcome is unknown may still arrive ({closed}); it is watched. Entries stay off."
