"""How fast the console's lists are over a million rows each: `manage.py bench lists`.

Signals, decisions, orders, their events, commands and fills of a year of busy days, in a private PostgreSQL; pages as
the server makes them, medians of a few goes.
"""

import argparse
from typing import Any

from tests.benchmarks import private

HELP = "the console's lists over a million rows"
ROWS = 1_000_000
TIMES = 5
#: ms, any page of any list: what one waits for without noticing much
MOST_MS = 400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows in each of the lists ({ROWS:,})")
    parser.add_argument("--times", type=int, default=TIMES, help=f"goes at each page ({TIMES})")


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """Median ms and queries of each page, and whether all are within the bound."""
    found = private.run("lists_run", str(options["rows"]), str(options["times"]))
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
