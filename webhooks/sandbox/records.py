"""What the sandbox remembers of accounts, repositories, pull requests, check runs and deliveries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from webhooks.sandbox.git import Diff

Side = Literal["LEFT", "RIGHT"]
AccountType = Literal["User", "Bot", "Organization"]
LONG_AGO = float("-inf")


@dataclass(frozen=True, slots=True)
class User:
    """An account as GitHub shows it beside what it wrote."""

    login: str
    id: int
    type: AccountType = "User"


@dataclass(slots=True)
class Installation:
    """The app on one account; a suspended one gets 403 for everything its tokens ask."""

    id: int
    account: User
    permissions: dict[str, str]
    created_at: datetime
    updated_at: datetime
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """An installation token; `repository_ids` is None when it reaches every repository installed on.

    `permissions` are the installation's own, so that they change with it, or those that were asked for.
    """

    text: str
    installation_id: int
    expires_at: datetime
    permissions: Mapping[str, str]
    repository_ids: frozenset[int] | None


@dataclass(slots=True)
class ReviewComment:
    """A remark on a line or on a whole file; `line` is None once its line has left the diff."""

    id: int
    review_id: int
    path: str
    body: str
    user: User
    commit_id: str
    original_commit_id: str
    created_at: datetime
    updated_at: datetime
    side: Side = "RIGHT"
    line: int | None = None
    original_line: int | None = None
    start_line: int | None = None
    original_start_line: int | None = None
    start_side: Side | None = None
    position: int | None = None
    diff_hunk: str = ""
    subject_type: Literal["line", "file"] = "line"
    in_reply_to_id: int | None = None
    author_association: str = "NONE"
    posted: float = LONG_AGO
    """By the clock of `State.ticks`."""


@dataclass(slots=True)
class Review:
    """A pull-request review. PENDING ones are seen by their author only."""

    id: int
    user: User
    body: str
    state: Literal["PENDING", "COMMENTED", "APPROVED", "CHANGES_REQUESTED", "DISMISSED"]
    commit_id: str
    submitted_at: datetime | None
    author_association: str = "NONE"
    posted: float = LONG_AGO
    """By the clock of `State.ticks`."""


@dataclass(slots=True)
class IssueComment:
    """A remark in the conversation of a pull request."""

    id: int
    number: int
    body: str
    user: User
    created_at: datetime
    updated_at: datetime
    author_association: str = "NONE"
    posted: float = LONG_AGO
    """By the clock of `State.ticks`."""


@dataclass(slots=True)
class CheckRun:
    """A check run of the app; `output` is as the app sent it, `annotations` grow with every update."""

    id: int
    name: str
    head_sha: str
    status: str = "queued"
    conclusion: str | None = None
    external_id: str | None = None
    details_url: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    output: dict[str, str | None] = field(default_factory=dict[str, str | None])
    annotations: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    actions: list[dict[str, object]] = field(default_factory=list[dict[str, object]])


@dataclass(slots=True)
class PullRequest:
    """A pull request.

    `fork` is the full name of the head's repository when that is another one; `fork_gone` when it was
    deleted since.
    """

    id: int
    number: int
    title: str
    body: str | None
    user: User
    base_ref: str
    base_sha: str
    head_ref: str
    head_sha: str
    created_at: datetime
    updated_at: datetime
    fork: str | None = None
    fork_gone: bool = False
    author_association: str = "CONTRIBUTOR"
    locked: bool = False
    draft: bool = False
    state: Literal["open", "closed"] = "open"
    merged: bool = False
    closed_at: datetime | None = None
    changed_files: int = 0
    additions: int = 0
    deletions: int = 0
    commits: tuple[str, ...] = ()
    """The commits of the pull request, newest first."""
    labels: list[str] = field(default_factory=list[str])
    reviews: dict[int, Review] = field(default_factory=dict[int, Review])
    comments: dict[int, ReviewComment] = field(default_factory=dict[int, ReviewComment])
    remarks: dict[int, IssueComment] = field(default_factory=dict[int, IssueComment])
    resolved: dict[int, User] = field(default_factory=dict[int, User])
    """Resolved threads: the first comment's number, and who resolved them."""

    def thread(self, comment: ReviewComment) -> list[ReviewComment]:
        """The comments of the thread that a comment is in, first one first."""
        root = comment.in_reply_to_id or comment.id
        return [each for each in self.comments.values() if root in (each.id, each.in_reply_to_id)]


@dataclass(slots=True)
class Repository:
    """A repository over a git folder on disk, which is only ever read."""

    id: int
    full_name: str
    git_dir: Path
    default_branch: str
    private: bool
    installation_id: int
    archived: bool = False
    pulls: dict[int, PullRequest] = field(default_factory=dict[int, PullRequest])
    check_runs: dict[int, CheckRun] = field(default_factory=dict[int, CheckRun])
    suites: dict[str, int] = field(default_factory=dict[str, int])
    """Numbers of check suites by commit."""
    diffs: dict[tuple[str, str], Diff] = field(default_factory=dict[tuple[str, str], Diff])
    """Three-dot diffs by (base, head) commit; they cannot change, so they are read once."""
    people: dict[str, str] = field(default_factory=dict[str, str])
    """Login to permission, of those who were let in to this repository."""

    def suite_id(self, head_sha: str, next_id: Callable[[], int]) -> int:
        """The number of a commit's check suite, given on first mention."""
        if head_sha not in self.suites:
            self.suites[head_sha] = next_id()
        return self.suites[head_sha]

    @property
    def owner(self) -> str:
        """The account part of the full name."""
        return self.full_name.partition("/")[0]

    @property
    def name(self) -> str:
        """The repository part of the full name."""
        return self.full_name.partition("/")[2]


@dataclass(slots=True)
class DeliveryRecord:
    """One attempt to deliver an event. A redelivery is a new record with the same `guid`.

    `status` is `pending` until it was attempted, and then as GitHub's delivery log words it.
    """

    id: int
    guid: str
    event: str
    action: str | None
    installation_id: int | None
    repository_id: int | None
    delivered_at: datetime
    redelivery: bool
    request_headers: Mapping[str, str]
    request_body: bytes
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    duration: float = 0.0
    status: str = "pending"
    status_code: int = 0
    response_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    response_body: str = ""
