"""The ASGI application: HTTP in Kite's bodies and errors, WebSocket to the ticker."""

import asyncio
import gzip
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs

from trading.exchange.pacing import ReadLimits
from trading.exchange.rules import VenueRefusal
from trading.exchange.server import routes
from trading.exchange.server.faulty import Reply, answer_with, hang_up
from trading.exchange.server.feed import Feed
from trading.exchange.server.floor import Floor
from trading.exchange.server.request import Csv, Page, Redirect, Request, check_version

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_BYTES: Final = 1 << 20
#: routes beside Kite's, which answer without Kite's envelope
OWN_PATHS: Final = "/_exchange/"
#: a frozen ticker looks so often whether it still is
LOOK_AGAIN_S: Final = 0.1


class KiteApp:
    """One floor's doors."""

    def __init__(self, floor: Floor, feed: Feed) -> None:
        self._floor = floor
        self._feed = feed
        self._limits: dict[str, ReadLimits] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._feed.serve(scope, receive, self._freezing(send))
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        faults = self._floor.faults.take(scope["method"], scope["path"])
        if faults:
            reply = await answer_with(faults, lambda lag_s: self._answer(scope, body, lag_s), _refused)
        else:
            reply = self._answer(scope, body)
        if scope["method"] != "GET":
            await self._floor.commits.durable()
        if reply is None:
            await hang_up(receive, send)
        else:
            await self._reply(reply, send)

    async def _reply(self, reply: Reply, send: Send) -> None:
        status, kind, content, is_zipped = reply
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(content)).encode()),
            (b"x-venue-session", self._floor.day.venue_session.encode()),
        ]
        if is_zipped:
            headers.append((b"content-encoding", b"gzip"))
        if status == 302:
            headers.append((b"location", content))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _freezing(self, send: Send) -> Send:
        async def send_unless_frozen(message: MutableMapping[str, Any]) -> None:
            while message["type"] == "websocket.send" and (
                frozen_s := self._floor.faults.frozen_s(time.monotonic())
            ):
                await asyncio.sleep(min(frozen_s, LOOK_AGAIN_S))
            await send(message)

        return send_unless_frozen

    def _answer(self, scope: Scope, body: bytes | None, lag_s: float = 0.0) -> Reply:
        try:
            data = self._data(scope, body, lag_s)
        except VenueRefusal as refusal:
            return _refused(refusal)
        if isinstance(data, Csv):
            return 200, b"text/csv", gzip.compress(data.encode(), 1), True
        if isinstance(data, Page):
            return 200, b"text/html; charset=utf-8", data.encode(), False
        if isinstance(data, Redirect):
            return 302, b"text/plain", data.encode(), False
        if scope["path"].startswith(OWN_PATHS):
            return 200, b"application/json", json.dumps(data, default=str).encode(), False
        return 200, b"application/json", json.dumps({"status": "success", "data": data}).encode(), False

    def _data(self, scope: Scope, body: bytes | None, lag_s: float) -> Any:
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
            client=(scope.get("client") or ("",))[0],
            lag_s=lag_s,
        )
        check_version(request)
        authorization = request.headers.get("authorization", "")
        logins = self._floor.logins_of(_api_key(request, authorization, is_open=route.is_open))
        if not route.is_open:
            logins.check_header(authorization, self._floor.now())
        if route.kind is not None:
            limits = self._limits.setdefault(logins.user_id, ReadLimits(self._floor.speed))
            limits.take(route.kind, time.monotonic())
        return route.handler(self._floor.seen_by(logins), request)


def _api_key(request: Request, authorization: str, *, is_open: bool) -> str:
    """Whose request it is: by its login, or for one who logs in by the key that he names."""
    if not is_open:
        return authorization.removeprefix("token ").partition(":")[0]
    if request.path.startswith(OWN_PATHS):
        return ""
    return request.first("api_key") or request.form().get("api_key", "")


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
