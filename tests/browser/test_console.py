"""The console in a real browser, against a real web process."""

import json
import re
import shutil
import signal
import time
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client
from websockets.sync.client import connect
from websockets.typing import Origin

from oco.models import OcoGroup
from tests.browser.site import exits_leader, free_port, in_a_thread, moving_market, web_process
from tests.console_rows import MORNING, build_open
from trading import lease
from trading.core.enums import Loop
from trading.models import Account, Trade

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PASSWORD = "a long enough password"
TIME = r"\d\d:\d\d:\d\d"
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: apt-get install --no-install-recommends chromium"
)
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def script_errors() -> list[str]:
    """What the page's scripts threw."""
    return []


@pytest.fixture
def stillness():
    """An event: while it is set, no price comes."""
    with moving_market() as still:
        yield still


@pytest.fixture
def page(script_errors, stillness):
    from playwright.sync_api import sync_playwright

    def note(error: object) -> None:
        script_errors.append(str(error))

    User.objects.create_superuser("operator", password=PASSWORD)
    build_open()
    port = free_port()
    with (
        web_process(port, ACCOUNT_NAME="paper-1"),
        exits_leader(),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=f"http://127.0.0.1:{port}")
        page.set_default_timeout(15_000)
        page.on("pageerror", note)
        yield page
        browser.close()


def sign_in(page) -> None:
    page.goto("/admin/")
    page.fill("[name=username]", "operator")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_selector("#positions tbody tr td.last")


def close_the_group() -> None:
    ended = {"closed_at": MORNING.replace(minute=40), "exited_quantity": 75}
    OcoGroup.objects.update(**ended, state="CLOSED", exit_reason="TARGET")
    Trade.objects.update(**ended, net_inr=Decimal("123456.50"))


def lead_both_loops() -> None:
    account = Account.objects.get(name="paper-1")
    for loop in Loop:
        lease.renew(lease.take_or_fail(account.pk, loop, "host:1"), ttl_s=60, pass_worked=True)


def watch_the_group_close(page) -> None:
    in_a_thread(close_the_group)
    page.wait_for_function("document.querySelector('#positions tbody').textContent === 'none'")
    assert page.inner_text("#closed") == "Closed last: NIFTY26NOVFUT ₹1,23,456.50 at 10:40:05 (TARGET)"
    assert page.inner_text("#pnl") == "₹1,23,456.50"


class Line:
    """The WebSocket between page and server; `loses(message)` says which of its messages never arrive."""

    def __init__(self, page) -> None:
        self.loses = lambda message: False
        page.route_web_socket("**/ws/console", self._join)

    def _join(self, browser) -> None:
        server = browser.connect_to_server()
        server.on_message(lambda message: None if self.loses(json.loads(message)) else browser.send(message))


def set_patience(page, **milliseconds: int) -> None:
    for name, value in milliseconds.items():
        page.evaluate(
            "([name, value]) => { document.getElementById('console').dataset[name] = value; }", [name, value]
        )


def until_shown(page, banner: str, pattern: str) -> None:
    page.wait_for_selector(f"{banner}:not([hidden])")
    assert re.fullmatch(pattern, page.inner_text(banner)), page.inner_text(banner)


def until_gone(page, *banners: str) -> None:
    for banner in banners:
        page.wait_for_selector(banner, state="hidden")


@needs_chromium
def test_what_is_not_true_any_more_is_shown_with_its_time_and_goes_by_itself(page, script_errors, stillness):
    line = Line(page)
    sign_in(page)
    assert page.inner_text("#heat-text") == "₹3,753.75 of ₹50,000.00"
    until_shown(page, "#unled", r"Nobody leads the entries loop.* Nobody leads the exits loop: .*")
    in_a_thread(lead_both_loops)
    until_gone(page, "#unled", "#stale", "#problem", "#silent")

    lost = []
    line.loses = lambda message: not lost and not lost.append(message["n"])
    until_shown(page, "#stale", rf"Stale since {TIME}: message \d+ is missing\.")
    assert page.evaluate("document.getElementById('console').classList.contains('stale')")
    until_gone(page, "#stale")

    set_patience(page, silentAfterMs=300)
    line.loses = lambda message: True
    until_shown(page, "#stale", rf"Stale since {TIME}: the connection to the program is silent\.")
    set_patience(page, silentAfterMs=3000)
    line.loses = lambda message: False
    until_gone(page, "#stale")

    set_patience(page, pricesWithinMs=300)
    stillness.set()
    until_shown(page, "#silent", rf"Prices are old since {TIME}: the market is open and none has come\.")
    set_patience(page, pricesWithinMs=5000)
    stillness.clear()
    until_gone(page, "#silent", "#stale")

    watch_the_group_close(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert script_errors == []


def test_a_web_process_with_an_open_socket_ends_quietly_when_told_to():
    build_open()
    port, visitor = free_port(), Client()
    visitor.force_login(User.objects.create_superuser("operator"))
    cookie = f"sessionid={visitor.cookies['sessionid'].value}"
    with web_process(port, ACCOUNT_NAME="paper-1") as process:
        here = f"127.0.0.1:{port}/ws/console"
        with connect(
            f"ws://{here}", origin=Origin(f"http://127.0.0.1:{port}"), additional_headers={"Cookie": cookie}
        ) as one:
            assert json.loads(one.recv(timeout=10))["n"] == 1
            began_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=15)[0]
    assert time.monotonic() - began_s < 8
    assert "Traceback" not in said
    assert "Error" not in said
