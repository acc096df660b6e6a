"""The paper exchange as a process of its own, over real sockets."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from kiteconnect import KiteConnect
from websockets.sync.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parents[3]
LOGIN = {
    "KITE_API_KEY": "key",
    "KITE_API_SECRET": "secret",
    "KITE_ACCESS_TOKEN": "token",
    "KITE_USER_ID": "AB1234",
}
NIFTY, RELIANCE = 256258, 738561


@dataclass
class ExchangeProcess:
    """Begins on Monday 23 November 2026, seed 1, unless `options` say otherwise."""

    folder: Path
    options: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=lambda: dict(LOGIN))
    process: "subprocess.Popen[str] | None" = None
    first: dict[str, Any] = field(default_factory=dict)

    def start(self) -> "ExchangeProcess":
        words = [
            "--port",
            "0",
            "--json",
            "--journal",
            str(self.folder),
            "--await",
            "0",
            "--date",
            "2026-11-23",
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trading.exchange", *words, *self.options],
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith("KITE_")} | self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the exchange did not begin: {self.process.communicate()[1]}")
        self.first = json.loads(line)
        return self

    def __enter__(self) -> "ExchangeProcess":
        return self.start()

    def __exit__(self, *problem: object) -> None:
        self.end()

    def end(self) -> tuple[int, str]:
        """SIGTERM; exit code and what it said on stderr."""
        return self._finish("terminate")

    def kill(self) -> None:
        self._finish("kill")

    def _finish(self, how: str) -> tuple[int, str]:
        process, self.process = self.process, None
        if process is None:
            return 0, ""
        getattr(process, how)()
        _, said = process.communicate(timeout=20)
        return process.returncode, said

    def client(self) -> KiteConnect:
        return KiteConnect(
            self.first["api_key"], access_token=self.first["access_token"], root=self.first["url"]
        )

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = requests.get(f"{self.first['url']}/_exchange/state", timeout=5).json()
        return state

    def ticker(self, *, token: str | None = None) -> ClientConnection:
        word = token or self.first["access_token"]
        return connect(f"{self.first['ticker_url']}/?api_key={self.first['api_key']}&access_token={word}")


def say(ticker: ClientConnection, action: str, value: Any) -> None:
    ticker.send(json.dumps({"a": action, "v": value}))


def next_frame(ticker: ClientConnection, timeout_s: float = 10) -> bytes:
    """The next binary message that is no heartbeat."""
    while True:
        message = ticker.recv(timeout=timeout_s)
        if isinstance(message, bytes) and len(message) > 2:
            return message


def next_text(ticker: ClientConnection, kind: str, timeout_s: float = 10) -> Any:
    """The data of the next text of that type."""
    while True:
        message = ticker.recv(timeout=timeout_s)
        if isinstance(message, str):
            said = json.loads(message)
            if said["type"] == kind:
                return said["data"]


def frame_time_s(message: bytes) -> int:
    """Exchange time of a frame of full packets."""
    return int.from_bytes(message[4 + 60 : 4 + 64], "big")


def stop_order(client: KiteConnect, trigger: float, limit: float) -> str:
    """One lot of the future, sold when it falls."""
    order_id: str = client.place_order(
        variety="regular",
        exchange="NFO",
        tradingsymbol="NIFTY26NOVFUT",
        transaction_type="SELL",
        quantity=65,
        product="MIS",
        order_type="SL",
        price=limit,
        trigger_price=trigger,
        tag="STOPONE",
    )
    return order_id
