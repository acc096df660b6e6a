"""The wire between the program and the exchange, in a process of its own: cut, delayed, swallowed, by order.

The first line on standard input names the file with the exchange's port; then orders come, `mode seconds`. The process
ends with that input. Of what it forwards it reads only how a request begins.
"""

import asyncio
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 1 << 16
#: sent with a reset, not with a goodbye
LINGER_NOT: Final = struct.pack("ii", 1, 0)


class Wire(StrEnum):
    """What happens to bytes and connections."""

    WELL = "well"
    #: every connection is reset, once
    CUT = "cut"
    #: nobody listens
    REFUSED = "refused"
    #: answers and ticks take so many seconds longer
    DELAYED = "delayed"
    #: bytes vanish both ways
    BLACK_HOLE = "black hole"
    #: what is asked arrives, what is answered vanishes
    DEAF = "deaf"
    #: as deaf, for placing, changing and cancelling orders alone
    MUTE = "mute"
    #: an order's request arrives, then the connection is reset before the answer
    RESET = "reset"


SWALLOWING: Final = frozenset({Wire.BLACK_HOLE, Wire.DEAF})
#: how a request that the exchange acts on begins
ORDERS: Final = (b"POST /orders", b"PUT /orders", b"DELETE /orders")


@dataclass(slots=True, eq=False)
class Link:
    """One connection of the program and its other half to the exchange."""

    client: asyncio.StreamWriter
    exchange: asyncio.StreamWriter
    #: bytes of it were swallowed: it can never be whole again
    is_spoilt: bool = False
    #: what was asked last places, changes or cancels an order
    is_order: bool = False

    def reset(self) -> None:
        for writer in (self.client, self.exchange):
            end = writer.get_extra_info("socket")
            if end is not None and end.fileno() >= 0:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            writer.transport.abort()


@dataclass(slots=True)
class Proxy:
    """`port_file` holds the exchange's port; it is read at each connection, since the exchange may move."""

    port: int
    port_file: Path
    mode: Wire = Wire.WELL
    delay_s: float = 0.0
    _links: set[Link] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def turn(self, mode: Wire, seconds: float) -> None:
        """From now on `mode`; `seconds` is how much a delayed wire adds."""
        for link in list(self._links):
            if link.is_spoilt or mode in (Wire.CUT, Wire.REFUSED):
                link.reset()
        self.mode = Wire.WELL if mode is Wire.CUT else mode
        self.delay_s = seconds if mode is Wire.DELAYED else 0.0
        if mode is Wire.REFUSED and self._server is not None:
            self._server.close()
            self._server = None
        elif mode is not Wire.REFUSED:
            await self.open()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            port = int(self.port_file.read_text())
            answers, exchange = await asyncio.open_connection("127.0.0.1", port)
        except (OSError, ValueError):
            Link(writer, writer).reset()
            return
        link = Link(writer, exchange)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as halves:
                halves.create_task(self._ask(reader, link))
                halves.create_task(self._answer(answers, link))
        except* OSError:
            link.reset()
        finally:
            self._links.discard(link)

    async def _ask(self, reader: asyncio.StreamReader, link: Link) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if self.mode is Wire.BLACK_HOLE:
                link.is_spoilt = True
                continue
            link.is_order = data.startswith(ORDERS)
            link.exchange.write(data)
            await link.exchange.drain()
        _finish(link.exchange)

    async def _answer(self, reader: asyncio.StreamReader, link: Link) -> None:
        """Hand on what the exchange says, each piece as late as the wire is slow, in order."""
        clock = asyncio.get_running_loop().time
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.create_task(_deliver(pieces, link))
        try:
            while data := await reader.read(CHUNK_BYTES):
                if self.mode in SWALLOWING or (self.mode is Wire.MUTE and link.is_order) or link.is_spoilt:
                    link.is_spoilt = True
                    continue
                if self.mode is Wire.RESET and link.is_order:
                    link.reset()
                    return
                pieces.put_nowait((clock() + self.delay_s, data))
            pieces.put_nowait((clock() + self.delay_s, b""))
            await delivery
        finally:
            delivery.cancel()


async def _deliver(pieces: asyncio.Queue[tuple[float, bytes]], link: Link) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due_s, data = await pieces.get()
        await asyncio.sleep(max(due_s - clock(), 0.0))
        if not data:
            _finish(link.client)
            return
        try:
            link.client.write(data)
            await link.client.drain()
        except OSError:
            return


def _finish(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, RuntimeError):
        writer.close()


async def run(port: int) -> None:
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    proxy = Proxy(port, Path((await orders.readline()).decode().strip()))
    await proxy.open()
    print("ready", flush=True)
    while line := (await orders.readline()).decode():
        mode, _, seconds = line.strip().rpartition(" ")
        await proxy.turn(Wire(mode), float(seconds))
        print(mode, flush=True)


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1])))
