"""`make paper` from its start to its end: who may start it, what it says, what it leaves behind."""

import json
import signal
import socket
import time
import urllib.request

import pytest
from django.core.management import CommandError, call_command

from tests.aitrapp_site.paper_process import DAY, PaperProcess, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

GOODBYE = ["Shutting down AITRAPP", "Trading PAUSED", "OrderWatcher stopped", "Redis bus disconnected"]


@pytest.fixture(scope="module")
def paper():
    process = PaperProcess()
    yield process
    process.close()


def post(paper: PaperProcess, path: str):
    request = urllib.request.Request(f"http://localhost:{paper.port}{path}", method="POST")
    with urllib.request.urlopen(request, timeout=15) as reply:
        return json.load(reply)


def open_positions(paper: PaperProcess) -> int:
    net = (paper.exchange_says("/portfolio/positions") or {"net": []})["net"]
    return sum(1 for position in net if position["quantity"])


def resting_stops(paper: PaperProcess) -> int:
    return sum(1 for order in paper.exchange_says("/orders") or [] if order["status"] == "TRIGGER PENDING")


def test_it_lives_as_its_operator_expects(paper):
    """One story: start, refuse a second one, end with stops resting, go on, flatten, die without leftovers."""
    paper.start("--from", "13:57", *DAY)
    for word in ("console", "operator", "password", "API key"):
        assert f"  {word}" in paper.said or f" {word} " in paper.said
    assert (paper.var_dir / "operator.password").stat().st_mode & 0o777 == 0o600
    assert (paper.var_dir / "operator.key").stat().st_mode & 0o777 == 0o600

    status, words = paper.try_to_start("--port", "0")
    assert status == 2, words
    status, words = paper.try_to_start()
    assert (status, "already runs in this folder" in words) == (2, True), words

    wait_for(lambda: open_positions(paper) >= 2 and resting_stops(paper) >= 4, 120, "protected positions")
    stops = resting_stops(paper)
    session = paper.exchange_says("/_exchange/state")["venue_session"]
    began_s = time.monotonic()
    paper.signal(signal.SIGTERM)
    assert paper.wait(20) == 0
    assert time.monotonic() - began_s < 20
    assert [line for line in paper.said.splitlines() if line in GOODBYE] == GOODBYE
    assert paper.leftovers() == []

    paper.start("--from", "13:57", *DAY, within_s=20)
    assert paper.exchange_says("/_exchange/state")["venue_session"] == session
    assert resting_stops(paper) >= stops - 2  # one may have executed meanwhile
    wait_for(
        lambda: (
            not paper.rows("SELECT 1 FROM risk_entriesoff WHERE reason = 'shutdown' AND lifted_at IS NULL")
        ),
        10,
        "the reconciliation lifts the shutdown",
    )

    verdict = post(paper, "/flatten")
    assert verdict["state"] == "FLAT"
    assert verdict["positions_at_start"] >= 2
    assert verdict["took_ms"] < 2000
    assert open_positions(paper) == 0

    paper.signal(signal.SIGKILL)
    wait_for(lambda: not paper.leftovers(), 10, f"nothing left, not {paper.leftovers()}")


def test_a_port_in_use_is_named_with_the_remedy():
    other = PaperProcess()
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            status, words = other.try_to_start("--port", str(port))
        assert status == 2
        assert f"Port {port} cannot be used" in words
        assert "make paper PORT=" in words
    finally:
        other.close()


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["--market", "replay"], "DATA=folder"),
        (["--market", "record"], "FILE="),
        (["--from", "25:00"], "write it like 14:40"),
        (["--speed", "0"], "SPEED is 0"),
    ],
)
def test_options_that_lead_nowhere_are_refused_with_the_remedy(words, remedy):
    with pytest.raises(CommandError, match=remedy):
        call_command("paper", *words)
