"""Puts the seams in as soon as Django has loaded the program, before a process does any work."""

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    name = "tests.chaos"

    def ready(self) -> None:
        from tests.chaos import seams

        seams.install()
