"""The paper exchange through time: pacing, restarts, days that follow each other, and its refusals to begin."""

import argparse
import subprocess
import sys
import time
from datetime import datetime

import pytest
from django.core.management import CommandError, call_command

from tests.trading.exchange.exchange_process import (
    NIFTY,
    ROOT,
    ExchangeProcess,
    frame_time_s,
    next_frame,
    next_text,
    say,
    stop_order,
)
from trading.core.session import IST
from trading.exchange import journal
from trading.exchange.journal import JournalInUse
from trading.exchange.server import command

MARKET_DATA = ROOT.parent / "shared" / "market-data"


def subscribe(ticker, role=None):
    if role:
        say(ticker, "hello", role)
    say(ticker, "subscribe", [NIFTY])
    say(ticker, "mode", ["full", [NIFTY]])


def waiting_for(exchange, condition, seconds=20):
    """The first state that fulfils the condition."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        state = exchange.state()
        if condition(state):
            return state
    raise AssertionError(f"it never came: {state}")


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """Ten market minutes a second: a frame each 5 ms."""
    with ExchangeProcess(tmp_path_factory.mktemp("fast"), ("--from", "10:00", "--speed", "600")) as exchange:
        yield exchange


def seconds_for(frames, ticker):
    """How long so many frames take to come, after one that opens the measurement."""
    next_frame(ticker)
    began = time.monotonic()
    for _ in range(frames):
        next_frame(ticker)
    return time.monotonic() - began


def test_who_never_announced_himself_is_never_waited_for(fast):
    with fast.ticker() as ticker:
        subscribe(ticker)
        assert seconds_for(40, ticker) < 5.0  # 10 s with a wait for each


def test_above_the_markets_speed_a_frame_waits_for_the_acknowledgement_of_the_last(fast):
    with fast.ticker() as ticker:
        subscribe(ticker, "strategy")
        # 250 ms a frame; the first ones may already be under way
        assert seconds_for(6, ticker) > 0.7
        seen = frame_time_s(next_frame(ticker))
        began = time.monotonic()
        for _ in range(40):
            say(ticker, "ack", seen)
            seen = frame_time_s(next_frame(ticker))
        assert time.monotonic() - began < 5.0
    with fast.ticker() as other:
        subscribe(other)
        assert seconds_for(6, other) > 0.7, "the role that went away was not waited for"


def test_a_day_waits_for_its_participants_before_the_first_frame(tmp_path):
    exchange = ExchangeProcess(tmp_path, ("--await", "30", "--speed", "60"))
    with exchange, exchange.ticker() as strategy, exchange.ticker() as watcher:
        subscribe(strategy, "strategy")
        clock = next_text(strategy, "clock")
        assert (clock["phase"], clock["market_time"]) == ("pre-open", "2026-11-23T09:14:00+05:30")
        assert exchange.state()["market_time"] == "2026-11-23T09:14:00+05:30"
        subscribe(watcher, "watcher")
        opening = frame_time_s(next_frame(strategy))
    assert datetime.fromtimestamp(opening, IST).isoformat() == "2026-11-23T09:15:00+05:30"


def test_a_killed_exchange_goes_on_with_the_same_orders_login_and_market_time(tmp_path):
    exchange = ExchangeProcess(tmp_path, ("--from", "10:00", "--speed", "30"))
    with exchange:
        client = exchange.client()
        last = client.ltp("NFO:NIFTY26NOVFUT")["NFO:NIFTY26NOVFUT"]["last_price"]
        bought = client.place_order(
            variety="regular",
            exchange="NFO",
            tradingsymbol="NIFTY26NOVFUT",
            transaction_type="BUY",
            quantity=65,
            product="MIS",
            order_type="MARKET",
            market_protection=-1,
            tag="ENTRYONE",
        )
        resting = stop_order(client, trigger=round(last * 0.98), limit=round(last * 0.97))
        waiting_for(exchange, lambda state: state["market_time"] > "2026-11-23T10:00:30")
        orders, trades, state = client.orders(), client._get("trades"), exchange.state()
        session, token = exchange.first["venue_session"], exchange.first["access_token"]
        exchange.kill()
        exchange.start()
        client = exchange.client()
        assert (exchange.first["venue_session"], exchange.first["access_token"]) == (session, token)
        assert client.orders() == orders
        assert client._get("trades") == trades
        assert [(row["order_id"], row["status"]) for row in client.orders()] == [
            (bought, "COMPLETE"),
            (resting, "TRIGGER PENDING"),
        ]
        before, after = (datetime.fromisoformat(text["market_time"]) for text in (state, exchange.state()))
        assert abs((after - before).total_seconds()) < 60
        with exchange.ticker() as ticker:
            subscribe(ticker)
            first, second = frame_time_s(next_frame(ticker)), frame_time_s(next_frame(ticker))
        assert second - first in (0, 3)
        client.cancel_order(variety="regular", order_id=resting)


def test_no_accepted_order_is_lost_whenever_the_exchange_is_killed(tmp_path):
    accepted = []
    exchange = ExchangeProcess(tmp_path, ("--from", "10:00", "--speed", "60"))
    for _ in range(3):
        exchange.start()
        client = exchange.client()
        last = client.ltp("NFO:NIFTY26NOVFUT")["NFO:NIFTY26NOVFUT"]["last_price"]
        accepted += [stop_order(client, round(last * 0.98), round(last * 0.97)) for _ in range(3)]
        exchange.kill()
    with exchange:
        assert [row["order_id"] for row in exchange.client().orders()] == accepted


def test_after_the_close_the_next_trading_day_begins_with_empty_books(tmp_path):
    # Tuesday 24 November 2026 is a holiday.
    with ExchangeProcess(tmp_path, ("--from", "15:39", "--speed", "1000", "--days", "2")) as exchange:
        first = exchange.first["venue_session"]
        state = waiting_for(exchange, lambda state: state["trading_date"] != "2026-11-23")
        assert state["trading_date"] == "2026-11-25"
        assert state["venue_session"] != first
        assert exchange.client().orders() == []


def test_a_trigger_waits_through_the_night_and_through_a_kill(tmp_path):
    exchange = ExchangeProcess(tmp_path, ("--from", "15:39", "--speed", "60", "--days", "2"))
    leg = {"transaction_type": "BUY", "quantity": 1, "order_type": "LIMIT", "product": "CNC", "price": 1}
    with exchange:
        placed = exchange.client().place_gtt("single", "RELIANCE", "NSE", [1], 1000, [leg])["trigger_id"]
        waiting_for(exchange, lambda state: state["trading_date"] == "2026-11-25")
        [waiting] = exchange.client().get_gtts()
        assert (waiting["id"], waiting["status"]) == (placed, "active")
        assert waiting["created_at"].startswith("2026-11-23 15:")
        exchange.kill()
    with exchange:
        assert exchange.client().get_gtts() == [waiting]


def test_the_last_day_stays_open_for_reading_and_is_finished_for_the_next_run(tmp_path):
    exchange = ExchangeProcess(
        tmp_path, ("--from", "15:24", "--speed", "1000", "--days", "1", "--run", "one")
    )
    with exchange:
        client, session = exchange.client(), exchange.first["venue_session"]
        last = client.ltp("NFO:NIFTY26NOVFUT")["NFO:NIFTY26NOVFUT"]["last_price"]
        resting = stop_order(client, round(last * 0.98), round(last * 0.97))
        over = waiting_for(exchange, lambda state: state["is_last_day"])
        assert (over["phase"], over["market_time"]) == ("closed", "2026-11-23T15:45:00+05:30")
        [row] = exchange.client().orders()
        assert (row["order_id"], row["status"], row["cancelled_quantity"]) == (resting, "CANCELLED", 65)
        exchange.kill()
    with exchange:
        assert exchange.first["venue_session"] == session
        assert waiting_for(exchange, lambda state: state["is_last_day"])["venue_session"] == session
    with ExchangeProcess(tmp_path, (*exchange.options[:-1], "two")) as another:
        assert another.first["venue_session"] != session


def test_the_close_is_acknowledged_before_the_books_go(tmp_path):
    exchange = ExchangeProcess(tmp_path, ("--from", "15:44", "--speed", "1000", "--days", "2"))
    with exchange, exchange.ticker() as ticker:
        say(ticker, "hello", "watcher")
        told = next_text(ticker, "clock")
        while told["market_time"] < "2026-11-23T15:45":
            told = next_text(ticker, "clock")
        assert told["is_over"] is True
        assert exchange.state()["trading_date"] == "2026-11-23"
        closed_s = int(datetime.fromisoformat(told["market_time"]).timestamp())
        say(ticker, "ack", closed_s)
        while told["trading_date"] == "2026-11-23":
            told = next_text(ticker, "clock")
        assert (told["trading_date"], told["phase"]) == ("2026-11-25", "pre-open")


@pytest.mark.skipif(not MARKET_DATA.is_dir(), reason="no recorded market data beside the project")
def test_a_recorded_day_is_served_and_followed_by_the_next_recorded_one(tmp_path):
    options = ("--market", "replay", "--data", str(MARKET_DATA), "--date", "2022-03-15", "--speed", "1000")
    with ExchangeProcess(tmp_path, (*options, "--from", "15:29")) as exchange:
        assert (exchange.state()["market"], exchange.state()["trading_date"]) == ("replay", "2022-03-15")
        names = [row["tradingsymbol"] for row in exchange.client().instruments("NFO")]
        assert names == ["BANKNIFTY22MARFUT", "NIFTY22MARFUT"]
        following = waiting_for(exchange, lambda state: state["trading_date"] != "2022-03-15", 30)
        assert following["trading_date"] == "2022-03-16"


def test_a_port_in_use_and_a_journal_in_use_are_said_clearly(tmp_path):
    with ExchangeProcess(tmp_path) as exchange:
        port = exchange.first["url"].rpartition(":")[2]
        with pytest.raises(RuntimeError, match=f"cannot listen on 127.0.0.1:{port}.*another --port"):
            ExchangeProcess(tmp_path / "other", ("--port", port)).start()
        with pytest.raises(JournalInUse, match="another paper exchange keeps its journal in"):
            journal.lock(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--speed", "0"), "leads nowhere"),
        (("--market", "replay"), "needs --data"),
        (("--market", "replay", "--data", "/nowhere"), "no .txt or .csv file"),
        (("--date", "2026-11-22"), "no trading day"),
    ],
)
def test_what_cannot_be_begun_says_why(tmp_path, options, words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser, tmp_path / "journal")
    parsed = parser.parse_args(["--port", "0", *options])
    with pytest.raises(command.CannotOpen, match=words):
        command.run(parsed, command.Given(), datetime(2026, 11, 23, 8, 0, tzinfo=IST))


def test_django_knows_the_command_and_asks_no_database():
    with pytest.raises(CommandError, match="leads nowhere") as refusal:
        call_command("exchange", "--speed", "0")
    assert refusal.value.returncode == 2


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (command.iso_date, "tomorrow", "write it like 2022-03-15"),
        (command.wall_time, "25:00", "write it like 14:40"),
    ],
)
def test_a_word_of_the_command_line_that_cannot_be_read_says_how_to_write_it(read, text, words):
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        read(text)


def test_a_terminated_exchange_ends_cleanly_with_clients_connected(tmp_path):
    exchange = ExchangeProcess(tmp_path).start()
    with exchange.ticker() as ticker:
        subscribe(ticker)
        began = time.monotonic()
        code, _ = exchange.end()
    assert code == 0
    assert time.monotonic() - began < 5


def test_the_exchange_loads_neither_django_nor_a_database_driver():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, trading.exchange.server.command; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {"django.db", "psycopg", "celery", "twisted", "kiteconnect"}.isdisjoint(loaded)
    assert "uvicorn" in loaded
