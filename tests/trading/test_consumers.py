"""`/ws/console`: who may listen, what is heard, and that a browser that stops reading delays nobody."""

import asyncio
import json
import threading
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import redis.asyncio
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import OperationalError

from tests.console_rows import MORNING
from tests.live_prices import NIFTY, snapshot
from trading import consumers, current, tick_bus, tick_hub
from trading.consumers import ConsoleConsumer

# Channels looks after the database connections of this thread with each message.
pytestmark = pytest.mark.django_db

STAFF = User(username="operator", is_staff=True)
HERE = [(b"host", b"testserver:8000"), (b"origin", b"http://testserver:8000")]

REFUSED = {"type": "websocket.close", "code": consumers.WRONG_ORIGIN}


def picture(ticks):
    return {"mode": "PAPER", "seen": ticks.at if ticks else None}


class Browser(ApplicationCommunicator):
    """One WebSocket as the web server would hand it over."""

    def __init__(self, look=picture, *, user=STAFF, headers=HERE) -> None:
        scope = {"type": "websocket", "path": "/ws/console", "headers": headers, "user": user}
        super().__init__(ConsoleConsumer.as_asgi(look=look), scope)

    async def opens(self) -> dict[str, Any]:
        """Ask for the connection; returns the server's answer."""
        await self.send_input({"type": "websocket.connect"})
        answer: dict[str, Any] = await self.receive_output(timeout=5)
        return answer

    async def says(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def reads(self, *, acknowledges: bool = True) -> dict[str, Any]:
        """The next message."""
        output = await self.receive_output(timeout=5)
        assert output["type"] == "websocket.send"
        message: dict[str, Any] = json.loads(output["text"])
        if acknowledges:
            await self.says(json.dumps({"seen": message["n"]}))
        return message

    async def reads_until(self, is_it) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while not is_it(message := await self.reads()):
                pass
        return message

    async def leaves(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(timeout=5)


@asynccontextmanager
async def listening(look=picture, count: int = 1):
    """Connected browsers and the Redis that the strategy process would publish to."""
    async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as client:
        await client.delete(tick_bus.NEWEST_KEY)
        opened = [Browser(look) for _ in range(count)]
        for one in opened:
            assert (await one.opens())["type"] == "websocket.accept"
        await until(lambda: client.pubsub_numsub(tick_bus.CHANNEL), lambda found: found[0][1] > 0)
        try:
            yield client, opened
        finally:
            for one in opened:
                await one.leaves()
            await client.delete(tick_bus.NEWEST_KEY)


async def until(ask, is_enough) -> None:
    async with asyncio.timeout(5):
        while not is_enough(await ask()):
            await asyncio.sleep(0.01)


async def publish(client, ticks) -> None:
    await client.publish(tick_bus.CHANNEL, tick_bus.encode(ticks))


def has_price(paise: int):
    return lambda message: message["ticks"].get(NIFTY, [None])[0] == paise


def run(scenario) -> None:
    async_to_sync(scenario)()


def test_a_browser_gets_the_picture_and_then_numbered_changes():
    async def scenario():
        async with listening() as (client, (one,)):
            first = await one.reads_until(lambda message: "mode" in message["parts"])
            assert first["parts"]["mode"] == "PAPER"
            await publish(client, snapshot(2_450_000))
            second = await one.reads_until(has_price(2_450_000))
            assert second["n"] > first["n"]
            assert second["parts"]["ticks_at"] == "2026-11-23T10:31:05.123+05:30"
            assert "mode" not in second["parts"]

    run(scenario)


def test_what_did_not_change_is_not_sent_again():
    async def scenario():
        async with listening() as (client, (one,)):
            await publish(client, snapshot(2_450_000))
            await one.reads_until(has_price(2_450_000))
            await publish(client, snapshot(2_450_000, at=MORNING + timedelta(seconds=1)))
            again = await one.reads_until(lambda message: "ticks_at" in message["parts"])
            assert again["ticks"] == {}

    run(scenario)


def test_a_browser_that_comes_later_is_told_everything_at_once():
    async def scenario():
        async with listening() as (client, (one,)):
            await publish(client, snapshot(2_450_000))
            await one.reads_until(has_price(2_450_000))
            late = Browser()
            await late.opens()
            first = await late.reads()
            assert (first["n"], first["ticks"][NIFTY][0], first["parts"]["mode"]) == (1, 2_450_000, "PAPER")
            await late.leaves()

    run(scenario)


def test_a_browser_that_stops_reading_delays_nobody_and_later_gets_the_newest_only():
    async def scenario():
        async with listening(count=2) as (client, (slow, quick)):
            for paise in range(2_450_000, 2_450_100):
                await publish(client, snapshot(paise))
                await quick.reads_until(has_price(paise))
            sent = [await slow.reads(acknowledges=False) for _ in range(consumers.UNSEEN_MAX)]
            assert await slow.receive_nothing(timeout=0.3)
            await slow.says(json.dumps({"seen": sent[-1]["n"]}))
            newest = await slow.reads()
            assert (newest["n"], newest["ticks"][NIFTY][0]) == (consumers.UNSEEN_MAX + 1, 2_450_099)

    run(scenario)


def test_a_browser_that_reads_nothing_for_long_is_let_go(monkeypatch):
    monkeypatch.setattr(consumers, "READ_WITHIN_S", 0.2)

    async def scenario():
        async with listening() as (client, (one,)):
            for paise in range(2_450_000, 2_450_010):
                await publish(client, snapshot(paise))
                await asyncio.sleep(0.02)
            while (output := await one.receive_output(timeout=3))["type"] == "websocket.send":
                pass
            assert (output["type"], output["code"]) == ("websocket.close", consumers.TOO_SLOW)

    run(scenario)


def test_one_subscription_serves_every_browser_and_ends_with_the_last():
    async def scenario():
        async with listening(count=3) as (client, opened):
            assert (await client.pubsub_numsub(tick_bus.CHANNEL))[0][1] == 1
            for one in opened:
                await one.leaves()
            await until(lambda: client.pubsub_numsub(tick_bus.CHANNEL), lambda found: found[0][1] == 0)
            assert (await client.pubsub_numsub(tick_bus.CHANNEL))[0][1] == 0

    run(scenario)


@pytest.mark.parametrize(
    "message", ["", "{", "[]", '{"seen": "x"}', '{"seen": 99999}', '{"seen": null}', '"x"']
)
def test_what_a_browser_should_not_say_does_no_harm(message):
    async def scenario():
        async with listening() as (client, (one,)):
            await one.says(message)
            await publish(client, snapshot(2_450_000))
            assert (await one.reads_until(has_price(2_450_000)))["n"] >= 1

    run(scenario)


def test_a_message_that_is_no_snapshot_is_passed_over():
    async def scenario():
        async with listening() as (client, (one,)):
            await client.publish(tick_bus.CHANNEL, b"not json")
            await publish(client, snapshot(2_450_000))
            assert (await one.reads_until(has_price(2_450_000)))["n"] >= 1

    run(scenario)


def test_while_the_database_is_away_the_browser_is_told_and_keeps_the_prices():
    def away(ticks):
        raise OperationalError("gone")

    async def scenario():
        async with listening(away) as (client, (one,)):
            message = await one.reads_until(lambda message: "problem" in message["parts"])
            assert message["parts"]["problem"] == "The database does not answer: what you see is old."
            await publish(client, snapshot(2_450_000))
            assert (await one.reads_until(has_price(2_450_000)))["n"] >= 1

    run(scenario)


def test_while_the_rows_do_not_answer_the_line_is_heard_all_the_same(monkeypatch):
    monkeypatch.setattr(tick_hub, "LATE_S", 0.01)
    answers = threading.Event()

    def hanging(ticks):
        answers.wait(5)
        return {"mode": "PAPER"}

    async def scenario():
        async with listening(hanging) as (_, (one,)):
            assert [(await one.reads())["parts"] for _ in range(3)] == [{}, {}, {}]
            answers.set()
            await one.reads_until(lambda message: message["parts"].get("mode") == "PAPER")

    run(scenario)


def test_a_picture_that_cannot_be_made_is_said_and_looked_for_again():
    failures = [ZeroDivisionError("a bug"), None]

    def failing_once(ticks):
        error = failures.pop(0) if failures else None
        if error:
            raise error
        return {"mode": "PAPER"}

    async def scenario():
        async with listening(failing_once) as (_, (one,)):
            message = await one.reads_until(lambda message: message["parts"].get("problem"))
            assert message["parts"]["problem"].startswith("The picture cannot be made: ZeroDivisionError.")
            well = await one.reads_until(lambda message: message["parts"].get("problem") == "")
            assert well["parts"]["mode"] == "PAPER"

    run(scenario)


def test_before_the_first_account_the_browser_is_told_what_to_do():
    def nobody(ticks):
        raise current.NoAccount("There is no account 'paper'.")

    async def scenario():
        async with listening(nobody) as (_, (one,)):
            message = await one.reads_until(lambda message: "problem" in message["parts"])
            assert message["parts"]["problem"] == "There is no account 'paper'."

    run(scenario)


@pytest.mark.parametrize(
    ("user", "code"),
    [
        (AnonymousUser(), consumers.SIGN_IN),
        (User(username="x", is_staff=False), consumers.SIGN_IN),
        (User(username="x", is_staff=True, is_active=False), consumers.SIGN_IN),
        (None, consumers.SIGN_IN),
    ],
    ids=["anonymous", "no staff", "inactive", "no session"],
)
def test_who_is_not_signed_in_as_staff_hears_nothing(user, code):
    async def scenario():
        assert await Browser(user=user).opens() == {"type": "websocket.close", "code": code}

    run(scenario)


@pytest.mark.parametrize(
    "origin",
    [
        b"http://evil.example",
        b"http://testserver:3000",
        b"http://testserver",
        b"null",
        b"",
        b"testserver:8000",
    ],
)
def test_a_page_of_another_site_or_port_hears_nothing(origin):
    async def scenario():
        headers = [(b"host", b"testserver:8000"), (b"origin", origin)]
        assert await Browser(headers=headers).opens() == REFUSED

    run(scenario)


def test_without_an_origin_nothing_is_heard():
    async def scenario():
        assert await Browser(headers=[(b"host", b"testserver:8000")]).opens() == REFUSED

    run(scenario)
