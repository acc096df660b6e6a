"""The operator's picture: positions with live prices, the day's result, why not."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models.functions import Now

from oco.models import Flatten, OcoGroup
from reporting.picture import picture
from risk import state
from tests.console_rows import MORNING, build_chain, build_open
from tests.live_prices import snapshot
from trading import lease
from trading.core.enums import Loop, PauseReason
from trading.models import Lease

pytestmark = pytest.mark.django_db


def seen(chain, ticks=None):
    return picture(chain.account, chain.session, MORNING, ticks)


def test_an_open_position_has_its_live_result_stop_and_target():
    # 75 bought at 24500.05, now 24520.05: +1500.00, less the entry's charges: brokerage 20.00, exchange 33.63,
    # SEBI 1.84, stamp 36.75, GST 18 % of 55.47 = 9.98; stamp is taken in whole rupees.
    (position,) = seen(build_open(), snapshot(2_452_005))["positions"]
    assert position["tradingsymbol"] == "NIFTY26NOVFUT"
    assert (position["quantity"], position["average_price"]) == (75, Decimal("24500.05"))
    assert position["last_price"] == Decimal("24520.05")
    assert position["pnl_inr"] == Decimal("1397.80")
    assert position["groups"][0]["stop_price"] == Decimal("24450.00")
    assert position["groups"][0]["target_price"] == Decimal("24590.10")
    assert (position["groups"][0]["state"], position["groups"][0]["quantity"]) == ("ARMED", 75)


def test_a_short_position_is_a_negative_quantity_and_wins_when_the_price_falls():
    chain = build_open()
    chain.trade.side = chain.entry.side = "SELL"
    chain.trade.save()
    (position,) = seen(chain, snapshot(2_440_005))["positions"]
    assert position["quantity"] == -75
    assert position["pnl_inr"] > 7000


def test_heat_is_what_the_stops_of_open_groups_would_cost():
    chain = build_open()
    assert seen(chain)["day"]["heat_inr"] == Decimal("3753.75")
    OcoGroup.objects.update(stop_price=Decimal("24510.00"))
    assert seen(chain)["day"]["heat_inr"] == Decimal("0.00")


def test_without_a_live_price_it_says_so_and_shows_none():
    chain = build_open()
    found = seen(chain)
    assert found["positions"][0]["last_price"] is None
    assert found["positions"][0]["pnl_inr"] is None
    assert found["day"]["is_priced"] is False
    assert seen(chain, snapshot())["day"]["is_priced"] is True


def test_the_day_adds_what_is_realised_and_what_is_open():
    closed = seen(build_chain())["day"]
    assert (closed["pnl_inr"], closed["realised_inr"], closed["open_inr"]) == (
        Decimal("-4066.15"), Decimal("-4066.15"), Decimal(0),
    )  # fmt: skip
    assert (closed["trades_closed"], closed["positions_open"], closed["is_priced"]) == (1, 0, True)


def test_a_refused_signal_says_every_reason_and_an_unanswered_one_that_it_waits():
    chain = build_chain()
    assert seen(chain)["signals"][0]["answer"] == "approved"
    chain.decision.approved = False
    chain.decision.reasons = [{"reason": "HEAT_LIMIT", "text": "too hot"}, {"reason": "COOLDOWN"}]
    chain.decision.save()
    assert seen(chain)["signals"][0]["why_not"] == ["too hot", "COOLDOWN"]
    waiting = replace(chain)
    waiting.signal.pk, waiting.signal.strategy = None, "VWAP"
    waiting.signal.save()
    assert {one["strategy"]: one["answer"] for one in seen(chain)["signals"]} == {
        "ORB": "refused", "VWAP": "undecided",
    }  # fmt: skip


def test_it_says_why_entries_are_off_and_who_said_so():
    chain = build_chain()
    on = seen(chain)["entries"]
    assert (on["are_on"], on["off_because"], on["locks"], on["is_time"]) == (True, [], [], True)
    state.turn_off(chain.account.pk, PauseReason.RISK, by="watcher", why="daily loss", now=MORNING)
    assert seen(chain)["entries"]["are_on"] is False
    assert seen(chain)["entries"]["off_because"][0]["why"] == "daily loss"


def test_it_says_who_leads_and_whether_its_passes_work():
    chain = build_chain()

    def exits():
        (found,) = [loop for loop in seen(chain)["loops"] if loop["loop"] == "EXITS"]
        return found["state"], found["since"], found["holder"]

    assert exits() == ("nobody leads", None, "")
    held = lease.take_or_fail(chain.account.pk, Loop.EXITS, "host:1")
    assert exits() == ("late", None, "host:1")
    lease.renew(held, pass_worked=True)
    assert exits() == ("ok", None, "host:1")
    # Killed a little more than 3.5 s ago: its lease of 6 s still runs.
    Lease.objects.update(expires_at=Now() + timedelta(seconds=2.4))
    assert exits()[0] == "silent"
    long_ago = MORNING - timedelta(days=400)
    Lease.objects.update(expires_at=long_ago)
    assert exits() == ("nobody leads", long_ago - timedelta(seconds=6), "")


def test_the_newest_flatten_is_shown_with_its_verdict():
    chain = build_chain()
    assert seen(chain)["flatten"] is None
    for took_ms in (900, 412):
        Flatten.objects.create(
            account=chain.account, session=chain.session, asked_by="operator", reason="OPERATOR", state="FLAT",
            asked_at=MORNING, asked_machine_at=MORNING, finished_at=MORNING, took_ms=took_ms,
        )  # fmt: skip
    assert seen(chain)["flatten"]["took_ms"] == 412


def test_an_account_that_never_traded_has_an_empty_picture():
    chain = build_chain()
    found = picture(chain.account, None, MORNING, None)
    assert set(found) == set(seen(chain))
    assert (found["positions"], found["signals"], found["flatten"]) == ([], [], None)
