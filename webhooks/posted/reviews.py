"""Diffs that were posted, and how the reviews of them are stored, listened to and ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row

from reviewer.core.audience import Audience
from reviewer.core.budget import Payer
from reviewer.core.events import ReviewCancelled, ReviewQueued, Subject
from reviewer.store.feed import PostgresFeed
from reviewer.store.queries import query
from webhooks.jobs import Jobs

KEY_HOURS = 24
"""How long an idempotency key stands for what was posted with it."""

CALLER_LEFT = "the caller left"

_SQL = ("webhooks.sql", "posted.sql")


@dataclass(frozen=True, slots=True)
class Post:
    """What was posted.

    Attributes:
        review: the id of the review it wants.
        pays: the installation whose budget pays too.
        attended: the review ends when nobody listens any more.
        digest: of the diff and all else that bears on the review.
        diff: compressed.
    """

    review: str
    api_key: str
    pays: int | None
    repository: str
    title: str
    head_sha: str | None
    attended: bool
    idempotency_key: str | None
    digest: bytes
    diff: bytes
    model: str
    bytes_per_token: float

    @property
    def subject(self) -> Subject:
        """What the review's events are about."""
        return _subject(self.review, self.api_key, self.repository, self.head_sha)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was posted before with the same idempotency key."""

    review: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class PostedReview:
    """A posted review that has not ended; `run` and `attempts` as of any review."""

    id: str
    api_key: str
    repository: str
    head_sha: str | None
    title: str
    run: int
    attempts: int
    pays: int | None

    @property
    def subject(self) -> Subject:
        """What its events are about."""
        return _subject(self.id, self.api_key, self.repository, self.head_sha)

    @property
    def payer(self) -> Payer:
        """Whose budgets it draws on."""
        return Payer(self.id, self.pays, self.api_key)


class Posted:
    """Stores and ends posted reviews, within the caller's transaction; who has committed wakes the jobs."""

    def __init__(self, feed: PostgresFeed, jobs: Jobs) -> None:
        self._feed = feed
        self._jobs = jobs

    async def earlier(
        self, connection: AsyncConnection, api_key: str, idempotency_key: str, *, lock: bool = False
    ) -> Earlier | None:
        """What was posted with an idempotency key; `lock` keeps others from using it up to the commit."""
        values = {"api_key": api_key, "idempotency_key": idempotency_key, "hours": KEY_HOURS}
        if lock:
            await connection.execute(query(*_SQL, "lock_key"), values)
        async with connection.cursor(row_factory=class_row(Earlier)) as cursor:
            await cursor.execute(query(*_SQL, "earlier"), values)
            return await cursor.fetchone()

    async def store(self, connection: AsyncConnection, post: Post) -> Earlier | None:
        """Store what was posted; or, if it was posted before, give that. `announce` ends the transaction."""
        if post.idempotency_key is not None:
            found = await self.earlier(connection, post.api_key, post.idempotency_key, lock=True)
            if found is not None:
                return found
        values = {**asdict(post), "hours": KEY_HOURS}
        for name in ("release_old_key", "store_review", "store_diff", "store_posted"):
            await connection.execute(query(*_SQL, name), values)
        return None

    async def announce(self, connection: AsyncConnection, post: Post) -> None:
        """Tell that a review is wanted: last, since every writer of events waits for this one's commit."""
        await self._feed.append_on(connection, post.subject, [ReviewQueued()])

    async def leave_alone(self, connection: AsyncConnection, review: str) -> None:
        """Let a review go on though nobody listens."""
        await connection.execute(query(*_SQL, "leave_alone"), {"review": review})

    async def cancel(self, connection: AsyncConnection, review: str, by: str) -> str | None:
        """End a posted review at once, begun or not, and cut what runs for it. Who asks may do so.

        Returns:
            The reason it ends with; None if it had ended, or is none that was posted.
        """
        reason = f"stopped by {by}"
        return reason if await self._end(connection, [review], reason) else None

    async def cancel_unheard(self, connection: AsyncConnection, review: str | None = None) -> list[str]:
        """End the reviews that nobody listens to though somebody should, or this one if so; gives which.

        Their idempotency keys are free again: a caller whose connection broke can post anew, and buys only
        what is missing.
        """
        found = await self._unheard(connection, review)
        if found:
            # Once more, now that nobody can begin to listen: somebody may have between the look and the lock
            still = set(await self._unheard(connection, review))
            found = [each for each in found if each in still]
            await connection.execute(query(*_SQL, "release_keys"), {"reviews": found})
            found = await self._end(connection, found, CALLER_LEFT)
        return found

    async def _unheard(self, connection: AsyncConnection, review: str | None) -> list[str]:
        cursor = await connection.execute(query(*_SQL, "unheard"), {"review": review})
        return [row[0] for row in await cursor.fetchall()]

    async def _end(self, connection: AsyncConnection, reviews: Sequence[str], reason: str) -> list[str]:
        cursor = await connection.execute(query(*_SQL, "cancel"), {"reviews": list(reviews)})
        ended = [_subject(*row) for row in await cursor.fetchall()]
        for subject in ended:
            await self._jobs.stop_posted(connection, subject.review)
        await connection.execute(query(*_SQL, "dismiss"), {"reviews": [each.review for each in ended]})
        event = ReviewCancelled(reason=reason)
        await self._feed.append_all(connection, [(subject, event) for subject in ended])
        return [subject.review for subject in ended]


async def open_posted(connection: AsyncConnection, review: str) -> PostedReview | None:
    """A posted review; None if it has ended or is gone."""
    async with connection.cursor(row_factory=class_row(PostedReview)) as cursor:
        await cursor.execute(query(*_SQL, "open"), {"review": review})
        return await cursor.fetchone()


async def posted_diff(connection: AsyncConnection, review: str) -> bytes | None:
    """The diff of a posted review, compressed; None if it is gone."""
    cursor = await connection.execute(query(*_SQL, "diff"), {"review": review})
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def end_posted(connection: AsyncConnection, review: str, run: int) -> None:
    """Note that a posted review has ended; the caller holds its lease."""
    await connection.execute(query(*_SQL, "end"), {"review": review, "run": run})
    await connection.execute(query(*_SQL, "dismiss"), {"reviews": [review]})


def _subject(review: str, api_key: str, repository: str, head_sha: str | None) -> Subject:
    return Subject(
        review=review, repository=repository, head_sha=head_sha, audience=Audience(api_key=api_key)
    )
