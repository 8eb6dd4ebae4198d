"""One reader a process: it hears of new events, reads them once, and keeps the newest for all who follow."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed

from reviewer.grace import stop
from reviewer.store.entries import Entry, Filter, entry_of
from reviewer.store.queries import query

_PAGE = 500
_SAFETY_NET_SECONDS = 5.0  # it looks by itself this often, should a wake-up be lost
_READ_SECONDS = 10.0  # a database that takes longer has gone without a word
_RECONNECT_SECONDS = 1.0
_SQL = ("reviewer.store.sql", "feed.sql")

_log = structlog.get_logger("sluice.feed")


class Ring:
    """The newest entries without a gap, bounded by count and by the size of their text."""

    def __init__(self, *, most: int = 10_000, most_characters: int = 16_000_000) -> None:
        self._most = most
        self._most_characters = most_characters
        self._characters = 0
        self._entries: list[Entry] = []
        self._positions: list[int] = []
        self._base: int | None = None

    @property
    def newest(self) -> int:
        """Up to here all events have been seen, kept or not; 0 before the first look."""
        return self._positions[-1] if self._positions else self._base or 0

    def holds(self, after: int) -> bool:
        """Whether every event behind a position that has been seen is kept."""
        return self._base is not None and after >= self._base

    @property
    def started(self) -> bool:
        """Whether it is known what comes next."""
        return self._base is not None

    def stop(self) -> None:
        """Drop all, and hold nothing until it is started again."""
        self._entries, self._positions, self._characters, self._base = [], [], 0, None

    def start(self, base: int) -> None:
        """Drop all; what comes next is what stands behind `base`."""
        self._entries, self._positions, self._characters, self._base = [], [], 0, base

    def add(self, entries: Sequence[Entry]) -> None:
        """Keep the next entries, and let the oldest go for them."""
        self._entries += entries
        self._positions += [entry.position for entry in entries]
        self._characters += sum(len(entry.text) for entry in entries)
        if len(self._entries) > self._most or self._characters > self._most_characters:
            self._shrink()

    def after(self, position: int, wanted: Filter, limit: int) -> tuple[list[Entry], int]:
        """The next wanted entries, and up to where that is all."""
        found: list[Entry] = []
        for index in range(bisect_right(self._positions, position), len(self._entries)):
            entry = self._entries[index]
            if wanted.wants(entry):
                found.append(entry)
                if len(found) == limit:
                    return found, entry.position
        return found, max(position, self.newest)

    def _shrink(self) -> None:
        """Down to nine tenths, so that it is not done for each entry."""
        gone, count, size = 0, len(self._entries), self._characters
        while gone < count and (count - gone > self._most * 0.9 or size > self._most_characters * 0.9):
            size -= len(self._entries[gone].text)
            gone += 1
        self._base = self._positions[gone - 1]
        del self._entries[:gone], self._positions[:gone]
        self._characters = size


class Bell:
    """What one waits for and others ring; it stays rung until it is cleared."""

    __slots__ = ("_on_news", "_rung", "_waiter")

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None
        self._on_news: Callable[[], bool] | None = None

    def clear(self) -> None:
        """Forget that it has rung."""
        self._rung = False

    def set(self) -> None:
        """Ring: whoever waits goes on."""
        self._rung, self._on_news = True, None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def tell(self) -> None:
        """There is news: ring, unless whoever waits can see to it without being woken."""
        if self._on_news is None or not self._on_news():
            self.set()

    async def wait(self, on_news: Callable[[], bool] | None = None) -> None:
        """Until it rings. At news meanwhile `on_news` is called, and the wait goes on if that gives True."""
        if self._rung:
            return
        self._waiter, self._on_news = asyncio.get_running_loop().create_future(), on_news
        try:
            await self._waiter
        finally:
            self._waiter = self._on_news = None


class Hub:
    """One LISTEN connection a process, which fills the ring and rings the bells of all who follow."""

    def __init__(self, url: str, ring: Ring | None = None) -> None:
        self.ring = ring or Ring()
        self._url = url
        self._revision: str | None = None
        self._bells: set[Bell] = set()
        self._listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listener = asyncio.create_task(self._listen(), name="feed hub")
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._listener is not None:
            await stop(self._listener)

    @contextmanager
    def bell(self) -> Generator[Bell]:
        """What rings at any news; clear it before you read, then nothing is missed."""
        bell = Bell()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    def wake(self) -> None:
        """Tell all bells of news."""
        for bell in self._bells:
            bell.tell()

    async def _listen(self) -> None:
        while True:
            try:
                connection = await AsyncConnection[dict[str, Any]].connect(
                    self._url, autocommit=True, row_factory=dict_row, connect_timeout=int(_READ_SECONDS)
                )
                async with connection:
                    await connection.execute("LISTEN sluice_feed")
                    await self._start(connection)
                    while True:
                        async for _ in connection.notifies(timeout=_SAFETY_NET_SECONDS, stop_after=1):
                            pass
                        await self._look(connection)
            except (
                psycopg.Error,
                TimeoutError,
            ) as error:  # a standby, as after a failover, lets nobody listen
                _log.warning("the feed's listener lost the database", reason=str(error).strip())
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _look(self, connection: AsyncConnection[dict[str, Any]]) -> None:
        """Take in what is new while somebody follows; while nobody does, no news costs anything."""
        if not self._bells:
            self.ring.stop()
        elif self.ring.started:
            await self._read(connection)
        else:
            await self._start(connection)

    async def _start(self, connection: AsyncConnection[dict[str, Any]]) -> None:
        """Begin behind what is there: whoever is not so far reads on in the database."""
        (row,) = await self._rows(connection, query(*_SQL, "state"), {})
        self._revision = row["revision"]
        self.ring.start(row["newest"])
        self.wake()

    async def _read(self, connection: AsyncConnection[dict[str, Any]]) -> None:
        """Take in all that is new."""
        while True:
            wanted = {"after": self.ring.newest, "limit": _PAGE}
            rows = await self._rows(connection, news(), wanted)
            entries = [entry_of(row) for row in rows if row["position"] is not None]
            if rows[0]["revision"] != self._revision:  # what is kept here is not what is there any more
                self._revision = rows[0]["revision"]
                self.ring.start(entries[-1].position if entries else self.ring.newest)
                self.wake()
            elif entries:
                self.ring.add(entries)
                self.wake()
            if len(entries) < _PAGE:
                return

    async def _rows(
        self, connection: AsyncConnection[dict[str, Any]], statement: SQL | Composed, values: dict[str, Any]
    ) -> list[dict[str, Any]]:
        async with asyncio.timeout(_READ_SECONDS):
            return await (await connection.execute(statement, values)).fetchall()


def news() -> Composed:
    """What stands behind a position, and whether anything before it has been changed."""
    return query(*_SQL, "news").format(columns=query(*_SQL, "columns"))
