"""The program's settings, and one more app that puts the kill test's seams into each process."""

from aitrapp_site.settings import *  # noqa: F403
from aitrapp_site.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tests.chaos.apps.ChaosConfig"]
