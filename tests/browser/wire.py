"""A wire between a browser and the app, which can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_BLOCK = 65_536


@dataclass
class Wire:
    """Passes bytes on in both directions; while it is cut it refuses connections.

    Attributes:
        url: where browsers connect to.
    """

    host: str
    port: int
    url: str = ""
    _down: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    def cut(self) -> None:
        """Break every connection, and let no new one through."""
        self._down = True
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._down = False

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the browser's."""
        if self._down:
            writer.transport.abort()
            return
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
            self._open |= {writer, far_writer}
            try:
                await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
            finally:
                self._open -= {writer, far_writer}
                far_writer.close()
                writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
    writer.close()  # the other direction ends with it


@asynccontextmanager
async def laid(host: str, port: int) -> AsyncGenerator[Wire]:
    """A wire to a port of this machine, while the block runs."""
    wire = Wire(host, port)
    server = await asyncio.start_server(wire.take, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield wire
        wire.cut()
