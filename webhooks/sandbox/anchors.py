"""GitHub's own rule for where a review comment may stand, read from the diff's hunks alone.

RIGHT is any added or context line inside a hunk by its new number, LEFT any deleted line by its old number;
a range starts before it ends and stays in one hunk. Deliberately shares nothing with the code that decides
where to comment, so that it can judge it.
https://docs.github.com/rest/pulls/comments#create-a-review-comment-for-a-pull-request
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

_HEADER = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


class Problem(Enum):
    """Why an anchor is refused; the value is GitHub's sentence in a review's 422."""

    LINE = "Line could not be resolved"
    ORDER = "Pull request review thread start line must precede the end line."
    HUNK = "Pull request review thread start line must be part of the same hunk as the line."


@dataclass(frozen=True, slots=True)
class Hunk:
    """A hunk: its printed lines (header first) and where in them each (side, number) stands."""

    lines: tuple[str, ...]
    places: Mapping[tuple[str, int], int]
    offset: int
    """Printed lines of the file's diff before this hunk; GitHub's `position` counts from the first header."""


@dataclass(frozen=True, slots=True)
class Place:
    """A resolved anchor: the excerpt GitHub shows above the comment, and its legacy position."""

    diff_hunk: str
    position: int


def parse_hunks(patch: bytes) -> tuple[Hunk, ...]:
    """The hunks of one file's diff, which starts at its first `@@` line."""
    hunks: list[Hunk] = []
    printed = patch.split(b"\n")
    if printed[-1] == b"":
        printed.pop()
    starts = [at for at, line in enumerate(printed) if line.startswith(b"@@ ")]
    for start, end in zip(starts, [*starts[1:], len(printed)], strict=True):
        header = _HEADER.match(printed[start])
        if header is None:
            raise ValueError(f"not a hunk header: {printed[start]!r}")
        body = printed[start:end]
        places = _number_lines(body[1:], int(header[1]), int(header[3]))
        hunks.append(Hunk(tuple(line.decode(errors="replace") for line in body), places, start))
    return tuple(hunks)


def _number_lines(body: Sequence[bytes], old: int, new: int) -> dict[tuple[str, int], int]:
    places: dict[tuple[str, int], int] = {}
    for at, line in enumerate(body, start=1):
        sign = line[:1]
        if sign == b"-":
            places["LEFT", old] = at
        if sign in (b" ", b"-"):
            old += 1
        if sign in (b" ", b"+"):
            places["RIGHT", new] = at
            new += 1
    return places


def resolve(
    hunks: Sequence[Hunk],
    *,
    line: int,
    side: str = "RIGHT",
    start_line: int | None = None,
    start_side: str | None = None,
) -> Place | Problem:
    """The place of an anchor in a file's hunks, or why GitHub would refuse it."""
    hunk = next((hunk for hunk in hunks if (side, line) in hunk.places), None)
    if start_line is not None and (start_side or side) == side and start_line >= line:
        return Problem.ORDER
    if hunk is None:
        return Problem.LINE
    end = hunk.places[side, line]
    if start_line is not None:
        start = hunk.places.get((start_side or side, start_line))
        if start is None:
            return Problem.HUNK
        if start >= end:  # the two ends stand on different sides: printed order decides
            return Problem.ORDER
    return Place("\n".join(hunk.lines[: end + 1]), hunk.offset + end)


def carry(line: int, patch: bytes) -> int | None:
    """Where a line of the old file stands in the new one, by their context-free diff; None if it changed."""
    shift = 0
    for header in _HEADER.finditer(patch):
        old, new = int(header[1]), int(header[3])
        removed = int(header[2] or 1)
        added = int(header[4] or 1)
        first = old if removed else old + 1  # `-7,0` inserts after line 7
        if line < first:
            break
        if line < first + removed:
            return None
        shift = (new + added if added else new + 1) - (first + removed)
    return line + shift
