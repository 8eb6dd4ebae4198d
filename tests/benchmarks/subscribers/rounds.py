"""Servers with subscribers, and rounds in which each is given the same events."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import quantiles

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.benchmarks.deliveries import service
from tests.benchmarks.subscribers.readers import Report

RATE = 20
EVENTS_A_ROUND = 100
WARM_UP = 40
TOKEN = "a made-up access token"
_SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured at one server.

    Attributes:
        delays: milliseconds from just before an event is written to its bytes at a subscriber, in order.
        server, readers: microseconds of CPU for each event and subscriber.
        kilobytes: of the server's memory for each subscriber.
    """

    delays: Sequence[float]
    server: float
    readers: float
    kilobytes: float

    def percentile(self, percent: int) -> float:
        """What so many percent do not exceed."""
        return quantiles(self.delays, n=100, method="inclusive")[percent - 1]


class Fan:
    """A server, its subscribers, and what writes events."""

    def __init__(
        self,
        writer: asyncio.subprocess.Process,
        readers: asyncio.subprocess.Process,
        subscribers: int,
        kilobytes: float,
        cpu: Callable[[], Awaitable[float]] | None,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._subscribers = subscribers
        self._kilobytes = kilobytes
        self._cpu = cpu
        self._spent = 0.0
        self._events = 0

    async def warm_up(self) -> None:
        """Give it events that do not count."""
        await self.round(WARM_UP)
        assert self._readers.stdin is not None
        self._readers.stdin.write(b"forget\n")
        await asyncio.sleep(_SETTLE_SECONDS)
        self._spent, self._events = 0.0, 0

    async def round(self, events: int = EVENTS_A_ROUND) -> None:
        """Write so many events, and wait until they have come."""
        assert self._writer.stdin is not None
        before = await self._cpu() if self._cpu else 0.0
        self._writer.stdin.write(f"{events} {RATE}\n".encode())
        spent = float(await _line(self._writer))
        await asyncio.sleep(_SETTLE_SECONDS)
        self._spent += await self._cpu() - before if self._cpu else spent
        self._events += events

    async def end(self) -> Found:
        """What was found; every event must have come to every subscriber."""
        out, _ = await self._readers.communicate(b"")
        report, count = Report(**json.loads(out)), self._subscribers * self._events
        if len(report.delays) != count:
            raise AssertionError(f"{len(report.delays):,} events came, and {count:,} should have")
        spent, read = (seconds * 1e6 / count for seconds in (self._spent, report.cpu_seconds))
        return Found(report.delays, spent, read, self._kilobytes)


@asynccontextmanager
async def ours(database: str, server: service.Server, subscribers: int) -> AsyncGenerator[Fan]:
    """Events that another process appends, at the subscribers of a serving one."""
    before = _kilobytes(server.process.pid)
    async with (
        _running("readers", f"{server.url}/events", str(subscribers), TOKEN) as readers,
        _running("appender", database) as appender,
    ):
        if await _line(readers) != "ready":
            raise AssertionError("the subscribers could not connect")
        kilobytes = (_kilobytes(server.process.pid) - before) / subscribers
        yield Fan(appender, readers, subscribers, kilobytes, lambda: _cpu_seconds(server.url))


@asynccontextmanager
async def bare(subscribers: int) -> AsyncGenerator[Fan]:
    """The same bytes, written by a server that does nothing else."""
    async with _running("bare") as server:
        url = f"http://127.0.0.1:{await _line(server)}/"
        before = _kilobytes(server.pid)
        async with _running("readers", url, str(subscribers), TOKEN) as readers:
            await _line(readers)
            yield Fan(server, readers, subscribers, (_kilobytes(server.pid) - before) / subscribers, None)


@asynccontextmanager
async def _running(module: str, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"tests.benchmarks.subscribers.{module}",
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=2**28,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


def _kilobytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], check=True, capture_output=True).stdout)


async def _cpu_seconds(url: str) -> float:
    """What a server has spent so far, as it says itself."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession() as session, session.get(url + "/metrics", headers=headers) as answer:
        for family in text_string_to_metric_families(await answer.text()):
            if family.name == "process_cpu_seconds":
                return family.samples[0].value
    raise AssertionError("the server does not tell what it has spent; it does on Linux")


def load() -> str:
    """Of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"
