"""Who listens to posted reviews: each process says so every few seconds, and what nobody hears is ended."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import structlog
from psycopg import AsyncConnection

from reviewer.errors import StoreUnavailable
from reviewer.grace import outlast
from reviewer.store.database import Database
from reviewer.store.queries import query
from webhooks.posted.reviews import Posted

RENEW_SECONDS = 3.0
ATTEND_SECONDS = 10.0
"""After so long without a word from any process nobody listens: their processes have died."""

_SQL = ("webhooks.sql", "posted.sql")

_log = structlog.get_logger("sluice.attendance")


class Attendance:
    """The listeners of this process."""

    def __init__(self, database: Database, posted: Posted) -> None:
        self._database = database
        self._posted = posted
        self._here: set[UUID] = set()

    async def enter(self, connection: AsyncConnection, review: str, api_key: str) -> UUID:
        """Who posted a review listens to it once the caller commits, and for a while; `stay` makes it last.

        Of a review that has ended, or is another's, nobody takes note.
        """
        listener = uuid4()
        values = {"listener": listener, "review": review, "api_key": api_key, "seconds": ATTEND_SECONDS}
        await connection.execute(query(*_SQL, "listen"), values)
        return listener

    def stay(self, listener: UUID) -> None:
        """Let somebody who has entered listen until they leave, or the review ends."""
        self._here.add(listener)

    async def leave(self, listener: UUID) -> None:
        """One listens no more; if nobody else does and somebody should, the review ends at once."""
        self._here.discard(listener)
        try:
            await outlast(self._leave(listener))
        except StoreUnavailable as error:  # they will be missed all the same
            _log.warning("a caller's leave can't be noted", reason=str(error))

    async def run(self) -> None:
        """Say again who listens, and end what nobody hears, until cancelled."""
        loop = asyncio.get_running_loop()
        # Where the database was away, the others need time to say it again
        patient_until = loop.time() + ATTEND_SECONDS
        while True:
            try:
                await self._renew()
                if loop.time() > patient_until:
                    await self._end_unheard()
            except StoreUnavailable as error:
                _log.warning("listeners can't be looked at", reason=str(error))
                patient_until = loop.time() + ATTEND_SECONDS
            await asyncio.sleep(RENEW_SECONDS)

    async def _renew(self) -> None:
        asked = set(self._here)
        if not asked:
            return
        values = {"listeners": list(asked), "seconds": ATTEND_SECONDS}
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(*_SQL, "renew"), values)
            self._here -= asked - {row[0] for row in await cursor.fetchall()}

    async def _end_unheard(self) -> None:
        async with self._database.connection() as connection:
            ended = await self._posted.cancel_unheard(connection)
        if ended:
            _log.info("reviews that nobody hears are ended", reviews=ended)

    async def _leave(self, listener: UUID) -> None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(*_SQL, "leave"), {"listener": listener})
            for (review,) in await cursor.fetchall():
                await self._posted.cancel_unheard(connection, review)
