"""Live prices of one place traded on at another: an exchange that plays Kite, its recorder, the one that follows.

All are processes of their own over real sockets; the place that plays Kite runs at twenty times its pace.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.aitrapp_site.paper_process import wait_for
from tests.trading.exchange.exchange_process import (
    NIFTY,
    ROOT,
    ExchangeProcess,
    frame_time_s,
    next_frame,
    say,
)
from trading.core.recording import Kind, Reader

SYMBOL = "NIFTY26NOVFUT"


class Upstream:
    """`manage.py upstream` for the prices of one exchange."""

    def __init__(self, folder: Path, source: ExchangeProcess) -> None:
        self.folder, self.source = folder, source
        self.path = folder / "market" / "2026-11-23-kite.ticks"
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("KITE_")} | {
            "AITRAPP_VAR_DIR": str(folder),
            "AITRAPP_LOG_DIR": str(folder / "logs"),
            "UPSTREAM_API_KEY": source.first["api_key"],
            "UPSTREAM_API_SECRET": source.first["api_secret"],
            "UPSTREAM_URL": source.first["url"],
        }

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "manage.py", *words]
        return subprocess.run(line, cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=60)

    def log_in(self) -> None:
        page = requests.get(
            self.command("upstream_login").stdout.strip(), headers={"Accept": "text/html"}, timeout=5
        )
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        root = self.source.first["url"]
        back = requests.post(f"{root}/connect/login", data=form, allow_redirects=False, timeout=5)
        token = parse_qs(urlsplit(back.headers["Location"]).query)["request_token"][0]
        answer = self.command("upstream_login", "--request-token", token)
        assert answer.returncode == 0, answer.stderr

    def start(self) -> "subprocess.Popen[str]":
        """Until it says that it records."""
        process = subprocess.Popen(
            [sys.executable, "manage.py", "upstream"],
            cwd=ROOT,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        if not (line := process.stdout.readline()):
            raise AssertionError(process.communicate()[1])
        assert line.startswith("recording 23 instruments"), line
        return process

    def frames(self) -> list[bytes]:
        with self.path.open("rb") as file:
            return [record.data for record in Reader(file).records() if record.kind is Kind.FRAME]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    words = ("--from", "10:30", "--speed", "20", "--redirect", "http://localhost:8000/kite/callback")
    with ExchangeProcess(tmp_path_factory.mktemp("source"), words) as source:
        yield Upstream(tmp_path_factory.mktemp("var"), source)


def test_without_a_login_it_says_where_to_get_one(upstream):
    (upstream.folder / "upstream_login.json").unlink(missing_ok=True)
    refused = upstream.command("upstream")
    assert refused.returncode == 3
    assert f"Open {upstream.source.first['url']}/connect/login?" in refused.stderr
    assert "upstream_login --request-token" in refused.stderr
    nothing = upstream.command("upstream_login", "--request-token", "made-up")
    assert nothing.returncode == 3
    assert "Kite refused the login" in nothing.stderr


def test_orders_meet_the_prices_that_are_recorded_and_books_outlive_a_kill(upstream, tmp_path):
    upstream.log_in()
    sealed = json.loads((upstream.folder / "upstream_login.json").read_text())["sealed_token"]
    assert upstream.source.first["access_token"] not in sealed
    recording = upstream.start()
    follower = ExchangeProcess(tmp_path, ("--market", "kite", "--file", str(upstream.path), "--await", "10"))
    try:
        follower.start()
        # A place that only plays Kite is no evidence, and the gate counts the market "kite" alone.
        assert follower.state()["market"] == "kite (rehearsal)"
        with follower.ticker() as ticker:
            say(ticker, "subscribe", [NIFTY])
            say(ticker, "mode", ["full", [NIFTY]])
            # The first after a subscription is what the exchange knows already, made up anew.
            sent = [next_frame(ticker) for _ in range(5)][2:]
        # Byte for byte what came: the packet of the one instrument out of the whole frames.
        recorded = b"".join(upstream.frames())
        assert all(message[4:] in recorded for message in sent)
        client = follower.client()
        order_id = client.place_order(
            variety="regular", exchange="NFO", tradingsymbol=SYMBOL, transaction_type="BUY", quantity=65,
            product="MIS", order_type="MARKET", market_protection=-1, tag="UPSTREAM",
        )  # fmt: skip
        wait_for(lambda: client.order_history(order_id)[-1]["status"] == "COMPLETE", 20, "a fill")
        (trade,) = client.order_trades(order_id)
        offers = {int.from_bytes(packet[4:8], "big") for packet in _packets(upstream.frames())}
        # A made-up book lies within a few ticks of the last price.
        assert min(abs(trade["average_price"] * 100 - last) for last in offers) <= 500
        before = client.positions()["net"]
        follower.kill()
        follower.start()
        again = follower.client()
        assert (
            [one["quantity"] for one in again.positions()["net"]]
            == [one["quantity"] for one in before]
            == [65]
        )
        assert again.order_history(order_id)[-1]["status"] == "COMPLETE"
        with follower.ticker() as ticker:
            say(ticker, "subscribe", [NIFTY])
            say(ticker, "mode", ["full", [NIFTY]])
            assert frame_time_s(next_frame(ticker)) >= frame_time_s(sent[-1])
    finally:
        follower.kill()
        recording.terminate()
        assert recording.wait(20) == 0


def _packets(frames: list[bytes]) -> list[bytes]:
    """Each packet of the one future in these messages."""
    found = []
    for message in frames:
        offset = 2
        for _ in range(int.from_bytes(message[:2], "big")):
            length = int.from_bytes(message[offset : offset + 2], "big")
            packet = message[offset + 2 : offset + 2 + length]
            offset += 2 + length
            if int.from_bytes(packet[:4], "big") == NIFTY:
                found.append(packet)
    return found


def test_nobody_who_records_is_said_so(tmp_path):
    follower = ExchangeProcess(
        tmp_path, ("--market", "kite", "--file", str(tmp_path / "none.ticks"), "--await", "0.2")
    )
    with pytest.raises(RuntimeError, match="nobody records live prices"):
        follower.start()
