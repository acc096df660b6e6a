import asyncio

from trading.exchange.server.feed import FRAMES_HELD, TEXTS_HELD, Connection


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
    connection = Connection(1, client.send)
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
