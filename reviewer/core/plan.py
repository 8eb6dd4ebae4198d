"""What a review will do, worked out before anything is bought."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from reviewer.core import chunks
from reviewer.core.chunks import Batch, Chunk
from reviewer.core.diff import Diff, FileChange
from reviewer.core.events import Coverage
from reviewer.core.policy import Policy

BATCH_TOKENS = 8_000
"""Small chunks travel together up to this size: several short answers stream sooner than one long one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes a plan keeps to, in tokens.

    Attributes:
        context_window: the smaller of the model's and the setting.
        overhead: what the prompt costs before the first line of a diff.
        batch: target size of a batch.
    """

    context_window: int
    overhead: int = 0
    batch: int = BATCH_TOKENS

    @property
    def chunk(self) -> int:
        """What one file's chunk may cost: half the window, the prompt's overhead included."""
        return max(self.context_window // 2 - self.overhead, 500)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file, and either why it is skipped or its chunks."""

    file: FileChange
    skipped: str | None
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The files of a diff in its order, and the batches that review them."""

    diff: Diff
    files: tuple[PlannedFile, ...]
    batches: tuple[Batch, ...]
    limits: Limits

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """All chunks, in the order of the diff."""
        return tuple(chunk for file in self.files for chunk in file.chunks)

    @property
    def tokens(self) -> int:
        """Estimated input tokens of all batches, the prompt of each included."""
        return sum(batch.tokens + self.limits.overhead for batch in self.batches)

    def coverage(self, reviewed: Iterable[Chunk], failed: dict[str, str] | None = None) -> Coverage:
        """Changed lines, counted from the diff itself, against those of `reviewed`.

        Args:
            reviewed: chunks that an engine has read to their end.
            failed: reasons by the id of a chunk that was not.
        """
        lost: Counter[str] = Counter()
        for planned in self.files:
            if planned.skipped is not None:
                lost[planned.skipped] += planned.file.changed_lines
        for chunk in self.chunks:
            if failed and chunk.id in failed:
                lost[failed[chunk.id]] += chunk.changed_lines
        done = sum(chunk.changed_lines for chunk in reviewed)
        return Coverage(
            changed_lines=self.diff.changed_lines,
            reviewed=done,
            not_reviewed={reason: lines for reason, lines in lost.items() if lines},
        )


def plan(diff: Diff, policy: Policy, limits: Limits) -> Plan:
    """Decide which files are reviewed, cut them into chunks and gather these into batches."""
    files = tuple(_plan_file(file, policy, limits) for file in diff.files)
    ready = [chunk for file in files for chunk in file.chunks]
    batches = chunks.batch(ready, target=min(limits.batch, limits.chunk))
    return Plan(diff, files, batches, limits)


def _plan_file(file: FileChange, policy: Policy, limits: Limits) -> PlannedFile:
    reason = policy.reason_to_skip(file)
    if reason is not None:
        return PlannedFile(file, reason, ())
    return PlannedFile(file, None, chunks.split(file, limit=limits.chunk))
