"""What a review will do, worked out before anything is bought."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from reviewer.core import coverage
from reviewer.core.batches import Batch, gather
from reviewer.core.chunks import Chunk, Measure, split
from reviewer.core.coverage import Coverage, FileCoverage, Reason
from reviewer.core.diff import Diff, FileChange, readable
from reviewer.core.policy import Policy
from reviewer.core.routing import Models, Route, route
from reviewer.core.tokens import Estimator

BATCH_TOKENS = 8_000
"""Small chunks travel together up to this size: several short answers stream sooner than one long one."""

SMALLEST_CHUNK = 500
"""Tokens that must remain for a chunk, or the window is too small to review anything."""

DOUBT = 0.1
"""An estimate this near to a limit, as a part of it, is worth asking the server for the count."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes a plan keeps to.

    Attributes:
        context_window: tokens; the smaller of the model's and the setting.
        overhead: bytes of the prompt before the first line of a diff.
        frame: bytes that the prompt puts round each chunk.
        batch: target size of a batch in tokens; 0 lets every chunk travel alone.
        estimator: tokens from bytes.
    """

    context_window: int
    overhead: int = 0
    frame: int = 0
    batch: int = BATCH_TOKENS
    estimator: Estimator = field(default_factory=Estimator)

    @property
    def prompt(self) -> int:
        """Tokens of the prompt before the first line of a diff."""
        return self.estimator.tokens(self.overhead)

    @property
    def chunk(self) -> int:
        """Tokens that one file's chunk may cost: half the window, the prompt's overhead included."""
        return max(self.context_window // 2 - self.prompt, SMALLEST_CHUNK)

    def measure(self, estimator: Estimator | None = None) -> Measure:
        """How big a chunk may be, at a file's own rate if it is known."""
        return Measure(self.chunk, estimator or self.estimator, self.frame)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file, and either why it is skipped or its chunks; `occurrence` counts its path's earlier entries."""

    file: FileChange
    occurrence: int
    skipped: Reason | None
    chunks: tuple[Chunk, ...]

    def coverage(self, reviewed: Collection[str], failed: Mapping[str, Reason]) -> FileCoverage:
        """Its lines, given the ids of the chunks that were read to their end and of those that were not."""
        done = [chunk for chunk in self.chunks if chunk.id in reviewed]
        gaps = [(failed[chunk.id], chunk.changed_lines) for chunk in self.chunks if chunk.id in failed]
        if self.skipped is not None:
            gaps = [(self.skipped, self.file.changed_lines)]
        return FileCoverage(
            path=readable(self.file.path),
            changed_lines=self.file.changed_lines,
            reviewed=sum(chunk.changed_lines for chunk in done),
            not_reviewed=coverage.by_reason(gaps),
            trimmed=sum(chunk.trimmed for chunk in done),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The files of a diff in its order, and the batches that review them, the most important first."""

    diff: Diff
    files: tuple[PlannedFile, ...]
    batches: tuple[Batch, ...]
    limits: Limits
    models: Models

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """All chunks, in the order of the diff."""
        return tuple(chunk for file in self.files for chunk in file.chunks)

    @property
    def tokens(self) -> int:
        """Estimated input tokens of all batches, the prompt of each included."""
        return sum(map(self.tokens_of, self.batches))

    def tokens_of(self, batch: Batch) -> int:
        """Estimated input tokens of one batch, its prompt included."""
        return batch.tokens + self.limits.prompt

    def coverage(self, reviewed: Collection[str], failed: Mapping[str, Reason]) -> Coverage:
        """What was reviewed and what not.

        Args:
            reviewed: ids of the chunks that an engine has read to their end.
            failed: by the id of a chunk that was not, why.
        """
        return coverage.total([file.coverage(reviewed, failed) for file in self.files])

    def promised(self) -> Coverage:
        """What will be reviewed if nothing fails."""
        return self.coverage({chunk.id for chunk in self.chunks}, {})

    def doubtful(self) -> dict[int, Batch]:
        """Files whose estimate is so near to the limit that a real count may cut them otherwise.

        Returns:
            By position among the files, the file whole, for counting.
        """
        low, high = (self.limits.chunk * (1 + sign * DOUBT) for sign in (-1, 1))
        whole = Measure(self.limits.context_window * 2, self.limits.estimator, self.limits.frame)
        counted = Route(self.models.main, "counting")
        return {
            position: Batch(f"count-{position}", split(planned.file, whole), counted)
            for position, planned in enumerate(self.files)
            if low <= sum(chunk.tokens for chunk in planned.chunks) <= high
        }

    def recut(self, estimators: Mapping[int, Estimator]) -> Plan:
        """The plan with some files cut anew.

        Args:
            estimators: by position among the files, a rate that holds for that file alone.
        """
        files = list(self.files)
        for position, estimator in estimators.items():
            old = files[position]
            chunks = split(old.file, self.limits.measure(estimator), occurrence=old.occurrence)
            files[position] = replace(old, chunks=chunks)
        return _with_batches(self.diff, tuple(files), self.limits, self.models)


def plan(diff: Diff, policy: Policy, limits: Limits, models: Models) -> Plan:
    """Decide which files are reviewed, cut them into chunks, route these and gather them into batches.

    Takes about as long as parsing the diff: use a thread for a big one.
    """
    seen: Counter[str] = Counter()
    measure = limits.measure()
    files: list[PlannedFile] = []
    for file in diff.files:
        reason = policy.reason_to_skip(file)
        chunks = () if reason is not None else split(file, measure, occurrence=seen[file.path])
        files.append(PlannedFile(file, seen[file.path], reason, chunks))
        seen[file.path] += 1
    return _with_batches(diff, tuple(files), limits, models)


def _with_batches(diff: Diff, files: tuple[PlannedFile, ...], limits: Limits, models: Models) -> Plan:
    ready = [chunk for file in files for chunk in file.chunks]
    target = min(limits.batch, limits.chunk)
    batches = gather(ready, target=target, route=lambda chunk: route(chunk, models))
    return Plan(diff, files, batches, limits, models)
