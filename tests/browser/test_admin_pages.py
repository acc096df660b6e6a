"""Each kind of admin page on a phone, light and dark, read as a screen reader would: axe-core's findings."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from oco.models import Flatten
from tests.browser.site import free_port, moving_market, web_process
from tests.console_rows import build_day

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium: apt-get install --no-install-recommends chromium"
    ),
]
PHONE: Any = {"width": 390, "height": 844}
TOO_BAD = ("critical", "serious")
#: how far the page can be moved sideways, in pixels
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
IN_THE_DARK = "document.documentElement.classList.add('dark')"


@pytest.fixture
def pages() -> dict[str, str]:
    """One of each kind, by what it is."""
    chain = build_day()
    User.objects.create_superuser("operator")
    return {
        "home": reverse("admin:index"),
        "a list": reverse("admin:trading_order_changelist"),
        "a row of the machine's": reverse("admin:oco_ocogroup_change", args=[chain.group.pk]),
        "a form": reverse("admin:risk_risklimits_add"),
        "Kite": reverse("kite"),
        "a trade and its chart": reverse("admin:trading_trade_change", args=[chain.trade.pk]),
        "results": reverse("results"),
        "truth": reverse("truth"),
        "position": reverse("position", args=[chain.trade.pk]),
        "flatten": reverse("flatten"),
        "a flatten that is over": reverse("flatten-run", args=[Flatten.objects.get().pk]),
        "resume": reverse("resume"),
        "gate": reverse("gate"),
        "drill": reverse("drill"),
    }


@pytest.fixture
def phone(pages) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    port, visitor = free_port(), Client()
    visitor.force_login(User.objects.get())
    with web_process(port, ACCOUNT_NAME="paper-1"), moving_market(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        address = f"http://127.0.0.1:{port}"
        context = browser.new_context(viewport=PHONE, base_url=address)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.goto(reverse("admin:login"))
        yield (
            page,
            lambda: context.add_cookies(
                [{"name": "sessionid", "value": visitor.cookies["sessionid"].value, "url": address}]
            ),
        )
        browser.close()


def test_no_page_hides_anything_from_a_screen_reader_or_runs_off_a_phone(phone, pages):
    page, sign_in = phone
    found = {"login": looked_at(page)}
    sign_in()
    for name, address in pages.items():
        answer = page.goto(address)
        assert answer.status == 200, (name, answer.status)
        # Figures that are old are dimmed, and here none are.
        page.wait_for_selector("body:not(:has(.stale, .prices-old))")
        found[name] = looked_at(page)
    assert {name: problems for name, problems in found.items() if problems} == {}


def looked_at(page: Any) -> list[str]:
    """What is wrong with the page that is open: by day, and what the dark changes."""
    problems = findings(page, "light", {"resultTypes": ["violations"]})
    if sideways := page.evaluate(SIDEWAYS):
        problems.append(f"{sideways} px wider than the phone")
    page.evaluate(IN_THE_DARK)
    return problems + findings(page, "dark", {"runOnly": ["color-contrast"], "resultTypes": ["violations"]})


def findings(page: Any, light: str, options: dict[str, Any]) -> list[str]:
    return [
        f"{light}: {one['id']} ({one['impact']}) {' '.join(map(str, node['target']))}"
        for one in Axe().run(page, options=options).response["violations"]
        if one["impact"] in TOO_BAD
        for node in one["nodes"]
    ]
