"""`manage.py dead_man`: watch the broker's books, and close what nobody guards. A process of its own."""

from typing import Any

from django.core.management.base import BaseCommand

from aitrapp_site import unguarded
from aitrapp_site.keeper import Wake


class Command(BaseCommand):
    help = (
        "Close a position of ours that had no covering stop at the broker for 30 s while no order watcher made "
        "progress. Needs neither Redis nor Celery; a clean stop (SIGTERM) disarms it."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        unguarded.keep_watch(Wake())
