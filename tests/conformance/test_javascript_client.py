"""The official JavaScript client, unmodified, from npm: log in, read, trade and stream at the running exchange."""

import json
import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest

from tests.trading.exchange.exchange_process import ROOT, ExchangeProcess

FOLDER = Path(__file__).parent / "js"
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
#: installed once for each lock file, where git does not look
PLACE = ROOT / "var" / "npm" / sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()[:12]


def install() -> None:
    """Put the client at PLACE; skips with what to do where that is not possible."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} missing: apt-get install nodejs npm")
    if PLACE.exists():
        return
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=PLACE.parent))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(FOLDER / name, made)
    try:
        done = subprocess.run(INSTALL, cwd=made, capture_output=True, text=True, timeout=100, check=False)
        problem = done.stderr.strip()[-300:] if done.returncode else ""
    except subprocess.TimeoutExpired:
        problem = "it took too long"
    if problem:
        shutil.rmtree(made)
        pytest.skip(
            f"the client from npm is missing: run `{' '.join(INSTALL)}` in a copy of {FOLDER} ({problem})"
        )
    made.rename(PLACE)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the client told of its day."""
    install()
    options = ("--from", "10:00", "--speed", "20", "--redirect", "http://127.0.0.1:9/back?app=1")
    with ExchangeProcess(tmp_path_factory.mktemp("javascript"), options) as exchange:
        first = exchange.first
        words = [first[name] for name in ("url", "ticker_url", "api_key", "api_secret")]
        said = subprocess.run(
            ["node", str(FOLDER / "client.js"), *words],
            env=os.environ | {"NODE_PATH": str(PLACE / "node_modules")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout.splitlines()[-1])


def test_it_logs_in_by_the_page_and_out_again(told):
    assert "problem" not in told, told
    query = told["redirect"]["query"]
    assert told["redirect"]["status"] == 302
    assert (query["app"], query["status"], query["action"], query["state"]) == (
        "1",
        "success",
        "login",
        "a+b",
    )
    assert told["session"] == {"user_id": "AB1234", "has_time": True}
    assert told["after"] == "TokenException"


def test_it_reads_the_account_and_the_market(told):
    assert (told["profile"], told["margins"], told["instruments"]) == ("AB1234", True, 1)
    assert told["quote"] == ["NSE:INFY"]
    assert told["low"] <= told["last"]
    assert told["candles"] > 40
    assert (told["holdings"], told["funds"]) == ([], [])
    assert told["margin"] > 0


def test_it_places_modifies_and_cancels_and_is_refused_in_kites_words(told):
    assert (told["modified"], told["cancelled"]) == (True, "JSFAR")
    assert (told["trades"], told["positions"], told["orders"]) == (1, 1, 2)
    assert told["refusal"]["error_type"] == "InputException"
    assert "without market protection are not allowed" in told["refusal"]["message"]
    assert told["trigger"] == 1


def test_it_streams_every_mode_of_a_share_and_an_index(told):
    share, index = [408065, True, True], [256265, False, True]
    assert {mode: sorted(ticks) for mode, ticks in told["modes"].items()} == {
        mode: [index, share] for mode in ("quote", "ltp", "full")
    }
    assert told["isConnected"] is True


def test_it_receives_the_updates_of_its_orders(told):
    bought = [row["status"] for row in told["updates"] if row["order_id"] == told["bought"]]
    assert bought[-1] == "COMPLETE"
    assert "CANCELLED" in [row["status"] for row in told["updates"] if row["tag"] == "JSFAR"]
