"""`manage.py kite_login`: the daily login without the console: the page to open, then what it brought back."""

import json
import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aitrapp_site import kite_login
from trading import current

BAD_USAGE, REFUSED = 2, 3


class Command(BaseCommand):
    help = (
        "Without an option prints Kite's login page. Log in there and give the request_token of the address you end "
        "at: `kite_login --request-token T`. Exit code 0: logged in; 3: Kite or we refused it; 2: it is not set up."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--request-token", default="", help="from the address the login page ended at")
        parser.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            account = current.account_named()
            if not options["request_token"]:
                page = kite_login.login_url(secrets.token_urlsafe(24))
                self.stdout.write(json.dumps({"login_url": page}) if options["json"] else page)
                return
        except (current.NoAccount, kite_login.LoginRefused) as error:
            raise CommandError(str(error), returncode=BAD_USAGE) from error
        try:
            stored = kite_login.complete(account, options["request_token"], asked_by="command line")
        except kite_login.LoginRefused as error:
            raise CommandError(str(error), returncode=REFUSED) from error
        told = {"user": stored.broker_user, "place": stored.place, "dies_at": stored.dies_at.isoformat()}
        words = f"Logged in as {stored.broker_user} at {stored.place}."
        self.stdout.write(json.dumps(told) if options["json"] else words)
