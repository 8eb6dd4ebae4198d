"""procrastinate's own tables."""

from __future__ import annotations

import procrastinate
from procrastinate.schema import SchemaManager
from psycopg.sql import SQL

from reviewer.store.database import Database


async def apply_job_schema(database: Database) -> None:
    """Make the tables of the queue if they are absent."""
    async with database.migrating() as connection:
        cursor = await connection.execute("SELECT to_regclass('procrastinate_jobs')")
        row = await cursor.fetchone()
        if row is not None and row[0] is not None:
            return
        schema = SchemaManager(procrastinate.PsycopgConnector()).get_schema()
        await connection.execute(SQL(schema))
