"""How fast the paper exchange is: `python -m tests.benchmarks.exchange [--json]`.

The exchange is a process of its own over HTTP, its journal on disk before each answer, every rule on, at the market's
own pace. Clients are bare sockets in this process: their work is on the same machine and counts against it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.exchange_clients import Placed, place_from_many, place_one_by_one
from tests.trading.exchange.exchange_process import ExchangeProcess
from tests.trading.exchange.market_builders import at, frame, open_venue, order

HELP = "orders a second and their times, over HTTP with the journal on disk"
#: on the disk of the project, where a real journal is; a temporary folder may be in memory
FOLDER = Path(__file__).resolve().parents[2] / "var"
LIMITS = {"orders_per_s": 200.0, "one_p50_ms": 5.0, "four_p99_ms": 25.0, "tick_us": 50.0}
RESTING = 200
NOT_GOOD = 3


def main(words: Sequence[str] | None = None) -> int:
    """0: every figure is within its limit; 3: one is not, and is named."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.exchange", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(words)
    if options.accounts < 1 or options.seconds <= 0:
        parser.error("--accounts is at least 1 and --seconds above 0")
    found = measure(vars(options))
    print(json.dumps(found) if options.json else told(found))
    return 0 if found["passed"] else NOT_GOOD


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--accounts", type=int, default=40, help="accounts that place at once (40)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long they do (10)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where journals are kept ({FOLDER})")


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """The figures, their limits, which are missed, and whether all was well."""
    folder: Path = options["folder"]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as temporary:
        return summary_of(figures(Path(temporary), options["accounts"], options["seconds"]))


def figures(folder: Path, accounts: int, seconds: float) -> dict[str, Any]:
    """All figures; times in ms but for `tick_us`."""
    with ExchangeProcess(folder / "one", ("--from", "10:00")) as exchange:
        one = place_one_by_one(exchange, clients=1, orders_each=200)
    with ExchangeProcess(folder / "four", ("--from", "10:00")) as exchange:
        four = place_one_by_one(exchange, clients=4, orders_each=200)
    with ExchangeProcess(folder / "many", ("--from", "10:00")) as exchange:
        many = place_from_many(exchange, accounts, seconds)
    return {
        "orders_per_s": many.filled / many.seconds,
        "many_p99_ms": percentile(many.times_ms, 99),
        "one_p50_ms": percentile(one.times_ms, 50),
        "one_p99_ms": percentile(one.times_ms, 99),
        "four_p50_ms": percentile(four.times_ms, 50),
        "four_p99_ms": percentile(four.times_ms, 99),
        "tick_us": tick_us(),
        "placed": placed_by(one, four, many),
        "refused": one.refused + four.refused + many.refused,
        "load": os.getloadavg()[0],
    }


def placed_by(*runs: Placed) -> int:
    return sum(len(run.times_ms) for run in runs)


def tick_us(ticks: int = 2000) -> float:
    """Microseconds of one packet of an instrument in which 200 orders rest that it does not reach; the median."""
    venue = open_venue(capital_inr=10_00_00_000)
    venue.apply_frame(frame("09:30:00", "1000.0", "999.9x500", "1000.1x500"))
    moment = at("09:30:01")
    for number in range(RESTING):
        side, price = ("BUY", 950 + number % 40) if number % 2 else ("SELL", 1050 - number % 40)
        venue.place(order(side, 1, "LIMIT", price=price), moment)
        moment += timedelta(seconds=1)
    venue.advance(moment)
    if len(venue.working_orders()) != RESTING:
        raise RuntimeError(f"{len(venue.working_orders())} orders rest, not {RESTING}")
    frames = [frame("09:40:00", "1000.0", "999.9x500", "1000.1x500", volume=2_000 + n) for n in range(ticks)]
    times = []
    for each in frames:
        begin = time.perf_counter_ns()
        venue.apply_frame(each)
        times.append((time.perf_counter_ns() - begin) / 1000)
    return median(times)


def percentile(times: Sequence[float], percent: int) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


def summary_of(found: dict[str, Any]) -> dict[str, Any]:
    """The figures, their limits, and which are missed."""
    missed = [name for name, limit in LIMITS.items() if name != "orders_per_s" and found[name] > limit]
    if found["orders_per_s"] < LIMITS["orders_per_s"]:
        missed.append("orders_per_s")
    rounded = {name: round(value, 2) for name, value in found.items()}
    return rounded | {"limits": LIMITS, "missed": missed, "passed": not missed and not found["refused"]}


def told(summary: dict[str, Any]) -> str:
    verdict = "passed" if summary["passed"] else f"NOT passed: {', '.join(summary['missed']) or 'refusals'}"
    return (
        f"{summary['orders_per_s']} orders a second placed and filled (at least 200), p99 {summary['many_p99_ms']} "
        f"ms\none client: p50 {summary['one_p50_ms']} ms (at most 5), p99 {summary['one_p99_ms']} ms\n"
        f"four clients: p50 {summary['four_p50_ms']} ms, p99 {summary['four_p99_ms']} ms (at most 25)\n"
        f"a tick past {RESTING} resting orders: {summary['tick_us']} µs (at most 50)\n"
        f"{summary['placed']} orders placed, {summary['refused']} refused, load {summary['load']}: {verdict}"
    )


if __name__ == "__main__":
    sys.exit(main())
