"""The public event vocabulary: what happens in a review, in words a dashboard can show.

An event's JSON is its own fields plus those of its `Subject` and `at`. Fields are only ever added.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from reviewer.core.audience import Audience
from reviewer.core.coverage import Coverage, Reason
from reviewer.core.findings import Finding


class Usage(BaseModel):
    """Tokens of one or more model calls; `input` is the uncached remainder, as the API counts it."""

    model_config = ConfigDict(frozen=True)

    input: int = 0
    cached: int = 0
    cache_writes: int = 0
    output: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            cache_writes=self.cache_writes + other.cache_writes,
            output=self.output + other.output,
        )

    @property
    def total(self) -> int:
        """All tokens, whatever they cost."""
        return self.input + self.cached + self.cache_writes + self.output


class Subject(BaseModel):
    """What a review is of; without a pull request (command line, posted diffs) `pull_request` is None.

    Whose it is, its `audience`, is no part of its JSON.
    """

    model_config = ConfigDict(frozen=True)

    review: str
    repository: str
    pull_request: int | None = None
    head_sha: str | None = None
    audience: Audience = Field(default=Audience(), exclude=True)


class SkippedFile(BaseModel):
    """A file that no engine looks at, and why."""

    path: str
    reason: Reason


class PlannedChunk(BaseModel):
    """A chunk as the plan announces it."""

    id: str
    path: str
    part: int
    parts: int
    lines: tuple[int, int]
    tokens: int
    model: str = ""
    route: str = ""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)
    terminal: ClassVar[bool] = False

    @property
    def key(self) -> str | None:
        """What makes this event the same when a crashed review says it again; None: nothing does."""
        return None


class ReviewQueued(_Event):
    """A wanted head has a job."""

    type: Literal["review.queued"] = "review.queued"


class ReviewStarted(_Event):
    """`notice` says what the reader must know about the engine, such as that no model is configured.

    `prompt` is the version of its wording, `model` the one this review draws by weight if there are several.
    """

    type: Literal["review.started"] = "review.started"
    engine: str
    notice: str | None = None
    prompt: str | None = None
    model: str | None = None
    small_model: str | None = None
    fallback_model: str | None = None


class ReviewPlanned(_Event):
    """What will be looked at, what not and why; `estimated_cost` in USD, None where nothing is bought."""

    type: Literal["review.planned"] = "review.planned"
    files: int
    chunks: list[PlannedChunk]
    changed_lines: int
    estimated_tokens: int
    estimated_cost: float | None
    skipped: list[SkippedFile]


class ChunkStarted(_Event):
    """An engine begins to read a chunk; `lines` are its first and last line, `route` says why this model."""

    type: Literal["chunk.started"] = "chunk.started"
    chunk: str
    path: str
    part: int
    parts: int
    lines: tuple[int, int]
    model: str
    route: str = ""
    prompt: str | None = None


class ChunkProgress(_Event):
    """At most two a second."""

    type: Literal["chunk.progress"] = "chunk.progress"
    chunk: str
    output_tokens: int


class FindingMade(_Event):
    """A finding, the moment it was complete."""

    type: Literal["finding"] = "finding"
    finding: Finding
    prompt: str | None = None

    @property
    def key(self) -> str | None:
        """A finding is said once in a review."""
        return f"finding:{self.finding.id}"


class FindingWithdrawn(_Event):
    """A finding said before no longer stands."""

    type: Literal["finding.withdrawn"] = "finding.withdrawn"
    id: str
    reason: str


class ChunkRetrying(_Event):
    """`wait` is in seconds; `attempt` is the one that did not do, 1-based; `model` is asked next."""

    type: Literal["chunk.retrying"] = "chunk.retrying"
    chunk: str
    attempt: int
    wait: float
    reason: str
    model: str | None = None


class ChunkCompleted(_Event):
    """`cost` in USD, times in seconds; both None where nothing was bought."""

    type: Literal["chunk.completed"] = "chunk.completed"
    chunk: str
    path: str
    source: Literal["engine", "ledger"]
    model: str | None = None
    prompt: str | None = None
    findings: int
    dropped: int
    usage: Usage
    cost: float | None
    time_to_first_token: float | None
    seconds: float
    notes: list[str] = Field(default_factory=list)


class ChunkFailed(_Event):
    """No engine could review this chunk; what was tried may have cost something all the same."""

    type: Literal["chunk.failed"] = "chunk.failed"
    chunk: str
    path: str
    reason: str
    model: str | None = None
    prompt: str | None = None
    usage: Usage = Usage()
    cost: float | None = None


class ReviewPublished(_Event):
    """`comments` stand on lines, `in_summary` only in the review's text."""

    type: Literal["review.published"] = "review.published"
    urls: list[str]
    comments: int
    in_summary: int


class ReviewCompleted(_Event):
    """The review has ended; `dropped` counts, by reason, what an engine said that does not stand.

    `usage`, `cost` (USD) and `calls` are of this run, `time_to_first_token` in seconds from its begin.
    """

    terminal: ClassVar[bool] = True
    type: Literal["review.completed"] = "review.completed"
    findings: int
    by_severity: dict[str, int]
    dropped: dict[str, int]
    coverage: Coverage
    usage: Usage
    cost: float | None
    calls: int = 0
    time_to_first_token: float | None = None
    seconds: float


class ReviewPostponed(_Event):
    """The model can't be had for now: the review goes on in `wait` seconds, and buys only what is missing."""

    type: Literal["review.postponed"] = "review.postponed"
    reason: str
    wait: float
    chunks_done: int
    chunks_left: int


class ReviewFailed(_Event):
    """`next` says what happens now, in a sentence."""

    terminal: ClassVar[bool] = True
    type: Literal["review.failed"] = "review.failed"
    reason: str
    next: str


class ReviewSuperseded(_Event):
    """A newer head took the place of this one; `by` is its sha."""

    terminal: ClassVar[bool] = True
    type: Literal["review.superseded"] = "review.superseded"
    by: str


class ReviewCancelled(_Event):
    """The review was stopped, or nothing is left to review; `reason` is for people."""

    terminal: ClassVar[bool] = True
    type: Literal["review.cancelled"] = "review.cancelled"
    reason: str


Event = (
    ReviewQueued
    | ReviewStarted
    | ReviewPlanned
    | ChunkStarted
    | ChunkProgress
    | FindingMade
    | FindingWithdrawn
    | ChunkRetrying
    | ChunkCompleted
    | ChunkFailed
    | ReviewPublished
    | ReviewPostponed
    | ReviewCompleted
    | ReviewFailed
    | ReviewSuperseded
    | ReviewCancelled
)

TERMINAL_TYPES = frozenset({"review.completed", "review.failed", "review.superseded", "review.cancelled"})
"""After one of these a review says nothing more."""

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def dump(event: Event) -> dict[str, Any]:
    """The event's own fields, as JSON values, without its type."""
    return event.model_dump(mode="json", exclude={"type"})


def load(type_: str, data: dict[str, Any]) -> Event:
    """The event that `dump` made `data` of; fields of a subject are passed over."""
    return _ADAPTER.validate_python({**data, "type": type_})
