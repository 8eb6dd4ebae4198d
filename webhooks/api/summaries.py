"""Reviews as lists show them, read from their events: there is no second account of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from reviewer.core.audience import Audience, Sight
from reviewer.core.events import TERMINAL_TYPES
from reviewer.core.findings import Severity
from reviewer.store.queries import query
from webhooks.api.indexed import through_indexes

NEW_SECONDS = 3_600
"""A review of which nothing is told is as new as this, or its events have expired."""

_SQL = ("webhooks.sql", "summaries.sql")


@dataclass(frozen=True, slots=True)
class ReviewSummary:
    """A review as lists show it; `tokens` and `cost` are of its chunks, whatever became of them."""

    id: str
    audience: Audience
    repository: str
    pull_request: int | None
    head_sha: str | None
    title: str
    url: str | None
    status: str
    engine: str | None
    model: str | None
    by_severity: dict[str, int]
    cost: float | None
    tokens: int
    chunks_done: int
    chunks_total: int
    first_finding_seconds: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    def as_json(self, acts: Sight) -> dict[str, Any]:
        """As the API shows it to whoever may act on so much."""
        return {
            "id": self.id,
            "repository": self.repository,
            "pull_request": self.pull_request,
            "head_sha": self.head_sha,
            "title": self.title,
            "url": self.url,
            "status": self.status,
            "engine": self.engine,
            "model": self.model,
            "findings": sum(self.by_severity.values()),
            "by_severity": self.by_severity,
            "cost": self.cost,
            "tokens": self.tokens,
            "chunks_done": self.chunks_done,
            "chunks_total": self.chunks_total,
            "first_finding_seconds": self.first_finding_seconds,
            "created_at": _time(self.created_at),
            "started_at": _time(self.started_at),
            "finished_at": _time(self.finished_at),
            "may_act": acts.sees(self.audience),
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reviews to list; None means any. `statuses` are the words that lists show."""

    repository: str | None = None
    pull_request: int | None = None
    statuses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Listed:
    """A review's place in the list, newest first; `status` is None if its events have expired."""

    id: str
    created_at: datetime
    status: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A review that somebody may see; `expired`: nothing is kept of what it said."""

    id: str
    audience: Audience
    expired: bool


async def newest(
    connection: AsyncConnection,
    sight: Sight,
    wanted: Wanted,
    *,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Listed]:
    """The newest reviews of a sight, whatever their status, made before another one."""
    at, id_ = before or (None, None)
    values = {
        **sight.values(),
        "repository": wanted.repository,
        "pull_request": wanted.pull_request,
        "before_at": at,
        "before_id": id_,
        "limit": limit,
        "new_seconds": NEW_SECONDS,
    }
    await through_indexes(connection)
    cursor = await connection.execute(query(*_SQL, "newest"), values)
    return [Listed(id_, at, _status(type_)) for id_, at, type_ in await cursor.fetchall()]


async def seen(connection: AsyncConnection, sight: Sight, review: str) -> Seen | None:
    """A review, or None for one that is not there or not to be seen: nobody can tell which."""
    values = {**sight.values(), "id": review, "new_seconds": NEW_SECONDS}
    await through_indexes(connection)
    cursor = await connection.execute(query(*_SQL, "seen"), values)
    row = await cursor.fetchone()
    if row is None:
        return None
    id_, installation, repository_id, api_key, expired = row
    audience = Audience(installation=installation, repository_id=repository_id, api_key=api_key)
    return Seen(id_, audience, expired)


async def summaries(connection: AsyncConnection, reviews: Sequence[str]) -> list[ReviewSummary]:
    """Reviews by their ids, newest first; who asks has looked whether they may be seen."""
    if not reviews:
        return []
    async with connection.cursor(row_factory=dict_row) as cursor:
        await through_indexes(connection)
        await cursor.execute(query(*_SQL, "summaries"), {"ids": list(reviews)})
        return [_summary(row) for row in await cursor.fetchall()]


STATUSES = frozenset({"queued", "running", "postponed", "completed", "failed", "superseded", "cancelled"})
"""How reviews stand, in the words that lists show."""


def _status(type_: str | None) -> str | None:
    return "running" if type_ == "review.started" else type_ and type_.removeprefix("review.")


def _summary(row: dict[str, Any]) -> ReviewSummary:
    type_ = row["status"] or "review.queued"
    started, first = row["started_at"], row["first_finding_at"]
    return ReviewSummary(
        id=row["id"],
        audience=Audience.model_validate({name: row[name] for name in Audience.model_fields}),
        repository=row["repository"],
        pull_request=row["pull_request"],
        head_sha=row["head_sha"],
        title=row["title"],
        url=row["url"] or None,
        status=_status(type_) or "queued",
        engine=row["engine"],
        model=row["model"],
        by_severity={severity.value: row[severity.value] or 0 for severity in Severity},
        cost=None if row["cost"] is None else float(row["cost"]),
        tokens=row["tokens"] or 0,
        chunks_done=row["chunks_done"] or 0,
        chunks_total=row["chunks_total"] or 0,
        first_finding_seconds=round((first - started).total_seconds(), 3) if first and started else None,
        created_at=row["created_at"],
        started_at=started,
        finished_at=row["finished_at"] if type_ in TERMINAL_TYPES else None,
    )


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
