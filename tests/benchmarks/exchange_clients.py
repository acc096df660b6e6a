"""Clients of the exchange's benchmark: bare sockets kept open, one request at a time on each."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

from tests.trading.exchange.exchange_process import ExchangeProcess

#: below the ten a second that an account may send
GAP_S = 0.125
SYMBOLS = ("RELIANCE", "ITC", "INFY", "SBIN")


@dataclass
class Placed:
    """What came of a run."""

    times_ms: list[float] = field(default_factory=list)
    refused: int = 0
    filled: int = 0
    seconds: float = 0.0


class Client:
    """One account's connection."""

    def __init__(self, url: str, account: Mapping[str, Any]) -> None:
        self._host, self._port = urlsplit(url).hostname, urlsplit(url).port
        self._login = f"token {account['api_key']}:{account['access_token']}"
        self._number = 0

    async def connect(self) -> "Client":
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def place(self) -> bool:
        """A market order of one share, bought and sold in turn; whether it was taken."""
        self._number += 1
        fields = {
            "exchange": "NSE",
            "tradingsymbol": SYMBOLS[self._number // 2 % len(SYMBOLS)],
            "transaction_type": "BUY" if self._number % 2 else "SELL",
            "order_type": "MARKET",
            "quantity": 1,
            "product": "MIS",
            "validity": "DAY",
            "market_protection": -1,
            "tag": f"B{self._number}",
        }
        return (await self.ask("POST", "/orders/regular", urlencode(fields)))[0] == 200

    async def ask(self, method: str, path: str, body: str = "") -> tuple[int, bytes]:
        """HTTP status and body."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: exchange\r\nX-Kite-Version: 3\r\nAuthorization: {self._login}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write((head + body).encode())
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(answer[9:12]), await self._reader.readexactly(length)


def open_accounts(exchange: ExchangeProcess, count: int) -> list[Mapping[str, Any]]:
    """The first account and so many less one more."""
    accounts: list[Mapping[str, Any]] = [exchange.first]
    for number in range(1, count):
        answer = requests.post(
            f"{exchange.first['url']}/_exchange/accounts", json={"user_id": f"BENCH{number}"}, timeout=10
        )
        answer.raise_for_status()
        accounts.append(answer.json())
    return accounts


def place_one_by_one(exchange: ExchangeProcess, clients: int, orders_each: int) -> Placed:
    """Clients that each send the next order when the last is answered; accounts are changed to stay within rates."""
    accounts = open_accounts(exchange, 40)
    return asyncio.run(_one_by_one(exchange.first["url"], accounts, clients, orders_each))


async def _one_by_one(
    url: str, accounts: Sequence[Mapping[str, Any]], clients: int, orders_each: int
) -> Placed:
    placed = Placed()
    share = len(accounts) // clients

    async def run(own: Sequence[Mapping[str, Any]]) -> None:
        opened = [await Client(url, account).connect() for account in own]
        gap_s = GAP_S / len(opened)
        due_s = time.perf_counter()
        for number in range(orders_each):
            await asyncio.sleep(max(due_s - time.perf_counter(), 0))
            due_s = max(due_s + gap_s, time.perf_counter())
            await _timed(opened[number % len(opened)], placed)

    await asyncio.gather(*(run(accounts[n * share : (n + 1) * share]) for n in range(clients)))
    return placed


def place_from_many(exchange: ExchangeProcess, count: int, seconds: float) -> Placed:
    """Each account sends as fast as its rate and the answers allow; then what was filled is counted."""
    accounts = open_accounts(exchange, count)
    return asyncio.run(_from_many(exchange.first["url"], accounts, seconds))


async def _from_many(url: str, accounts: Sequence[Mapping[str, Any]], seconds: float) -> Placed:
    placed = Placed()
    clients = [await Client(url, account).connect() for account in accounts]
    begin_s = time.perf_counter()

    async def run(number: int, client: Client) -> None:
        due_s = begin_s + GAP_S * number / len(clients)
        while due_s < begin_s + seconds:
            await asyncio.sleep(max(due_s - time.perf_counter(), 0))
            due_s = max(due_s, time.perf_counter()) + GAP_S
            await _timed(client, placed)

    await asyncio.gather(*(run(number, client) for number, client in enumerate(clients)))
    placed.seconds = time.perf_counter() - begin_s
    await asyncio.sleep(1)
    for client in clients:
        _, body = await client.ask("GET", "/orders")
        placed.filled += body.count(b'"status": "COMPLETE"')
    return placed


async def _timed(client: Client, placed: Placed) -> None:
    begin = time.perf_counter()
    is_taken = await client.place()
    placed.times_ms.append((time.perf_counter() - begin) * 1000)
    placed.refused += not is_taken
