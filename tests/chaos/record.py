"""All that is known of a storm when it is over: values, which the invariants are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.gate import Call
from tests.chaos.model import Asked
from tests.chaos.workers import Life, Pause

TERMINAL = frozenset({"review.completed", "review.failed", "review.superseded"})


@dataclass(frozen=True, slots=True)
class Pushed:
    """A head that a pull request had, and the plants in it; `at` is the time of day of the push."""

    sha: str
    expected: frozenset[str]
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Said:
    """A text of ours on a pull request.

    Attributes:
        where: for people, such as `comment 12`.
        plants: what it says.
        fingerprints: by its hidden marks.
        gone: it says itself that its code is no more; should that come back, it may be said again.
    """

    where: str
    plants: frozenset[str]
    fingerprints: tuple[str, ...] = ()
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """A check run of ours."""

    id: int
    head: str
    status: str
    conclusion: str | None


@dataclass(frozen=True, slots=True)
class PullRecord:
    """A pull request at the end; `heads` in the order in which they were pushed."""

    repository: str
    number: int
    heads: tuple[Pushed, ...]
    said: tuple[Said, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.repository}#{self.number}"

    @property
    def standing(self) -> tuple[Said, ...]:
        """What is still said."""
        return tuple(text for text in self.said if not text.gone)

    @property
    def last(self) -> Pushed:
        """The head it has now."""
        return self.heads[-1]

    def place_of(self, sha: str | None) -> int | None:
        """Which of its heads a commit is."""
        return next((place for place, head in enumerate(self.heads) if head.sha == sha), None)


@dataclass(frozen=True, slots=True)
class Told:
    """An event of the feed; `at` is the time of day."""

    position: int
    type: str
    at: float
    review: str
    repository: str
    number: int | None
    head: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that was stored; `at` is when its transaction began."""

    head: str
    at: float


@dataclass(frozen=True, slots=True)
class Stored:
    """A chunk that the ledger was given, once for each time."""

    chunk: str
    at: float


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that one account ever held, spent and set aside, and the most it may; None: no bound."""

    account: str
    tokens: int
    micros: int
    most_tokens: int | None
    most_micros: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """What is still set aside at the end for one call."""

    review: str
    at: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account says is set aside in it, and what the reservations say."""

    account: str
    reserved: int
    held: int


@dataclass(frozen=True, slots=True)
class Record:
    """A storm.

    Attributes:
        open_matters: what had not come to its end when the time was over.
        outages: when the database was away.
        figures: of the database and the sandbox, for the table.
    """

    pulls: Sequence[PullRecord] = ()
    feed: Sequence[Told] = ()
    taken: Sequence[Taken] = ()
    calls: Sequence[Call] = ()
    asked: Sequence[Asked] = ()
    stored: Sequence[Stored] = ()
    peaks: Sequence[Peak] = ()
    held: Sequence[Held] = ()
    balances: Sequence[Balance] = ()
    lives: Sequence[Life] = ()
    pauses: Sequence[Pause] = ()
    outages: Sequence[tuple[float, float]] = ()
    open_matters: Sequence[str] = ()
    figures: Mapping[str, object] = field(default_factory=dict[str, object])

    def ends(self) -> Mapping[str, list[Told]]:
        """The terminal events of each review, also of those that have none."""
        ends: dict[str, list[Told]] = {event.review: [] for event in self.feed}
        for event in self.feed:
            if event.type in TERMINAL:
                ends[event.review].append(event)
        return ends
