"""A real WebSocket server in Kite's place: says what the test puts in, keeps what it hears."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from ssl import SSLContext
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

WAIT_S = 5.0


class TickerServer:
    def __init__(self) -> None:
        self.url = ""
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self.paths: list[str] = []
        self.refusals: list[HTTPStatus] = []
        self.connected: queue.Queue[ServerConnection] = queue.Queue()

    def take_connection(self) -> ServerConnection:
        return self.connected.get(timeout=WAIT_S)

    def take_heard(self, count: int) -> list[dict[str, Any]]:
        return [self.heard.get(timeout=WAIT_S) for _ in range(count)]

    def _greet(self, connection: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        if self.refusals:
            status = self.refusals.pop(0)
            return Response(status.value, status.phrase, Headers())
        return None

    def _serve(self, connection: ServerConnection) -> None:
        self.connected.put(connection)
        try:
            for message in connection:
                self.heard.put(json.loads(message))
        except ConnectionClosed:
            return


@contextmanager
def running(ssl: SSLContext | None = None) -> Iterator[TickerServer]:
    ours = TickerServer()
    with serve(
        ours._serve, "127.0.0.1", 0, process_request=ours._greet, close_timeout=0.1, ssl=ssl
    ) as server:
        ours.url = f"{'wss' if ssl else 'ws'}://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield ours
        server.shutdown()
        thread.join(WAIT_S)
