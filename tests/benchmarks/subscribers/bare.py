"""What fan-out costs at least: a server that does nothing but write the same bytes to all of its sockets.

`python -m …` prints its port, and writes as it is told.
"""

from __future__ import annotations

import asyncio

from reviewer.core.events import dump
from tests.benchmarks.subscribers.appender import SUBJECT, finding
from tests.benchmarks.subscribers.orders import obey
from tests.benchmarks.subscribers.readers import say

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


class _Connection(asyncio.Protocol):
    def __init__(self, all_: set[asyncio.WriteTransport]) -> None:
        self._all = all_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # the request
        self._transport.write(_HEAD)
        self._all.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.discard(self._transport)


def _chunk(number: int) -> bytes:
    data = str(SUBJECT.model_dump() | dump(finding(number)))
    event = f"id: {'x' * 22}\r\nevent: finding\r\ndata: {data}\r\n\r\n".encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


async def _main() -> None:
    loop, connections = asyncio.get_running_loop(), set[asyncio.WriteTransport]()
    server = await loop.create_server(lambda: _Connection(connections), "127.0.0.1", 0, backlog=2_048)
    say(server.sockets[0].getsockname()[1])

    async def write(number: int) -> None:
        chunk = _chunk(number)
        for transport in connections:
            transport.write(chunk)

    await obey(write)


if __name__ == "__main__":
    asyncio.run(_main())
