"""What a small GitHub remembers: the app, its installations and tokens, repositories, pull requests.

The records and the look-ups over them. Nothing here speaks HTTP or runs git; `people/` changes the state the
way people do, the modules in `routes/` the way the app's API calls do.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

from webhooks.sandbox.faults import Fault
from webhooks.sandbox.logins import Logins
from webhooks.sandbox.records import (
    AccountType,
    CheckRun,
    DeliveryRecord,
    Installation,
    IssueComment,
    PullRequest,
    Repository,
    Review,
    ReviewComment,
    Side,
    Token,
    User,
)

__all__ = [
    "CheckRun",
    "DeliveryRecord",
    "Fault",
    "Installation",
    "IssueComment",
    "PullRequest",
    "RateWindow",
    "Repository",
    "RequestRecord",
    "Review",
    "ReviewComment",
    "Side",
    "State",
    "Token",
    "User",
]

TOKEN_LIFE = timedelta(hours=1)
RATE_WINDOW = timedelta(hours=1)
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
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
class RequestRecord:
    """One call that reached the sandbox and the status it was answered with.

    Attributes:
        status: as the caller saw it; 0 if the connection was cut without an answer.
        query: what follows the question mark.
        installation: whose token the call carried; 0 for the app's own, None for neither.
        at: when it came, by `State.ticks`.
        body: the JSON of a writing call.
        said: what a refusal said.
        ended: when its answer was given, by the same clock.
        acted: the status of an answer that a fault kept from the caller.
    """

    method: str
    path: str
    status: int
    query: str = ""
    installation: int | None = None
    at: float = 0.0
    ended: float = 0.0
    body: Any = None
    said: str = ""
    acted: int | None = None


class DeliveryPlay(Protocol):
    """Plays with deliveries on their way: late, twice, in another order, not at all."""

    async def carry(self, state: "State", record: DeliveryRecord) -> None:
        """Post a recorded delivery, or see to it that it is posted."""
        ...


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
    client_secret: str = "a made-up client secret"  # noqa: S105 - of an app that is made up too
    callback_urls: list[str] = field(default_factory=list[str])
    """Where people may be sent once they have logged in: one of these, or a path below one."""
    url: str = "http://github.sandbox"
    """The base of every link; `running` sets it to the address it serves on."""
    diff_file_limit: int = 300
    diff_line_limit: int = 20_000
    listed_file_limit: int = 3_000
    patch_line_limit: int = 3_000
    """Files with longer diffs are listed without `patch`, as GitHub does at a size it does not document."""
    rate_limit: int = 5_000
    """Calls of an installation in an hour; over it they are refused."""
    writes_per_second: float | None = None
    """Writing calls of an installation in any second; over it the secondary limit refuses. None: no limit."""
    content_per_minute: int | None = None
    """Calls of an installation in any minute that make reviews or comments; over it as above."""
    points_per_minute: int | None = None
    """As above, with a point for a reading call and five for a writing one; GitHub's is 900."""
    most_concurrent: int | None = None
    """Calls of an installation that may be under way at once; GitHub's is 100."""
    secondary_retry_after: int | None = 1
    """Seconds that a secondary limit names in `retry-after`; GitHub's own are 60, or none at all."""
    hide_new_reviews_for: float = 0.0
    """Seconds for which listings omit reviews and comments that were just posted, as in some outages."""
    chaos: Callable[[str, str], Fault | None] | None = None
    """Asked for a fault at each call (method, path) that no fault in `faults` is meant for."""
    content_type: str = JSON
    """Of deliveries: `JSON`, or `FORM` as the app's owner may choose."""
    webhook_down: bool = False
    """The app's receiver can't be reached: deliveries fail and are recorded."""
    down_status: int = 0
    """What a proxy before the receiver answers while it is down; 0: nobody answers."""
    echo: bool = False
    """Tell the app of what it wrote itself, as GitHub does; off, so that a test's log stays short."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    """Deliveries on their way that nobody waits for; `running` waits for them at its end."""
    delivery_play: DeliveryPlay | None = None
    delivery_timeout: float = 10.0
    """Seconds after which GitHub gives up on a webhook receiver."""
    clock: Callable[[], datetime] = read_clock
    ticks: Callable[[], float] = time.monotonic
    installations: dict[int, Installation] = field(default_factory=dict[int, Installation])
    tokens: dict[str, Token] = field(default_factory=dict[str, Token])
    repositories: dict[str, Repository] = field(default_factory=dict[str, Repository])
    """By lower-case full name: GitHub's names ignore case."""
    moved: dict[str, int] = field(default_factory=dict[str, int])
    """Former names of repositories, lower-case, by the number of the repository that has left them."""
    forks: dict[str, int] = field(default_factory=dict[str, int])
    """Numbers of forks that pull requests come from, by lower-case full name."""
    users: dict[str, User] = field(default_factory=dict[str, User])
    collaborators: dict[str, str] = field(default_factory=dict[str, str])
    """Login to permission (admin, write, read) in every repository; `Repository.people` goes before it."""
    reactions: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """Reactions of the app's: the number of a comment, and what it thinks of it."""
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

    def find_user(self, login: str, kind: AccountType = "User") -> User:
        """The account of that name, made on first mention."""
        if login not in self.users:
            self.users[login] = User(login, self.next_id(), kind)
        return self.users[login]

    def find_repository(self, owner: str, name: str) -> Repository | None:
        """The repository of that name, in any case."""
        return self.repositories.get(f"{owner}/{name}".lower())

    def find_moved(self, owner: str, name: str) -> Repository | None:
        """The repository that had that name once."""
        number = self.moved.get(f"{owner}/{name}".lower())
        return None if number is None else self.repository_by_id(number)

    def repository_by_id(self, number: int) -> Repository | None:
        """The repository of that number."""
        return next((each for each in self.repositories.values() if each.id == number), None)

    def fork_id(self, full_name: str) -> int:
        """The number of a fork, given on first mention."""
        key = full_name.lower()
        if key not in self.forks:
            self.forks[key] = self.next_id()
        return self.forks[key]

    @cached_property
    def logins(self) -> Logins:
        """People who log in to the app through GitHub, by the same clock."""
        return Logins(lambda: self.clock())  # noqa: PLW0108 - tests put another clock in

    def level(self, repository: Repository, login: str) -> str | None:
        """What somebody may do in a repository because they own it or were let in; None: nothing.

        Everybody reads public ones besides.
        """
        if login == repository.owner:
            return "admin"
        return repository.people.get(login, self.collaborators.get(login))

    def reached(self, installation: Installation) -> list[Repository]:
        """The repositories of an installation."""
        every = self.repositories.values()
        return [each for each in every if each.installation_id == installation.id]

    def shows(self, posted: float) -> bool:
        """Whether what was posted then is in listings already."""
        return self.ticks() - posted >= self.hide_new_reviews_for

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

    def rate_window(self, key: int) -> RateWindow:
        """The running hour of an installation (0: the app)."""
        now = self.clock()
        window = self.rates.get(key)
        if window is None or window.resets_at <= now:
            window = self.rates[key] = RateWindow(0, now + RATE_WINDOW)
        return window
