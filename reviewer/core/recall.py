"""A finished chunk's findings, kept so that they still stand on their lines when the chunk has moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from reviewer.core.anchors import meant
from reviewer.core.chunks import Chunk, Piece
from reviewer.core.diff import readable
from reviewer.core.findings import ReportedFinding, Side
from reviewer.core.hunks import Line


@dataclass(frozen=True, slots=True)
class Remembered:
    """A reported finding as the ledger keeps it.

    Attributes:
        finding: as it was reported, with the line numbers of that time.
        row: 0-based place of its line among the rows of its chunk; None if it stands on none of them.
    """

    finding: ReportedFinding
    row: int | None


def stable_text(chunk: Chunk) -> str:
    """All that a reviewer reads of a chunk, but for the line numbers: the same when its hunks only moved."""
    return "\n".join(row for piece in chunk.pieces for row in _rows(piece))


def remember(chunk: Chunk, finding: ReportedFinding) -> Remembered:
    """A finding with its place in the whole chunk in which it was reported, not in a half of that.

    One that names another file, which a model may do, has no place in it.
    """
    if meant(finding.path, (chunk.path, readable(chunk.path))) is None:
        return Remembered(finding, None)
    rows = enumerate(_lines(chunk))
    return Remembered(
        finding, next((at for at, line in rows if _number(line, finding) == finding.line), None)
    )


def recall(chunk: Chunk, remembered: Remembered) -> ReportedFinding:
    """The finding as it would be reported on a chunk of the same stable text.

    A range keeps its length, even where it leads out of its hunk: cut short, it would no longer be what a
    suggestion replaces. A finding that stood on no line of the chunk comes back as it was.
    """
    finding = remembered.finding
    if remembered.row is None:
        return finding
    line = next(islice(_lines(chunk), remembered.row, None), None)
    number = None if line is None else _number(line, finding)
    if number is None:
        return finding
    end = None if finding.end_line is None else finding.end_line - finding.line + number
    return finding.model_copy(update={"line": number, "end_line": end})


def _rows(piece: Piece) -> Iterator[str]:
    """Each with a beginning of its kind, so that no two pieces read the same."""
    yield f"@@ {piece.hunk.section}"
    if piece.surroundings is not None:
        yield f"in {piece.surroundings.name}:"
        yield from (f"|{text}" for _, text in piece.surroundings.lines)
    yield from (f">{text}" for text in piece.lead)
    yield from (f"{line.kind}{line.text}" for line in piece.hunk.lines())


def _lines(chunk: Chunk) -> Iterator[Line]:
    return (line for hunk in chunk.hunks for line in hunk.lines())


def _number(line: Line, finding: ReportedFinding) -> int | None:
    """The line's number on the finding's side; an unchanged one has its number on either."""
    return line.old if finding.side is Side.LEFT else line.new
