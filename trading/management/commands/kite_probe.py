"""`manage.py kite_probe`: one share far from the market, to show that the broker changes orders as exits need it."""

import json
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aitrapp_site import wiring
from aitrapp_site.clocks import MachineClocks
from risk import audit
from trading import current, logins
from trading.broker.base import BrokerError
from trading.core.enums import AuditAction, AuditOutcome
from trading.core.values import InstrumentSpec, Quote
from trading.market import instruments
from trading.models import Instrument
from trading.probe import Probe, ProbeFailed

BAD_USAGE, FAILED = 2, 3


class Command(BaseCommand):
    help = (
        "Asks the broker for one share as a stop 2 % away, makes it two, turns it into a limit 2 % below the market, "
        "cancels it, and looks in the broker's book after each step. The gate to real money wants it passed with the "
        "login in use. Exit code 0: passed; 3: a step failed; 2: it could not begin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--symbol", default="", help="a share of NSE (the cheapest that is watched)")
        parser.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        account, where, clocks = current.account_named(), wiring.place(), wiring.clocks_now()
        login = logins.in_use(account.pk, where.name)
        if login is None:
            raise CommandError("Nobody has logged in. Log in at the console first.", returncode=BAD_USAGE)
        broker = wiring.broker_at(where, clocks)
        try:
            spec, quote = self._share(broker.quotes, options["symbol"])
            shown = Probe(broker, clocks, Event().wait).run(spec, quote)
        except (BrokerError, ProbeFailed) as error:
            subject, failed = f"account {account.name}", AuditOutcome.FAILED
            audit.refuse(AuditAction.PROBE, subject, outcome=failed, account=account, words=str(error))
            raise CommandError(str(error), returncode=FAILED) from error
        login.probed_at = MachineClocks().machine_now()
        login.save(update_fields=["probed_at"])
        told = {"place": where.name, "tradingsymbol": spec.tradingsymbol, "shown": shown}
        words = f"The probe passed at {where.name} with {spec.tradingsymbol}: {'; '.join(shown)}."
        audit.note(AuditAction.PROBE, f"account {account.name}", account=account, words=words)
        self.stdout.write(json.dumps(told) if options["json"] else words)

    def _share(self, ask: Any, symbol: str) -> tuple[InstrumentSpec, Quote]:
        """The share to ask for and its market. Raises CommandError where there is none."""
        rows = Instrument.objects.filter(exchange="NSE", instrument_type="EQ")
        names = sorted(
            rows.filter(tradingsymbol=symbol) if symbol else rows, key=lambda row: row.tradingsymbol
        )
        if not names:
            raise CommandError(
                f"{symbol or 'No share'} is not among the watched instruments of NSE: name one with --symbol.",
                returncode=BAD_USAGE,
            )
        quotes: dict[str, Quote] = ask([f"NSE:{row.tradingsymbol}" for row in names])
        priced = {name: quote for name, quote in quotes.items() if quote.last_price_paise > 0}
        if not priced:
            raise CommandError("No price is known: run it while the market is open.", returncode=BAD_USAGE)
        cheapest = min(priced, key=lambda name: priced[name].last_price_paise)
        row = next(row for row in names if f"NSE:{row.tradingsymbol}" == cheapest)
        return instruments.spec_of("NSE", row.tradingsymbol, row.read_on), priced[cheapest]
