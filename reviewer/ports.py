"""What the pipeline needs from outside, as Protocols; adapters implement them and never meet one another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from reviewer.core.batches import Batch
from reviewer.core.budget import Amount, Payer
from reviewer.core.events import Event, Subject, Usage
from reviewer.core.findings import ReportedFinding
from reviewer.core.recall import Remembered
from reviewer.core.tokens import Calibration, Family
from reviewer.errors import EngineError


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
    """The engine has finished writing one finding; `source` is the model's id or the analyzers' names."""

    finding: ReportedFinding
    source: str


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
    """Attempt number `attempt` did not do; `model` is asked next, after `wait` seconds."""

    attempt: int
    wait: float
    reason: str
    model: str


EngineNews = Reported | Malformed | Progress | Retrying
Tell = Callable[[EngineNews], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Sample:
    """The prompt of one call: its bytes, and its tokens as the server counted them."""

    family: Family
    size: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """A part of the payer's budgets set aside for one call."""

    id: int
    payer: Payer
    amount: Amount


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call to a model, for the account of it.

    Attributes:
        repository: of the review.
        model: its id.
        chunks: ids of the chunks it was about.
        route: why this model was asked.
        usage: what the server told, or the most it can have been where it told nothing.
        cost: in USD; None where the price is unknown.
        certain: the server told the whole usage.
        time_to_first_token: seconds; None if none came.
        seconds: from request to end.
        stop_reason: as the server named it; None if the answer did not end.
        error: what went wrong, for people; None if nothing did.
    """

    repository: str
    model: str
    chunks: tuple[str, ...]
    route: str
    usage: Usage
    cost: float | None
    certain: bool
    time_to_first_token: float | None
    seconds: float
    stop_reason: str | None
    error: str | None


class Budgets(Protocol):
    """What payers have spent and set aside, and the account of every call."""

    async def reserve(self, payer: Payer, amount: Amount) -> Reservation:
        """Set a part aside in every scope of the payer, or in none.

        Raises:
            OverBudget: a cap would be exceeded.
        """
        ...

    async def settle(self, reservation: Reservation, call: CallRecord) -> None:
        """Put what a call took in place of what was set aside for it, and keep the record."""
        ...


class Purse(Protocol):
    """What one review may spend."""

    async def reserve(self, amount: Amount) -> Reservation:
        """As `Budgets`, but if the review's own calls under way may leave enough, wait for them first."""
        ...

    async def settle(self, reservation: Reservation, call: CallRecord) -> None:
        """As `Budgets`."""
        ...

    def abandon(self, reservation: Reservation) -> None:
        """Nobody will settle it: it stays charged, and is waited for no more."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """What an engine is to do.

    Attributes:
        batch: the chunks, whose route names the model.
        fallback: the model to ask when that one can't; None: there is none.
        sources: the head's files.
        purse: what pays for it.
        repository: for the account.
    """

    batch: Batch
    fallback: str | None
    sources: Sources
    purse: Purse
    repository: str


@dataclass(frozen=True, slots=True)
class BatchDone:
    """What became of a batch.

    Attributes:
        usage: of all calls.
        cost: in USD, or None where nothing is bought or the price is unknown.
        time_to_first_token: seconds, or None.
        notes: what the reader must know, such as that some analyzers could not see a whole file.
        samples: what the calls say about tokens, if the server told its usage.
        failed: by chunk id, why it was not reviewed to its end; what was told of it before stands.
        by_fallback: ids of the chunks that the fallback model answered for.
    """

    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    time_to_first_token: float | None = None
    notes: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    failed: Mapping[str, EngineError] = field(default_factory=dict[str, EngineError])
    by_fallback: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Health:
    """How an engine's models do: asked, left alone for a while, or there are none; `detail` is for people."""

    state: Literal["ok", "paused", "none"]
    detail: str | None = None


class Engine(Protocol):
    """Reviews batches of chunks."""

    @property
    def name(self) -> str:
        """`claude` or `analyzers`."""
        ...

    @property
    def version(self) -> str:
        """Changes when the same text may get another answer: part of every ledger key."""
        ...

    @property
    def reads_files(self) -> bool:
        """Whether an answer depends on whole files, so that it holds for one head only."""
        ...

    def health(self) -> Health:
        """How its models do at this moment, as this process knows them."""
        ...

    def price(self, model: str, tokens: int) -> float | None:
        """What `tokens` of input are estimated to cost in USD, or None where nothing is bought."""
        ...

    async def count(self, batch: Batch) -> int | None:
        """Tokens of the whole prompt for a batch by the model's own count, or None when it can't be had."""
        ...

    async def review(self, task: Task, tell: Tell) -> BatchDone:
        """Review one batch, telling each finding as soon as it is complete.

        Raises:
            EngineError: nothing of the batch is reviewed; what was told before stands.
        """
        ...


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A finished chunk: what was reported, before anchoring, what it cost, and in which review."""

    findings: tuple[Remembered, ...]
    usage: Usage
    cost: float | None
    notes: tuple[str, ...] = ()


class Ledger(Protocol):
    """Finished chunk results by key; each tenant has its own."""

    async def find(self, keys: tuple[str, ...], payer: Payer) -> LedgerEntry | None:
        """The result stored by the payer's tenant under the first of the keys that has one."""
        ...

    async def store(self, key: str, entry: LedgerEntry, payer: Payer, repository: str) -> None:
        """Keep a finished result."""
        ...


class Feed(Protocol):
    """The durable, ordered event log."""

    async def append(self, subject: Subject, events: Sequence[Event]) -> None:
        """Append in order; an event whose key the review has already said is passed over."""
        ...


class Rates(Protocol):
    """What finished calls have taught about the tokens of each family of models."""

    async def read(self, family: Family) -> Calibration:
        """What is known."""
        ...

    async def learn(self, sample: Sample) -> None:
        """Take in one more call."""
        ...
