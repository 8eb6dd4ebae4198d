"""Pull requests as news tell them, and what is kept of them, for tests of what stands behind the receiver."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from reviewer.store.database import Database
from reviewer.store.feed import Filter, Hub, PostgresFeed
from webhooks.jobs import Jobs
from webhooks.lease import Lease
from webhooks.news import Handled, Place, PullFacts, PullRequestChanged, ReviewAgain, StopReview
from webhooks.policy import Rules
from webhooks.records import begin_run
from webhooks.wishes import Answer, Wishes

INSTALLATION = 7
REPOSITORY_ID = 70
OPENED_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLACE = Place(INSTALLATION, REPOSITORY_ID, "octo/shop")


def place_of(installation: int, repository_id: int) -> Place:
    """A repository of an installation."""
    return Place(installation, repository_id, f"octo/shop{repository_id}")


def facts(
    head: str = "a", *, at: float = 0, number: int = 1, place: Place = PLACE, **changes: Any
) -> PullFacts:
    """A pull request as told so many seconds after it was opened; its head is a name that is easy to read."""
    values: dict[str, Any] = {
        "place": place,
        "number": number,
        "head_sha": head,
        "base_ref": "main",
        "title": "Sell more",
        "url": f"https://github.example/{place.repository}/pull/{number}",
        "state": "open",
        "draft": False,
        "author": "ada",
        "author_is_bot": False,
        "fork": False,
        "updated_at": OPENED_AT + timedelta(seconds=at),
    }
    return PullFacts(**values | changes)


def opened(head: str = "a", **changes: Any) -> PullRequestChanged:
    """A new pull request."""
    return PullRequestChanged("opened", facts(head, **changes))


def pushed(head: str, before: str | None = None, **changes: Any) -> PullRequestChanged:
    """A push."""
    return PullRequestChanged("synchronize", facts(head, **changes), before=before)


def told(action: str, head: str = "a", **changes: Any) -> PullRequestChanged:
    """Any other news of a pull request."""
    return PullRequestChanged(action, facts(head, **changes))


def again(number: int | None = 1, head: str | None = None, **changes: Any) -> ReviewAgain:
    """Somebody asks for a review."""
    return ReviewAgain(
        **{"place": PLACE, "number": number, "head_sha": head, "review": None, "by": "ada"} | changes
    )


def stop(number: int | None = 1, head: str | None = None, **changes: Any) -> StopReview:
    """Somebody stops a review."""
    return StopReview(
        **{"place": PLACE, "number": number, "head_sha": head, "review": None, "by": "ada"} | changes
    )


@dataclass(frozen=True)
class Desk:
    """Takes in news as the receiver does, each in a transaction."""

    database: Database
    feed: PostgresFeed
    jobs: Jobs
    wishes: Wishes

    async def tell(self, news: Handled) -> Answer:
        """Take in one, and give jobs to what needs work then."""
        async with self.database.connection() as connection:
            (answer,) = await self.wishes.take(connection, [news])
        async with self.database.connection() as connection:
            await self.jobs.dispatch(connection)
        return answer

    async def rows(self, statement: LiteralString, **values: Any) -> list[Any]:
        """What the database holds."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(statement, values)
            return list(await cursor.fetchall()) if cursor.description else []

    async def reviews(self, number: int = 1) -> list[tuple[str, bool]]:
        """Head of each review of a pull request, oldest first, and whether it is still wanted."""
        return await self.rows(
            "SELECT r.head_sha, r.generation = p.generation AND r.ended_at IS NULL FROM reviews AS r"
            " JOIN pull_requests AS p ON p.repository_id = r.repository_id AND p.number = r.pull_request"
            " WHERE p.number = %(number)s ORDER BY r.generation",
            number=number,
        )

    async def known(self, number: int = 1) -> Mapping[str, Any]:
        """The row of a pull request."""
        ((row,),) = await self.rows(
            "SELECT to_jsonb(p) FROM pull_requests AS p WHERE number = %(number)s", number=number
        )
        return row

    async def waiting(self) -> list[str]:
        """The locks of the jobs that wait, in their order."""
        found = await self.rows("SELECT lock FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id")
        return [lock for (lock,) in found]

    async def events(self, review: str | None = None) -> list[str]:
        """Types of the events of a review, or of all."""
        return [entry.type for entry in await self.feed.read(0, Filter(review=review))]

    async def lease(self, review: str | None, **changes: Any) -> Lease:
        """The right of a new run of a review."""
        assert review is not None
        async with self.database.connection() as connection:
            run = await begin_run(connection, review)
        ((repository_id, number, generation),) = await self.rows(
            "SELECT repository_id, pull_request, generation FROM reviews WHERE id = %(review)s", review=review
        )
        return Lease(
            **{
                "review": review,
                "repository_id": repository_id,
                "number": number,
                "generation": generation,
                "run": run,
            }
            | changes
        )


@asynccontextmanager
async def desk(database: Database, rules: Rules | None = None, **options: Any) -> AsyncGenerator[Desk]:
    """What takes in news, on a database; nobody works."""
    values = {"per_installation": 2, "stalled_seconds": 30.0, "drain_seconds": 5.0, **options}
    jobs = Jobs(database, **values)
    feed = PostgresFeed(database, Hub(database.url))
    async with jobs.app.open_async():
        yield Desk(database, feed, jobs, Wishes(feed, jobs, rules or Rules()))
