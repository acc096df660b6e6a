"""`manage.py exchange`: the paper exchange in this terminal. It asks no database."""

import argparse
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from aitrapp_site.environment import env_str
from trading.core.session import IST
from trading.exchange.server import command

BAD_USAGE = 2


class Command(BaseCommand):
    help = (
        "Serve Kite's routes and ticker over a made-up or recorded market. The first line says where, with a "
        "ready login; KITE_API_KEY, KITE_API_SECRET and KITE_ACCESS_TOKEN choose it. Ends on Ctrl-C."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        command.add_arguments(parser, settings.VAR_DIR / "exchange")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            command.run(
                argparse.Namespace(**options),
                command.Given(
                    api_key=env_str("KITE_API_KEY", default=""),
                    api_secret=env_str("KITE_API_SECRET", default=""),
                    access_token=env_str("KITE_ACCESS_TOKEN", default=""),
                    user_id=env_str("KITE_USER_ID", default=""),
                ),
                now=datetime.now(IST),
            )
        except command.CannotOpen as error:
            raise CommandError(str(error), returncode=BAD_USAGE) from error
