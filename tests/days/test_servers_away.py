"""Lessons section 6, 10: with the database away, or Redis, or both, flatten still works."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from kiteconnect import KiteConnect

from aitrapp_site import embedded
from aitrapp_site.web_clocks import WebClocks
from oco import flatten
from oco.models import Flatten
from tests.days.desk import Day
from tests.trading.exchange.exchange_process import ROOT, ExchangeProcess
from trading.core.enums import ExitReason, FlattenState, Role
from trading.core.order_ids import kite_tag, order_client_id, plan_client_id

OURS = ("ITC", "RELIANCE")


@pytest.fixture(scope="module")
def stopped_servers() -> Iterator[embedded.Servers]:
    """A PostgreSQL and a Valkey that ran, and were stopped."""
    with tempfile.TemporaryDirectory(prefix="aitrapp-away-", dir="/tmp") as folder:
        data_dir = Path(folder) / "servers"
        Path(folder).chmod(0o755)
        with embedded.use_servers(data_dir, throwaway=True) as servers:
            assert embedded.answers(servers)
        assert embedded.wait_until_stopped(data_dir, timeout_s=30)
        assert not embedded.answers(servers)
        yield servers


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeProcess]:
    with ExchangeProcess(tmp_path_factory.mktemp("exchange"), ("--from", "10:00", "--speed", "5")) as running:
        yield running


def wait_for(condition: Callable[[], Any], what: str) -> None:
    pause = Event()
    for _ in range(200):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError(f"never: {what}")


def tag(symbol: str, role: Role, number: int) -> str:
    return kite_tag(role, order_client_id(plan_client_id({"symbol": symbol, "number": number}), role))


def order(client: KiteConnect, symbol: str, side: str, price: float, **more: Any) -> str:
    words = {
        "variety": "regular", "exchange": "NSE", "tradingsymbol": symbol, "transaction_type": side, "quantity": 10,
        "product": "MIS", "order_type": "LIMIT", "price": round(price),
    }  # fmt: skip
    return str(client.place_order(**words | more))


def net(client: KiteConnect) -> dict[str, int]:
    return {one["tradingsymbol"]: one["quantity"] for one in client.positions()["net"] if one["quantity"]}


def trade(client: KiteConnect, number: int) -> str:
    """Long RELIANCE and short ITC, each with its stop, an entry that waits, and somebody else's order: its id."""
    last = {name: client.ltp(f"NSE:{name}")[f"NSE:{name}"]["last_price"] for name in OURS}
    for symbol, side, away, against in (("RELIANCE", "BUY", 1.01, "SELL"), ("ITC", "SELL", 0.99, "BUY")):
        order(client, symbol, side, last[symbol] * away, tag=tag(symbol, Role.ENTRY, number))
        far = 1 - 3 * (away - 1)
        stop = {
            "order_type": "SL",
            "trigger_price": round(last[symbol] * far),
            "tag": tag(symbol, Role.STOP, number),
        }
        order(client, symbol, against, last[symbol] * (far + 1 - away), **stop)
    order(client, "RELIANCE", "BUY", last["RELIANCE"] * 0.96, tag=tag("waits", Role.ENTRY, number))
    hand = order(client, "RELIANCE", "BUY", last["RELIANCE"] * 0.95)
    wait_for(lambda: net(client) == {"RELIANCE": 10, "ITC": -10}, "both positions")
    wait_for(lambda: states(client).count("TRIGGER PENDING") == 2, "both stops rest")
    return hand


def states(client: KiteConnect) -> list[str]:
    return [one["status"] for one in client.orders()]


def command(
    exchange: ExchangeProcess, servers: embedded.Servers, var_dir: Path, *words: str
) -> "subprocess.CompletedProcess[str]":
    """`manage.py flatten` with nothing of ours running."""
    environ = {
        "AITRAPP_VAR_DIR": str(var_dir), "AITRAPP_LOG_DIR": str(var_dir / "logs"), "KITE_API_KEY": "key",
        "KITE_ACCESS_TOKEN": "token", "EXCHANGE_URL": exchange.first["url"], "REDIS_URL": servers.redis_url,
        "EXCHANGE_TICKER_URL": exchange.first["ticker_url"], "DATABASE_URL": servers.database_url,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "manage.py", "flatten", *words],
        cwd=ROOT, env=os.environ | environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("words", [["--direct"], []], ids=["direct", "found out by itself"])
def test_10_with_database_and_redis_stopped_the_command_closes_everything_of_ours(
    words, stopped_servers, exchange, tmp_path
):
    client = exchange.client()
    hand = trade(client, len(words))
    done = command(exchange, stopped_servers, tmp_path, "--json", *words)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"state": "FLAT", "direct": True}), done.stderr
    assert net(client) == {}
    left = [one["order_id"] for one in client.orders() if one["status"] in ("OPEN", "TRIGGER PENDING")]
    assert left == [hand]
    client.cancel_order("regular", hand)
    tags = [one["tag"] for one in client.orders() if one["tag"]]
    assert len(tags) == len(set(tags))
    assert (tmp_path / "HALT").exists()
    assert "MODIFY" in (tmp_path / "exits.jsonl").read_text()


def test_everything_is_refused_without_the_second_yes_and_with_it_closes_what_is_not_ours(
    stopped_servers, exchange, tmp_path
):
    client = exchange.client()
    last = client.ltp("NSE:INFY")["NSE:INFY"]["last_price"]
    order(client, "INFY", "BUY", last * 1.01)
    order(client, "INFY", "SELL", last * 1.04)
    wait_for(lambda: net(client) == {"INFY": 10}, "somebody else's position")
    refused = command(exchange, stopped_servers, tmp_path, "--everything", "--direct")
    assert (refused.returncode, net(client)) == (2, {"INFY": 10})
    assert "--yes" in refused.stderr
    done = command(exchange, stopped_servers, tmp_path, "--everything", "--direct", "--yes", "--json")
    ours, everything = (json.loads(line) for line in done.stdout.splitlines())
    assert (done.returncode, ours["state"]) == (0, "FLAT")
    assert everything == {"everything": True, "left": {}, "refused": {}}
    assert net(client) == {}
    assert not {"OPEN", "TRIGGER PENDING"} & {
        one["status"] for one in client.orders() if one["tradingsymbol"] == "INFY"
    }


class WebAtThatTime(WebClocks):
    """Market time as the web process knows it, machine time of the day under test."""

    def __init__(self, day: Day) -> None:
        super().__init__(day.account)
        self._day = day

    def machine_now(self) -> datetime:
        return self._day.desk.clocks.machine_now()


@pytest.mark.django_db
def test_10_with_redis_stopped_a_flatten_asked_for_from_outside_comes_to_its_verdict(
    stopped_servers, settings
):
    settings.REDIS_URL = stopped_servers.redis_url
    day = Day.opens()
    day.enters()
    flatten.request(
        day.account,
        day.desk.session,
        ExitReason.OPERATOR,
        asked_by="console",
        clocks=WebAtThatTime(day),
    )
    day.watcher.wake()
    day.run_for(6)
    assert Flatten.objects.get().state == FlattenState.FLAT
    assert (day.net(), day.working()) == (0, [])
