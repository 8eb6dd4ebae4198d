"""What GitHub has told us, which heads are wanted, and the reviews of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from reviewer.core.findings import Severity
from reviewer.store.queries import query
from webhooks.payloads import WantedHead

_SQL = ("webhooks.sql", "records.sql")


@dataclass(frozen=True, slots=True)
class Review:
    """One run over one head; `check_run` and `github_review` are GitHub's ids once they exist."""

    id: str
    installation: int
    repository: str
    pull_request: int
    head_sha: str
    title: str
    url: str
    check_run: int | None
    github_review: int | None


@dataclass(frozen=True, slots=True)
class ReviewSummary:
    """A review as lists show it, read from its events: there is no second account of it."""

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


async def store_delivery(
    connection: AsyncConnection, *, guid: str, event: str, action: str, installation: int, body: bytes
) -> bool:
    """Keep a delivery; False if it was taken before."""
    values = {"guid": guid, "event": event, "action": action, "installation": installation, "body": body}
    cursor = await connection.execute(query(*_SQL, "store_delivery"), values)
    return cursor.rowcount == 1


async def want_head(connection: AsyncConnection, head: WantedHead) -> None:
    """Make `head` the one that is wanted of its pull request."""
    await connection.execute(query(*_SQL, "want_head"), asdict(head))


async def wanted_head(connection: AsyncConnection, repository: str, number: int) -> WantedHead | None:
    """The head wanted last of a pull request."""
    async with connection.cursor(row_factory=class_row(WantedHead)) as cursor:
        await cursor.execute(query(*_SQL, "wanted_head"), {"repository": repository, "number": number})
        return await cursor.fetchone()


async def open_review(connection: AsyncConnection, head: WantedHead) -> Review:
    """The review of a head, made if there is none."""
    async with connection.cursor(row_factory=class_row(Review)) as cursor:
        await cursor.execute(query(*_SQL, "open_review"), {**asdict(head), "id": uuid4().hex})
        review = await cursor.fetchone()
    if review is None:
        raise AssertionError("INSERT … RETURNING gave no row")
    return review


async def unfinished_reviews(connection: AsyncConnection, newest: Review) -> list[Review]:
    """The reviews of older heads of the same pull request that no event has ended."""
    async with connection.cursor(row_factory=class_row(Review)) as cursor:
        await cursor.execute(query(*_SQL, "unfinished_reviews"), asdict(newest))
        return await cursor.fetchall()


async def settle_model(connection: AsyncConnection, review: str, model: str) -> str:
    """The model that a review draws: `model`, or what an earlier run of it drew."""
    cursor = await connection.execute(query(*_SQL, "settle_model"), {"id": review, "model": model})
    row = await cursor.fetchone()
    return str(row[0]) if row else model


async def settle_rate(connection: AsyncConnection, review: str, rate: float) -> float:
    """The bytes a token that a review plans with: `rate`, or what an earlier run of it settled on."""
    cursor = await connection.execute(query(*_SQL, "settle_rate"), {"id": review, "rate": rate})
    row = await cursor.fetchone()
    return float(row[0]) if row else rate


async def remember_check_run(connection: AsyncConnection, review: str, check_run: int) -> None:
    """Keep the id of the check run that shows a review."""
    await connection.execute(query(*_SQL, "remember_check_run"), {"id": review, "check_run": check_run})


async def remember_github_review(connection: AsyncConnection, review: str, github_review: int) -> None:
    """Keep the id of the review on the pull request."""
    values = {"id": review, "github_review": github_review}
    await connection.execute(query(*_SQL, "remember_github_review"), values)


async def review_summaries(connection: AsyncConnection, *, limit: int) -> list[ReviewSummary]:
    """The newest reviews."""
    return await _summaries(connection, review=None, limit=limit)


async def review_summary(connection: AsyncConnection, review: str) -> ReviewSummary | None:
    """One review, or None."""
    found = await _summaries(connection, review=review, limit=1)
    return found[0] if found else None


async def _summaries(connection: AsyncConnection, *, review: str | None, limit: int) -> list[ReviewSummary]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query(*_SQL, "summaries"), {"id": review, "limit": limit})
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
