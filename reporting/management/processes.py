"""How a replaying process begins. Imports no model: it is read before Django is set up."""

import signal

import django

from aitrapp_site.private_servers import end_with_parent


def begin() -> None:
    """Set Django up; the process ends with the one that asked for it, however that one ends."""
    end_with_parent(signal.SIGTERM)
    django.setup()
