"""The findings of a review that stand, as SARIF."""

from __future__ import annotations

import asyncio
from typing import Any

from psycopg import AsyncConnection

from reviewer.core.findings import Finding
from reviewer.formats import sarif
from reviewer.store.queries import query

_SQL = ("webhooks.sql", "summaries.sql")


async def sarif_of(connection: AsyncConnection, review: str) -> dict[str, Any]:
    """The log of a review, as far as it has come."""
    values = {"id": review}
    rows = await (await connection.execute(query(*_SQL, "standing"), values)).fetchall()
    said = await (await connection.execute(query(*_SQL, "remarks"), values)).fetchall()
    notices, failures = _remarks(said)
    return await asyncio.to_thread(_log, [data for (data,) in rows], notices, failures)


def _log(findings: list[dict[str, Any]], notices: list[str], failures: list[str]) -> dict[str, Any]:
    found = [Finding.model_validate(data["finding"]) for data in findings]
    return sarif(found, notices=notices, failures=failures)


def _remarks(said: list[tuple[Any, ...]]) -> tuple[list[str], list[str]]:
    """What a reader must know, and what was not reviewed; a later run may have made up for an earlier one."""
    notices: dict[str, None] = {}
    failed: dict[str | None, str] = {}
    for type_, chunk, text in said:
        if type_ == "review.started":
            notices = {text: None} if text else {}
        elif type_ == "chunk.completed":
            failed.pop(chunk, None)
        else:
            failed[chunk] = text or ""
    return list(notices), list(failed.values())
