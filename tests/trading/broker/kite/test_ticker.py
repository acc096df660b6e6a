import json
import logging
import queue
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.trading.broker.kite import ticker_server
from tests.trading.broker.kite.samples import data
from tests.trading.broker.kite.ticker_server import WAIT_S, TickerServer
from trading.broker.base import BrokerUnavailable
from trading.broker.kite.environment import EXCHANGE, SANDBOX
from trading.broker.kite.frames import TickMode
from trading.broker.kite.ticker import FRAMES_HELD, Ticker, TickerCalls
from trading.core.clocks import VirtualClocks
from trading.core.enums import OrderStatus

NOW = datetime(2026, 11, 23, 9, 45, tzinfo=ZoneInfo("Asia/Kolkata"))
INFY, SBIN = 408065, 779521


def ltp_frame(token: int, price_paise: int) -> bytes:
    return struct.pack(">HHII", 1, 8, token, price_paise)


def full_frame(token: int, exchange_s: int) -> bytes:
    packet = struct.pack(">46I", token, 100, *[0] * 13, exchange_s, *[0] * 30)
    return struct.pack(">HH", 1, len(packet)) + packet


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


class Desk:
    """A ticker at a server, and what it called."""

    def __init__(self, server: TickerServer, **options) -> None:
        self.said: queue.Queue[Any] = queue.Queue()
        environment = options.pop("environment", EXCHANGE)
        self.ticker = Ticker(
            environment.at("http://127.0.0.1:1", server.url),
            api_key="k3y",
            access_token="s3cret",
            user_id="AB1234",
            clocks=VirtualClocks(NOW),
            calls=TickerCalls(
                connected=lambda: self.said.put("connected"),
                order_update=self.said.put,
                session_expired=lambda: self.said.put("session expired"),
            ),
            **{"first_wait_s": 0.02, "silence_s": 3.0, **options},
        )

    def next_said(self):
        return self.said.get(timeout=WAIT_S)


@pytest.fixture
def server() -> Iterator[TickerServer]:
    with ticker_server.running() as server:
        yield server


@pytest.fixture
def desk_at(server) -> Iterator[Callable[..., Desk]]:
    with ExitStack() as stack:

        def make(**options) -> Desk:
            desk = Desk(server, **options)
            stack.callback(desk.ticker.stop)
            return desk

        yield make


def test_ticks_arrive_with_the_market_time_of_their_arrival(server, desk_at):
    desk = desk_at()
    desk.ticker.start()
    server.take_connection().send(ltp_frame(INFY, 157360))
    frame = desk.ticker.next_frame(WAIT_S)
    assert (frame.tokens.tolist(), frame.last_price_paise.tolist()) == ([INFY], [157360])
    assert frame.received_at == NOW


def test_heartbeats_keep_it_alive_and_are_no_frames(server, desk_at):
    desk = desk_at()
    desk.ticker.start()
    connection = server.take_connection()
    connection.send(b"\x00")
    connection.send(ltp_frame(INFY, 1))
    assert desk.ticker.next_frame(WAIT_S).last_price_paise.tolist() == [1]
    assert desk.ticker.next_frame(0.01) is None


def test_a_mode_follows_every_subscription_in_numbers(server, desk_at):
    desk = desk_at()
    desk.ticker.watch({SBIN: TickMode.FULL, INFY: TickMode.LTP})
    desk.ticker.start()
    assert server.take_heard(3) == [
        {"a": "subscribe", "v": [INFY, SBIN]},
        {"a": "mode", "v": ["ltp", [INFY]]},
        {"a": "mode", "v": ["full", [SBIN]]},
    ]
    desk.ticker.watch({SBIN: TickMode.FULL, 257: TickMode.FULL})
    assert server.take_heard(3) == [
        {"a": "unsubscribe", "v": [INFY]},
        {"a": "subscribe", "v": [257]},
        {"a": "mode", "v": ["full", [257]]},
    ]


def test_a_dropped_connection_comes_back_with_its_subscriptions(server, desk_at):
    desk = desk_at()
    desk.ticker.watch({INFY: TickMode.QUOTE})
    desk.ticker.start()
    first = server.take_connection()
    server.take_heard(2)
    first.socket.close()
    server.take_connection()
    assert server.take_heard(2) == [
        {"a": "subscribe", "v": [INFY]},
        {"a": "mode", "v": ["quote", [INFY]]},
    ]
    assert [desk.next_said(), desk.next_said()] == ["connected", "connected"]
    assert desk.ticker.connections == 2


def test_a_silent_peer_is_left_for_a_new_connection(server, desk_at):
    desk = desk_at(silence_s=0.2)
    desk.ticker.start()
    server.take_connection()
    server.take_connection().send(ltp_frame(INFY, 2))
    assert desk.ticker.next_frame(WAIT_S).last_price_paise.tolist() == [2]


def test_a_dead_token_stops_it_and_asks_for_a_login(server, desk_at):
    server.refusals = [HTTPStatus.FORBIDDEN]
    desk = desk_at()
    desk.ticker.start()
    assert desk.next_said() == "session expired"
    with pytest.raises(BrokerUnavailable, match="ended"):
        desk.ticker.next_frame(WAIT_S)
    assert len(server.paths) == 1


def test_one_connection_too_many_is_tried_again_slowly(server, desk_at, monkeypatch):
    monkeypatch.setattr("trading.broker.kite.ticker.TOO_MANY_WAIT_S", 0.3)
    server.refusals = [HTTPStatus.TOO_MANY_REQUESTS]
    desk = desk_at()
    desk.ticker.start()
    with pytest.raises(queue.Empty):
        server.connected.get(timeout=0.2)
    server.take_connection()
    assert desk.next_said() == "connected"


def test_a_server_that_is_not_there_yet_is_tried_until_it_is(server, desk_at):
    server.refusals = [HTTPStatus.BAD_GATEWAY] * 3
    desk = desk_at()
    desk.ticker.start()
    server.take_connection()
    assert len(server.paths) == 4


def test_an_order_update_is_read_and_an_unreadable_one_still_wakes(server, desk_at):
    desk = desk_at()
    desk.ticker.start()
    connection = server.take_connection()
    assert desk.next_said() == "connected"
    for row in (data("orders_odd.json")[0], data("orders_odd.json")[2], "nonsense"):
        connection.send(json.dumps({"type": "order", "data": row}))
    first, second, third = desk.next_said(), desk.next_said(), desk.next_said()
    assert (first.broker_order_id, first.status) == ("261123000000001", OrderStatus.PARTIALLY_FILLED)
    assert (second, third) == (None, None)


def test_other_texts_and_broken_frames_do_no_harm(server, desk_at):
    desk = desk_at()
    desk.ticker.start()
    connection = server.take_connection()
    for text in ("{half", "[1]", '{"type": "error", "data": "no"}', '{"type": "message", "data": "hello"}'):
        connection.send(text)
    connection.send(ltp_frame(INFY, 1)[:-1])
    connection.send(ltp_frame(INFY, 2))
    assert desk.ticker.next_frame(WAIT_S) is None
    assert desk.ticker.next_frame(WAIT_S).last_price_paise.tolist() == [2]
    assert (desk.ticker.broken_frames, desk.ticker.connections) == (1, 1)


def test_a_slow_reader_loses_the_oldest_frames_and_keeps_the_newest(server, desk_at):
    desk = desk_at()
    desk.ticker.start()
    connection = server.take_connection()
    assert desk.next_said() == "connected"
    for price in range(FRAMES_HELD + 3):
        connection.send(ltp_frame(INFY, price))
    connection.send(json.dumps({"type": "order", "data": data("orders_odd.json")[0]}))
    desk.next_said()  # all frames before it have arrived
    prices = [desk.ticker.next_frame(0.1).last_price_paise[0] for _ in range(FRAMES_HELD)]
    assert prices == list(range(3, FRAMES_HELD + 3))
    assert desk.ticker.dropped_frames == 3


def test_frames_done_are_acknowledged_by_their_exchange_time(server, desk_at):
    desk = desk_at(announce="watcher")
    desk.ticker.start()
    connection = server.take_connection()
    desk.ticker.acknowledge()
    for exchange_s in (1_795_491_900, 1_795_491_903):
        connection.send(full_frame(INFY, exchange_s))
        desk.ticker.next_frame(WAIT_S)
    desk.ticker.acknowledge()
    assert server.take_heard(2) == [{"a": "hello", "v": "watcher"}, {"a": "ack", "v": 1_795_491_903}]


def test_the_sandbox_is_told_the_user_and_hears_no_acknowledgement(server, desk_at):
    desk = desk_at(environment=SANDBOX)
    desk.ticker.start()
    server.take_connection().send(ltp_frame(INFY, 1))
    desk.ticker.next_frame(WAIT_S)
    desk.ticker.acknowledge()
    desk.ticker.watch({INFY: TickMode.LTP})
    assert server.take_heard(1) == [{"a": "subscribe", "v": [INFY]}]
    assert server.paths == ["/?api_key=k3y&access_token=s3cret&user_id=AB1234"]


def test_more_than_three_thousand_instruments_are_refused(desk_at):
    with pytest.raises(ValueError, match="3001 instruments"):
        desk_at().ticker.watch(dict.fromkeys(range(3001), TickMode.LTP))


def test_the_token_is_in_no_log(server, desk_at, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    server.refusals = [HTTPStatus.BAD_GATEWAY]
    desk = desk_at()
    desk.ticker.start()
    server.take_connection()
    desk.ticker.stop()
    ours = [record for record in caplog.records if "server" not in record.name]
    output = capsys.readouterr()
    assert "s3cret" not in "".join(record.getMessage() for record in ours) + output.out + output.err


def test_a_certificate_nobody_vouches_for_is_not_spoken_to(tmp_path):
    with ticker_server.running(ssl=self_signed(tmp_path)) as server:
        desk = Desk(server)
        desk.ticker.start()
        with pytest.raises(queue.Empty):
            server.connected.get(timeout=0.4)
        desk.ticker.stop()
    assert server.paths == []
    assert desk.said.empty()


def test_stopping_ends_the_thread_at_once(server, desk_at):
    desk = desk_at()
    desk.ticker.start()
    server.take_connection()
    assert desk.next_said() == "connected"
    desk.ticker.stop()
    with pytest.raises(BrokerUnavailable):
        desk.ticker.next_frame(WAIT_S)
    assert not desk.ticker.is_connected
