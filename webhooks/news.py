"""What a delivery tells us: a closed vocabulary. Past `payloads` nobody sees a payload."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Place:
    """A repository: its number never changes, its name may."""

    installation: int
    repository_id: int
    repository: str


@dataclass(frozen=True, slots=True)
class PullFacts:
    """A pull request as GitHub told it last.

    Attributes:
        author_is_bot: GitHub's own word for the account that opened it.
        fork: the head is in another repository, or in one that is no more.
        updated_at: GitHub's time, to the second; what is told with an earlier one is late.
    """

    place: Place
    number: int
    head_sha: str
    base_ref: str
    title: str
    url: str
    state: Literal["open", "closed"]
    draft: bool
    author: str
    author_is_bot: bool
    fork: bool
    updated_at: datetime
    labels: frozenset[str] = field(default_factory=frozenset[str])


@dataclass(frozen=True, slots=True)
class PullRequestChanged:
    """A pull request was opened, pushed to, closed or otherwise changed in a way that bears on reviews.

    Attributes:
        before: for a push, the head that this one follows.
        read: we asked GitHub, and this is its answer; else it is a delivery, which may be late.
    """

    action: str
    pull: PullFacts
    before: str | None = None
    read: bool = False


@dataclass(frozen=True, slots=True)
class ReviewAgain:
    """Somebody asks for one more review of a head: by check run, check suite or command.

    Attributes:
        number: of the pull request, where the delivery names it; those of forks it does not.
        head_sha: where the delivery names it.
        review: our own id of the review, where a check run names it.
        by: login of who asks.
    """

    place: Place
    number: int | None
    head_sha: str | None
    review: str | None
    by: str


@dataclass(frozen=True, slots=True)
class StopReview:
    """Somebody asks to stop what is under way; fields as of `ReviewAgain`."""

    place: Place
    number: int | None
    head_sha: str | None
    review: str | None
    by: str


@dataclass(frozen=True, slots=True)
class ThreadSettled:
    """A person resolved a thread of ours, or opened it again.

    Attributes:
        bodies: texts of the thread's comments by bots, which carry our marks.
    """

    place: Place
    number: int
    bodies: tuple[str, ...]
    resolved: bool


@dataclass(frozen=True, slots=True)
class RepositoryMoved:
    """A repository has a new name or owner."""

    place: Place


@dataclass(frozen=True, slots=True)
class RepositoriesGone:
    """The app can't see repositories any more: deleted, archived, or taken out of the installation.

    Attributes:
        reason: for people.
        forget: their data is to be deleted; else only what is under way ends.
    """

    installation: int
    repository_ids: tuple[int, ...]
    reason: str
    forget: bool


@dataclass(frozen=True, slots=True)
class InstallationGone:
    """The app was uninstalled (`forget`), or suspended; fields as of `RepositoriesGone`."""

    installation: int
    reason: str
    forget: bool


@dataclass(frozen=True, slots=True)
class PersonGone:
    """A person took back what they gave the app when they logged in.

    Attributes:
        user: their number.
        login: their name.
    """

    user: int
    login: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A delivery that asks for nothing; `reason` is for people."""

    reason: str


Handled = (
    PullRequestChanged
    | ReviewAgain
    | StopReview
    | ThreadSettled
    | RepositoryMoved
    | RepositoriesGone
    | InstallationGone
    | PersonGone
)
News = Handled | Ignored
