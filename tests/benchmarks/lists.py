"""How fast the console's lists are over a million rows each: `manage.py bench lists`.

Signals, decisions, orders, their events, commands and fills of a year of busy days, in a private PostgreSQL; pages as
the server makes them, medians of a few goes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from aitrapp_site import embedded

HELP = "the console's lists over a million rows"
ROOT = Path(__file__).resolve().parents[2]
ROWS = 1_000_000
TIMES = 5
#: ms, any page of any list: what one waits for without noticing much
MOST_MS = 400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows in each of the lists ({ROWS:,})")
    parser.add_argument("--times", type=int, default=TIMES, help=f"goes at each page ({TIMES})")


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """Median ms and queries of each page, and whether all are within the bound."""
    with tempfile.TemporaryDirectory(prefix="aitrapp-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        var_dir = Path(folder) / "var"
        environment = os.environ | {
            "AITRAPP_VAR_DIR": str(var_dir),
            "AITRAPP_LOG_DIR": str(Path(folder) / "logs"),
            "DJANGO_SETTINGS_MODULE": "aitrapp_site.settings",
            "SECRET_KEY": "for-benchmarks-only-" + "k" * 50,
        }
        with embedded.use_servers(var_dir) as servers:
            servers.export(environment)
            migrate = [sys.executable, "manage.py", "migrate", "-v0"]
            subprocess.run(migrate, cwd=ROOT, check=True, env=environment)
            words = [sys.executable, "-m", "tests.benchmarks.lists_run"]
            words += [str(options["rows"]), str(options["times"])]
            said = subprocess.run(
                words, cwd=ROOT, check=True, env=environment, stdout=subprocess.PIPE, text=True
            )
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    found["most_ms"] = MOST_MS
    found["passed"] = all(page["ms"] <= MOST_MS for page in found["pages"])
    return found


def told(found: dict[str, Any]) -> str:
    """For a person."""
    lines = [f"{found['rows']:,} rows in each list, at most {found['most_ms']:.0f} ms a page"]
    for page in found["pages"]:
        mark = "" if page["ms"] <= found["most_ms"] else "  <- too slow"
        what = f"{page['list']} {page['what']}"
        lines.append(f"{what:<44} {page['ms']:8.1f} ms {page['queries']:3} queries{mark}")
    return "\n".join(lines)
