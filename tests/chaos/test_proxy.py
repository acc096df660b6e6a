"""The wire: what it does to bytes in each of its modes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from aitrapp_site.paper import free_port
from tests.chaos.proxy import Proxy, Wire

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """Answers each line with itself, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.heard.append(line)
            writer.write(line)
        writer.close()


def through_proxy(folder: Path, act: Callable[[Proxy, Echo], Awaitable[None]]) -> None:
    async def go() -> None:
        echo = Echo()
        server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
        (folder / "port").write_text(str(server.sockets[0].getsockname()[1]))
        proxy = Proxy(free_port(0), folder / "port")
        await proxy.open()
        async with asyncio.timeout(10):
            await act(proxy, echo)

    asyncio.run(go())


async def connect(proxy: Proxy) -> Client:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def ask(client: Client, line: bytes, within_s: float = 2.0) -> bytes:
    client[1].write(line)
    async with asyncio.timeout(within_s):
        return await client[0].readline()


def test_a_well_wire_hands_both_directions_on(tmp_path):
    async def act(proxy, echo):
        client = await connect(proxy)
        assert await ask(client, b"one\n") == b"one\n"
        assert await ask(client, b"two\n") == b"two\n"

    through_proxy(tmp_path, act)


def test_a_cut_resets_what_is_connected_and_takes_new_connections(tmp_path):
    async def act(proxy, echo):
        client = await connect(proxy)
        assert await ask(client, b"one\n") == b"one\n"
        await proxy.turn(Wire.CUT, 0.0)
        with pytest.raises(ConnectionResetError):
            await client[0].readline()
        assert await ask(await connect(proxy), b"two\n") == b"two\n"

    through_proxy(tmp_path, act)


def test_a_refusing_wire_takes_no_connection_until_it_is_well(tmp_path):
    async def act(proxy, echo):
        await proxy.turn(Wire.REFUSED, 0.0)
        with pytest.raises(ConnectionRefusedError):
            await connect(proxy)
        await proxy.turn(Wire.WELL, 0.0)
        assert await ask(await connect(proxy), b"one\n") == b"one\n"

    through_proxy(tmp_path, act)


def test_a_delayed_wire_hands_answers_on_later_and_in_order(tmp_path):
    async def act(proxy, echo):
        client = await connect(proxy)
        await proxy.turn(Wire.DELAYED, 0.3)
        clock = asyncio.get_running_loop().time
        began_s = clock()
        client[1].write(b"one\ntwo\n")
        assert (await client[0].readline(), await client[0].readline()) == (b"one\n", b"two\n")
        assert 0.3 <= clock() - began_s < 1.5

    through_proxy(tmp_path, act)


def test_a_deaf_wire_delivers_what_is_asked_and_swallows_what_is_answered(tmp_path):
    async def act(proxy, echo):
        client = await connect(proxy)
        await proxy.turn(Wire.DEAF, 0.0)
        with pytest.raises(TimeoutError):
            await ask(client, b"one\n", within_s=0.3)
        assert echo.heard == [b"one\n"]
        await proxy.turn(Wire.WELL, 0.0)
        with pytest.raises(ConnectionResetError):
            await client[0].readline()

    through_proxy(tmp_path, act)


def test_a_black_hole_delivers_nothing(tmp_path):
    async def act(proxy, echo):
        client = await connect(proxy)
        await proxy.turn(Wire.BLACK_HOLE, 0.0)
        with pytest.raises(TimeoutError):
            await ask(client, b"one\n", within_s=0.3)
        assert echo.heard == []

    through_proxy(tmp_path, act)


def test_a_mute_wire_swallows_the_answers_to_orders_alone(tmp_path):
    async def act(proxy, echo):
        client, reader = await connect(proxy), await connect(proxy)
        await proxy.turn(Wire.MUTE, 0.0)
        assert await ask(reader, b"GET /orders\n") == b"GET /orders\n"
        with pytest.raises(TimeoutError):
            await ask(client, b"POST /orders/regular\n", within_s=0.3)
        assert echo.heard == [b"GET /orders\n", b"POST /orders/regular\n"]

    through_proxy(tmp_path, act)


def test_a_resetting_wire_delivers_an_order_and_resets_before_its_answer(tmp_path):
    async def act(proxy, echo):
        client = await connect(proxy)
        await proxy.turn(Wire.RESET, 0.0)
        assert await ask(client, b"GET /orders\n") == b"GET /orders\n"
        with pytest.raises(ConnectionResetError):
            await ask(client, b"POST /orders/regular\n")
        assert echo.heard == [b"GET /orders\n", b"POST /orders/regular\n"]

    through_proxy(tmp_path, act)
