import asyncio

from tests.trading.exchange.market_builders import FUTURE, SHARE, at, frame
from trading.core.kite_frames import TickMode
from trading.exchange.day_prices import DayPrices
from trading.exchange.server.feed import FRAMES_HELD, TEXTS_HELD, Connection, Packed


class Client:
    """Takes messages when the test lets it."""

    def __init__(self):
        self.taken = []
        self.may_read = asyncio.Event()

    async def send(self, message):
        await self.may_read.wait()
        self.taken.append(message.get("bytes") or message.get("text") or message.get("code"))


async def _delivered(post, count):
    """What a client that reads nothing until everything is posted gets: its first `count` messages."""
    client = Client()
    connection = Connection(1, "AB1234", client.send)
    delivery = asyncio.create_task(connection.deliver())
    post(connection)
    client.may_read.set()
    async with asyncio.timeout(5):
        while len(client.taken) < count and not delivery.done():
            await asyncio.sleep(0)
    delivery.cancel()
    return client.taken


def test_a_client_that_stops_reading_loses_its_oldest_frames_only():
    def post(connection):
        for number in range(100):
            connection.post_frame(b"%d" % number)

    taken = asyncio.run(_delivered(post, FRAMES_HELD))
    assert taken == [b"%d" % number for number in range(36, 100)]


def test_order_updates_overtake_frames_and_none_is_lost():
    def post(connection):
        for number in range(100):
            connection.post_frame(b"frame")
            connection.post_text("order", {"order_id": number})

    taken = asyncio.run(_delivered(post, 101))
    assert taken[0] == '{"type": "order", "data": {"order_id": 0}}'
    assert taken[99] == '{"type": "order", "data": {"order_id": 99}}'
    assert taken[100] == b"frame"


def test_a_client_that_never_reads_its_updates_is_disconnected():
    def post(connection):
        for number in range(TEXTS_HELD + 1):
            connection.post_text("order", {"order_id": number})

    assert asyncio.run(_delivered(post, 1)) == [1013]


def test_each_packet_is_made_once_and_given_to_all_who_want_it():
    prices = DayPrices((SHARE, FUTURE), at("09:15:00"))
    future = frame("09:15:00", "26000.0", "26000.0x50", "26000.1x60", spec=FUTURE)
    prices.note(future)
    packed = Packed(prices.widen(future), prices)
    both = {FUTURE.instrument_token: TickMode.FULL, 256265: TickMode.LTP}
    message = packed.message(both)
    assert [len(message), message[:2], message[2:4]] == [2 + 186 + 10, b"\x00\x02", b"\x00\xb8"]
    # The index's own price, 25,970.08, ends its packet.
    assert message[-4:] == (2_597_008).to_bytes(4, "big")
    assert packed.message({256265: TickMode.LTP}) == b"\x00\x01" + message[-10:]
    assert packed.message({SHARE.instrument_token: TickMode.FULL}) is None
