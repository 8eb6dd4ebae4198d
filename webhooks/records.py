"""What GitHub has told us, the reviews of it, and how far each has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from reviewer.core.audience import Audience
from reviewer.core.events import Subject
from reviewer.store.queries import query

MOST_SHOWN = 3
"""Reviews of one installation that are shown as waiting; the hour's writes are few."""
WAITING_SECONDS = 3.0
"""A review that begins sooner is not shown as waiting."""

_SQL = ("webhooks.sql", "records.sql")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook call as it came; `guid` is GitHub's id of the event, the same when it is delivered again.

    What is of a person and of no installation has None.
    """

    guid: str
    event: str
    action: str
    installation: int | None
    body: bytes


@dataclass(frozen=True, slots=True)
class PullRequestRow:
    """A pull request as it is known.

    Attributes:
        generation: raised by whatever bears on the review.
        reason: why this generation has no review.
        unseen: somebody asked for a review, and nothing else is known of it.
        unclear: two changes were told of the same second, and only GitHub knows which came last.
    """

    repository_id: int
    number: int
    installation: int
    repository: str
    head_sha: str
    generation: int
    reason: str | None
    unseen: bool
    unclear: bool


@dataclass(frozen=True, slots=True)
class Review:
    """A review of one head.

    Attributes:
        run: counts the runs that have begun; the newest has the right to act.
        attempts: runs that ended so that there must be another.
        check_run: GitHub's id of the check run that shows it, once it exists.
        ended: an event has ended it.
        verdict: how its check run is to end, as `check_run.verdict_json` writes it.
        waits: its time to be brought on has not come.
        check_begun: a check run of it is on GitHub, or may be.
    """

    id: str
    installation: int
    repository_id: int
    repository: str
    pull_request: int
    head_sha: str
    title: str
    url: str
    generation: int
    run: int
    attempts: int
    check_run: int | None
    ended: bool
    verdict: dict[str, Any] | None
    waits: bool
    check_begun: bool

    @property
    def subject(self) -> Subject:
        """What its events are about."""
        return Subject(
            review=self.id,
            repository=self.repository,
            pull_request=self.pull_request,
            head_sha=self.head_sha,
            audience=Audience(installation=self.installation, repository_id=self.repository_id),
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A review that nobody has begun; `ahead` of it are so many of its installation."""

    review: Review
    ahead: int


async def store_delivery(connection: AsyncConnection, delivery: Delivery) -> AsyncCursor:
    """Keep a delivery: one row is counted by the cursor, or none if it was taken before."""
    return await connection.execute(query(*_SQL, "store_delivery"), asdict(delivery))


async def lock_repository(connection: AsyncConnection, repository_id: int) -> None:
    """Let nobody else take in news of a repository before the caller commits.

    A row can't be locked that is not there yet, and who waits for one reads what is joined to it as it was.
    """
    await connection.execute(query(*_SQL, "lock_repository"), {"repository_id": repository_id})


async def lock_repositories(
    connection: AsyncConnection, installation: int, repository_ids: Sequence[int] | None
) -> dict[str, Any]:
    """The same for an installation, or some of its repositories; gives both as values for a query."""
    values = {
        "installation": installation,
        "repository_ids": None if repository_ids is None else list(repository_ids),
    }
    await connection.execute(query(*_SQL, "lock_repositories"), values)
    return values


async def pull_request(
    connection: AsyncConnection, repository_id: int, number: int
) -> tuple[PullRequestRow | None, list[Review]]:
    """A pull request, and its reviews whose check runs have not ended, oldest first."""
    values = {"repository_id": repository_id, "number": number}
    async with connection.cursor(row_factory=class_row(PullRequestRow)) as cursor:
        await cursor.execute(query(*_SQL, "pull_request"), values)
        row = await cursor.fetchone()
    async with connection.cursor(row_factory=class_row(Review)) as cursor:
        await cursor.execute(query(*_SQL, "open_reviews"), values)
        return row, await cursor.fetchall()


async def waiting_reviews(connection: AsyncConnection) -> list[Waiting]:
    """Reviews that wait and are not shown yet: of each installation the next few."""
    values = {"most": MOST_SHOWN, "seconds": WAITING_SECONDS}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query(*_SQL, "waiting"), values)
        rows = await cursor.fetchall()
    return [Waiting(ahead=row.pop("ahead"), review=Review(**row)) for row in rows]


async def begin_run(connection: AsyncConnection, review: str) -> int:
    """Take a review over: whichever run had it may write nothing more. Gives the number of the new one."""
    cursor = await connection.execute(query(*_SQL, "begin_run"), {"review": review})
    row = await cursor.fetchone()
    if row is None:
        raise AssertionError(f"there is no review {review}")
    return int(row[0])


async def end_review(
    connection: AsyncConnection, review: str, run: int, verdict: dict[str, Any] | None
) -> bool:
    """Note that it has ended, and how its check run is to end; False if another run has it, or ended it."""
    values = {"review": review, "run": run, "verdict": None if verdict is None else Jsonb(verdict)}
    cursor = await connection.execute(query(*_SQL, "end_review"), values)
    return await cursor.fetchone() is not None


async def end_unshown(connection: AsyncConnection, reviews: Sequence[str]) -> set[str]:
    """Note the end of reviews that GitHub shows nothing of: nothing is left to do. Gives which they were."""
    # First theirs alone: a statement that waited for one would not see the intent it waited for
    await connection.execute(query(*_SQL, "hold_reviews"), {"reviews": list(reviews)})
    cursor = await connection.execute(query(*_SQL, "end_unshown"), {"reviews": list(reviews)})
    return {row[0] for row in await cursor.fetchall()}


async def close_review(connection: AsyncConnection, review: str) -> None:
    """Note that nothing is left to do for it."""
    await connection.execute(query(*_SQL, "close_review"), {"review": review})


async def put_off(connection: AsyncConnection, review: str, seconds: float) -> None:
    """Note that a run ended so that there must be another, and not before so many seconds."""
    await connection.execute(query(*_SQL, "put_off"), {"review": review, "seconds": seconds})


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
    values = {"review": review, "check_run": check_run}
    await connection.execute(query(*_SQL, "remember_check_run"), values)


async def expire_deliveries(connection: AsyncConnection, days: int) -> int:
    """Drop deliveries older than any that GitHub would send again; how many there were."""
    await connection.execute(query(*_SQL, "expire_redeliveries"), {"days": days})
    cursor = await connection.execute(query(*_SQL, "expire_deliveries"), {"days": days})
    return cursor.rowcount
