"""The console's pages of results and of the three-way truth, and the library that draws."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.staticfiles import finders
from django.test import Client

from aitrapp_site import truth_page
from aitrapp_site.truth_page import Reading
from tests.console_rows import DAY, MORNING, build_chain, build_open
from tests.oco.test_witnesses import REPORT, position
from trading.core.enums import Exchange, OrderStatus, Side
from trading.core.values import OrderReport
from trading.models import Account, Trade, VenueSession

pytestmark = pytest.mark.django_db

#: of lightweight-charts 5.1.0 at npm, dist/lightweight-charts.standalone.production.js
CHARTS_SHA256 = "756b0ba9f58930226d6b8b9d47ad310448ab85d799ea1f7c2c02304777c10b52"


@pytest.fixture
def operator(settings) -> Client:
    settings.ACCOUNT_NAME = "paper-1"
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


def html(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_charting_library_is_tradingviews_own_file():
    found = Path(str(finders.find("litecharts/lightweight-charts.js")))
    assert sha256(found.read_bytes()).hexdigest() == CHARTS_SHA256


def test_results_of_a_day_that_was_run_twice_count_the_last_run_alone(operator):
    chain = build_chain()
    again = VenueSession.objects.create(
        account=chain.account, key="again", market="synthetic", started_at=MORNING
    )
    Trade.objects.create(
        account=chain.account, session=again, trading_date=DAY, decision=chain.decision, exchange="NSE",
        tradingsymbol="TCS", product="MIS", side="BUY", strategy="ORB", opened_at=MORNING,
        closed_at=MORNING + timedelta(minutes=4), risk_inr=Decimal(1000), gross_inr=Decimal("2500.00"),
        charges_inr=Decimal("150.00"), net_inr=Decimal("2350.00"),
    )  # fmt: skip
    page = html(operator, "/admin/results/?first=2026-11-23&last=2026-11-23")
    assert "₹2,350.00" in page
    assert "4,066.15" not in page
    assert html(operator, "/admin/results/?last=2026-11-22").count("No trade was closed in this range") == 1
    assert "No trade" in html(operator, "/admin/results/?mode=LIVE&last=2026-11-23")
    assert "exchange them" in html(operator, "/admin/results/?first=2026-11-24&last=2026-11-23")


def test_the_three_sides_are_compared_and_a_difference_says_what_to_do(operator):
    chain = build_open()
    books = {"exchange": Exchange.NFO, "tradingsymbol": "NIFTY26NOVFUT", "quantity": 75}
    entry = replaced(**books, broker_order_id="E1", filled_quantity=75)
    stop = replaced(
        **books, broker_order_id="S1", side=Side.SELL, status=OrderStatus.ACCEPTED, filled_quantity=0
    )
    held = position(75).__class__(
        exchange=Exchange.NFO, tradingsymbol="NIFTY26NOVFUT", product="MIS", quantity=75,
        average_price=Decimal(24500), last_price=Decimal(24500),
    )  # fmt: skip
    reading = Reading(at=MORNING, took_ms=3, orders=(entry, stop), positions=(held,))
    agreed = truth_page.compared(chain.account, chain.session, reading)
    assert agreed["differ"] == 0
    (row,) = agreed["holding_rows"]
    assert (row.ours, row.executed, row.others, row.broker, row.verdict) == (75, 75, 0, 75, "agree")
    gone = truth_page.compared(chain.account, chain.session, Reading(at=MORNING, took_ms=3, orders=(entry,)))
    assert [one.verdict for one in gone["holding_rows"]] == ["ours only"]
    assert [one.verdict for one in gone["order_rows"]] == ["ours only", "agree"]
    assert "Sell nothing by hand" in gone["holding_rows"][0].what_to_do


def replaced(**values: Any) -> OrderReport:
    return replace(REPORT, **values)


def test_a_broker_that_does_not_answer_is_said_and_nothing_is_judged(operator, settings):
    settings.KITE_ENVIRONMENT, settings.EXCHANGE_URL = "exchange", "http://127.0.0.1:9"
    build_open()
    truth_page._readings.clear()
    page = html(operator, "/admin/truth/")
    assert "The broker cannot be read, so nothing is compared" in page
    assert "NIFTY26NOVFUT" in page
    assert "all agree" not in page
    # Within a moment the same reading is shown: it costs the loops none of their allowance.
    account = Account.objects.get(name="paper-1")
    assert truth_page.read(account) is truth_page.read(account)


@pytest.mark.parametrize(
    ("permission", "results", "truth"), [("view_trade", 200, 403), ("view_order", 403, 200)]
)
def test_each_page_opens_for_who_may_see_its_rows_alone(permission, results, truth):
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=permission))
    client = Client()
    client.force_login(user)
    assert client.get("/admin/results/").status_code == results
    assert client.get("/admin/truth/").status_code == truth
