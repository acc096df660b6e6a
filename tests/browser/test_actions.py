"""An operator's actions in a real browser: the chord, what does not confirm, what does, and the gate's refusal."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.browser.site import exits_leader, free_port, web_process
from tests.console_rows import build_open

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PASSWORD = "a long enough password"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium: apt-get install --no-install-recommends chromium"
    ),
]


@pytest.fixture
def browser() -> Iterator[Any]:
    """A browser at a web process whose flattens somebody finishes."""
    from playwright.sync_api import sync_playwright

    User.objects.create_superuser("operator", password=PASSWORD)
    build_open()
    port = free_port()
    with web_process(port, ACCOUNT_NAME="paper-1"), exits_leader(), sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield lambda **more: opened.new_page(base_url=f"http://127.0.0.1:{port}", **more)
        opened.close()


def sign_in(page: Any, then: str) -> None:
    page.set_default_timeout(15_000)
    page.goto(f"/admin/login/?next={then}")
    page.fill("[name=username]", "operator")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_selector("#safety-bar")
    page.wait_for_load_state()  # a key pressed before the bar's script is there is nobody's


def run_after(page: Any, number: int) -> Any:
    """The flatten asked for after run `number`, as the page's own script reads it; empty: nobody asked."""
    return page.request.get(f"/admin/flatten/since/{number}/").json()


def flatten_without_scripts(page: Any, after: int) -> None:
    """The same button leads to the same verdict, form by form."""
    sign_in(page, "/admin/oco/daystep/")
    page.click("#bar-flatten")
    page.wait_for_selector("#flatten-yes")
    assert run_after(page, after) == {}
    page.click("#flatten-yes")
    page.wait_for_url("**/admin/flatten/*/")
    assert page.inner_text("#verdict-words") == run_after(page, after)["words"]
    assert "Entries OFF" in page.inner_text("#bar-entries")


def test_the_chord_asks_and_only_another_deliberate_key_flattens_and_the_gate_names_what_is_missing(browser):
    page, errors = browser(viewport={"width": 1440, "height": 900}), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    sign_in(page, "/admin/risk/lock/")
    page.keyboard.press("Alt+Shift+KeyF")
    page.wait_for_selector("#flatten-yes:enabled")
    assert "NIFTY26NOVFUT" in page.inner_text("#would-close")
    page.keyboard.press("Enter")
    page.keyboard.press("Alt+Shift+KeyF")
    assert (page.is_visible("#flatten-yes"), run_after(page, 0)) == (True, {})

    page.goto("/admin/trading/signal/")
    page.dblclick("#bar-flatten")
    page.wait_for_selector("#flatten-yes:enabled")
    assert run_after(page, 0) == {}
    page.keyboard.press("Alt+Shift+KeyY")
    page.wait_for_selector("#verdict-words.over")
    assert page.inner_text("#verdict-words").startswith("FLAT after ")
    assert "NIFTY26NOVFUT" in page.inner_text("#progress-lines")
    page.wait_for_function("document.querySelector('#bar-entries').textContent.startsWith('Entries OFF')")
    run = run_after(page, 0)
    page.wait_for_url(f"**/admin/flatten/{run['id']}/")
    assert "asked by operator" in run["words"]

    page.goto("/admin/gate/")
    page.fill("#phrase", "CONFIRM LIVE TRADING")
    page.click("#to-live")
    refused = page.inner_text("#refused")
    assert "paper-1 stays PAPER" in refused
    assert "3 passed burn-in days in a row on live prices are needed; there are 0." in refused
    assert page.inner_text("#bar-mode") == "PAPER"
    assert errors == []
    flatten_without_scripts(browser(java_script_enabled=False), run["id"])
