"""Finished chunk results, so that no chunk is bought twice; each tenant has its own."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ValidationError

from reviewer.core.budget import Payer, tenant_of
from reviewer.core.events import Usage
from reviewer.core.recall import Remembered
from reviewer.ports import LedgerEntry
from reviewer.store.database import Database
from reviewer.store.queries import query

_SQL = "reviewer.store.sql"


class _Row(BaseModel):
    """The stored form of an entry."""

    findings: tuple[Remembered, ...]
    usage: Usage
    cost: float | None
    notes: tuple[str, ...]


class PostgresLedger:
    """The ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, keys: tuple[str, ...], payer: Payer) -> LedgerEntry | None:
        """The result stored by the payer's tenant under the first of the keys that has one.

        Its use is noted once a day at most. One that no longer fits the schema counts as absent.
        """
        tenant = {"tenant": payer.tenant}
        async with self._database.connection() as connection:
            wanted = {**tenant, "keys": list(keys)}
            cursor = await connection.execute(query(_SQL, "ledger.sql", "find"), wanted)
            for key, stored, stale in await cursor.fetchall():
                entry = _entry(stored)
                if entry is None:
                    continue
                if stale:
                    await connection.execute(query(_SQL, "ledger.sql", "touch"), {**tenant, "key": key})
                return entry
        return None

    async def store(self, key: str, entry: LedgerEntry, payer: Payer, repository: str) -> None:
        """Keep a finished result for the payer's tenant."""
        row = _Row(findings=entry.findings, usage=entry.usage, cost=entry.cost, notes=entry.notes)
        stored = {
            "tenant": payer.tenant,
            "key": key,
            "entry": Jsonb(row.model_dump(mode="json")),
            "review": payer.review,
            "repository": repository,
        }
        async with self._database.connection() as connection:
            await connection.execute(query(_SQL, "ledger.sql", "store"), stored)

    async def expire(self, days: int) -> int:
        """Drop entries neither stored nor used for so many days; how many there were."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(_SQL, "ledger.sql", "expire"), {"days": days})
            return cursor.rowcount

    async def forget(self, installation: int) -> int:
        """Drop all of a tenant's entries; how many there were."""
        async with self._database.connection() as connection:
            gone = {"tenant": tenant_of(installation)}
            cursor = await connection.execute(query(_SQL, "ledger.sql", "forget"), gone)
            return cursor.rowcount

    async def forget_reviews(self, reviews: Sequence[str]) -> int:
        """Drop what some reviews have stored, whoever's it is; how many entries there were."""
        async with self._database.connection() as connection:
            gone = {"reviews": list(reviews)}
            cursor = await connection.execute(query(_SQL, "ledger.sql", "forget_reviews"), gone)
            return cursor.rowcount


def _entry(stored: object) -> LedgerEntry | None:
    """A stored entry; None for one of another schema."""
    try:
        row = _Row.model_validate(stored)
    except ValidationError:
        return None
    return LedgerEntry(row.findings, row.usage, row.cost, row.notes)
