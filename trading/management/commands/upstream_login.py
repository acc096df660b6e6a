"""`manage.py upstream_login`: the day's login for the live prices a paper day trades on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aitrapp_site import upstream

REFUSED = 3


class Command(BaseCommand):
    help = (
        "Without an option prints Kite's login page. Log in there and give the request_token of the address you end "
        "at: `upstream_login --request-token T`. Then `make paper MARKET=kite`. Exit code 3: it was refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--request-token", default="", help="from the address the login page ended at")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if not options["request_token"]:
                self.stdout.write(upstream.login_url())
                return
            user_id = upstream.complete_login(options["request_token"])
        except upstream.NoUpstream as error:
            raise CommandError(str(error), returncode=REFUSED) from error
        self.stdout.write(f"Logged in as {user_id} for live prices, until six tomorrow morning.")
