"""The operator's picture: positions with live prices, the day's result, why not."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from aitrapp_site import home
from oco.models import Flatten, OcoGroup
from reporting.picture import picture, unpriced
from risk import halt, state
from risk.models import BurninDay, Lock
from tests.console_rows import MORNING, build_chain, build_open
from tests.live_prices import snapshot
from trading import lease
from trading.core.enums import Loop, PauseReason
from trading.core.session import IST
from trading.models import Command, Decision, Instrument, Lease, Signal, Trade, VenueSession

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
    Lease.objects.update(expires_at=F("expires_at") - timedelta(seconds=3.6))
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


def test_r_is_the_result_in_initial_risks_of_the_part_that_was_filled():
    # 1397.80 (see above) of 75 × (24500.05 - 24450.00) = 3753.75: 0.3724 R.
    chain = build_open()
    (position,) = seen(chain, snapshot(2_452_005))["positions"]
    assert (position["risk_inr"], position["r_multiple"]) == (Decimal("3753.75"), Decimal("0.37"))
    # With the price that it comes to, the browser adds up the same: -1837503.75 - 102.20 + 75 × 24520.05.
    assert position["booked_inr"] + 75 * Decimal("24520.05") == position["pnl_inr"]
    assert (position["booked_inr"], position["pnl_at_entry_inr"]) == (
        Decimal("-1837605.95"), Decimal("-102.20"),
    )  # fmt: skip
    # 75 of 150 that were decided: half of what the decision risked.
    Decision.objects.update(quantity=150)
    Trade.objects.update(risk_inr=Decimal("7507.50"))
    (half,) = seen(chain, snapshot(2_452_005))["positions"]
    assert (half["risk_inr"], half["r_multiple"]) == (Decimal("3753.75"), Decimal("0.37"))
    assert seen(chain)["positions"][0]["r_multiple"] is None


def test_gauges_end_at_the_limits_in_force_in_rupees():
    chain = build_open()
    limits = seen(chain)["limits"]
    # 2 % and 2.5 % of 25,00,000.
    assert (limits["heat_inr"], limits["daily_loss_inr"]) == (Decimal("50000.00"), Decimal("62500.00"))
    assert (limits["open_positions"], limits["trades_per_day"], limits["version"]) == (4, 20, 1)
    chain.account.mode, chain.account.live_since = "LIVE", MORNING.date()
    Decision.objects.update(capital_inr=Decimal("1000000.00"))
    # The first LIVE day: 1 % of what the newest decision was made with.
    first = seen(chain)["limits"]
    assert (first["heat_inr"], first["daily_loss_inr"]) == (Decimal("10000.00"), Decimal("10000.00"))
    assert first["open_positions"] == 2
    Signal.objects.update(trading_date=MORNING.date() - timedelta(days=1))
    assert seen(chain)["limits"]["daily_loss_inr"] is None


def test_heat_counts_what_resting_entries_may_still_open():
    chain = build_open()
    # 3753.75 of the position, and 50 of the 75 units that are asked for once more at 24500.05 with a stop at 24450.
    chain.entry.status, chain.entry.filled_quantity = "PARTIALLY_FILLED", 25
    chain.entry.save()
    found = seen(chain)
    assert found["day"]["heat_inr"] == Decimal("6256.25")
    assert [(row["role"], row["status"], row["filled_quantity"]) for row in found["orders"]] == [
        ("STOP", "ACCEPTED", 0), ("ENTRY", "PARTIALLY_FILLED", 25),
    ]  # fmt: skip


def test_heat_of_a_fill_that_only_the_order_book_shows_is_counted_from_the_signals_price():
    # Its group has 75 and its trade nothing yet: 75 × (24500.05 - 24450.00).
    chain = build_open()
    Trade.objects.update(entered_quantity=0, entry_value_inr=0)
    assert seen(chain)["day"]["heat_inr"] == Decimal("3753.75")
    assert seen(chain)["positions"][0]["average_price"] == Decimal("24500.05")


def test_the_curve_steps_with_each_close_and_names_the_newest():
    chain = build_chain()
    for number, (minute, second, net) in enumerate(
        [(50, 10, "1000.00"), (50, 40, "-250.50"), (45, 0, "100.00")]
    ):
        decision, signal = chain.decision, chain.signal
        signal.pk, signal.plan_id, signal.candle_at = (
            None,
            f"x{number}",
            MORNING + timedelta(minutes=number + 1),
        )
        signal.save()
        decision.pk, decision.signal = None, signal
        decision.save()
        Trade.objects.create(
            account=chain.account, session=chain.session, trading_date=MORNING.date(), decision=decision,
            exchange="NFO", tradingsymbol=f"T{number}", product="MIS", side="BUY", strategy="ORB",
            opened_at=MORNING, closed_at=MORNING.replace(minute=minute, second=second, microsecond=0),
            net_inr=Decimal(net),
        )  # fmt: skip
    day = seen(chain)["day"]
    # -4066.15 at 10:40:05, then +100 at 10:45, then +1000 and -250.50 within 10:50.
    assert [(f"{at.astimezone(IST):%H:%M:%S}", total) for at, total in day["curve"]] == [
        ("10:40:05", Decimal("-4066.15")), ("10:45:00", Decimal("-3966.15")), ("10:50:40", Decimal("-3216.65")),
    ]  # fmt: skip
    assert [row["tradingsymbol"] for row in day["newest_closed"]] == ["T1", "T0", "T2", "NIFTY26NOVFUT"]


def test_the_order_rate_counts_what_was_sent_in_the_last_second_minute_and_day():
    chain = build_open()
    (first, second) = Command.objects.order_by("pk")
    assert seen(chain)["rate"] == {
        "last_s": 2, "last_min": 2, "today": 2, "per_s": 10, "per_min": 360, "per_day": 4500,
    }  # fmt: skip
    Command.objects.filter(pk=first.pk).update(intent_at=MORNING - timedelta(seconds=1))
    Command.objects.filter(pk=second.pk).update(intent_at=MORNING - timedelta(seconds=60))
    rate = seen(chain)["rate"]
    assert (rate["last_s"], rate["last_min"], rate["today"]) == (0, 1, 2)


def test_burnin_counts_passed_days_in_a_row_on_live_prices_with_the_same_code():
    chain = build_chain()

    def add(day: int, *, passed: bool = True, market: str = "kite", evidence: str = "e") -> None:
        session = VenueSession.objects.create(
            account=chain.account, key=f"burn-{day}", market=market, started_at=MORNING
        )
        BurninDay.objects.create(
            account=chain.account, session=session, trading_date=MORNING.date() - timedelta(days=day),
            market=market, passed=passed, criteria=[], trades=1, gross_inr=0, charges_inr=0, net_inr=0,
            evidence=evidence, digest="d", reported_at=MORNING,
        )  # fmt: skip

    def passed() -> int:
        return int(seen(chain)["burnin"]["passed"])

    assert seen(chain)["burnin"] == {"passed": 0, "needed": 3, "days": []}
    add(9)
    add(8, market="synthetic")
    assert passed() == 1
    add(7, passed=False)
    assert passed() == 0
    add(6)
    add(5)
    assert passed() == 2
    add(4, evidence="other")
    assert passed() == 1
    add(3, evidence="other")
    add(2, evidence="other")
    assert passed() == 3


def open_beside(chain, number: int) -> None:
    """One more open trade in the same books."""
    name, trade, fill = f"S{number}", chain.trade, chain.entry.fills.first()
    Instrument.objects.create(
        exchange="NFO", tradingsymbol=name, instrument_token=number, instrument_type="FUT", segment="NFO-FUT",
        lot_size=1, tick_size_paise=5, read_on=MORNING.date(),
    )  # fmt: skip
    trade.pk, trade.tradingsymbol = None, name
    trade.save()
    fill.pk, fill.trade, fill.broker_trade_id = None, trade, name
    fill.save()


def test_it_takes_the_same_few_statements_however_much_is_open():
    chain = build_open()
    assert seen(chain)["limits"]["version"] == 1
    with CaptureQueriesContext(connection) as one:
        home.current_picture(chain.account, snapshot())
    for number in (2, 3):
        open_beside(chain, number)
    with CaptureQueriesContext(connection) as three:
        assert len(home.current_picture(chain.account, snapshot())["positions"]) == 3
    assert len(one) == len(three) <= 9


def test_a_halt_file_and_a_lock_are_reasons_too(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    chain = build_chain()
    halt.put_up("flatten --direct")
    Lock.objects.create(
        account=chain.account, session=chain.session, protection="DAILY_LOSS", why="the day lost too much",
        cause_at=MORNING, locked_at=MORNING,
    )  # fmt: skip
    entries = seen(chain)["entries"]
    assert (entries["are_on"], [row["reason"] for row in entries["off_because"]]) == (False, ["flatten"])
    assert [(row["protection"], row["tradingsymbol"]) for row in entries["locks"]] == [("DAILY_LOSS", "")]
    halt.take_down()
    tomorrow = picture(chain.account, chain.session, MORNING + timedelta(days=1), None)["entries"]
    assert (tomorrow["are_on"], tomorrow["locks"]) == (True, [])


def test_prices_are_missed_only_while_the_market_is_open():
    chain = build_chain()
    ticks = replace(snapshot(), sent_at=MORNING + timedelta(hours=3))
    feed = seen(chain, ticks)["feed"]
    assert feed == {
        "ticks_at": MORNING, "sent_at": MORNING + timedelta(hours=3), "age_ms": 400, "is_expected": True,
    }  # fmt: skip
    for hour, minute, is_expected in ((9, 14, False), (9, 15, True), (15, 29, True), (15, 30, False)):
        now = MORNING.replace(hour=hour, minute=minute)
        assert picture(chain.account, chain.session, now, None)["feed"]["is_expected"] is is_expected


def test_a_browser_that_hears_prices_is_sent_nothing_again_because_of_them():
    chain = build_open()
    low, high = (unpriced(seen(chain, snapshot(paise))) for paise in (2_440_005, 2_452_005))
    assert low["positions"] == high["positions"]
    assert (low["day"], low["feed"]) == (high["day"], high["feed"])
    assert "pnl_inr" not in low["day"]
