"""What a review has read and what not, by file; counted from the diff, never from the chunks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Reason(StrEnum):
    """Why lines are not reviewed; the text is for people, and the list is closed."""

    BINARY = "binary"
    GENERATED = "generated"
    IGNORED = "ignored by policy"
    OVER_BUDGET = "over budget"
    ENGINE_FAILED = "engine failed"
    REFUSED = "declined by the model"
    UNFINISHED = "answer never came to its end"
    UNREADABLE = "unreadable"


class FileCoverage(BaseModel):
    """Changed lines of one file.

    Attributes:
        not_reviewed: by reason; a file whose lines nobody can count (binary, unreadable) has 0 of them.
        trimmed: of the reviewed, those too long for the model, which saw both ends of them.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    changed_lines: int
    reviewed: int
    not_reviewed: dict[Reason, int]
    trimmed: int = 0


class Coverage(BaseModel):
    """Changed lines of a whole diff: those reviewed, and those not, by reason."""

    model_config = ConfigDict(frozen=True)

    changed_lines: int
    reviewed: int
    not_reviewed: dict[Reason, int]
    trimmed: int = 0
    files: list[FileCoverage] = []

    @property
    def gaps(self) -> list[FileCoverage]:
        """The files that are not reviewed in whole."""
        return [file for file in self.files if file.not_reviewed or file.trimmed]


def total(files: Sequence[FileCoverage]) -> Coverage:
    """The sum over files."""
    lost: Counter[Reason] = Counter()
    for file in files:
        lost.update(file.not_reviewed)
    return Coverage(
        changed_lines=sum(file.changed_lines for file in files),
        reviewed=sum(file.reviewed for file in files),
        not_reviewed={reason: lines for reason, lines in lost.items() if lines},
        trimmed=sum(file.trimmed for file in files),
        files=list(files),
    )


def by_reason(lines: Iterable[tuple[Reason, int]]) -> dict[Reason, int]:
    """Lines summed up by reason."""
    lost: Counter[Reason] = Counter()
    for reason, count in lines:
        lost[reason] += count
    return dict(lost)
