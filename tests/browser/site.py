"""A web process of our own on a free port, with prices that move and somebody who leads the exits."""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.error import URLError
from urllib.parse import quote

import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from oco.models import Flatten
from tests.console_rows import MORNING
from tests.live_prices import snapshot
from tests.source import ROOT
from trading import tick_bus

START_TIMEOUT_S = 30


def database_url() -> str:
    """The address of the database that this test run writes to."""
    values = connection.settings_dict
    return f"postgres://{quote(values['USER'])}@/{values['NAME']}?host={quote(values['HOST'], safe='')}"


@contextmanager
def web_process(port: int, **settings_changed: str) -> Iterator[subprocess.Popen[str]]:
    """uvicorn as the Procfile starts it; ready when the block begins, ended with it."""
    environ = {**os.environ, "DATABASE_URL": database_url(), "DATABASE_POOL": "1", **settings_changed}
    options = ["--port", str(port), "--timeout-graceful-shutdown", "5", "--no-access-log"]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "aitrapp_site.asgi:application", *options],
        cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        _wait_until_ready(process, port)
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[str], port: int) -> None:
    until_s, pause = time.monotonic() + START_TIMEOUT_S, threading.Event()
    while time.monotonic() < until_s and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5).close()
        except (URLError, ConnectionError):
            pause.wait(0.1)
        else:
            return
    process.kill()
    raise AssertionError(f"the web process did not come up:\n{process.communicate()[0]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def moving_market() -> Iterator[threading.Event]:
    """Ten times a second the price is another one, but while the event that is handed out is set."""
    stop, still = threading.Event(), threading.Event()

    def move() -> None:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            count = 0
            while not stop.wait(0.1):
                if still.is_set():
                    continue
                count += 1
                price = snapshot(2_452_005 + 10 * (count % 50), at=MORNING + timedelta(seconds=count))
                ticks = replace(price, sent_at=timezone.now())
                client.set(tick_bus.NEWEST_KEY, tick_bus.encode(ticks))
                client.publish(tick_bus.CHANNEL, tick_bus.encode(ticks))
            client.delete(tick_bus.NEWEST_KEY)

    with _thread(move, stop):
        yield still


@contextmanager
def exits_leader() -> Iterator[None]:
    """Somebody who finishes each flatten a moment after it was asked for, like the watcher's process."""
    stop = threading.Event()

    def lead() -> None:
        while not stop.wait(0.05):
            for row in Flatten.objects.filter(finished_at=None):
                row.state, row.finished_at, row.positions_at_start = "FLAT", MORNING, 1
                row.took_ms = int((timezone.now() - row.asked_machine_at) / timedelta(milliseconds=1))
                row.save()
        connection.close()

    with _thread(lead, stop):
        yield


@contextmanager
def _thread(work, stop: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def in_a_thread(work: Callable[[], None]) -> None:
    """Change rows from a test whose own thread is Playwright's: Django refuses there."""

    def run() -> None:
        work()
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()
