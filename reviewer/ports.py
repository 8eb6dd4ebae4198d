"""What the pipeline needs from outside, as Protocols; adapters implement them and never meet one another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from reviewer.core.batches import Batch
from reviewer.core.events import Event, Subject, Usage
from reviewer.core.findings import ReportedFinding
from reviewer.core.tokens import Calibration


class Sources(Protocol):
    """Reads files of the head under review."""

    @property
    def cheap_reads(self) -> int:
        """Files that one review may read for no more than context."""
        ...

    async def read(self, path: str) -> bytes | None:
        """The file's whole content at the head, or None when it can't be had."""
        ...


class Clock(Protocol):
    """Time, so that tests can own it."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        ...


@dataclass(frozen=True, slots=True)
class Reported:
    """The engine has finished writing one finding."""

    finding: ReportedFinding


@dataclass(frozen=True, slots=True)
class Malformed:
    """One element of the answer breaks the schema and is dropped; `reason` is for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Output tokens so far."""

    output_tokens: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """Attempt number `attempt` failed; the next begins after `wait` seconds."""

    attempt: int
    wait: float
    reason: str


EngineNews = Reported | Malformed | Progress | Retrying
Tell = Callable[[EngineNews], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Sample:
    """The prompt of one call: its bytes, and its tokens as the server counted them."""

    size: int
    tokens: int


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch reviewed to its end.

    Attributes:
        usage: of all attempts.
        cost: in USD, or None where nothing is bought or the price is unknown.
        time_to_first_token: seconds, or None.
        notes: what the reader must know, such as that some analyzers could not see a whole file.
        sample: what the call says about tokens, if the server told its usage.
    """

    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    time_to_first_token: float | None = None
    notes: tuple[str, ...] = ()
    sample: Sample | None = None


class Engine(Protocol):
    """Reviews batches of chunks."""

    @property
    def name(self) -> str:
        """`claude` or `analyzers`."""
        ...

    @property
    def model(self) -> str:
        """The model's id, or the analyzers' names: the default `source` of findings."""
        ...

    @property
    def version(self) -> str:
        """Changes when the same text may get another answer: part of every ledger key."""
        ...

    async def count(self, batch: Batch) -> int | None:
        """Tokens of the whole prompt for a batch by the model's own count, or None when it can't be had."""
        ...

    @property
    def reads_files(self) -> bool:
        """Whether an answer depends on whole files, so that it holds for one head only."""
        ...

    def price(self, tokens: int) -> float | None:
        """What `tokens` of input are estimated to cost in USD, or None where nothing is bought."""
        ...

    async def review(self, batch: Batch, sources: Sources, tell: Tell) -> BatchDone:
        """Review one batch, telling each finding as soon as it is complete.

        Raises:
            EngineError: the batch is not reviewed; what was told before stands.
        """
        ...


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A finished chunk: what was reported, before anchoring, and what it cost."""

    findings: tuple[ReportedFinding, ...]
    malformed: int
    usage: Usage
    cost: float | None
    notes: tuple[str, ...] = ()


class Ledger(Protocol):
    """Finished chunk results by key."""

    async def find(self, key: str) -> LedgerEntry | None:
        """The result stored under `key`."""
        ...

    async def store(self, key: str, entry: LedgerEntry, subject: Subject) -> None:
        """Keep a finished result and its usage, in one transaction."""
        ...


class Feed(Protocol):
    """The durable, ordered event log."""

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:
        """Append in order; an event whose key the review has already said is passed over."""
        ...


class Rates(Protocol):
    """What finished calls have taught about the model's tokens."""

    async def read(self) -> Calibration:
        """What is known."""
        ...

    async def learn(self, sample: Sample) -> None:
        """Take in one more call."""
        ...
