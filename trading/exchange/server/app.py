"""The ASGI application: HTTP in Kite's bodies and errors, WebSocket to the ticker."""

import gzip
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs

from trading.exchange.pacing import ReadLimits
from trading.exchange.rules import VenueRefusal
from trading.exchange.server import routes
from trading.exchange.server.feed import Feed
from trading.exchange.server.floor import Floor
from trading.exchange.server.routes import Csv, Request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_BYTES: Final = 1 << 20
Reply = tuple[int, bytes, bytes, bool]


class KiteApp:
    """One floor's doors."""

    def __init__(self, floor: Floor, feed: Feed) -> None:
        self._floor = floor
        self._feed = feed
        self._limits = ReadLimits(floor.speed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._feed.serve(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        status, kind, content, is_zipped = self._answer(scope, body)
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(content)).encode()),
            (b"x-venue-session", self._floor.day.venue_session.encode()),
        ]
        if is_zipped:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, scope: Scope, body: bytes | None) -> Reply:
        try:
            data = self._data(scope, body)
        except VenueRefusal as refusal:
            return _refused(refusal)
        if isinstance(data, Csv):
            return 200, b"text/csv", gzip.compress(data.encode(), 1), True
        if scope["path"] == routes.STATE_PATH:
            return 200, b"application/json", json.dumps(data).encode(), False
        return 200, b"application/json", json.dumps({"status": "success", "data": data}).encode(), False

    def _data(self, scope: Scope, body: bytes | None) -> Any:
        if body is None:
            raise VenueRefusal(413, "InputException", f"The body is larger than {BODY_BYTES} bytes.")
        route, parts = routes.find(scope["method"], scope["path"])
        request = Request(
            method=scope["method"],
            path=scope["path"],
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            query=parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True),
            body=body,
            parts=parts,
        )
        routes.check_version(request)
        if not route.is_open:
            self._floor.logins.check_header(request.headers.get("authorization", ""))
        if route.kind is not None:
            self._limits.take(route.kind, time.monotonic())
        return route.handler(self._floor, request)


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None when it is too large."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= BODY_BYTES:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if size <= BODY_BYTES else None


def _refused(refusal: VenueRefusal) -> Reply:
    body = {"status": "error", "message": refusal.message, "error_type": refusal.error_type, "data": None}
    return refusal.http_status, b"application/json", json.dumps(body).encode(), False
