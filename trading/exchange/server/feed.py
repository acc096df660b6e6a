"""The ticker: WebSocket connections, each with its subscriptions and an outbox of its own.

A client that stops reading loses the oldest frames of its own outbox and delays nobody.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs

import numpy as np

from trading.core.kite_frames import INDEX_SEGMENT, TickMode, encode, select
from trading.core.ticks import TickFrame
from trading.exchange.day_prices import DayPrices
from trading.exchange.rules import VenueRefusal
from trading.exchange.server.floor import Floor
from trading.exchange.server.postbacks import PostOffice

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CONNECTIONS: Final = 3
TOKENS: Final = 3000
FRAMES_HELD: Final = 64
TEXTS_HELD: Final = 5000
HEARTBEAT: Final = b"\x00"
HEARTBEAT_S: Final = 1.0
#: a subscription and its mode come as two messages, and are answered by one cached packet
CACHED_AFTER_S: Final = 0.01
TRY_AGAIN_LATER: Final = 1013


class Connection:
    """One accepted client."""

    def __init__(self, number: int, user_id: str, send: Send) -> None:
        self.number = number
        self.user_id = user_id
        self.modes: dict[int, TickMode] = {}
        #: subscribed a moment ago, and not yet shown their last packet
        self.unseen: set[int] = set()
        self._send = send
        self._frames: deque[bytes] = deque(maxlen=FRAMES_HELD)
        self._texts: deque[str] = deque()
        self._filled = asyncio.Event()

    def post_frame(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._filled.set()

    def post_text(self, kind: str, data: Any) -> None:
        self._texts.append(json.dumps({"type": kind, "data": data}))
        self._filled.set()

    async def deliver(self) -> None:
        """Send what is posted, and a heartbeat after each second of silence, until the client is gone."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._filled.wait()
            except TimeoutError:
                await self._send({"type": "websocket.send", "bytes": HEARTBEAT})
                continue
            self._filled.clear()
            while self._texts or self._frames:
                if len(self._texts) > TEXTS_HELD:
                    await self._send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
                    return
                if self._texts:
                    await self._send({"type": "websocket.send", "text": self._texts.popleft()})
                else:
                    await self._send({"type": "websocket.send", "bytes": self._frames.popleft()})


class Feed:
    """All connections of a floor."""

    def __init__(self, floor: Floor, office: PostOffice) -> None:
        self._floor = floor
        self._office = office
        floor.tell = self.send_message
        self._connections: dict[int, Connection] = {}
        self._count = 0

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One WebSocket from its upgrade to its end."""
        await receive()
        try:
            user_id = self._admit(scope)
        except VenueRefusal as refusal:
            await _refuse(refusal, send)
            return
        self._count += 1
        connection = Connection(self._count, user_id, send)
        self._connections[connection.number] = connection
        try:
            await send({"type": "websocket.accept"})
            await self._converse(connection, receive)
        except OSError:
            return
        finally:
            del self._connections[connection.number]
            self._floor.attendance.goodbye(connection.number, time.monotonic())
            self._floor.changed.set()

    async def _converse(self, connection: Connection, receive: Receive) -> None:
        delivery = asyncio.create_task(connection.deliver())
        try:
            while (message := await receive())["type"] == "websocket.receive":
                if delivery.done():
                    return
                self._hear(connection, message.get("text") or "")
        finally:
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)

    def _admit(self, scope: Scope) -> str:
        """Whose connection it is. Raises VenueRefusal."""
        if scope["path"] != "/":
            raise VenueRefusal(404, "GeneralException", "The ticker is at /.")
        query = parse_qs(scope["query_string"].decode("latin-1"))
        key, token = query.get("api_key", [""])[0], query.get("access_token", [""])[0]
        logins = self._floor.logins_of(key)
        logins.check(key, token, self._floor.now())
        theirs = [other for other in self._connections.values() if other.user_id == logins.user_id]
        if len(theirs) >= CONNECTIONS:
            raise VenueRefusal(429, "NetworkException", f"At most {CONNECTIONS} connections per api_key.")
        return logins.user_id

    def _hear(self, connection: Connection, text: str) -> None:
        """What a client says. What it says wrongly is answered by a text of type error, and nothing else."""
        try:
            said = json.loads(text)
            action, value = said["a"], said["v"]
            self._act(connection, action, value)
        except (ValueError, KeyError, TypeError) as error:
            connection.post_text("error", f"Not understood ({type(error).__name__}: {error}): {text[:100]}")

    def _act(self, connection: Connection, action: str, value: Any) -> None:
        if action == "subscribe":
            self._subscribe(connection, _numbers(value))
        elif action == "unsubscribe":
            for token in _numbers(value):
                connection.modes.pop(token, None)
        elif action == "mode":
            mode, tokens = TickMode(value[0]), _numbers(value[1])
            self._show_soon(connection, {token: mode for token in tokens if token in connection.modes})
        elif action == "hello":
            self._floor.attendance.hello(connection.number, str(value))
            connection.post_text("clock", self._floor.state())
            self._floor.changed.set()
        elif action == "ack":
            self._floor.attendance.acknowledged(connection.number, int(value))
            self._floor.changed.set()
        else:
            raise ValueError(f"no such action as {action}")

    def _subscribe(self, connection: Connection, tokens: list[int]) -> None:
        if len(connection.modes.keys() | set(tokens)) > TOKENS:
            connection.post_text(
                "error", f"At most {TOKENS} instruments can be subscribed on one connection."
            )
            return
        self._show_soon(connection, dict.fromkeys(tokens, TickMode.QUOTE))

    def _show_soon(self, connection: Connection, modes: Mapping[int, TickMode]) -> None:
        if not connection.unseen:
            asyncio.get_running_loop().call_later(CACHED_AFTER_S, self._show_cached, connection)
        connection.modes |= modes
        connection.unseen |= modes.keys()

    def _show_cached(self, connection: Connection) -> None:
        """The first packet after subscribing is the last one known."""
        tokens, connection.unseen = sorted(connection.unseen & connection.modes.keys()), set()
        prices = self._floor.day.prices
        message = Packed(prices.snapshot(tokens), prices).message(connection.modes)
        if message is not None:
            connection.post_frame(message)

    def send_frame(self, frame: TickFrame) -> None:
        """A frame to everybody who subscribed to anything in it."""
        prices = self._floor.day.prices
        packed = Packed(prices.widen(frame), prices)
        for connection in self._connections.values():
            message = packed.message(connection.modes)
            if message is not None:
                self._floor.attendance.sent(connection.number, int(frame.received_at.timestamp()))
                connection.post_frame(message)

    def send_updates(self, updates: Iterable[Mapping[str, Any]]) -> None:
        """Order updates to every connection of their account, and to the address its app registered."""
        for update in updates:
            user_id = update["user_id"]
            logins = next((each for each in self._floor.accounts.values() if each.user_id == user_id), None)
            if logins is None:
                continue
            signed = dict(update) | {"checksum": logins.checksum(update)}
            # Kite posts what the app's own user placed, and nothing of its RMS.
            if logins.postback_url and update["placed_by"] == user_id:
                self._office.post(logins.postback_url, signed)
            for connection in self._connections.values():
                if connection.user_id == user_id:
                    connection.post_text("order", signed)

    def send_message(self, text: str) -> None:
        """What the broker has to say, to every connection."""
        for connection in self._connections.values():
            connection.post_text("message", text)

    def send_clock(self, now: datetime, *, to_be_acknowledged: bool = False) -> None:
        """The exchange's state to those who announced themselves, for times without frames."""
        state = self._floor.state()
        for number in self._floor.attendance.listeners:
            if to_be_acknowledged:
                self._floor.attendance.sent(number, int(now.timestamp()))
            self._connections[number].post_text("clock", state)


class Packed:
    """A frame's packets, each made once for all who want it in that mode."""

    def __init__(self, frame: TickFrame, prices: DayPrices) -> None:
        self._frame = frame
        self._prices = prices
        self._tokens: list[int] = frame.tokens.tolist()
        self._made: dict[TickMode, list[bytes]] = {}

    def message(self, modes: Mapping[int, TickMode]) -> bytes | None:
        """What a subscriber gets of the frame, in one message; None when it holds nothing for him."""
        wanted: dict[TickMode, list[int]] = {}
        for row, token in enumerate(self._tokens):
            mode = modes.get(token)
            if mode is not None:
                wanted.setdefault(mode, []).append(row)
        if not wanted:
            return None
        count = sum(map(len, wanted.values())).to_bytes(2, "big")
        made = ((self._packets(mode), rows) for mode, rows in wanted.items())
        return count + b"".join([packets[row] for packets, rows in made for row in rows])

    def _packets(self, mode: TickMode) -> list[bytes]:
        """Every row's packet behind its length."""
        if mode not in self._made:
            packets = self._made[mode] = [b""] * len(self._tokens)
            is_index = (self._frame.tokens & 0xFF) == INDEX_SEGMENT
            # Apart, for packets of one kind are written together.
            for rows in (np.flatnonzero(~is_index), np.flatnonzero(is_index)):
                part = select(self._frame, rows)
                message, offset = encode(part, mode, self._prices.day_prices(part.tokens)), 2
                for row in rows.tolist():
                    end = offset + 2 + int.from_bytes(message[offset : offset + 2], "big")
                    packets[row], offset = message[offset:end], end
        return self._made[mode]


def _numbers(value: Any) -> list[int]:
    """Kite takes numbers; a token as text is accepted and gives no ticks."""
    return [token for token in value if isinstance(token, int)]


async def _refuse(refusal: VenueRefusal, send: Send) -> None:
    body = {"status": "error", "message": refusal.message, "error_type": refusal.error_type, "data": None}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": refusal.http_status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": json.dumps(body).encode()})
