"""What is wanted of each pull request, kept in the database: news come in, and a generation counts them.

Whatever bears on the review raises the generation of its pull request: a new head, another base, a stop, a
close. A review belongs to the generation it was made for, and a run of an older one may write nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection

from reviewer.core.audience import Audience
from reviewer.core.events import ReviewQueued, Subject
from reviewer.store.feed import PostgresFeed
from reviewer.store.queries import query
from webhooks.access.sessions import end_sessions
from webhooks.intents import settle_thread
from webhooks.jobs import Jobs
from webhooks.known import Key, Known, ask_known, key_of, read_known
from webhooks.news import (
    Handled,
    InstallationGone,
    PersonGone,
    Place,
    PullFacts,
    PullRequestChanged,
    RepositoriesGone,
    RepositoryMoved,
    ReviewAgain,
    StopReview,
    ThreadSettled,
)
from webhooks.policy import Rules
from webhooks.publish.marks import fingerprints_in
from webhooks.records import lock_repositories, lock_repository

_SQL = ("webhooks.sql", "wishes.sql")
_ASKED = "GitHub is asked how this pull request stands"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of news: the review that is wanted now, or why none is; and what is newly wanted."""

    review: str | None = None
    reason: str | None = None
    queued: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True)
class _Head:
    """A commit to review, and where it is."""

    installation: int
    repository: str
    sha: str


class Wishes:
    """Takes in news, always within the caller's transaction; who has committed it wakes the jobs."""

    def __init__(self, feed: PostgresFeed, jobs: Jobs, rules: Rules) -> None:
        self._feed = feed
        self._jobs = jobs
        self._rules = rules

    async def take(self, connection: AsyncConnection, news: Sequence[Handled]) -> list[Answer]:
        """Take in what was told, in order; those of one repository wait for one another, up to the commit."""
        changes = [each for each in news if isinstance(each, PullRequestChanged)]
        if len(changes) == len(news):
            # A burst of pushes: what is known of all is asked for before any is read
            answers = await self._change_all(connection, changes)
        else:
            answers = [await self._take(connection, each) for each in news]
        # Last, since every writer of events waits for this one's commit
        queued = [(subject, ReviewQueued()) for answer in answers for subject in answer.queued]
        await self._feed.append_all(connection, queued)
        return answers

    async def _take(self, connection: AsyncConnection, news: Handled) -> Answer:
        match news:
            case PullRequestChanged():
                answer = (await self._change_all(connection, [news]))[0]
            case ReviewAgain():
                answer = await self._again(connection, news)
            case StopReview():
                answer = await self._stop(connection, news)
            case ThreadSettled():
                answer = await _settle(connection, news)
            case RepositoryMoved():
                answer = await self._move(connection, news)
            case InstallationGone() | RepositoriesGone():
                answer = await self._end(connection, news)
            case PersonGone():
                answer = Answer(reason=await end_sessions(connection, news))
        return answer

    async def _change_all(
        self, connection: AsyncConnection, news: Sequence[PullRequestChanged]
    ) -> list[Answer]:
        for repository_id in dict.fromkeys(each.pull.place.repository_id for each in news):
            await lock_repository(connection, repository_id)
        asked = {key: await ask_known(connection, key) for key in dict.fromkeys(map(key_of, news))}
        answers: list[Answer] = []
        for each in news:
            first = asked.pop(key_of(each), None)
            known = await first.fetchone() if first else await read_known(connection, key_of(each))
            answers.append(await self._change(connection, each, known))
        return answers

    async def _change(
        self, connection: AsyncConnection, news: PullRequestChanged, known: Known | None
    ) -> Answer:
        """A pull request as GitHub tells it; what is older than what is known changes nothing."""
        pull, key = news.pull, key_of(news)
        if known is not None and known.is_newer_than(news):
            return Answer(reason="something newer is known of this pull request")
        if known is not None and known.is_unclear(news):
            await connection.execute(query(*_SQL, "doubt"), key.values())
            return Answer(known.review, _ASKED)
        await _tell(connection, news)
        if known is not None and known.is_elsewhere_than(pull.place):
            await self._rename(connection, pull.place)
        rebased = known is not None and known.has_another_base(pull)
        reason = self._reason(pull, known)
        if reason is not None:
            if known is not None and (known.live or rebased):
                await self._raise(connection, [key], reason)
            return Answer(reason=reason)
        if known is not None and known.review_head == pull.head_sha and not rebased:
            return Answer(known.review, "this head has its review")
        return await self._want(
            connection, {key: _Head(pull.place.installation, pull.place.repository, pull.head_sha)}
        )

    async def _again(self, connection: AsyncConnection, news: ReviewAgain) -> Answer:
        """One more review of the head, also where the rules would have none."""
        await lock_repository(connection, news.place.repository_id)
        found = await _find(connection, news)
        if not found and news.number is not None:
            # How it stands only GitHub knows; the job asks
            await connection.execute(query(*_SQL, "look"), _stub(news.place, news.number))
            return Answer(reason=_ASKED)
        known = {key: await read_known(connection, key) for key in found}
        seen = {
            key: _Head(each.installation, each.repository, each.head_sha)
            for key, each in known.items()
            if each is not None and not each.unseen
        }
        if not seen:
            return Answer(reason=_ASKED if found else "no pull request with this head is known")
        return await self._want(connection, seen, asked=True)

    async def _stop(self, connection: AsyncConnection, news: StopReview) -> Answer:
        """Stop what runs; the head is reviewed again only when somebody asks."""
        await lock_repository(connection, news.place.repository_id)
        found = await _find(connection, news)
        known = [await read_known(connection, key) for key in found]
        live = [key for key, each in zip(found, known, strict=True) if each is not None and each.live]
        if not live:
            return Answer(reason="no review of it is under way")
        await self._raise(connection, live, f"stopped by {news.by}", stopped=True)
        return Answer(reason="the review is stopped")

    async def _end(self, connection: AsyncConnection, news: InstallationGone | RepositoriesGone) -> Answer:
        """End what is under way of an installation or some of its repositories; forget them if asked."""
        ids = list(news.repository_ids) if isinstance(news, RepositoriesGone) else None
        values = await lock_repositories(connection, news.installation, ids)
        cursor = await connection.execute(query(*_SQL, "live"), values)
        keys = [Key(repository_id, number) for repository_id, number in await cursor.fetchall()]
        await self._raise(connection, keys, news.reason)
        if news.forget:
            await self._jobs.want_forgotten(connection, news.installation, ids)
        return Answer(reason=news.reason)

    def _reason(self, pull: PullFacts, known: Known | None) -> str | None:
        """Why no review is wanted. Who asks for one by name gets it, unless the pull request is closed."""
        asked = known is not None and known.asked and (known.unseen or known.head_sha == pull.head_sha)
        if not asked or pull.state != "open":
            reason = self._rules.reason_not_to_review(pull)
            if reason is not None:
                return reason
        if known is not None and known.stopped_head == pull.head_sha:
            return "the review of this head was stopped"
        return None

    async def _want(
        self, connection: AsyncConnection, heads: Mapping[Key, _Head], *, asked: bool = False
    ) -> Answer:
        """Want a review of each pull request, whose head is known."""
        subjects: list[Subject] = []
        for key, head in heads.items():
            review = uuid4().hex
            await _raise_generation(connection, key, reason=None, asked=asked)
            await connection.execute(query(*_SQL, "open_review"), key.values(id=review))
            await self._jobs.stop_running(connection, key.repository_id, key.number)
            audience = Audience(installation=head.installation, repository_id=key.repository_id)
            subjects.append(
                Subject(
                    review=review,
                    repository=head.repository,
                    pull_request=key.number,
                    head_sha=head.sha,
                    audience=audience,
                )
            )
        return Answer(subjects[-1].review, queued=tuple(subjects))

    async def _raise(
        self, connection: AsyncConnection, keys: Sequence[Key], reason: str, *, stopped: bool = False
    ) -> None:
        for key in keys:
            await _raise_generation(connection, key, reason=reason, stopped=stopped)
            await self._jobs.stop_running(connection, key.repository_id, key.number)

    async def _move(self, connection: AsyncConnection, news: RepositoryMoved) -> Answer:
        """A repository has another name, or belongs to another installation."""
        await lock_repository(connection, news.place.repository_id)
        await self._rename(connection, news.place)
        return Answer(reason=f"the repository is called {news.place.repository} from now on")

    async def _rename(self, connection: AsyncConnection, place: Place) -> None:
        values = {
            "repository_id": place.repository_id,
            "repository": place.repository,
            "installation": place.installation,
        }
        await connection.execute(query(*_SQL, "rename_pull_requests"), values)
        await connection.execute(query(*_SQL, "rename_reviews"), values)
        await self._feed.move(connection, place.repository_id, place.installation)


async def postpone(
    connection: AsyncConnection, repository_id: int, number: int, generation: int, seconds: float
) -> None:
    """Let the pull request's next job wait, unless something newer is wanted, which is wanted at once."""
    values = Key(repository_id, number).values(generation=generation, seconds=seconds)
    await connection.execute(query(*_SQL, "postpone"), values)


async def give_up_looking(connection: AsyncConnection, repository_id: int, number: int) -> None:
    """GitHub does not show a pull request: what is known of it stands; a mere name is forgotten."""
    key = Key(repository_id, number).values()
    await connection.execute(query(*_SQL, "drop_unseen"), key)
    await connection.execute(query(*_SQL, "clear"), key)


async def _settle(connection: AsyncConnection, news: ThreadSettled) -> Answer:
    found = fingerprints_in(news.bodies)
    where = (news.place.repository_id, news.number)
    count = await settle_thread(connection, *where, found, settled=news.resolved)
    return Answer(reason=f"{count} findings are noted as {'resolved' if news.resolved else 'open again'}")


async def _tell(connection: AsyncConnection, news: PullRequestChanged) -> None:
    pull = news.pull
    values = {
        "repository_id": pull.place.repository_id,
        "number": pull.number,
        "installation": pull.place.installation,
        "repository": pull.place.repository,
        "head_sha": pull.head_sha,
        "base_ref": pull.base_ref,
        "title": pull.title,
        "url": pull.url,
        "told_at": pull.updated_at,
        "before": news.before,
        "read": news.read,
    }
    await connection.execute(query(*_SQL, "tell"), values)


def _stub(place: Place, number: int) -> dict[str, Any]:
    return {
        "repository_id": place.repository_id,
        "number": number,
        "installation": place.installation,
        "repository": place.repository,
    }


async def _find(connection: AsyncConnection, news: ReviewAgain | StopReview) -> list[Key]:
    values = {
        "repository_id": news.place.repository_id,
        "number": news.number,
        "review": news.review,
        "head_sha": news.head_sha,
    }
    cursor = await connection.execute(query(*_SQL, "find"), values)
    return [Key(repository_id, number) for repository_id, number in await cursor.fetchall()]


async def _raise_generation(
    connection: AsyncConnection, key: Key, *, reason: str | None, asked: bool = False, stopped: bool = False
) -> None:
    await connection.execute(query(*_SQL, "raise"), key.values(reason=reason, asked=asked, stopped=stopped))
