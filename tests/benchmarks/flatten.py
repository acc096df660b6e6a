"""How long a flatten takes, from the request to the verdict: `make bench-flatten [POSITIONS=20] [RUNS=20]`.

Each run has a fresh account at a paper exchange of its own, a server over HTTP that refuses the eleventh order of a
second as Kite does. Positions are opened by the product's own decisions, their stops by the product's own watcher,
which leads in a thread of this process; then the lever is pulled that console, API and command line pull.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from aitrapp_site import embedded

ROOT = Path(__file__).resolve().parents[2]
LIMIT_MS = 2000
NOT_GOOD = 3


def main(words: Sequence[str] | None = None) -> int:
    """0: every run was flat within two seconds and no order was refused for its rate; 3: not."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.flatten", description=__doc__)
    parser.add_argument("--positions", type=int, default=20, help="open positions, 1 to 20 (20)")
    parser.add_argument("--runs", type=int, default=20, help="each with a fresh account (20)")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(words)
    if not 1 <= options.positions <= 20 or options.runs < 1:
        parser.error("--positions is 1 to 20, one for each share of the synthetic market; --runs at least 1")
    with tempfile.TemporaryDirectory(prefix="aitrapp-bench-", dir="/tmp") as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        found = measure(Path(folder), options.positions, options.runs, stack, quiet=options.json)
    summary = summary_of(found, options.positions)
    print(json.dumps(summary) if options.json else _told(summary))
    return 0 if summary["passed"] else NOT_GOOD


def measure(
    folder: Path, positions: int, runs: int, stack: ExitStack, *, quiet: bool
) -> list[dict[str, Any]]:
    """One row of figures for each run."""
    var_dir = folder / "var"
    os.environ |= {
        "AITRAPP_VAR_DIR": str(var_dir),
        "AITRAPP_LOG_DIR": str(folder / "logs"),
        "DJANGO_SETTINGS_MODULE": "aitrapp_site.settings",
        "SECRET_KEY": "for-benchmarks-only-" + "k" * 50,
    }
    stack.enter_context(embedded.use_servers(var_dir)).export(os.environ)
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
    # Django reads its settings when this module is imported, so not before the servers stand.
    from tests.benchmarks.flatten_run import one_run

    found = []
    for number in range(1, runs + 1):
        row = one_run(folder, number, positions)
        found.append(row)
        if not quiet:
            print(f"run {number:2}: {_words(row)}", flush=True)
    return found


def summary_of(found: Sequence[dict[str, Any]], positions: int) -> dict[str, Any]:
    """p50 and max of the verdict's time in ms, what was called, and whether the promise was kept."""
    times = sorted(row["verdict_ms"] for row in found)
    refused = sum(row["too_many"] for row in found)
    return {
        "runs": len(found),
        "positions": positions,
        "p50_ms": round(median(times)),
        "max_ms": max(times),
        "limit_ms": LIMIT_MS,
        "writes": max(row["writes"] for row in found),
        "reads": max(row["reads"] for row in found),
        "too_many": refused,
        "load": max(row["load"] for row in found),
        "flat": all(row["is_flat"] for row in found),
        "passed": max(times) <= LIMIT_MS and not refused and all(row["is_flat"] for row in found),
    }


def _words(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _told(summary: dict[str, Any]) -> str:
    return (
        f"flatten of {summary['positions']} positions, {summary['runs']} runs: p50 {summary['p50_ms']} ms, "
        f"max {summary['max_ms']} ms (limit {LIMIT_MS}); at most {summary['writes']} writes and "
        f"{summary['reads']} reads, {summary['too_many']} answers 429; "
        f"{'passed' if summary['passed'] else 'NOT passed'}"
    )


if __name__ == "__main__":
    sys.exit(main())
