"""A write that the fence stops never reaches GitHub as a whole request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from reviewer.errors import ForgeUnavailable
from tests.fakes.clock import jumping
from tests.github.server import private_key, token_shape
from webhooks.github.auth import AppAuth
from webhooks.github.client import GitHub


class StoppedByFence(Exception):
    pass


class Wire:
    """What came over each connection, byte by byte; it answers only requests that are whole."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.connections = 0
        self.ended = asyncio.Event()
        self.silent = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            first = True
            while await self._serve_one(reader, writer, first=first):
                first = False
        finally:
            writer.close()

    async def _serve_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, first: bool
    ) -> bool:
        """One request; whether another may come on the connection."""
        received = b""
        while not _whole(received):
            piece = await reader.read(65_536)
            if not piece:
                break
            received += piece
        if b"/access_tokens" in received:
            await _answer(writer, token_shape("ghs_made_up"))
            return True
        if not received and not first:
            return False
        self.received.append(received)
        answers = _whole(received) and not self.silent
        if answers:
            await _answer(writer, {"id": 7, "data": {"id": 7}})
        self.ended.set()
        return answers


def _whole(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    lengths = [
        line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    ]
    return len(body) >= int(lengths[0]) if lengths else b"chunked" not in head.lower() or b"0\r\n\r\n" in body


async def _answer(writer: asyncio.StreamWriter, body: object) -> None:
    text = json.dumps(body).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
    writer.write(f"content-length: {len(text)}\r\n\r\n".encode() + text)
    await writer.drain()


@asynccontextmanager
async def wired() -> AsyncIterator[tuple[Wire, GitHub]]:
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    async with server, GitHub(f"http://{host}:{port}", AppAuth("Iv23made.up", private_key())) as github:
        await github.token(1)
        yield wire, github


async def stop() -> None:
    raise StoppedByFence


BODY = {"body": "words that must not arrive"}


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("body", [BODY, None])
def test_of_a_stopped_write_nothing_whole_arrives_and_the_connection_ends(method, body):
    @jumping
    async def check():
        async with wired() as (wire, github):
            with pytest.raises(StoppedByFence):
                await github.write(1, method, "/x", body, fence=stop)

            await wire.ended.wait()
            for received in wire.received:
                assert not _whole(received)
                assert b"words" not in received
            assert len(wire.received) == 1

    check()


@jumping
async def test_a_stopped_mutation_does_not_arrive():
    async with wired() as (wire, github):
        with pytest.raises(StoppedByFence):
            await github.query(1, "mutation { words }", {}, fence=stop)

        await wire.ended.wait()
        assert [b"words" in received for received in wire.received] == [False]


@jumping
async def test_the_fence_is_passed_after_the_connection_stands_and_before_the_body_is_sent():
    async with wired() as (wire, github):
        seen: list[tuple[int, bool]] = []

        async def look() -> None:
            seen.append((len(wire.received), wire.ended.is_set()))

        assert await github.write(1, "POST", "/x", BODY, fence=look) == {"id": 7, "data": {"id": 7}}

        assert seen == [(0, False)]
        assert b"words that must not arrive" in wire.received[0]
        assert b"content-length" in wire.received[0].lower()


@jumping
async def test_a_write_waits_for_its_turn_before_it_passes_the_fence():
    async with wired() as (wire, github):
        await asyncio.sleep(1)
        passed: list[float] = []

        async def pass_() -> None:
            passed.append(len(wire.received))

        slow = asyncio.create_task(github.write(1, "POST", "/x", BODY))
        second = asyncio.create_task(github.write(1, "POST", "/x", BODY, fence=pass_))
        await asyncio.gather(slow, second)

        assert passed == [1]


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_a_write_without_an_answer_is_in_doubt_and_not_sent_again(method):
    @jumping
    async def check():
        async with wired() as (wire, github):
            wire.silent = True

            with pytest.raises(ForgeUnavailable):
                await github.write(1, method, "/x", BODY)

            assert len(wire.received) == 1
            assert _whole(wire.received[0])

    check()


@jumping
async def test_every_write_has_a_connection_of_its_own():
    async with wired() as (wire, github):
        before = wire.connections
        for _ in range(3):
            await github.write(1, "POST", "/x", BODY)

        assert wire.connections - before == 3
