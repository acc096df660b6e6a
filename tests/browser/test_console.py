"""The console in a real browser, against a real web process. BROWSER_SCREENSHOT=file.png keeps the picture."""

import json
import os
import shutil
import signal
import time

import pytest
from django.contrib.auth.models import User
from django.test import Client
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.browser.site import exits_leader, free_port, moving_market, web_process
from tests.console_rows import build_open

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PASSWORD = "a long enough password"
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: apt-get install --no-install-recommends chromium"
)
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def script_errors() -> list[str]:
    """What the page's scripts threw."""
    return []


@pytest.fixture
def page(script_errors):
    from playwright.sync_api import sync_playwright

    def note(error: object) -> None:
        script_errors.append(str(error))

    User.objects.create_superuser("operator", password=PASSWORD)
    build_open()
    port = free_port()
    with (
        web_process(port, ACCOUNT_NAME="paper-1"),
        moving_market(),
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


def pause_and_resume(page) -> None:
    page.click("#pause")
    page.wait_for_function("document.querySelector('#entries').textContent === 'OFF'")
    assert "operator: console (operator)" in page.inner_text("#entries-why")
    page.click("#resume")
    page.wait_for_function("document.querySelector('#entries').textContent === 'ON'")


@needs_chromium
def test_an_operator_sees_prices_move_pauses_resumes_flattens_and_sees_the_verdict(
    page, script_errors, tmp_path
):
    sign_in(page)
    assert page.inner_text("#mode") == "PAPER"
    assert "NIFTY26NOVFUT" in page.inner_text("#positions tbody")
    before = (
        page.inner_text("#ticks tbody tr td:nth-child(2)") if page.query_selector("#ticks tbody tr") else ""
    )
    page.wait_for_function(
        "before => { const cell = document.querySelector('#ticks tbody tr td:nth-child(2)');"
        " return cell && cell.textContent !== before; }",
        arg=before,
    )
    assert page.is_hidden("#stale")
    pause_and_resume(page)
    page.click("#flatten")
    page.click("#confirm-yes")
    page.wait_for_function("document.querySelector('#answer').textContent.startsWith('FLAT in')")
    page.wait_for_function("document.querySelector('#entries').textContent === 'OFF'")
    assert "flatten" in page.inner_text("#entries-why")
    assert "everything of ours: FLAT after" in page.inner_text("#verdict")
    page.screenshot(path=os.environ.get("BROWSER_SCREENSHOT", tmp_path / "console.png"))
    assert script_errors == []


@needs_chromium
def test_a_silent_connection_is_shown_as_stale_since_when(page):
    sign_in(page)
    page.wait_for_selector("#ticks tbody tr")
    page.context.set_offline(True)
    page.evaluate("() => { WebSocket.prototype.send = () => {}; }")
    page.wait_for_selector("#stale:not([hidden])", timeout=40_000)
    assert page.inner_text("#stale").startswith("Stale since ")


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
