"""What queries look at, told by PostgreSQL itself, where one tenant is small and others are large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import AsyncClientCursor

from reviewer.core.events import ReviewQueued
from tests.api.watchers import BEGAN, Watched
from webhooks.api.indexed import through_indexes


async def crowd(desk: Watched, tenants: int = 50) -> None:
    """Five reviews that are seen, among six thousand that are not, with events and calls of theirs."""
    for number in range(5):
        await desk.say(await desk.review(f"mine {number}", minutes=number), ReviewQueued())
    await desk.execute(
        """
        INSERT INTO reviews (
            id, installation, repository_id, repository, pull_request, head_sha, title, url, api_key,
            created_at, generation
        )
        SELECT
            'theirs ' || n, 2 + n %% %(tenants)s, 20 + n %% (10 * %(tenants)s), 'other/shop', 1, 'a', 't', '',
            'key of ' || n %% %(tenants)s, %(at)s::timestamptz + make_interval(mins => n), n
        FROM generate_series(1, 6000) AS n
        """,
        {"at": BEGAN, "tenants": tenants},
    )
    await desk.execute(
        """
        INSERT INTO events (position, review, repository, type, data, installation)
        SELECT 1000000 + n, 'theirs ' || n, 'other/shop', 'review.queued', '{}', 2 + n %% %(tenants)s
        FROM generate_series(1, 6000) AS n
        """,
        {"tenants": tenants},
    )
    await desk.execute(
        """
        INSERT INTO calls (
            review, repository, model, input, cached, cache_writes, output, at, installation, api_key
        )
        SELECT
            'theirs ' || n, 'other/shop', 'm', 1, 1, 1, 1, %(at)s::timestamptz + make_interval(mins => n),
            2 + n %% %(tenants)s, 'key of ' || n %% %(tenants)s
        FROM generate_series(1, 6000) AS n
        """,
        {"at": BEGAN, "tenants": tenants},
    )
    async with desk.database.connection() as connection:
        await connection.execute("ANALYZE reviews, events, calls")


async def plan_of(desk: Watched, mode: str, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a query's plan, as it ran; `mode` is a plan_cache_mode of PostgreSQL."""
    given = ", ".join(f"%({name})s" for name in values)
    for number, name in enumerate(values, start=1):
        sql = sql.replace(f"%({name})s", f"${number}")
    async with desk.database.connection() as connection, AsyncClientCursor(connection) as cursor:
        await through_indexes(connection)
        await cursor.execute(f"SET LOCAL plan_cache_mode = {mode}".encode())
        await cursor.execute(f"PREPARE look AS {sql}".encode())
        await cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE look ({given})".encode(), values)
        row = await cursor.fetchone()
        await cursor.execute("DEALLOCATE look")
    assert row is not None
    return list(_nodes(row[0][0]["Plan"]))


def looked_at(nodes: Sequence[dict[str, Any]], table: str) -> float:
    """Rows of a table, or entries of its indexes, that were read, whatever became of them."""
    rows = sum(_read(node) for node in nodes if node.get("Relation Name") == table)
    entries = sum(
        _read(node)
        for node in nodes
        if "Relation Name" not in node and node.get("Index Name", "").startswith(table)
    )
    return max(rows, entries)


def _read(node: dict[str, Any]) -> float:
    passed_over = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return (node["Actual Rows"] + passed_over) * node["Actual Loops"]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
