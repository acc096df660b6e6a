"""One LIVE day from the login to flat, by the live code path, against the exchange that plays PRODUCTION.

`make live-day` runs it: six and a half minutes at sixty times the market's speed, too long for the suite. The broker's
token dies at 11:00, the ticker says nothing from 12:00 on, and at 13:00 orders are refused as coming from an address
that is not whitelisted. Each time entries must be off and say why, positions keep their stops, and a person puts it
right as a person would.
"""

import os
import signal

import pytest

from tests.aitrapp_site.paper_process import wait_for
from tests.live_day.rehearsal import Rehearsal

pytestmark = [pytest.mark.system, pytest.mark.timeout(1500)]

SPEED = os.environ.get("SPEED", "60")
FROZEN_S = 12.0


@pytest.fixture
def live():
    rehearsal = Rehearsal()
    yield rehearsal
    rehearsal.close()


def test_a_live_day_with_a_dead_token_a_silent_ticker_and_a_refused_address_ends_flat(live):
    live.start("--speed", SPEED)
    live.write_burn_in()
    live.sign_in()
    pass_the_gate(live)
    live.wait_until("11:00", 400)
    entries = live.count("trading_order WHERE role = 'ENTRY'")
    assert entries > 0
    lose_the_token(live)
    live.wait_until("12:00", 200)
    silence_the_ticker(live)
    live.wait_until("13:00", 200)
    refuse_the_address(live)

    # The rest of the day is judged by the exchange's own books.
    live.wait_until("15:40", 400)
    verdict = live.verdict()
    assert verdict["problems"] == []
    assert verdict["trades"] > 0
    assert live.count("oco_ocogroup WHERE closed_at IS NULL") == 0
    assert live.count("trading_order WHERE mode <> 'LIVE'") == 0
    assert live.count("trading_decision WHERE approved AND mode <> 'LIVE'") == 0
    assert live.count("trading_order WHERE role = 'ENTRY'") > entries
    print(f"\n{verdict['trades']} trades, {verdict['orders']} orders", end="; ")
    print(f"longest without a live stop {max(verdict['unprotected_ms'], default=0) / 1000:.1f} s")
    stored = "SELECT problems FROM risk_burninday WHERE market = 'synthetic'"
    assert wait_for(lambda: live.rows(stored), 60, "the day is reported") == [([],)]
    assert '"charges_compared"' in (live.var_dir / "logs" / "aitrapp.log").read_text()
    live.signal(signal.SIGTERM)
    assert live.wait(30) == 0
    assert live.leftovers() == []


def pass_the_gate(live):
    """Shut before the login, shut without its phrase, open with everything."""
    wanted = {"mode": "LIVE", "confirm": "CONFIRM LIVE TRADING"}
    refused = live.ask("POST", "/mode", wanted)
    assert refused.status_code == 409
    assert refused.json()["missing"][0] == "There is no Kite login of today."
    live.log_in_at_kite()
    wait_for(lambda: live.leader("EXITS") and live.leader("ENTRIES"), 30, "both loops lead after the login")
    wait_for(lambda: not live.off_because(), 30, "nothing keeps entries off after the login")
    live.wait_until("09:16", 60)
    refused = live.ask("POST", "/mode", {"mode": "LIVE"})
    said = [words[:21] for words in refused.json()["missing"]]
    assert said == ["The phrase is missing", "The one-share probe h"]
    assert "was turned into a LIMIT" in live.command("kite_probe")
    granted = live.ask("POST", "/mode", wanted)
    assert granted.status_code == 200, granted.text
    assert live.ask("GET", "/state").json()["mode"] == "LIVE"
    # The second LIVE day: on the first one its caps would leave nothing to send by 13:00.
    live.change("UPDATE trading_account SET live_since = live_since - 1")


def lose_the_token(live):
    """Exits rest at the exchange, and entries are off until somebody logs in."""
    live.tell_exchange("DELETE", "token")
    why = wait_for(lambda: live.off_because().get("login"), 20, "entries are off for the login")
    assert "login" in why or "token" in why, why
    live.wait_until("11:05", 60)
    live.log_in_at_kite()
    wait_for(lambda: "login" not in live.off_because(), 20, "the new login lifts it")


def silence_the_ticker(live):
    live.tell_exchange("POST", "faults", {"freeze_socket": {"seconds": FROZEN_S}})
    wait_for(lambda: "feed" in live.off_because(), FROZEN_S, "entries are off for the feed")
    wait_for(lambda: "feed" not in live.off_because(), FROZEN_S + 30, "the first word lifts it")


def refuse_the_address(live):
    """Reads go on, which no dead token would allow; orders are refused until a person has put it right."""
    live.tell_exchange("POST", "faults", {"wrong_address": True})
    why = wait_for(lambda: live.off_because().get("login"), 120, "an order was refused for its address")
    assert "static IP" in why, why
    assert live.count("trading_command WHERE reason LIKE '%whitelisted static IP%'") > 0
    entries = live.count("trading_order WHERE role = 'ENTRY'")
    live.wait_until("14:00", 120)
    assert live.count("trading_order WHERE role = 'ENTRY'") == entries
    live.tell_exchange("DELETE", "faults")
    live.log_in_at_kite()
    wait_for(lambda: not live.off_because(), 30, "entries are on again")
