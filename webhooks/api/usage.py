"""What reviews have taken: tokens and money by day, and how many chunks were known before."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reviewer.ports import Clock
from reviewer.store.database import Database
from reviewer.store.queries import query
from webhooks.api.indexed import through_indexes
from webhooks.api.reviews import whole
from webhooks.callers import Caller

MOST_DAYS = 366
_USUAL_DAYS = 30
_LONGEST_REVIEW = timedelta(days=30)  # so much later than its review a call is not looked for any more
_SQL = ("webhooks.sql", "usage.sql")


class Usage:
    """The account of calls, as far as a caller sees it. Days are UTC."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def by_day(self, request: Request, caller: Caller) -> Response:
        """`GET /usage?days=30`: by day, repository and model, today last."""
        days = whole(request.query_params, "days", most=MOST_DAYS) or _USUAL_DAYS
        last = self._clock.now().astimezone(UTC).date()
        first = last - timedelta(days=days - 1)
        since = _midnight(first)
        values = {
            **caller.sight.values(),
            "since": since,
            "until": _midnight(last + timedelta(days=1)),
            "made_since": since - _LONGEST_REVIEW,
        }
        async with self._database.connection() as connection:
            await through_indexes(connection)
            rows = await _read(connection, "spent", values)
            chunks = await _read(connection, "chunks", values)
        days_told = {"from": first.isoformat(), "to": last.isoformat()}
        return JSONResponse({**days_told, "rows": rows, "chunks": chunks})


async def _read(connection: AsyncConnection, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query(*_SQL, name), values)
        return [{**row, "day": row["day"].isoformat()} for row in await cursor.fetchall()]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
