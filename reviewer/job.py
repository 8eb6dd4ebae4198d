"""What a review is given, and what it gives: the job, the adapters it works through, and the outcome."""

from __future__ import annotations

from dataclasses import dataclass, field

from reviewer.core.budget import Payer
from reviewer.core.coverage import Coverage
from reviewer.core.diff import Diff
from reviewer.core.events import ReviewCompleted, Subject, Usage
from reviewer.core.findings import Finding, Severity
from reviewer.core.plan import Limits, Plan
from reviewer.core.policy import Policy
from reviewer.core.routing import Models
from reviewer.definitions import Spare
from reviewer.errors import EngineError
from reviewer.ports import Budgets, Clock, Engine, Feed, Ledger, Rates, Sources


@dataclass(frozen=True, slots=True)
class Ports:
    """The adapters a review works through.

    Attributes:
        spare: a process that parses, kept ready where reviews follow one another; None: each starts its own.
    """

    engine: Engine
    ledger: Ledger
    feed: Feed
    rates: Rates
    budgets: Budgets
    clock: Clock
    spare: Spare | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What to review, and within which bounds.

    Attributes:
        models: which may be asked; for the analyzers, their names.
        payer: whose budgets it draws on, and whose ledger it reads.
        notice: what the reader must know about the engine, such as that no model is configured.
        concurrency: batches under review at once.
    """

    subject: Subject
    diff: Diff
    sources: Sources
    limits: Limits
    models: Models
    payer: Payer
    policy: Policy = field(default_factory=Policy)
    notice: str | None = None
    concurrency: int = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """A review that ran to its end, though single chunks may have failed.

    Attributes:
        errors: by chunk id, why an engine gave up on it.
    """

    plan: Plan
    findings: tuple[Finding, ...]
    dropped: dict[str, int]
    errors: dict[str, EngineError]
    coverage: Coverage
    usage: Usage
    cost: float | None
    calls: int
    time_to_first_token: float | None
    seconds: float
    notes: tuple[str, ...]

    @property
    def failed(self) -> dict[str, str]:
        """By chunk id, why it was not reviewed, in words for people."""
        return {chunk: str(error) for chunk, error in self.errors.items()}

    @property
    def unreviewed(self) -> EngineError | None:
        """The reason, if there were chunks and none of them could be reviewed."""
        if not self.errors or len(self.errors) < len(self.plan.chunks):
            return None
        return next(iter(self.errors.values()))

    @property
    def unfinished(self) -> EngineError | None:
        """The reason, if chunks were not reviewed that a later run may get reviewed."""
        passing = [error for error in self.errors.values() if error.retryable]
        return max(passing, key=lambda error: getattr(error, "retry_after", None) or 0.0, default=None)

    def completed(self) -> ReviewCompleted:
        """The event that ends the review."""
        counts = {severity.value: 0 for severity in Severity}
        for finding in self.findings:
            counts[finding.severity] += 1
        return ReviewCompleted(
            findings=len(self.findings),
            by_severity=counts,
            dropped=self.dropped,
            coverage=self.coverage,
            usage=self.usage,
            cost=self.cost,
            calls=self.calls,
            time_to_first_token=self.time_to_first_token,
            seconds=self.seconds,
        )
