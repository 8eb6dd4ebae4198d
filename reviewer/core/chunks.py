"""Files to chunks, and chunks to batches.

A chunk is a part of one file's diff that one model call can hold. A file whose estimate is over the limit
is cut at hunks, then inside a hunk at blank lines or dedents, then hard. Each changed line belongs to exactly
one chunk; what a cut repeats for the reader's sake is repeated as context.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reviewer.core.diff import FileChange, Hunk, Line, LineKind
from reviewer.core.tokens import estimate

OVERLAP_LINES = 3
"""Lines repeated as context behind a cut inside a hunk, as many as git shows around a change."""

TRIM_MARK = " …[{} bytes trimmed]… "


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of one file's diff.

    Attributes:
        id: short digest of path, place and text; the same text in the same place has the same id.
        part: 1-based number of this chunk among the `parts` of its file.
        tokens: estimate for `text()`.
        trimmed: how many lines were over the limit by themselves and lost their middle.
    """

    id: str
    file: FileChange
    part: int
    parts: int
    hunks: tuple[Hunk, ...]
    tokens: int
    trimmed: int = 0

    @property
    def path(self) -> str:
        """The file's new path."""
        return self.file.path

    @property
    def changed_lines(self) -> int:
        """Added and removed lines in this chunk."""
        return sum(line.kind is not LineKind.CONTEXT for hunk in self.hunks for line in hunk.lines)

    @property
    def span(self) -> tuple[int, int]:
        """First and last new-side line, or old-side where nothing is left on the new side."""
        numbers = [n for hunk in self.hunks for line in hunk.lines if (n := line.new or line.old) is not None]
        return (min(numbers), max(numbers)) if numbers else (0, 0)

    def text(self) -> str:
        """The chunk as a reviewer reads it: each line behind its side, number and kind."""
        return render(self.hunks)


@dataclass(frozen=True, slots=True)
class Batch:
    """The chunks sent in one call."""

    id: str
    chunks: tuple[Chunk, ...]

    @property
    def tokens(self) -> int:
        """Estimate of all its chunks."""
        return sum(chunk.tokens for chunk in self.chunks)


def render(hunks: Iterable[Hunk]) -> str:
    """Hunks with a side and a number before every line: `R12 +text`, `L11 -text`, `R12  text`."""
    return "\n".join(part for hunk in hunks for part in (hunk.header, *map(render_line, hunk.lines)))


def render_line(line: Line) -> str:
    """One line as `render` shows it."""
    place = f"L{line.old}" if line.kind is LineKind.REMOVED else f"R{line.new}"
    return f"{place:<6} {line.kind}{line.text}"


def split(file: FileChange, *, limit: int) -> tuple[Chunk, ...]:
    """Cut one file into chunks of at most `limit` tokens each; a file without hunks gives none."""
    pieces = [piece for hunk in file.hunks for piece in _cut_hunk(hunk, limit)]
    groups = list(_packed(pieces, limit))
    return tuple(
        _chunk(file, part, len(groups), tuple(piece.hunk for piece in group), sum(p.trimmed for p in group))
        for part, group in enumerate(groups, start=1)
    )


def batch(chunks: Sequence[Chunk], *, target: int) -> tuple[Batch, ...]:
    """Let small chunks travel together up to `target` tokens, neighbours in the diff first."""
    batches: list[tuple[Chunk, ...]] = []
    waiting: list[Chunk] = []
    for chunk in chunks:
        if waiting and sum(c.tokens for c in waiting) + chunk.tokens > target:
            batches.append(tuple(waiting))
            waiting = []
        waiting.append(chunk)
    if waiting:
        batches.append(tuple(waiting))
    return tuple(Batch(f"b{number}", group) for number, group in enumerate(batches, start=1))


@dataclass(frozen=True, slots=True)
class _Piece:
    hunk: Hunk
    tokens: int
    trimmed: int = 0


def _chunk(file: FileChange, part: int, parts: int, hunks: tuple[Hunk, ...], trimmed: int) -> Chunk:
    text = render(hunks)
    digest = hashlib.sha256(f"{file.path}\0{part}\0{text}".encode("utf-8", "surrogateescape")).hexdigest()
    return Chunk(digest[:12], file, part, parts, hunks, estimate(text), trimmed)


def _packed(pieces: Iterable[_Piece], limit: int) -> Iterator[list[_Piece]]:
    group: list[_Piece] = []
    size = 0
    for piece in pieces:
        if group and size + piece.tokens > limit:
            yield group
            group, size = [], 0
        group.append(piece)
        size += piece.tokens
    if group:
        yield group


def _cut_hunk(hunk: Hunk, limit: int) -> Iterator[_Piece]:
    whole = _cost([hunk.header, *map(render_line, hunk.lines)])
    if whole <= limit:
        yield _Piece(hunk, whole)
        return
    head = _cost([hunk.header]) + 8  # a piece's own header has longer numbers at most
    rows = [_fitted(line, limit - head) for line in hunk.lines]
    costs = [_cost([render_line(line)]) for line, _ in rows]
    start = 0
    while start < len(rows):
        lead = _overlap([line for line, _ in rows[:start]]) if start else []
        room = limit - head - sum(_cost([render_line(line)]) for line in lead)
        if room < max(costs[start], limit // 2):
            lead, room = [], limit - head
        end = _end_of_piece(rows, costs, start, room)
        part = [*lead, *(line for line, _ in rows[start:end])]
        trimmed = sum(cut for _, cut in rows[start:end])
        piece = _renumbered(hunk, part)
        yield _Piece(piece, _cost([piece.header, *map(render_line, piece.lines)]), trimmed)
        start = end


def _end_of_piece(rows: list[tuple[Line, bool]], costs: list[int], start: int, room: int) -> int:
    """Where the piece that begins at `start` ends: at the best place in the last third of what fits."""
    end, used = start, 0
    while end < len(rows) and used + costs[end] <= room:
        used += costs[end]
        end += 1
    end = max(end, start + 1)
    if end == len(rows):
        return end
    earliest = start + max(1, (end - start) * 2 // 3)
    for wanted in (_is_blank, _is_unindented):
        for cut in range(end, earliest, -1):
            if wanted(rows[cut][0]):
                return cut
    return end


def _is_blank(line: Line) -> bool:
    return not line.text.strip()


def _is_unindented(line: Line) -> bool:
    return bool(line.text) and not line.text[0].isspace() and line.text[0] not in ")]}"


def _overlap(before: list[Line]) -> list[Line]:
    """The last new-side lines before a cut, to be read as context."""
    last = [line for line in before[-2 * OVERLAP_LINES :] if line.new is not None][-OVERLAP_LINES:]
    return [replace(line, kind=LineKind.CONTEXT) for line in last]


def _fitted(line: Line, room: int) -> tuple[Line, bool]:
    """A line that alone is over `room` tokens loses its middle."""
    if _cost([render_line(line)]) <= room:
        return line, False
    data = line.text.encode("utf-8", "surrogateescape")
    keep = max(
        room - 40, 1
    )  # at over two bytes a token this many bytes on both sides fit, mark and number too
    gone = len(data) - 2 * (keep // 2)
    head = data[: keep // 2].decode("utf-8", "ignore")
    tail = data[len(data) - keep // 2 :].decode("utf-8", "ignore")
    return replace(line, text=head + TRIM_MARK.format(gone) + tail), True


def _renumbered(hunk: Hunk, lines: list[Line]) -> Hunk:
    """A hunk of some of another's lines, with the header git would print for them."""
    old = [line.old for line in lines if line.old is not None and line.kind is not LineKind.ADDED]
    new = [line.new for line in lines if line.new is not None]
    return Hunk(
        old_start=old[0] if old else hunk.old_start,
        old_count=len(old),
        new_start=new[0] if new else hunk.new_start,
        new_count=len(new),
        section=hunk.section,
        lines=tuple(lines),
    )


def _cost(rows: Sequence[str]) -> int:
    """Tokens of rows with their newlines; never less than the estimate of their join."""
    return sum(estimate(row + "\n") for row in rows)
