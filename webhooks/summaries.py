"""Reviews as lists show them, read from their events: there is no second account of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from reviewer.core.events import TERMINAL_TYPES
from reviewer.core.findings import Severity
from reviewer.store.queries import query

_SQL = ("webhooks.sql", "summaries.sql")


@dataclass(frozen=True, slots=True)
class ReviewSummary:
    """A review as lists show it."""

    id: str
    repository: str
    pull_request: int
    head_sha: str
    title: str
    url: str
    status: str
    engine: str | None
    model: str | None
    findings: int
    by_severity: dict[str, int]
    cost: float | None
    chunks_done: int
    chunks_total: int
    first_finding_seconds: float | None
    created_at: datetime
    finished_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """As the API shows it."""
        times = {"created_at": _time(self.created_at), "finished_at": _time(self.finished_at)}
        return {**asdict(self), **times}


async def review_summaries(connection: AsyncConnection, *, limit: int) -> list[ReviewSummary]:
    """The newest reviews."""
    return await _summaries(connection, review=None, limit=limit)


async def review_summary(connection: AsyncConnection, review: str) -> ReviewSummary | None:
    """One review, or None."""
    found = await _summaries(connection, review=review, limit=1)
    return found[0] if found else None


async def _summaries(connection: AsyncConnection, *, review: str | None, limit: int) -> list[ReviewSummary]:
    wanted = {"id": review, "limit": limit, "ends": sorted(TERMINAL_TYPES)}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query(*_SQL, "summaries"), wanted)
        return [_summary(row) for row in await cursor.fetchall()]


_STATUSES = {"review.started": "running"}
_UNFINISHED = {"review.queued", "review.started", "review.postponed"}


def _summary(row: dict[str, Any]) -> ReviewSummary:
    status = row["status"] or "review.queued"
    finished = row["finished_at"] if status not in _UNFINISHED else None
    said: dict[str, int] = row["by_severity"] or {}
    counts = {severity.value: said.get(severity, 0) for severity in Severity}
    started, first = row["started_at"], row["first_finding_at"]
    return ReviewSummary(
        id=row["id"],
        repository=row["repository"],
        pull_request=row["pull_request"],
        head_sha=row["head_sha"],
        title=row["title"],
        url=row["url"],
        status=_STATUSES.get(status, status.removeprefix("review.")),
        engine=row["engine"],
        model=row["model"],
        findings=sum(counts.values()),
        by_severity=counts,
        cost=None if row["cost"] is None else float(row["cost"]),
        chunks_done=row["chunks_done"],
        chunks_total=row["chunks_total"] or 0,
        first_finding_seconds=round((first - started).total_seconds(), 3) if first and started else None,
        created_at=row["created_at"],
        finished_at=finished,
    )


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
