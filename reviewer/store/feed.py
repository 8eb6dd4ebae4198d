"""The durable, ordered event log: appended by workers, tailed by streams.

A position is taken under a lock that is held to the commit, so whoever reads on from one misses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from reviewer.core.events import Event, Subject, dump
from reviewer.grace import stop
from reviewer.store.database import Database
from reviewer.store.queries import query

PAGE = 500
_SAFETY_NET_SECONDS = 5.0  # a tail looks by itself this often, should a wake-up be lost
_RECONNECT_SECONDS = 1.0
_SQL = "reviewer.store.sql"

_log = structlog.get_logger("sluice.feed")


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the feed; `data` is its public JSON."""

    position: int
    type: str
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to read; empty means any. Severities bear on findings only."""

    review: str | None = None
    repository: str | None = None
    pull_request: int | None = None
    types: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()


class Hub:
    """One LISTEN connection a process, which wakes all its tails."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._news = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listener = asyncio.create_task(self._listen(), name="feed hub")
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._listener is not None:
            await stop(self._listener)

    def next_news(self) -> asyncio.Event:
        """An event that is set at the next news; take it before reading, then nothing is missed."""
        return self._news

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _listen(self) -> None:
        while True:
            try:
                connection = await AsyncConnection.connect(self._url, autocommit=True)
                async with connection:
                    await connection.execute("LISTEN sluice_feed")
                    self._wake()  # what came while nobody listened
                    async for _ in connection.notifies():
                        self._wake()
            except psycopg.Error as error:  # a standby, as after a failover, lets nobody listen
                _log.warning("the feed's listener lost the database", reason=str(error).strip())
                await asyncio.sleep(_RECONNECT_SECONDS)


class PostgresFeed:
    """The feed."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._hub = hub

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:
        """Append in order; an event whose key the review has already said is passed over."""
        async with self._database.connection() as connection, connection.pipeline():
            await self.append_on(connection, subject, events)
            await connection.commit()

    async def append_on(self, connection: AsyncConnection, subject: Subject, events: Sequence[Event]) -> None:
        """Append within the caller's transaction, for whose commit all other writers wait.

        In a pipeline that commits in the same breath they do not wait for anything to travel.
        """
        await self.append_all(connection, [(subject, event) for event in events])

    async def append_all(self, connection: AsyncConnection, told: Sequence[tuple[Subject, Event]]) -> None:
        """The same for events of several reviews."""
        if not told:
            return
        rows = [
            {**subject.model_dump(), "type": event.type, "key": event.key, "data": Jsonb(dump(event))}
            for subject, event in told
        ]
        await connection.execute(query(_SQL, "feed.sql", "lock"))
        for row in rows:
            await connection.execute(query(_SQL, "feed.sql", "append"), row)
        await connection.execute(query(_SQL, "feed.sql", "notify"))

    async def forget(self, reviews: Sequence[str]) -> int:
        """Drop all events of some reviews; how many there were. No position is given a second time."""
        async with self._database.connection() as connection:
            gone = {"reviews": list(reviews)}
            return (await connection.execute(query(_SQL, "feed.sql", "forget"), gone)).rowcount

    async def newest(self) -> int:
        """The last position given, or 0."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(_SQL, "feed.sql", "newest"))
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def read(self, after: int, wanted: Filter, limit: int = PAGE) -> list[Entry]:
        """Entries behind a position, in order."""
        values = {
            "after": after,
            "review": wanted.review,
            "repository": wanted.repository,
            "pull_request": wanted.pull_request,
            "types": sorted(wanted.types),
            "severities": sorted(wanted.severities),
            "limit": limit,
        }
        async with (
            self._database.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(query(_SQL, "feed.sql", "read"), values)
            return [_entry(row) for row in await cursor.fetchall()]

    async def tail(self, after: int, wanted: Filter) -> AsyncIterator[Entry]:
        """Entries behind a position, and then every new one as it comes, for ever."""
        while True:
            news = self._hub.next_news()
            page = await self.read(after, wanted)
            for entry in page:
                yield entry
                after = entry.position
            if len(page) < PAGE:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SAFETY_NET_SECONDS):
                        await news.wait()


def _entry(row: dict[str, Any]) -> Entry:
    at: datetime = row["at"].astimezone(UTC)
    data = {
        "review": row["review"],
        "repository": row["repository"],
        "pull_request": row["pull_request"],
        "head_sha": row["head_sha"],
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **row["data"],
    }
    return Entry(row["position"], row["type"], at, data)


@asynccontextmanager
async def open_feed(database: Database) -> AsyncGenerator[PostgresFeed]:
    """A feed with a hub of its own."""
    async with Hub(database.url) as hub:
        yield PostgresFeed(database, hub)
