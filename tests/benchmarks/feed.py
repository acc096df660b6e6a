"""How late ticks are: 3,000 instruments in full mode, two frames a second, to three clients of the running exchange.

The market is a recording made here; its frames are due at known market times, and the exchange says which machine time
a market time is. The clients are bare sockets in this process: their work is on the same machine and counts against it.
"""

import argparse
import json
import os
import struct
import tempfile
import time
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.benchmarks.exchange import percentile
from tests.trading.exchange.exchange_process import ExchangeProcess
from tests.trading.market_builders import moment, share
from trading.core.recording import Kind, Record, pack_block
from trading.core.session import IST

HELP = "how late ticks reach three clients, 3,000 instruments in full mode at two frames a second"
DAY = date(2026, 11, 23)
BEGINS = "09:15:20"
CLIENTS, PACE_S = 3, 0.5
LIMIT_P99_MS = 50.0
POLLS = 40
#: what a client has seen before it counts: connections, subscriptions and first allocations are behind it
WARM_UP_FRAMES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--instruments", type=int, default=3000, help="in full mode (3000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of ticks (20)")


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """Lateness in ms over all frames of all clients, and whether its p99 is within the limit."""
    count, frames = options["instruments"], int(options["seconds"] / PACE_S)
    with tempfile.TemporaryDirectory(prefix="aitrapp-feed-") as folder:
        path = Path(folder) / f"{DAY}-feed.ticks"
        path.write_bytes(pack_block(_records(count, frames)))
        words = ("--market", "record", "--file", str(path), "--from", "09:15", "--speed", "1")
        with ExchangeProcess(Path(folder) / "journal", words) as exchange:
            heard: list[list[tuple[int, float]]] = [[] for _ in range(CLIENTS)]
            readers = [Thread(target=_read, args=(exchange, count, frames, one)) for one in heard]
            for reader in readers:
                reader.start()
            begun_s = _machine_s_of(exchange, moment(BEGINS))
            for reader in readers:
                reader.join(options["seconds"] + 60)
    late_ms = [(at_s - begun_s - number * PACE_S) * 1000 for one in heard for number, at_s in one]
    expected = (frames - WARM_UP_FRAMES) * CLIENTS
    found = {
        "instruments": count,
        "frames": len(late_ms),
        "missing": expected - len(late_ms),
        "p50_ms": round(percentile(late_ms, 50), 1) if late_ms else None,
        "p99_ms": round(percentile(late_ms, 99), 1) if late_ms else None,
        "max_ms": round(max(late_ms), 1) if late_ms else None,
        "limit_p99_ms": LIMIT_P99_MS,
        "load": round(os.getloadavg()[0], 1),
    }
    return found | {"passed": not found["missing"] and (found["p99_ms"] or 1e9) <= LIMIT_P99_MS}


def told(found: dict[str, Any]) -> str:
    verdict = "passed" if found["passed"] else "NOT passed"
    return (
        f"{found['frames']} frames of {found['instruments']} instruments, {found['missing']} missing; late by p50 "
        f"{found['p50_ms']} ms, p99 {found['p99_ms']} ms (at most {found['limit_p99_ms']:g}), worst "
        f"{found['max_ms']} ms; load {found['load']}: {verdict}"
    )


def _records(count: int, frames: int) -> list[Record]:
    specs = [share(number + 1) for number in range(count)]
    words = {"trading_date": DAY, "environment": "production", "instruments": [asdict(one) for one in specs]}
    opening = Record(Kind.OPENING, moment("09:10"), json.dumps(words, default=str).encode())
    return [opening, *(_frame([one.instrument_token for one in specs], number) for number in range(frames))]


def _frame(tokens: list[int], number: int) -> Record:
    """The first packet's volume is the frame's number, by which a client knows it again."""
    at = moment(BEGINS) + timedelta(seconds=number * PACE_S)
    stamp = int(at.timestamp())
    packets = []
    for place, token in enumerate(tokens):
        price = 100_000 + (place * 37 + number * 11) % 500
        head = (
            token,
            price,
            10,
            price,
            number,
            500,
            500,
            price,
            price + 50,
            price - 50,
            price,
            stamp,
            0,
            0,
            0,
            stamp,
        )
        levels = [100, price - 5, 1 << 16] * 5 + [100, price + 5, 1 << 16] * 5
        packets.append(struct.pack(">16I", *head) + struct.pack(">" + "3I" * 10, *levels))
    body = b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)
    return Record(Kind.FRAME, at, struct.pack(">H", len(packets)) + body)


def _read(exchange: ExchangeProcess, count: int, frames: int, heard: list[tuple[int, float]]) -> None:
    first = exchange.first
    address = f"{first['ticker_url']}/?api_key={first['api_key']}&access_token={first['access_token']}"
    tokens = [share(number + 1).instrument_token for number in range(count)]
    with connect(address, max_size=None, compression=None) as client:
        client.send(json.dumps({"a": "subscribe", "v": tokens}))
        client.send(json.dumps({"a": "mode", "v": ["full", tokens]}))
        _hear(client, frames, heard)


def _hear(client: ClientConnection, frames: int, heard: list[tuple[int, float]]) -> None:
    while True:
        message = client.recv(timeout=60)
        at_s = time.time()
        if not isinstance(message, bytes) or len(message) < 1000:
            continue
        number = struct.unpack_from(">I", message, 4 + 16)[0]
        if number >= WARM_UP_FRAMES:
            heard.append((number, at_s))
        if number >= frames - 1:
            return


def _machine_s_of(exchange: ExchangeProcess, market_at: datetime) -> float:
    """The machine time, seconds since 1970, at which the exchange's market shows this time."""
    offsets = []
    for _ in range(POLLS):
        before_s = time.time()
        said = datetime.fromisoformat(exchange.state()["market_time"]).astimezone(IST)
        offsets.append((before_s + time.time()) / 2 - said.timestamp())
    return market_at.timestamp() + sorted(offsets)[len(offsets) // 2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.feed", description=__doc__)
    add_arguments(parser)
    found = measure(vars(parser.parse_args()))
    print(told(found))
    return 0 if found["passed"] else 3


if __name__ == "__main__":
    raise SystemExit(main())
