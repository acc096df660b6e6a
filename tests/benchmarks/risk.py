"""What a decision costs: `manage.py bench risk`. All rules over a ready snapshot, and the way from signal to intent.

On a private PostgreSQL, in books that already hold open positions, earlier decisions, orders and commands. Five rounds;
the median of their 99th percentiles is judged.
"""

import argparse
from typing import Any

from tests.benchmarks import private

HELP = "all rules, and a decision up to its written intent"
EARLIER = 3000
SAMPLES = 200
#: ms at the 99th percentile
MOST_MS = {"rules": 0.2, "decision": 10.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"entries a round ({SAMPLES})")
    parser.add_argument(
        "--earlier", type=int, default=EARLIER, help=f"orders already in the books ({EARLIER})"
    )


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """p50 and p99 in ms of both ways, and whether both are within their bounds."""
    found = private.run("risk_run", str(options["samples"]), str(options["earlier"]))
    found["most_ms"] = MOST_MS
    found["passed"] = all(found[name]["p99_ms"] <= most for name, most in MOST_MS.items())
    return found


def told(found: dict[str, Any]) -> str:
    """For a person."""
    what = {"rules": "all rules over a ready snapshot", "decision": "signal to written intent"}
    lines = [f"books with {found['orders']} orders, {found['open_positions']} open positions"]
    for name, words in what.items():
        one = found[name]
        lines.append(
            f"{words}: p50 {one['p50_ms']:.3f} ms, p99 {one['p99_ms']:.3f} ms (at most {found['most_ms'][name]})"
        )
    lines.append(
        f"signal to the call, the way out's own checks included: p50 {found['to_the_call_p50_ms']:.3f} ms"
    )
    return "\n".join(lines)
