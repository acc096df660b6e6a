"""`manage.py api_key NAME --scope read`: make a key for a program that calls the REST API, or end one."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading import keys
from trading.core.enums import Scope

BAD_USAGE = 2


class Command(BaseCommand):
    help = (
        "Prints a new key once; it is kept nowhere. A key made before under the same name ends to work. Exit code 2 "
        "when there is no such key to revoke."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for, such as grafana")
        parser.add_argument(
            "--scope",
            action="append",
            choices=[scope.value for scope in Scope],
            help="may be given more than once",
        )
        parser.add_argument("--revoke", action="store_true", help="end the key of that name")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["revoke"]:
            if not keys.revoke([options["name"]], now=timezone.now()):
                raise CommandError(f"There is no working key {options['name']!r}.", returncode=BAD_USAGE)
            self.stdout.write(f"The key {options['name']} works no longer.")
            return
        scopes = [Scope(word) for word in options["scope"] or [Scope.READ]]
        self.stdout.write(keys.create_key(options["name"], scopes))
