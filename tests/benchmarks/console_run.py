"""One run of `bench console`, in a process whose settings point at the bench's own servers: prints its figures as JSON.

python -m tests.benchmarks.console_run OPTIONS (the bench's options as JSON)
"""

import asyncio
import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from time import perf_counter, time
from typing import Any

import django
import psutil

django.setup()

from django.conf import settings  # noqa: E402  # Django reads its settings above
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from tests.benchmarks.console_books import Books, Size  # noqa: E402
from tests.benchmarks.console_clients import Heard, Place, listen, p99_ms  # noqa: E402
from tests.browser.site import free_port, web_process  # noqa: E402
from tests.source import ROOT  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NO_CHROMIUM = "no chromium: apt-get install --no-install-recommends chromium"
MANY = 20
WARM_UP = 10
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def main(options: dict[str, Any]) -> dict[str, Any]:
    """Every figure, a median of its rounds."""
    size = Size(positions=options["positions"], orders=options["orders"], signals=options["signals"])
    Books(size, settings.ACCOUNT_NAME).write()
    visitor = Client()
    visitor.force_login(User.objects.create_superuser("operator"))
    port, began_s = free_port(), time()
    cookie = f"sessionid={visitor.cookies['sessionid'].value}"
    place = Place(port=port, cookie=cookie, began_s=began_s)
    with feed(size.instruments, began_s), web_process(port) as web:
        process = psutil.Process(web.pid)
        pages = page_figures(place, process, options["requests"], options["rounds"])
        ticks = tick_figures(place, process, options["seconds"], options["rounds"])
        paint = first_paint(place, options["rounds"])
    return {"load": round(os.getloadavg()[0], 1), **query_figures(visitor), **pages, **ticks, **paint}


@contextmanager
def feed(instruments: int, began_s: float) -> Iterator[None]:
    """Ticks while the block runs."""
    words = [sys.executable, "-m", "tests.benchmarks.console_feed", str(instruments), str(began_s)]
    with subprocess.Popen(words, cwd=ROOT) as process:
        try:
            yield
        finally:
            process.kill()


def query_figures(visitor: Client) -> dict[str, Any]:
    """How often the page asks the database, the session's and the user's rows included."""
    visitor.get("/admin/")
    with CaptureQueriesContext(connection) as asked:
        answer = visitor.get("/admin/")
    assert answer.status_code == 200, answer
    return {"page_queries": len(asked), "page_kb": round(len(answer.content) / 1000)}


def page_figures(place: Place, web: psutil.Process, requests: int, rounds: int) -> dict[str, Any]:
    """Requests one after the other on one connection, from the first byte sent to the last byte read."""
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60)
    try:
        for _ in range(WARM_UP):
            _page_ms(connection, place)
        before_s = _used_s(web)
        found = [
            quantiles([_page_ms(connection, place) for _ in range(requests)], n=100) for _ in range(rounds)
        ]
    finally:
        connection.close()
    return {
        "page_p50_ms": round(median(one[49] for one in found), 1),
        "page_p95_ms": round(median(one[94] for one in found), 1),
        "page_cpu_ms": round((_used_s(web) - before_s) * 1000 / (requests * rounds), 1),
    }


def _page_ms(connection: http.client.HTTPConnection, place: Place) -> float:
    began_s = perf_counter()
    connection.request("GET", "/admin/", headers={"Cookie": place.cookie})
    answer = connection.getresponse()
    body = answer.read()
    took_ms = (perf_counter() - began_s) * 1000
    assert answer.status == 200 and b'id="console"' in body, (answer.status, body[:200])
    return took_ms


def tick_figures(place: Place, web: psutil.Process, seconds: float, rounds: int) -> dict[str, Any]:
    """One client alone, the same beside one that never reads, and many, turn by turn."""
    ways: dict[str, Callable[[], Any]] = {
        "one": lambda: listen(place, 1, seconds),
        "beside_stuck": lambda: listen(place, 1, seconds, stuck=1),
        "many": lambda: listen(place, MANY, seconds),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(_round_of(way, web, seconds))
    figures = {
        f"{name}_{figure}": round(median(one[figure] for one in each), 1)
        for name, each in found.items()
        for figure in each[0]
    }
    figures["stuck_times"] = round(figures["beside_stuck_p99_ms"] / figures["one_p99_ms"], 2)
    return figures


def _round_of(way: Callable[[], Any], web: psutil.Process, seconds: float) -> dict[str, float]:
    before_s, began_s = _used_s(web), perf_counter()
    heard: list[Heard] = asyncio.run(way())
    return {
        "cpu_pct": (_used_s(web) - before_s) / (perf_counter() - began_s) * 100,
        "came_p99_ms": p99_ms([age for one in heard for age in one.came_ms]),
        "p99_ms": p99_ms([age for one in heard for age in one.replaced_ms]),
        "messages_a_s": sum(one.messages for one in heard) / len(heard) / seconds,
        "kb_a_s": sum(one.bytes for one in heard) / len(heard) / seconds / 1000,
    }


def _used_s(web: psutil.Process) -> float:
    """Seconds of a core so far, in the program and in the kernel for it."""
    times = web.cpu_times()
    return float(times.user + times.system)


def first_paint(place: Place, rounds: int) -> dict[str, Any]:
    """From the request to the first content on the screen, each time with an empty cache; None without a browser."""
    if CHROMIUM is None:
        return {"first_paint_ms": None, "no_paint_because": NO_CHROMIUM}
    from playwright.sync_api import sync_playwright

    address, times = f"http://127.0.0.1:{place.port}", []
    name, _, value = place.cookie.partition("=")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(rounds + 1):
            context = browser.new_context(base_url=address)
            context.add_cookies([{"name": name, "value": value, "url": address}])
            page = context.new_page()
            page.goto("/admin/")
            page.wait_for_function(FIRST_PAINT)
            times.append(page.evaluate(FIRST_PAINT))
            context.close()
        browser.close()
    # The first one starts the browser's own processes.
    return {"first_paint_ms": round(median(times[1:]))}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
