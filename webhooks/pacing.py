"""When an installation may be written to: one pace for all processes, kept in the database."""

from __future__ import annotations

from typing import Any

from reviewer.store.database import Database
from reviewer.store.queries import query
from webhooks.github.limits import LONGEST_WAIT_SECONDS, WRITES_AN_HOUR

_SQL = ("webhooks.sql", "gates.sql")


class PostgresPacing:
    """The pace of every installation, for the client's gate."""

    def __init__(self, database: Database, *, write_seconds: float) -> None:
        self._database = database
        self._write_seconds = write_seconds
        # Who asks for no pace, as against a server without limits, wants none by the hour either
        self._hourly = WRITES_AN_HOUR if write_seconds else 2**31 - 1

    async def turn(self, installation: int) -> float:
        """Seconds until this caller's next write may begin; reserves it, unless it is too far away."""
        values: dict[str, Any] = {"installation": installation, "hourly": self._hourly}
        async with self._database.connection() as connection:
            await connection.execute(query(*_SQL, "meet"), values)
            cursor = await connection.execute(query(*_SQL, "next_turn"), values)
            row = await cursor.fetchone()
            wait = float(row[0]) if row else 0.0
            if wait <= LONGEST_WAIT_SECONDS:
                taken = {**values, "wait": wait, "spacing": self._write_seconds}
                await connection.execute(query(*_SQL, "take_turn"), taken)
        return wait

    async def close(self, installation: int, seconds: float) -> None:
        """Let nothing be sent for so long."""
        async with self._database.connection() as connection:
            values = {"installation": installation, "seconds": seconds}
            await connection.execute(query(*_SQL, "close"), values)

    async def closed(self, installation: int) -> float:
        """Seconds for which nothing may be sent."""
        values = {"installation": installation}
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(*_SQL, "closed"), values)
            row = await cursor.fetchone()
        return 0.0 if row is None or row[0] is None else float(row[0])
