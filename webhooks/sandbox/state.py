"""What a small GitHub remembers: the app, its installations and tokens, repositories, pull requests.

Records only, and the look-ups over them. Nothing here speaks HTTP or runs git; `play.py` changes the state
the way people do, the modules in `routes/` the way the app's API calls do.
"""

import itertools
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from webhooks.sandbox.git import Diff

Side = Literal["LEFT", "RIGHT"]
TOKEN_LIFE = timedelta(hours=1)
RATE_WINDOW = timedelta(hours=1)
DEFAULT_PERMISSIONS: Mapping[str, str] = {
    "metadata": "read",
    "contents": "read",
    "pull_requests": "write",
    "issues": "read",
    "checks": "write",
}


def read_clock() -> datetime:
    """The real time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class User:
    """An account as GitHub shows it beside what it wrote."""

    login: str
    id: int
    type: Literal["User", "Bot", "Organization"] = "User"


@dataclass(slots=True)
class Installation:
    """The app on one account; a suspended one gets 403 for everything its tokens ask."""

    id: int
    account: User
    permissions: dict[str, str]
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """An installation token; `repository_ids` is None when it reaches every repository installed on."""

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


@dataclass(slots=True)
class Review:
    """A pull-request review. PENDING ones are seen by their author only."""

    id: int
    user: User
    body: str
    state: Literal["PENDING", "COMMENTED", "APPROVED", "CHANGES_REQUESTED", "DISMISSED"]
    commit_id: str
    submitted_at: datetime | None


@dataclass(slots=True)
class IssueComment:
    """A remark in the conversation of a pull request."""

    id: int
    number: int
    body: str
    user: User
    created_at: datetime
    updated_at: datetime


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
    """A pull request. `fork` is the full name of the head's repository when that is another one."""

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
    draft: bool = False
    state: Literal["open", "closed"] = "open"
    merged: bool = False
    changed_files: int = 0
    additions: int = 0
    deletions: int = 0
    commits: tuple[str, ...] = ()
    """The commits of the pull request, newest first."""
    labels: list[str] = field(default_factory=list[str])
    reviews: dict[int, Review] = field(default_factory=dict[int, Review])
    comments: dict[int, ReviewComment] = field(default_factory=dict[int, ReviewComment])
    remarks: dict[int, IssueComment] = field(default_factory=dict[int, IssueComment])


@dataclass(slots=True)
class Repository:
    """A repository over a git folder on disk, which is only ever read."""

    id: int
    full_name: str
    git_dir: Path
    default_branch: str
    private: bool
    installation_id: int
    pulls: dict[int, PullRequest] = field(default_factory=dict[int, PullRequest])
    check_runs: dict[int, CheckRun] = field(default_factory=dict[int, CheckRun])
    refs: dict[str, str] = field(default_factory=dict[str, str])
    """Refs that the sandbox moved (heads of pull requests); looked at before git's own."""
    diffs: dict[tuple[str, str], Diff] = field(default_factory=dict[tuple[str, str], Diff])
    """Three-dot diffs by (base, head) commit; they cannot change, so they are read once."""

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
    """One attempt to deliver an event. A redelivery is a new record with the same `guid`."""

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
    duration: float = 0.0
    status: str = "pending"
    status_code: int = 0
    response_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    response_body: str = ""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One call that reached the sandbox and the status it was answered with."""

    method: str
    path: str
    status: int


@dataclass(slots=True)
class Fault:
    """Answer `status` to the next `times` calls that match, instead of acting, or `after` having acted."""

    method: str
    path_regex: str
    status: int
    body: object = None
    times: int = 1
    after: bool = False
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def matches(self, method: str, path: str) -> bool:
        """Whether this fault still has a turn left and is meant for this call."""
        return (
            self.times > 0 and self.method in ("*", method) and re.search(self.path_regex, path) is not None
        )


@dataclass(slots=True)
class RateWindow:
    """Calls spent in the running hour."""

    used: int
    resets_at: datetime


@dataclass
class State:
    """Everything the sandbox knows. Limits are fields, so that a test can reach them cheaply."""

    app_id: int
    client_id: str
    slug: str
    private_key_pem: str
    public_key_pem: str
    webhook_secret: str
    webhook_url: str | None
    permissions: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_PERMISSIONS))
    url: str = "http://github.sandbox"
    """The base of every link; `running` sets it to the address it serves on."""
    diff_file_limit: int = 300
    diff_line_limit: int = 20_000
    listed_file_limit: int = 3_000
    patch_line_limit: int = 3_000
    """Files with longer diffs are listed without `patch`, as GitHub does at a size it does not document."""
    rate_limit: int = 5_000
    delivery_timeout: float = 10.0
    """Seconds after which GitHub gives up on a webhook receiver."""
    clock: Callable[[], datetime] = read_clock
    installations: dict[int, Installation] = field(default_factory=dict[int, Installation])
    tokens: dict[str, Token] = field(default_factory=dict[str, Token])
    repositories: dict[str, Repository] = field(default_factory=dict[str, Repository])
    """By lower-case full name: GitHub's names ignore case."""
    users: dict[str, User] = field(default_factory=dict[str, User])
    collaborators: dict[str, str] = field(default_factory=dict[str, str])
    """Login to permission (admin, write, read); everybody else has none on private, read on public ones."""
    deliveries: list[DeliveryRecord] = field(default_factory=list[DeliveryRecord])
    requests: list[RequestRecord] = field(default_factory=list[RequestRecord])
    faults: list[Fault] = field(default_factory=list[Fault])
    rates: dict[int, RateWindow] = field(default_factory=dict[int, RateWindow])
    """By installation id; 0 is the app itself."""
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1001))

    def next_id(self) -> int:
        """A number nothing else has; later things have higher ones."""
        return next(self.ids)

    @property
    def bot(self) -> User:
        """The account under which the app writes."""
        return self.find_user(f"{self.slug}[bot]", "Bot")

    def find_user(self, login: str, kind: Literal["User", "Bot", "Organization"] = "User") -> User:
        """The account of that name, made on first mention."""
        if login not in self.users:
            self.users[login] = User(login, self.next_id(), kind)
        return self.users[login]

    def find_repository(self, owner: str, name: str) -> Repository | None:
        """The repository of that name, in any case."""
        return self.repositories.get(f"{owner}/{name}".lower())

    def issue_token(
        self,
        installation: Installation,
        permissions: Mapping[str, str],
        repository_ids: frozenset[int] | None,
    ) -> Token:
        """A fresh token in the shape GitHub gives since April 2026: `ghs_<app>_<three dotted parts>`."""
        parts = ".".join(secrets.token_urlsafe(size) for size in (40, 250, 64))
        token = Token(
            text=f"ghs_{self.app_id}_{parts}",
            installation_id=installation.id,
            expires_at=self.clock() + TOKEN_LIFE,
            permissions=permissions,
            repository_ids=repository_ids,
        )
        self.tokens[token.text] = token
        return token

    def spend_call(self, key: int) -> RateWindow:
        """Count one call of an installation (0: the app) in its hour, and give the hour's tally."""
        now = self.clock()
        window = self.rates.get(key)
        if window is None or window.resets_at <= now:
            window = self.rates[key] = RateWindow(0, now + RATE_WINDOW)
        window.used += 1
        return window
