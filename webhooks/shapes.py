"""The parts of GitHub's payloads that are read, and no others: real ones differ from every published schema.

What GitHub always sends where it matters is required; all else may be absent or null.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints

from reviewer.core.diff import readable
from webhooks.news import Place

_NOBODY = "ghost"  # whom GitHub shows for an account that is no more
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _storable(value: object) -> object:
    return readable(_LONE_SURROGATE.sub("\ufffd", value)) if isinstance(value, str) else value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time outside the calendar") from error


Text = Annotated[str, BeforeValidator(_storable)]
Sha = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
Id = Annotated[int, Field(strict=True, gt=0, lt=2**63)]
Number = Annotated[int, Field(strict=True, gt=0, lt=2**31)]
Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Account(BaseModel):
    """A person, a bot or an organisation."""

    login: Text
    type: Text | None = None

    @property
    def is_bot(self) -> bool:
        """Whether it is no person."""
        return self.type == "Bot" or self.login.endswith("[bot]")


class Identified(BaseModel):
    """Anything with a number that never changes."""

    id: Id


class Named(Identified):
    """A repository with the name it has now."""

    full_name: Text


class Event(BaseModel):
    """What every delivery to an installation holds."""

    installation: Identified
    sender: Account | None = None

    @property
    def by(self) -> str:
        """Login of who did it."""
        return self.sender.login if self.sender else _NOBODY


class Person(Account):
    """Somebody who may have logged in."""

    id: Id


class AuthorizationEvent(BaseModel):
    """What somebody did with what they gave the app; that is of no installation."""

    sender: Person


class RepositoryEvent(Event):
    """What happened in one repository."""

    repository: Named

    @property
    def place(self) -> Place:
        """The repository."""
        return Place(self.installation.id, self.repository.id, self.repository.full_name)


class Label(BaseModel):
    """A label of a pull request."""

    name: Text


class Head(BaseModel):
    """Where a pull request comes from; a repository that is no more is null."""

    sha: Sha
    repo: Identified | None = None


class Base(BaseModel):
    """Where a pull request goes."""

    ref: Text
    repo: Identified | None = None


class PullRequest(BaseModel):
    """A pull request, as its own event tells it."""

    number: Number
    title: Text
    html_url: Text
    state: Literal["open", "closed"]
    draft: bool | None = None
    user: Account | None = None
    labels: list[Label] | None = None
    head: Head
    base: Base
    updated_at: Time

    @property
    def author(self) -> str:
        """Login of who opened it."""
        return self.user.login if self.user else _NOBODY


class Changes(BaseModel):
    """What an edit changed, with the values from before."""

    base: Any = None


class PullRequestEvent(RepositoryEvent):
    """`pull_request`."""

    pull_request: PullRequest
    before: Sha | None = None
    changes: Changes | None = None


class BaseOfRun(BaseModel):
    """Where a pull request named by a run goes."""

    repo: Identified | None = None


class PullOfRun(BaseModel):
    """A pull request named by a run."""

    number: Number
    base: BaseOfRun | None = None


class Run(BaseModel):
    """A check run or a check suite."""

    head_sha: Sha
    external_id: Text | None = None
    pull_requests: list[PullOfRun] | None = None


class RunEvent(RepositoryEvent):
    """What the events of both kinds of runs share."""

    def number(self, run: Run) -> int | None:
        """The first pull request that the run names in this repository; it names those into others, too."""
        for pull in run.pull_requests or ():
            target = pull.base.repo if pull.base else None
            if target is None or target.id == self.repository.id:
                return pull.number
        return None


class CheckRunEvent(RunEvent):
    """`check_run`."""

    check_run: Run


class RequestedAction(BaseModel):
    """The button pressed on a check run."""

    identifier: Text


class CheckActionEvent(CheckRunEvent):
    """`check_run`, action `requested_action`."""

    requested_action: RequestedAction


class CheckSuiteEvent(RunEvent):
    """`check_suite`."""

    check_suite: Run


class Comment(BaseModel):
    """A comment, or the text of a review."""

    body: Text | None = None
    user: Account | None = None
    author_association: Text | None = None

    @property
    def by_bot(self) -> bool:
        """Whether no person said it."""
        return self.user is not None and self.user.is_bot


class Issue(BaseModel):
    """An issue, which may be a pull request."""

    number: Number
    pull_request: Any = None


class IssueCommentEvent(RepositoryEvent):
    """`issue_comment`."""

    issue: Issue
    comment: Comment


class PullOfComment(BaseModel):
    """A pull request, as told by what is said on it."""

    number: Number
    head: Head | None = None


class ReviewCommentEvent(RepositoryEvent):
    """`pull_request_review_comment`."""

    pull_request: PullOfComment
    comment: Comment


class ReviewEvent(RepositoryEvent):
    """`pull_request_review`."""

    pull_request: PullOfComment
    review: Comment


class Thread(BaseModel):
    """Comments on one place of a pull request."""

    comments: list[Comment]


class ThreadEvent(RepositoryEvent):
    """`pull_request_review_thread`."""

    pull_request: PullOfComment
    thread: Thread


class RepositoriesRemovedEvent(Event):
    """`installation_repositories`, action `removed`."""

    repositories_removed: list[Identified]
