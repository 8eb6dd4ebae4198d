"""Finished chunk results, so that no chunk is bought twice, and what each cost."""

from __future__ import annotations

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ValidationError

from reviewer.core.events import Subject, Usage
from reviewer.core.findings import ReportedFinding
from reviewer.ports import LedgerEntry
from reviewer.store.database import Database
from reviewer.store.queries import query

_SQL = "reviewer.store.sql"


class _Row(BaseModel):
    """The stored form of an entry."""

    findings: tuple[ReportedFinding, ...]
    malformed: int
    usage: Usage
    cost: float | None
    notes: tuple[str, ...]


class PostgresLedger:
    """The ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key: str) -> LedgerEntry | None:
        """The result stored under `key`; one that no longer fits the schema counts as absent."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(_SQL, "ledger.sql", "find"), {"key": key})
            found = await cursor.fetchone()
        if found is None:
            return None
        try:
            row = _Row.model_validate(found[0])
        except ValidationError:
            return None
        return LedgerEntry(row.findings, row.malformed, row.usage, row.cost, row.notes)

    async def store(self, key: str, entry: LedgerEntry, subject: Subject) -> None:
        """Keep a finished result and settle its usage, in one transaction."""
        row = _Row(
            findings=entry.findings,
            malformed=entry.malformed,
            usage=entry.usage,
            cost=entry.cost,
            notes=entry.notes,
        )
        of = {"review": subject.review, "repository": subject.repository}
        async with self._database.connection() as connection:
            stored = {"key": key, "entry": Jsonb(row.model_dump(mode="json")), **of}
            await connection.execute(query(_SQL, "ledger.sql", "store"), stored)
            settled = {**entry.usage.model_dump(), "cost": entry.cost, **of}
            await connection.execute(query(_SQL, "ledger.sql", "settle"), settled)
