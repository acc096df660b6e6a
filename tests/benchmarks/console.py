"""What the console costs: `manage.py bench console`. The home page in the books of a very full day, and live ticks.

On a private PostgreSQL and Valkey: a web process as the Procfile starts it, 5,000 ticks a second through a market's
state into Redis, and clients on real sockets. Five rounds; their medians are judged.
"""

import argparse
import json
from typing import Any

from tests.benchmarks import private

HELP = "the home page, and the age of its figures, under a full day's load"
#: what each figure may be at most. A client that never reads may cost another one no more than a run differs from
#: the next: the clocks of one machine's processes do not agree to better than this.
MOST = {
    "page_p95_ms": 100.0,
    "page_queries": 15,
    "first_paint_ms": 1000.0,
    "one_cpu_pct": 40.0,
    "one_p99_ms": 250.0,
    "stuck_times": 1.15,
}
WORDS = {
    "page_p95_ms": "home page, p95 in ms",
    "page_queries": "queries of the home page",
    "first_paint_ms": "first paint in chromium, ms",
    "one_cpu_pct": "web process with one client, % of a core",
    "one_p99_ms": "age of a browser's figures, p99 in ms",
    "stuck_times": "the same beside a client that never reads, times",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name, default, words in (
        ("positions", 200, "open positions"),
        ("orders", 2000, "orders in the books"),
        ("signals", 100_000, "signals in the books, each with its decision"),
        ("requests", 200, "requests a round"),
        ("rounds", 5, "rounds"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{words} ({default})")
    parser.add_argument("--seconds", type=float, default=10.0, help="of listening in each round (10)")


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """Every figure, and whether those with a bound are within it."""
    wanted = ("positions", "orders", "signals", "requests", "rounds", "seconds")
    asked = {name: options[name] for name in wanted}
    hosts = {"ALLOWED_HOSTS": "127.0.0.1,testserver"}
    found = asked | private.run("console_run", json.dumps(asked), **hosts)
    return found | {"most": MOST, "passed": not missed(found)}


def missed(found: dict[str, Any]) -> list[str]:
    """The figures above their bounds. What could not be measured here is not missed; `told` says it."""
    return [name for name, most in MOST.items() if found[name] is not None and found[name] > most]


def told(found: dict[str, Any]) -> str:
    """For a person."""
    size = f"{found['positions']} open positions, {found['orders']} orders, {found['signals']} signals"
    lines = [f"{size}; medians of {found['rounds']} rounds; load {found['load']}"]
    over = missed(found)
    for name, most in MOST.items():
        value = found[name]
        verdict = "not measured: " + found["no_paint_because"] if value is None else f"{value:g}"
        lines.append(f"{WORDS[name]:50} {verdict} (at most {most:g}){'  MISSED' if name in over else ''}")
    lines += [
        f"home page p50 {found['page_p50_ms']:g} ms, {found['page_cpu_ms']:g} ms of a core, {found['page_kb']} kB",
        f"figures come at p99 {found['one_came_p99_ms']:g} ms old, {found['one_messages_a_s']:g} messages and "
        f"{found['one_kb_a_s']:g} kB a second",
        f"with 20 clients p99 {found['many_p99_ms']:g} ms and {found['many_cpu_pct']:g} % of a core",
    ]
    return "\n".join(lines)
