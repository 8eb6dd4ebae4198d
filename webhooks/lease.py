"""The right of one run to act for a review.

It is lost when something newer is wanted of the pull request, or when another worker has taken the review
over; a process that was stopped and wakes up finds out here. Checked in the same transaction as whatever is
written, it cannot be lost in between.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from psycopg import AsyncConnection

from reviewer.core.events import Event, Subject
from reviewer.errors import ForgeUnavailable
from reviewer.store.database import Database
from reviewer.store.feed import PostgresFeed
from reviewer.store.queries import query

PERMIT_SECONDS = 2.0
"""What is not sent so soon after it was allowed is not sent: others look for it a little later."""

_SQL = ("webhooks.sql", "records.sql")


class LeaseLost(Exception):
    """This run has no say in its review any more."""


class Right(Protocol):
    """What a run holds while it writes."""

    async def hold(self, connection: AsyncConnection) -> None:
        """Keep the right to the end of the caller's transaction.

        Raises:
            LeaseLost: it is gone.
        """
        ...


class PermitExpired(ForgeUnavailable):
    """Leave to send came too late to be used; nothing of the request has left."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A run's right.

    Attributes:
        ended: the review has ended and its check run has not; only another run can take this right away.
    """

    review: str
    repository_id: int
    number: int
    generation: int
    run: int
    ended: bool = False

    async def hold(self, connection: AsyncConnection) -> None:
        """Keep the right to the end of the caller's transaction.

        Raises:
            LeaseLost: it is gone.
        """
        values = {
            "review": self.review,
            "repository_id": self.repository_id,
            "number": self.number,
            "generation": self.generation,
            "run": self.run,
        }
        name = "hold_ended_lease" if self.ended else "hold_lease"
        cursor = await connection.execute(query(*_SQL, name), values)
        if await cursor.fetchone() is None:
            raise LeaseLost(f"run {self.run} of review {self.review} has lost its right to act")

    def after_end(self) -> Lease:
        """The right of the same run to close what it has ended."""
        return replace(self, ended=True)

    def permit(self, database: Database) -> Permit:
        """Leave to send one request, asked for when it is about to leave."""

        async def allow() -> None:
            async with database.connection() as connection:
                await self.hold(connection)

        return Permit(allow)


@dataclass(frozen=True, slots=True)
class PostedLease:
    """A run's right to act for a review that has no pull request: only another run, or an end, takes it."""

    review: str
    run: int

    async def hold(self, connection: AsyncConnection) -> None:
        """Keep the right to the end of the caller's transaction.

        Raises:
            LeaseLost: it is gone.
        """
        values = {"review": self.review, "run": self.run}
        cursor = await connection.execute(query("webhooks.sql", "posted.sql", "hold_lease"), values)
        if await cursor.fetchone() is None:
            raise LeaseLost(f"run {self.run} of review {self.review} has lost its right to act")


class Permit:
    """Leave to send one request to GitHub.

    Attributes:
        used: the request has begun to leave.
    """

    def __init__(self, allow: Callable[[], Awaitable[None]]) -> None:
        self._allow = allow
        self.used = False

    async def use(self) -> None:
        """Called when the request's body is about to leave.

        A process that was stopped in here finds that out by a clock that no stop halts; after this there are
        only the few instructions that write to the socket.

        Raises:
            LeaseLost: it may not.
            PermitExpired: it took too long to ask.
        """
        asked = time.monotonic()
        await self._allow()
        if time.monotonic() - asked > PERMIT_SECONDS:
            raise PermitExpired("the database took too long to give leave to send a request to GitHub")
        self.used = True


class LeasedFeed:
    """The feed for one run, which appends only while the run holds its lease."""

    def __init__(
        self, database: Database, feed: PostgresFeed, lease: Right, heard: Callable[[Event], None]
    ) -> None:
        self._database = database
        self._feed = feed
        self._lease = lease
        self._heard = heard

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:
        """Append in order, and let whoever listens hear it.

        Raises:
            LeaseLost: the run has no say any more; nothing was appended.
        """
        async with self._database.connection() as connection, connection.pipeline():
            await self._lease.hold(connection)
            await self._feed.append_on(connection, subject, events)
            await connection.commit()  # in the same breath: every other writer waits for it
        for event in events:
            self._heard(event)
