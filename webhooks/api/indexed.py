"""Queries whose time tells nothing of what others have."""

from __future__ import annotations

from psycopg import AsyncConnection

from reviewer.store.queries import query


async def through_indexes(connection: AsyncConnection) -> None:
    """Have the transaction's queries read through indexes alone: no time tells how much belongs to others."""
    await connection.execute(query("webhooks.sql", "indexed.sql", "through_indexes"))
