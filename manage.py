#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it brings its own PostgreSQL and Valkey."""

import os
import sys

from aitrapp_site import embedded

COMMANDS_WITHOUT_SERVERS = {
    "help",
    "--help",
    "-h",
    "version",
    "--version",
    "makemessages",
    "compilemessages",
    "check",
    "simulate",
    "exchange",
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitrapp_site.settings")
    from django.core.management import execute_from_command_line

    needs_servers = bool(COMMANDS_WITHOUT_SERVERS.isdisjoint(sys.argv[1:2] or ["help"]))
    if "DATABASE_URL" in os.environ or not needs_servers or {"--help", "--direct"} & set(sys.argv):
        execute_from_command_line(sys.argv)
        return
    try:
        with embedded.use_servers(embedded.default_data_dir()) as servers:
            servers.export(os.environ)
            execute_from_command_line(sys.argv)
    except embedded.ServersError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
