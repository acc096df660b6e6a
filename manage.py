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
    "dead_man",
}
#: longer than a clean end of both takes; whoever else uses them keeps them up
SERVERS_STOP_WITHIN_S = 6.0


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitrapp_site.settings")
    from django.core.management import execute_from_command_line

    needs_servers = bool(COMMANDS_WITHOUT_SERVERS.isdisjoint(sys.argv[1:2] or ["help"]))
    if "DATABASE_URL" in os.environ or not needs_servers or {"--help", "--direct"} & set(sys.argv):
        execute_from_command_line(sys.argv)
        return
    data_dir = embedded.default_data_dir()
    try:
        with embedded.use_servers(data_dir) as servers:
            servers.export(os.environ)
            execute_from_command_line(sys.argv)
    except embedded.ServersError as error:
        sys.exit(f"{error}")
    finally:
        if sys.argv[1:2] == ["paper"]:
            # When `make paper` is back at the prompt, nothing of it runs any more.
            embedded.wait_until_stopped(data_dir, timeout_s=SERVERS_STOP_WITHIN_S)


if __name__ == "__main__":
    main()
