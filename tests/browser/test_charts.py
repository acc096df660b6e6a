"""A trade's chart, the results and the truth panel in a real browser. CHARTS_SCREENSHOTS=folder keeps the pictures."""

import os
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.contrib.auth.models import User

from tests.browser.site import free_port, moving_market, web_process
from tests.browser.test_console import CHROMIUM, PASSWORD, needs_chromium
from tests.console_rows import MORNING, build_chain, build_open
from tests.trading.market_builders import DAY, future, market_of, second
from trading import minutes
from trading.models import Order

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def build_rows() -> tuple[int, int]:
    """An open trade with half an hour of candles, and a closed one of the day before without."""
    chain, closed = build_open(), build_chain(2)
    Order.objects.filter(pk=chain.stop.pk).update(accepted_at=MORNING + timedelta(seconds=2))
    earlier = {"account": chain.account, "trading_date": DAY - timedelta(days=3)}
    type(closed.trade).objects.filter(pk=closed.trade.pk).update(**earlier)
    market = market_of(future(1000, "NIFTY26NOV"))
    for number in range(30):
        price = 2_448_000 + 900 * (number % 7)
        row = [second("10:05") + 60 * number, price, price + 700, price - 600, price + 300, 75]
        market.take_minutes(np.zeros(1, np.int64), np.array([row], np.int64))
    minutes.keep(chain.session, DAY, market, MORNING + timedelta(minutes=4))
    return chain.trade.pk, closed.trade.pk


def keep_picture(page, name: str) -> None:
    if folder := os.environ.get("CHARTS_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / name)


@needs_chromium
def test_an_operator_sees_a_trade_drawn_live_its_results_and_that_the_broker_is_away():
    from playwright.sync_api import sync_playwright

    User.objects.create_superuser("operator", password=PASSWORD)
    trade, closed = build_rows()
    port, errors = free_port(), []
    away = {"ACCOUNT_NAME": "paper-1", "KITE_ENVIRONMENT": "exchange", "EXCHANGE_URL": "http://127.0.0.1:9"}
    with web_process(port, **away), moving_market(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 900}, base_url=f"http://127.0.0.1:{port}")
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("requestfailed", lambda request: errors.append(request.url))
        page.goto(f"/admin/login/?next=/admin/trading/trade/{trade}/change/")
        page.fill("[name=username]", "operator")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        sees_the_chart_live(page)
        keep_picture(page, "trade.png")
        page.goto(f"/admin/trading/trade/{closed}/change/")
        page.wait_for_selector(".chart-said:has-text('No minutes of this day were kept')")
        page.goto("/admin/results/?last=2026-11-23")
        page.wait_for_selector("#multiples canvas")
        assert "-₹4,066.15" in page.inner_text(".strip")
        keep_picture(page, "results.png")
        page.goto("/admin/truth/")
        assert page.inner_text("#verdict") == "unknown"
        assert "The broker cannot be read" in page.inner_text(".banner")
        page.wait_for_selector(".age:has-text('s ago')")
        browser.close()
    assert errors == []


def sees_the_chart_live(page) -> None:
    """Candles are drawn, the price moves by itself, what happened stands there in words too."""
    page.wait_for_selector("#trade-chart canvas")
    said = page.locator("#trade-chart .chart-said").first
    page.wait_for_function("document.querySelector('.chart-said').textContent.includes('Last price')")
    before = said.inner_text()
    assert "candles of this day from 10:05:00 to 10:35:00 IST" in before
    page.wait_for_function(
        "before => document.querySelector('.chart-said').textContent !== before", arg=before
    )
    page.click("#trade-chart summary")
    words = page.inner_text("#trade-chart tbody")
    assert "entry: buy 75" in words
    assert "₹24,450.00" in words
