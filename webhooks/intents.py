"""What is made on GitHub is made once: intent in the database, mark on GitHub, a look before repeating.

An intent is written in the transaction that checks the lease, before anything is sent. Answered, it holds the
number of what was made. Without an answer it is in doubt: whoever comes next looks on GitHub, once what may
still have been under way has arrived, and only what is not there is made again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row

from reviewer.errors import ForgeRateLimited, ForgeRefused, SluiceError
from reviewer.store.database import Database
from reviewer.store.queries import query
from webhooks.lease import Lease, LeaseLost, Permit, PermitExpired
from webhooks.publish.values import Said

SETTLING_SECONDS = 5.0
"""After so long a request without an answer has been carried out, or never will be."""

SENDING_SECONDS = 30.0
"""A request that has left is waited for so long when its run is cancelled."""

_SQL = ("webhooks.sql", "intents.sql")


@dataclass(frozen=True, slots=True)
class SaidBefore(Said):
    """A finding that stands on a pull request, and the review that said it.

    Attributes:
        settled: a person resolved its thread.
    """

    review: str
    settled: bool


@dataclass(frozen=True, slots=True)
class Intent:
    """What was to be made; `github_id` is None while nobody knows whether it was.

    Attributes:
        run: of the review, that wanted it last.
        age: seconds since it was allowed last.
    """

    review: str
    key: str
    run: int
    github_id: int | None
    age: float


@dataclass(frozen=True, slots=True)
class Making:
    """Something to be made once.

    Attributes:
        key: names it within its review.
        said: the findings it says.
        look: finds it on GitHub by its mark: its number, or None where it surely is not.
        send: makes it, and gives its number; calls the permit's `use` at the last moment.
    """

    key: str
    look: Callable[[], Awaitable[int | None]]
    send: Callable[[Permit], Awaitable[int]]
    said: Sequence[Said] = ()


class Intents:
    """The intents of all reviews."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def once(self, lease: Lease, making: Making) -> int:
        """Make it, unless it is made; its number on GitHub either way.

        Raises:
            LeaseLost: the run has no say any more.
            ForgeRefused, ForgeRateLimited: GitHub did not do it.
            ForgeUnavailable: nobody knows whether it did; the next call looks.
        """
        known = await self._begin(lease, making)
        if known is not None and known.github_id is not None:
            return known.github_id
        if known is not None:
            found = await self._settled(known, making)
            if found is not None:
                return found
            await self._renew(lease, making)
        return await self._sent(lease, making)

    async def of_pull_request(self, repository_id: int, number: int) -> tuple[list[Intent], list[SaidBefore]]:
        """All intents of a pull request's reviews but for check runs, and what is known to be said."""
        values = {"repository_id": repository_id, "number": number}
        async with self._database.connection() as connection:
            async with connection.cursor(row_factory=class_row(Intent)) as cursor:
                await cursor.execute(query(*_SQL, "of_pull_request"), values)
                intents = await cursor.fetchall()
            async with connection.cursor(row_factory=class_row(SaidBefore)) as cursor:
                await cursor.execute(query(*_SQL, "said_on_pull_request"), values)
                return intents, await cursor.fetchall()

    async def fingerprints(self, intents: Sequence[Intent]) -> dict[tuple[str, str], list[str]]:
        """By review and key of intents, the findings that they say or were to say."""
        found: dict[tuple[str, str], list[str]] = {}
        async with self._database.connection() as connection:
            wanted = {"reviews": [each.review for each in intents]}
            cursor = await connection.execute(query(*_SQL, "fingerprints"), wanted)
            for review, key, fingerprint in await cursor.fetchall():
                found.setdefault((review, key), []).append(fingerprint)
        return found

    async def settle(self, intent: Intent, found: int | None) -> None:
        """Note what became of one in doubt: its number, or that it was never made.

        What another run has begun to make meanwhile is left to that.
        """
        values = {"review": intent.review, "key": intent.key, "run": intent.run, "github_id": found}
        async with self._database.connection() as connection:
            await connection.execute(query(*_SQL, "drop" if found is None else "carried_out"), values)

    async def _begin(self, lease: Lease, making: Making) -> Intent | None:
        """Write the intent; what is known of it, if it was written before."""
        values = {"review": lease.review, "key": making.key, "run": lease.run}
        async with self._database.connection() as connection:
            await lease.hold(connection)
            cursor = await connection.execute(query(*_SQL, "make"), values)
            if await cursor.fetchone() is not None:
                await _say(connection, lease.review, making)
                return None
            cursor = await connection.execute(query(*_SQL, "read"), values)
            row = await cursor.fetchone()
        if row is None:
            raise AssertionError("an intent in conflict is not there")
        return Intent(lease.review, making.key, *row)

    async def _settled(self, known: Intent, making: Making) -> int | None:
        await asyncio.sleep(max(SETTLING_SECONDS - known.age, 0.0))
        found = await making.look()
        if found is not None:
            await self.settle(known, found)
        return found

    async def _renew(self, lease: Lease, making: Making) -> None:
        values = {"review": lease.review, "key": making.key, "run": lease.run}
        async with self._database.connection() as connection:
            await lease.hold(connection)
            await connection.execute(query(*_SQL, "renew"), values)
            await connection.execute(query(*_SQL, "forget_said"), values)
            await _say(connection, lease.review, making)

    async def _sent(self, lease: Lease, making: Making) -> int:
        permit = Permit(lambda: self._allow(lease, making))
        sending = asyncio.create_task(self._send(lease, making, permit), name=f"send {making.key}")
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            if permit.used:  # what may stand on GitHub has to be known
                await asyncio.wait([sending], timeout=SENDING_SECONDS)
            sending.cancel()
            with suppress(asyncio.CancelledError, SluiceError, LeaseLost):
                await sending
            if not permit.used:
                await self._drop(lease, making)
            raise

    async def _allow(self, lease: Lease, making: Making) -> None:
        """Leave to send; the intent counts as new from now on."""
        values = {"review": lease.review, "key": making.key, "run": lease.run}
        async with self._database.connection() as connection:
            await lease.hold(connection)
            await connection.execute(query(*_SQL, "renew"), values)

    async def _drop(self, lease: Lease, making: Making) -> None:
        await self.settle(Intent(lease.review, making.key, lease.run, None, 0.0), None)

    async def _send(self, lease: Lease, making: Making, permit: Permit) -> int:
        try:
            made = await making.send(permit)
        except (ForgeRefused, ForgeRateLimited, LeaseLost, PermitExpired):  # nothing was made
            await self._drop(lease, making)
            raise
        await self.settle(Intent(lease.review, making.key, lease.run, None, 0.0), made)
        return made


async def _say(connection: AsyncConnection, review: str, making: Making) -> None:
    for said in making.said:
        values = {"review": review, "key": making.key, **asdict(said)}
        await connection.execute(query(*_SQL, "say"), values)


async def settle_thread(
    connection: AsyncConnection,
    repository_id: int,
    number: int,
    fingerprints: Collection[str],
    *,
    settled: bool,
) -> int:
    """Note that a person resolved the threads of findings, or opened them again; of how many."""
    values = {
        "repository_id": repository_id,
        "number": number,
        "fingerprints": list(fingerprints),
        "settled": settled,
    }
    cursor = await connection.execute(query(*_SQL, "settle_thread"), values)
    return cursor.rowcount
