"""A morning of `make paper` as its operator lives it, in a real browser: room for more, prices, a group that closes, a
feed that is cut, the gate, and a flatten of five positions. BROWSER_SCREENSHOTS=folder keeps pictures of each.
"""

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aitrapp_site.paper_process import DAY, PaperProcess, wait_for
from tests.browser.test_console import CHROMIUM, needs_chromium, until_gone, until_shown

pytestmark = [pytest.mark.browser, pytest.mark.system, pytest.mark.timeout(230), needs_chromium]

#: on this day the fifth position is open a little after 09:50
BEGIN = "09:27"
ROOM = {"open_positions": "9", "trades_per_day": "60", "heat_pct": "8", "reward_to_costs": "1"}
POSITIONS = 5
SILENT_S = 8


@pytest.fixture(scope="module")
def paper() -> Iterator[PaperProcess]:
    process = PaperProcess()
    yield process
    process.close()


@pytest.fixture
def page(paper: PaperProcess) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    paper.start("--from", BEGIN, *DAY)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": 1280, "height": 800}, base_url=f"http://127.0.0.1:{paper.port}"
        )
        page.set_default_timeout(20_000)
        yield page
        browser.close()


def keep_picture(page: Any, name: str) -> None:
    if folder := os.environ.get("BROWSER_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def sign_in(page: Any, password: str) -> None:
    page.goto("/admin/")
    page.fill("[name=username]", "operator")
    page.fill("[name=password]", password)
    page.press("[name=password]", "Enter")
    page.wait_for_selector("#ticks tbody td")


def make_room(page: Any) -> None:
    """Another version of the limits, by the console's own form: in force for the next entry of the running loops."""
    page.goto("/admin/risk/risklimits/add/")
    for name, value in {**ROOM, "why": "a test of five positions"}.items():
        page.fill(f"[name={name}]", value)
    page.click("[name=_save]")
    page.wait_for_url("**/admin/risk/risklimits/")
    assert "a test of five positions" in page.inner_text("#result_list")


def pause_and_resume(page: Any) -> None:
    page.click("#bar-pause button")
    page.wait_for_selector("#bar-resume:visible")
    page.goto("/admin/")
    page.wait_for_function("document.querySelector('#entries').textContent === 'OFF'")
    assert "operator: console (operator)" in page.inner_text("#entries-why")
    page.goto("/admin/resume/")
    page.click("form:not(#bar-pause) button:has-text('Resume')")
    page.wait_for_selector("#bar-pause:visible")


def until_prices_move(page: Any) -> None:
    last = "document.querySelector('#ticks tbody').textContent"
    before = page.evaluate(last)
    page.wait_for_function(f"before => {last} !== before", arg=before)


def cut_the_feed(page: Any, paper: PaperProcess) -> None:
    shared = json.loads((paper.var_dir / "paper.environ").read_text())
    fault = json.dumps({"freeze_socket": {"seconds": SILENT_S}}).encode()
    address = f"{shared['EXCHANGE_URL']}/_exchange/faults"
    json_words = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(address, fault, json_words), timeout=5).close()
    until_shown(
        page, "#silent", r"Prices are old since \d\d:\d\d:\d\d: the market is open and none has come\."
    )
    keep_picture(page, "feed-cut")
    until_gone(page, "#silent")
    until_prices_move(page)


def is_refused_at_the_gate(page: Any) -> None:
    page.goto("/admin/gate/")
    page.fill("#phrase", "CONFIRM LIVE TRADING")
    page.click("#to-live")
    assert "3 passed burn-in days in a row on live prices are needed; there are 0." in page.inner_text(
        "#refused"
    )
    assert page.inner_text("#bar-mode") == "PAPER"
    keep_picture(page, "gate")


def flatten(page: Any, paper: PaperProcess) -> None:
    page.wait_for_function(
        f"document.querySelectorAll('#positions tbody th').length >= {POSITIONS}", timeout=120_000
    )
    keep_picture(page, "five-positions")
    page.keyboard.press("Alt+Shift+KeyF")
    page.wait_for_selector("#flatten-yes:enabled")
    assert page.locator("#would-close tbody tr").count() >= POSITIONS
    keep_picture(page, "flatten-asks")
    page.keyboard.press("Alt+Shift+KeyY")
    page.wait_for_selector("#verdict-words.over")
    assert page.inner_text("#verdict-words").startswith("FLAT after ")
    assert page.locator("#progress-lines tr").count() >= POSITIONS
    keep_picture(page, "flattened")
    net = paper.exchange_says("/portfolio/positions")["net"]
    assert [one for one in net if one["quantity"]] == []
    page.goto("/admin/")
    page.wait_for_function("document.querySelector('#positions tbody').textContent === 'none'")
    assert page.inner_text("#entries") == "OFF"
    assert "everything of ours: FLAT after" in page.inner_text("#verdict")


def test_an_operator_lives_a_morning_and_flattens_five_positions(paper, page):
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    sign_in(page, (paper.var_dir / "operator.password").read_text().strip())
    make_room(page)
    pause_and_resume(page)
    is_refused_at_the_gate(page)
    page.goto("/admin/")
    until_prices_move(page)
    page.wait_for_function(
        "document.querySelector('#positions tbody').textContent.includes('ARMED')", timeout=60_000
    )
    cut_the_feed(page, paper)
    page.wait_for_function(
        "document.querySelector('#closed').textContent.startsWith('Closed last: ')", timeout=90_000
    )
    assert "₹" in page.inner_text("#closed")
    flatten(page, paper)
    wait_for(lambda: paper.verdict()["problems"] == [], 20, "a day without a broken invariant")
    assert errors == []
