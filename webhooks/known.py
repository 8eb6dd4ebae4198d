"""A pull request as it is known, and which of two things told of it is the newer one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import class_row

from reviewer.store.queries import query
from webhooks.news import Place, PullFacts, PullRequestChanged

_TURNS = frozenset({"closed", "reopened", "converted_to_draft", "ready_for_review", "labeled", "unlabeled"})
"""Actions that undo one another."""


@dataclass(frozen=True, slots=True)
class Known:
    """A pull request as it is known, and the review of its generation, if it has one."""

    installation: int
    repository: str
    head_sha: str
    earlier_heads: list[str]
    base_ref: str
    fresh: bool
    told_at: datetime
    generation: int
    asked: bool
    stopped_head: str | None
    unseen: bool
    review: str | None
    review_head: str | None
    ended: bool

    @property
    def live(self) -> bool:
        """Whether its review goes on."""
        return self.review is not None and not self.ended

    def is_newer_than(self, news: PullRequestChanged) -> bool:
        """Whether GitHub told this after that. Its times are whole seconds, its answers may lag a little."""
        pull = news.pull
        if pull.updated_at != self.told_at:
            return pull.updated_at < self.told_at
        if news.action == "opened":  # nothing of a pull request is earlier
            return pull.head_sha != self.head_sha
        return self.fresh and pull.head_sha in self.earlier_heads

    def is_unclear(self, news: PullRequestChanged) -> bool:
        """Whether this or that may be the newer one: GitHub's times are whole seconds."""
        if news.read or news.pull.updated_at != self.told_at:
            return False
        follows = self.head_sha in {news.pull.head_sha, news.before}
        return not follows or news.action in _TURNS

    def is_elsewhere_than(self, place: Place) -> bool:
        """Whether the repository has got another name, or belongs to another installation."""
        return (self.repository, self.installation) != (place.repository, place.installation)

    def has_another_base(self, pull: PullFacts) -> bool:
        """Whether the change is measured from another branch, whichever news tells so first."""
        return not self.unseen and self.base_ref != pull.base_ref


@dataclass(frozen=True, slots=True)
class Key:
    """Which pull request: its repository's number and its own."""

    repository_id: int
    number: int

    def values(self, **more: Any) -> dict[str, Any]:
        """For a query, with more."""
        return {"repository_id": self.repository_id, "number": self.number, **more}


async def read_known(connection: AsyncConnection, key: Key) -> Known | None:
    """What is known of a pull request; whoever goes by it holds its repository's lock."""
    return await (await ask_known(connection, key)).fetchone()


async def ask_known(connection: AsyncConnection, key: Key) -> AsyncCursor[Known]:
    """The same asked for, and not yet read."""
    return await connection.cursor(row_factory=class_row(Known)).execute(
        query("webhooks.sql", "wishes.sql", "known"), key.values()
    )


def key_of(news: PullRequestChanged) -> Key:
    """The pull request that news are of."""
    return Key(news.pull.place.repository_id, news.pull.number)
