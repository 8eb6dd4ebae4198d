"""The durable, ordered event log: appended by workers, tailed by streams.

A position is taken under a lock that is held to the commit, so whoever reads on from one misses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composable, Composed, Identifier, Placeholder
from psycopg.types.json import Jsonb

from reviewer.core.audience import EVERYTHING, Sight
from reviewer.core.events import Event, Subject, dump
from reviewer.errors import StoreUnavailable
from reviewer.store.database import Database
from reviewer.store.entries import Entry, Filter, entry_of
from reviewer.store.hub import Bell, Hub
from reviewer.store.queries import query

__all__ = ["PAGE", "Entry", "Filter", "Hub", "PostgresFeed", "Tail", "open_feed", "reading"]

PAGE = 200
_RETRY_SECONDS = 1.0
_SQL = "reviewer.store.sql"
_KEYS = (
    ("installations", "installation", SQL("bigint[]")),
    ("repository_ids", "repository_id", SQL("bigint[]")),
    ("api_keys", "api_key", SQL("text[]")),
)

_log = structlog.get_logger("sluice.feed")


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
            {
                **subject.model_dump(),
                **subject.audience.model_dump(),
                "type": event.type,
                "key": event.key,
                "data": Jsonb(dump(event)),
            }
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
            return await self._change(connection, "forget", gone)

    async def expire(self, days: int, running: Sequence[str]) -> int:
        """Drop reviews, but for those that run, of which nothing is younger; how many events that were.

        Behind the floor that is raised with it everything is still there.
        """
        async with self._database.connection() as connection:
            await connection.execute(query(_SQL, "feed.sql", "prune_changes"))
            await connection.execute(query(_SQL, "feed.sql", "raise_floor"), {"days": days})
            return await self._change(connection, "expire", {"days": days, "running": list(running)})

    async def floor(self) -> int:
        """Who has read less far than this may have missed what has expired."""
        async with self._database.connection() as connection:
            return await _number(connection, query(_SQL, "feed.sql", "floor"), {})

    async def move(self, connection: AsyncConnection, repository_id: int, installation: int) -> None:
        """Give what was said of a repository to the installation that it belongs to now.

        With the caller's transaction it takes effect in every process: what they keep in memory is dropped.
        """
        where = {"repository_id": repository_id, "installation": installation}
        await self._change(connection, "move", where)

    async def newest(self, sight: Sight = EVERYTHING) -> int:
        """The last position given to what somebody may see, or 0; it tells nothing of what they may not."""
        async with self._database.connection() as connection:
            if sight.everything:
                return await _number(connection, query(_SQL, "feed.sql", "newest"), {})
            return max(
                [
                    await _number(connection, _of("newest_of", name), _own(sight))
                    for name, _, _ in _KEYS
                    if getattr(sight, name)
                ],
                default=0,
            )

    async def read(self, after: int, wanted: Filter, limit: int = PAGE) -> list[Entry]:
        """Entries behind a position, in order."""
        statement, values = reading(after, wanted, limit)
        async with (
            self._database.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(statement, values)
            return [entry_of(row) for row in await cursor.fetchall()]

    @contextmanager
    def follow(self, after: int, wanted: Filter, *, from_memory: bool = True) -> Generator[Tail]:
        """Somebody who reads from a position on, in pages.

        What is in memory may be some milliseconds behind: who won't wait for news reads in the database.
        """
        with self._hub.bell() as bell:
            yield Tail(self, self._hub, bell, after, wanted, from_memory=from_memory)

    async def tail(self, after: int, wanted: Filter) -> AsyncIterator[Entry]:
        """Entries behind a position, and then every new one as it comes, for ever."""
        with self.follow(after, wanted) as tail:
            while True:
                for entry in await tail.read():
                    yield entry
                await tail.pause()

    async def _change(self, connection: AsyncConnection, name: str, values: dict[str, Any]) -> int:
        changed = (await connection.execute(query(_SQL, "feed.sql", name), values)).rowcount
        if changed:
            await connection.execute(query(_SQL, "feed.sql", "note_change"))
            await connection.execute(query(_SQL, "feed.sql", "notify"))
        return changed


class Tail:
    """Where somebody is in the feed. It holds a position and no entries: who reads slowly costs nothing.

    Attributes:
        wanted: may be replaced between two pages.
        take: news that comes to memory during a pause is given to it at once; if it gives True, that is read,
            and the pause goes on.
        bell: set it to be woken from `pause`.
        more: the last page may not have been all there was.
        away: there was no last page, as the database is away.
    """

    def __init__(
        self,
        feed: PostgresFeed,
        hub: Hub,
        bell: Bell,
        position: int,
        wanted: Filter,
        *,
        from_memory: bool,
    ) -> None:
        self._feed = feed
        self._hub = hub
        self._from_memory = from_memory
        self.bell = bell
        self.position = position
        self.wanted = wanted
        self.take: Callable[[Sequence[Entry]], bool] | None = None
        self.more = True
        self.away = False

    @property
    def in_memory(self) -> bool:
        """Whether the next page needs no database."""
        return self._from_memory and self._hub.ring.holds(self.position)

    async def read(self) -> Sequence[Entry]:
        """The next page: from memory if all behind the position is there, else from the database.

        A database that is away has nothing to say: the page is empty, and the bell rings in a second.
        """
        self.bell.clear()
        ring = self._hub.ring
        if self.in_memory:
            entries, self.position = ring.after(self.position, self.wanted, PAGE)
            self.more = len(entries) == PAGE
            return entries
        seen = ring.newest  # by now: what is not read below is not behind that
        try:
            entries = await self._feed.read(self.position, self.wanted, PAGE)
        except StoreUnavailable as error:
            _log.warning("a page can't be read now", reason=str(error))
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.bell.set)
            self.more, self.away = False, True
            return ()
        self.more, self.away = len(entries) == PAGE, False
        if entries:
            self.position = entries[-1].position
        if not self.more:
            self.position = max(self.position, seen)
        return entries

    async def pause(self) -> None:
        """Let others go on; where there is nothing more to read, wait for news that is not taken."""
        if self.more:
            await asyncio.sleep(0)
        else:
            await self.bell.wait(self._offer if self.take else None)

    def _offer(self) -> bool:
        """Whether all that is new has been taken."""
        position, ring = self.position, self._hub.ring
        if self.take is None or not (self._from_memory and ring.holds(position)):
            return False
        entries, reached = ring.after(position, self.wanted, PAGE)
        if entries and (len(entries) == PAGE or not self.take(entries)):
            return False
        self.position = reached
        return True


def reading(after: int, wanted: Filter, limit: int) -> tuple[Composed, dict[str, Any]]:
    """The statement that reads a page, with its values.

    It goes through an index of those who may read: how long it takes does not depend on others' events.
    """
    names = [
        name
        for name in ("review", "repository", "pull_request", "types", "severities")
        if getattr(wanted, name) not in (None, frozenset())
    ]
    values = {
        "after": after,
        "limit": limit,
        "review": wanted.review,
        "repository": wanted.repository,
        "pull_request": wanted.pull_request,
        "types": sorted(wanted.types),
        "severities": sorted(wanted.severities),
        **_own(wanted.sight),
    }
    parts: dict[str, Composable] = {
        "columns": query(_SQL, "feed.sql", "columns"),
        "conditions": SQL(" AND ").join(query(_SQL, "feed.sql", name) for name in ("behind", *names)),
    }
    if wanted.sight.everything:
        return query(_SQL, "feed.sql", "read").format(**parts), values
    if wanted.review is not None:
        seen = query(_SQL, "feed.sql", "seen")
        return query(_SQL, "feed.sql", "read_review").format(**parts, seen=seen), values
    own = [
        _of("own", name, conditions=parts["conditions"])
        for name, _, _ in _KEYS
        if getattr(wanted.sight, name)
    ] or [SQL("SELECT 0::bigint AS position WHERE false")]
    parts["own"] = SQL(" UNION ALL ").join([SQL("({})").format(each) for each in own])
    return query(_SQL, "feed.sql", "read_own").format(**parts), values


def _of(query_name: str, name: str, **parts: Composable) -> Composed:
    """A query through the index of one kind of key."""
    ((_, column, kind),) = [each for each in _KEYS if each[0] == name]
    keys = SQL("{}::{}").format(Placeholder(name), kind)
    return query(_SQL, "feed.sql", query_name).format(keys=keys, column=Identifier(column), **parts)


def _own(sight: Sight) -> dict[str, Any]:
    return {name: sorted(getattr(sight, name)) for name, _, _ in _KEYS}


async def _number(connection: AsyncConnection, statement: SQL | Composed, values: dict[str, Any]) -> int:
    row = await (await connection.execute(statement, values)).fetchone()
    return int(row[0]) if row else 0


@asynccontextmanager
async def open_feed(database: Database) -> AsyncGenerator[PostgresFeed]:
    """A feed with a hub of its own."""
    async with Hub(database.url) as hub:
        yield PostgresFeed(database, hub)
