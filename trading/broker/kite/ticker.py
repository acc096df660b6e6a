"""The market's socket: one connection in a thread of its own, which it keeps alive, resubscribed and never
trusts.

Zerodha's Python client misses a dead peer, retries a dead token for ever and cannot restart; so this speaks
the protocol itself. The thread only moves bytes: frames are decoded by whoever takes them.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Condition, Event, Lock, Thread
from typing import Any
from urllib.parse import urlencode

import structlog
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from trading.broker.base import BrokerUnavailable
from trading.broker.kite import parse, venue_clock
from trading.broker.kite.environment import KiteEnvironment
from trading.broker.kite.frames import BrokenFrame, TickMode, decode
from trading.broker.kite.recorder import Recorder
from trading.broker.kite.venue_clock import VenueState
from trading.core.clocks import Clocks
from trading.core.ticks import TickFrame
from trading.core.values import OrderReport

log = structlog.get_logger(__name__)

INSTRUMENTS_PER_CONNECTION = 3000
#: Kite sends a heartbeat every second or two; its Go and JavaScript clients give up after as long
SILENCE_S = 5.0
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
#: a fourth connection of the key: fast retries would keep the others from coming back
TOO_MANY_WAIT_S = 30.0
#: a connection that lived so long was a good one, and the next wait is short again
GOOD_AFTER_S = 30.0
#: three full frames of a full connection are 1.7 MB
FRAMES_HELD = 64
MESSAGE_BYTES = 1 << 22
HEARTBEAT_BYTES = 2

# The library logs the request line at DEBUG, and the access token stands in it. One that `logging` knows
# would be switched on again by the next configuration.
_mute = logging.Logger("ticker-wire")  # noqa: LOG001
_mute.disabled = True


@dataclass(frozen=True, kw_only=True, slots=True)
class TickerCalls:
    """What the ticker tells, in its own thread: each may only set an event or put something in a queue."""

    #: connected or reconnected, and resubscribed: what was said meanwhile is lost, so read the books
    connected: Callable[[], None] = lambda: None
    #: an order changed; None where the update could not be read, which is as good a reason to look
    order_update: Callable[[OrderReport | None], None] = lambda report: None
    #: a frame of ticks can be taken
    frame: Callable[[], None] = lambda: None
    #: an exchange of ours said what time its market has: see `Ticker.take_clock`
    clock: Callable[[], None] = lambda: None
    #: the token is dead: the ticker has stopped, and somebody must log in
    session_expired: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class _Message:
    connection_number: int
    received_at: datetime
    data: bytes


class Ticker:
    """Ticks and order updates of one connection. `watch` says what is wanted; `next_frame` hands it out.

    When the reader is slow the oldest frames are dropped and counted in `dropped_frames`: a frame is a
    snapshot, its volume is cumulative, and an old price is worse than none.
    """

    def __init__(
        self,
        environment: KiteEnvironment,
        *,
        api_key: str,
        access_token: str,
        user_id: str,
        clocks: Clocks,
        calls: TickerCalls | None = None,
        announce: str = "",
        recorder: Recorder | None = None,
        silence_s: float = SILENCE_S,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        """`announce` is who we are, for an exchange that waits for our acknowledgements.

        A `recorder` is told every frame and text as it came; closing it is its owner's.
        """
        query = {"api_key": api_key, "access_token": access_token}
        if environment.ticker_needs_user_id:
            query["user_id"] = user_id
        self._uri = f"{environment.ticker_url.rstrip('/')}/?{urlencode(query)}"
        self._environment = environment
        self._clocks = clocks
        self._calls = calls or TickerCalls()
        self._announce = announce if environment.paces_frames else ""
        self._recorder = recorder
        self._silence_s = silence_s
        self._first_wait_s = first_wait_s
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="ticker", daemon=True)
        self._wanted: dict[int, TickMode] = {}
        self._connection: ClientConnection | None = None
        self._lock = Lock()  # guards _wanted and _connection
        self._frames: deque[_Message] = deque()
        self._arrived = Condition()  # guards _frames
        self._taken_on = 0
        self._taken_exchange_s = 0
        self._clock: tuple[int, VenueState, float] | None = None
        self._last_message_s = clocks.monotonic_s()
        self.connections = 0
        self.dropped_frames = 0
        self.broken_frames = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Close the connection and end the thread. It cannot be started again: make a new Ticker."""
        self._stopping.set()
        with self._lock:
            connection = self._connection
        if connection is not None:
            connection.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    @property
    def frames_waiting(self) -> int:
        """How many frames can be taken at once."""
        return len(self._frames)

    @property
    def silent_s(self) -> float:
        """Seconds since anything came, heartbeats included."""
        return self._clocks.monotonic_s() - self._last_message_s

    def watch(self, modes: Mapping[int, TickMode]) -> None:
        """Want these tokens in these modes, and no others; over reconnects too. ValueError above 3000."""
        if len(modes) > INSTRUMENTS_PER_CONNECTION:
            raise ValueError(
                f"{len(modes)} instruments on one connection; Kite takes {INSTRUMENTS_PER_CONNECTION}: "
                "use another Ticker for the rest"
            )
        with self._lock:
            before, self._wanted = self._wanted, dict(modes)
            if self._connection is not None:
                # A connection that just broke is resubscribed whole by the one after it.
                with suppress(ConnectionClosed):
                    _send_changes(self._connection, before, self._wanted)

    def next_frame(self, timeout_s: float) -> TickFrame | None:
        """The oldest frame held, or None when none came in time. Broken frames are counted and passed over.

        Raises BrokerUnavailable when the ticker has ended.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: self._frames or not self._thread.is_alive(), timeout_s)
            message = self._frames.popleft() if self._frames else None
        if message is None:
            if not self._thread.is_alive():
                raise BrokerUnavailable(
                    "the ticker has ended: start a new one, after a login if the token died"
                )
            return None
        try:
            frame = decode(message.data, message.received_at)
            self._note_taken(message.connection_number, int(frame.exchange_time_s.max(initial=0)))
            return frame
        except BrokenFrame as problem:
            self.broken_frames += 1
            log.error("tick_frame_broken", problem=str(problem))
            return None

    def take_clock(self) -> VenueState | None:
        """What the exchange said last of its session and market time, once; None when it said nothing new.

        At the real pace its time went on while the word waited to be taken, and `market_at` with it.
        """
        told, self._clock = self._clock, None
        if told is None:
            return None
        connection_number, state, heard_s = told
        self._note_taken(connection_number, int(state.market_at.timestamp()))
        if state.speed > 1:
            return state
        waited = timedelta(seconds=(self._clocks.monotonic_s() - heard_s) * state.speed)
        return replace(state, market_at=state.market_at + waited)

    def acknowledge(self) -> None:
        """Tell an exchange that waits for it (see `KiteEnvironment.paces_frames`) that the frame taken last
        is done.

        Sends the newest exchange time taken, seconds since the epoch: {"a": "ack", "v": 1795491900}.
        """
        if not self._environment.paces_frames or not self._taken_exchange_s:
            return
        with self._lock, suppress(ConnectionClosed):
            if self._connection is not None and self._taken_on == self.connections:
                _send(self._connection, "ack", self._taken_exchange_s)

    def _note_taken(self, connection_number: int, exchange_s: int) -> None:
        if connection_number != self._taken_on:
            self._taken_on, self._taken_exchange_s = connection_number, 0
        self._taken_exchange_s = max(self._taken_exchange_s, exchange_s)

    def _run(self) -> None:
        wait_s = self._first_wait_s
        try:
            while not self._stopping.is_set():
                began_s = self._clocks.monotonic_s()
                status = self._live_once()
                if status == HTTPStatus.FORBIDDEN:
                    log.error("ticker_session_expired", environment=self._environment.name)
                    self._calls.session_expired()
                    return
                if self._clocks.monotonic_s() - began_s >= GOOD_AFTER_S:
                    wait_s = self._first_wait_s
                self._stopping.wait(TOO_MANY_WAIT_S if status == HTTPStatus.TOO_MANY_REQUESTS else wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        finally:
            with self._arrived:
                self._arrived.notify_all()

    def _live_once(self) -> int:
        """One connection from its opening to its end. Returns the HTTP status that refused it, or 0."""
        try:
            with connect(
                self._uri,
                additional_headers={"X-Kite-Version": "3"},
                compression=None,
                proxy=None,
                open_timeout=self._silence_s,
                # Our own watch on silence is stricter, and Kite's heartbeats feed it.
                ping_interval=None,
                close_timeout=1,
                max_size=MESSAGE_BYTES,
                logger=_mute,
            ) as connection:
                self._begin(connection)
                self._listen(connection)
        except InvalidStatus as refusal:
            log.warning(
                "ticker_refused", environment=self._environment.name, status=refusal.response.status_code
            )
            return refusal.response.status_code
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            if not self._stopping.is_set():
                log.warning("ticker_dropped", environment=self._environment.name, reason=type(error).__name__)
        finally:
            with self._lock:
                self._connection = None
        return 0

    def _begin(self, connection: ClientConnection) -> None:
        with self._lock:
            self.connections += 1
            self._connection = connection
            if self._announce:
                _send(connection, "hello", self._announce)
            _send_changes(connection, {}, self._wanted)
        self._last_message_s = self._clocks.monotonic_s()
        log.info("ticker_connected", environment=self._environment.name, instruments=len(self._wanted))
        self._calls.connected()

    def _listen(self, connection: ClientConnection) -> None:
        """Until the connection ends or is silent too long: then recv raises TimeoutError, an OSError."""
        while not self._stopping.is_set():
            message = connection.recv(timeout=self._silence_s)
            self._last_message_s = self._clocks.monotonic_s()
            if isinstance(message, str):
                if self._recorder is not None:
                    self._recorder.text(message)
                self._hear(message)
            elif len(message) > HEARTBEAT_BYTES:
                held = _Message(self.connections, self._clocks.market_now(), message)
                if self._recorder is not None:
                    self._recorder.frame(held.received_at, message)
                self._hold(held)

    def _hold(self, message: _Message) -> None:
        with self._arrived:
            if len(self._frames) == FRAMES_HELD:
                self._frames.popleft()
                self.dropped_frames += 1
            self._frames.append(message)
            self._arrived.notify()
        self._calls.frame()

    def _hear(self, text: str) -> None:
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            log.warning("ticker_text_unreadable", characters=len(text))
        elif said.get("type") == "order":
            self._calls.order_update(self._order_report(said.get("data")))
        elif said.get("type") == "clock" and self._environment.paces_frames:
            self._hear_clock(said.get("data"))
        elif said.get("type") == "error":
            log.error("ticker_error", said=str(said.get("data")))
        else:
            log.info("ticker_message", kind=str(said.get("type")), said=str(said.get("data")))

    def _hear_clock(self, told: Any) -> None:
        try:
            state = venue_clock.venue_state(told)
            self._clock = (self.connections, state, self._clocks.monotonic_s())
        except parse.UnreadableRow as problem:
            log.warning("ticker_clock_unreadable", problem=str(problem))
        else:
            self._calls.clock()

    def _order_report(self, row: Any) -> OrderReport | None:
        try:
            return parse.order_report(row if isinstance(row, dict) else {}, self._clocks.market_now().date())
        except parse.UnreadableRow as problem:
            log.warning("ticker_order_update_unreadable", problem=str(problem))
            return None


def _send_changes(
    connection: ClientConnection, before: Mapping[int, TickMode], wanted: Mapping[int, TickMode]
) -> None:
    """Subscribing resets a token to quote mode, so a mode always follows."""
    gone = before.keys() - wanted.keys()
    changed = {token: mode for token, mode in wanted.items() if before.get(token) is not mode}
    if gone:
        _send(connection, "unsubscribe", _tokens(gone))
    if changed:
        _send(connection, "subscribe", _tokens(changed))
    for mode in TickMode:
        tokens = _tokens(token for token, its in changed.items() if its is mode)
        if tokens:
            _send(connection, "mode", [mode.value, tokens])


def _tokens(tokens: Iterable[int]) -> list[int]:
    """Kite takes numbers only: a token as text is accepted and gives no ticks."""
    return sorted(int(token) for token in tokens)


def _send(connection: ClientConnection, action: str, value: Any) -> None:
    connection.send(json.dumps({"a": action, "v": value}))
