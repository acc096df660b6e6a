"""Commands that a newcomer types first bring their private database up to date themselves."""

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def bring_up_to_date() -> None:
    """Apply missing migrations to the private database; raise CommandError where it is not private."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    if not settings.EMBEDDED:
        raise CommandError("The database is not up to date: run `make migrate` first.", returncode=2)
    call_command("migrate", verbosity=0)
