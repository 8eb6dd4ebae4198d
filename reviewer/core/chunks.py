"""Files to chunks.

A chunk is a part of one file's diff that one model call can hold. A file whose estimate is over the limit
is cut at hunks, then inside a hunk at blank lines or dedents, then hard. Each changed line belongs to exactly
one chunk; what a cut repeats for the reader's sake is repeated as context.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice
from typing import NamedTuple

from reviewer.core.diff import FileChange, shown_path
from reviewer.core.hunks import Hunk
from reviewer.core.tokens import Estimator, size

OVERLAP_LINES = 3
"""Lines repeated as context behind a cut inside a hunk, as many as git shows around a change."""

TRIM_MARK = " …[{} characters trimmed]… "
TRIMMED = re.compile(r"…\[[\d,]+ characters trimmed\]…")
"""The mark as it stands in a shown line."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What encloses a hunk, from outside the diff.

    Attributes:
        name: dotted name of the function or class, such as `Shop.pay`.
        lines: some of its lines above the hunk, each with its number on the new side.
    """

    name: str
    lines: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A hunk or a part of one, as a reviewer reads it.

    Attributes:
        hunk: exactly the lines that this piece stands for.
        lead: texts of the new-side lines just above, which another piece stands for.
        trimmed: changed lines over the limit by themselves, which lost their middle.
    """

    hunk: Hunk
    lead: tuple[str, ...] = ()
    trimmed: int = 0
    surroundings: Surroundings | None = None

    def text(self) -> str:
        """The header, what stands above, and each line behind its side, number and kind."""
        return "\n".join((self.hunk.header, *self._above(), *_numbered(self.hunk)))

    @property
    def first_new(self) -> int:
        """The new-side number of its first line, or of what follows a removal."""
        return _next_new(self.hunk)

    def _above(self) -> Iterator[str]:
        if self.surroundings is not None:
            yield f"in {self.surroundings.name}:"
            yield from (f"{f'C{number}':<6} |{text}" for number, text in self.surroundings.lines)
        for number, text in enumerate(self.lead, start=self.first_new - len(self.lead)):
            yield f"R{number:<5}  {text}"

    @property
    def size(self) -> int:
        """Bytes of its text with a newline, or a few more; counted without rendering it."""
        width = _place_width(self.hunk)
        above = sum(size(row) + 1 for row in self._above())
        body = sum(map(size, self.hunk.blocks))
        return size(self.hunk.header) + 1 + above + body + self.hunk.count * width


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of one file's diff.

    Attributes:
        id: short digest of path, place and text; the same text in the same place has the same id.
        part: 1-based number of this chunk among the `parts` of its file.
        tokens: estimate for its text and the frame that the prompt puts round it.
    """

    id: str
    file: FileChange
    part: int
    parts: int
    pieces: tuple[Piece, ...]
    tokens: int

    @property
    def path(self) -> str:
        """The file's new path."""
        return self.file.path

    @property
    def hunks(self) -> tuple[Hunk, ...]:
        """The hunks, or parts of hunks, that it stands for."""
        return tuple(piece.hunk for piece in self.pieces)

    @property
    def changed_lines(self) -> int:
        """Added and removed lines in this chunk."""
        return sum(piece.hunk.changed_lines for piece in self.pieces)

    @property
    def trimmed(self) -> int:
        """Changed lines that lost their middle."""
        return sum(piece.trimmed for piece in self.pieces)

    @property
    def span(self) -> tuple[int, int]:
        """First and last line on the new side, or on the old where nothing is left on the new."""
        first, last = self.pieces[0].hunk, self.pieces[-1].hunk
        if any(hunk.new_count for hunk in self.hunks):
            return max(first.new_start, 1), max(last.new_start + last.new_count - 1, 1)
        return first.old_start, last.old_start + last.old_count - 1

    def text(self) -> str:
        """The chunk as a reviewer reads it: each line behind its side, number and kind."""
        return "\n".join(piece.text() for piece in self.pieces)


def _numbered(hunk: Hunk) -> Iterator[str]:
    """Each line behind its side and number: `R12    +text`, `L11    -text`, `R12     text`.

    Reads the rows themselves: to make a `Line` of each first takes three times as long, for every call.
    """
    old, new = hunk.old_start, hunk.new_start
    for row in hunk.rows():
        mark = row[:1]
        if mark == "-":
            yield f"L{old:<5} {row}"
            old += 1
        elif mark == "+":
            yield f"R{new:<5} {row}"
            new += 1
        elif mark != "\\":
            # Some programs strip the blank that marks an empty context line
            yield f"R{new:<5} {row}" if mark == " " else f"R{new:<5}  {row}"
            old, new = old + 1, new + 1


_SMALLEST_ROOM = 256  # under it nothing could be cut; a path of thousands of bytes under a tiny limit


@dataclass(frozen=True, slots=True)
class Measure:
    """How big a chunk may be.

    Attributes:
        limit: tokens at most.
        frame: bytes that the prompt puts round a chunk, but for its path.
    """

    limit: int
    estimator: Estimator = field(default_factory=Estimator)
    frame: int = 0

    def room(self, path: str) -> int:
        """Bytes of text that a chunk of that file may have."""
        return max(self.estimator.room(self.limit) - self.frame - size(shown_path(path)), _SMALLEST_ROOM)

    def tokens(self, path: str, pieces: Iterable[Piece]) -> int:
        """Estimate for a chunk of these pieces."""
        return self.estimator.tokens(
            self.frame + size(shown_path(path)) + sum(piece.size for piece in pieces)
        )


def split(file: FileChange, measure: Measure, *, occurrence: int = 0) -> tuple[Chunk, ...]:
    """Cut one file into chunks within the limit; a file without hunks gives none.

    Args:
        file: what changed in it.
        measure: how big a chunk may be.
        occurrence: how often the path stood in the diff before, which keeps ids apart.
    """
    room = measure.room(file.path)
    pieces = [piece for hunk in file.hunks for piece in _cut(hunk, room)]
    groups = list(_packed(pieces, room))
    return tuple(
        Chunk(
            id=_id(file.path, occurrence, part, group),
            file=file,
            part=part,
            parts=len(groups),
            pieces=tuple(group),
            tokens=measure.tokens(file.path, group),
        )
        for part, group in enumerate(groups, start=1)
    )


def halves_of(chunk: Chunk, measure: Measure) -> tuple[Chunk, Chunk] | None:
    """The same chunk, by its id too, with the first and with the second half of its pieces.

    The only piece of a chunk is cut in two, each with changed lines. Above the second stand the last lines of
    the first, but not what surrounds that, which may have ended by then.

    Returns:
        None if only one line is changed: less can't be reviewed.
    """
    if len(chunk.pieces) > 1:
        cut = middle([piece.size for piece in chunk.pieces])
        first, second = chunk.pieces[:cut], chunk.pieces[cut:]
    elif chunk.pieces and (halves := _halves(chunk.pieces[0])):
        first, second = halves[:1], halves[1:]
    else:
        return None
    return (
        replace(chunk, pieces=first, tokens=measure.tokens(chunk.path, first)),
        replace(chunk, pieces=second, tokens=measure.tokens(chunk.path, second)),
    )


def middle(sizes: Sequence[int], allowed: Container[int] | None = None) -> int:
    """How many of two or more sizes come nearest to half the sum, if so many are allowed."""
    half = sum(sizes) / 2
    ends = enumerate(accumulate(sizes[:-1]), start=1)
    return min((abs(end - half), at) for at, end in ends if allowed is None or at in allowed)[1]


def _halves(piece: Piece) -> tuple[Piece, Piece] | None:
    roomy = piece.size + size(piece.hunk.header) + _LONGER_HEADER
    halves = _Cutter(piece.hunk, roomy, piece.lead).halves()
    if halves is None:
        return None
    first, second = halves
    shortened = sum(row[:1] in {"+", "-"} and TRIMMED.search(row) is not None for row in first.hunk.rows())
    trimmed = min(shortened, piece.trimmed)
    return (
        replace(first, trimmed=trimmed, surroundings=piece.surroundings),
        replace(second, trimmed=piece.trimmed - trimmed),
    )


def _id(path: str, occurrence: int, part: int, pieces: Iterable[Piece]) -> str:
    digest = hashlib.sha256(f"{path}\0{occurrence}\0{part}".encode("utf-8", "surrogateescape"))
    for piece in pieces:
        for text in (piece.hunk.header, *piece.hunk.blocks):
            digest.update(f"\0{text}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:12]


def _packed(pieces: Iterable[Piece], room: int) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    used = 0
    for piece in pieces:
        size_ = piece.size
        if group and used + size_ > room:
            yield group
            group, used = [], 0
        group.append(piece)
        used += size_
    if group:
        yield group


def _place_width(hunk: Hunk) -> int:
    """Bytes that a line's place takes at most."""
    last = max(hunk.old_start + hunk.old_count, hunk.new_start + hunk.new_count)
    return max(6, len(f"R{last}")) + 1


def _next_new(hunk: Hunk) -> int:
    """The number of the hunk's first new-side line, were there one."""
    return hunk.new_start if hunk.new_count else hunk.new_start + 1


def _cut(hunk: Hunk, room: int) -> Iterator[Piece]:
    """The hunk whole, or in pieces of at most `room` bytes."""
    whole = Piece(hunk)
    # Cheap first: there are at least as many bytes as characters
    if sum(map(len, hunk.blocks)) <= room and whole.size <= room:
        yield whole
        return
    yield from _Cutter(hunk, room).pieces()


class _Row(NamedTuple):
    """A row of a hunk on its way into a piece; `cost` is in bytes, with place and newline."""

    text: str
    cost: int
    trimmed: bool


_LONGER_HEADER = 24  # bytes by which the numbers in a piece's header outgrow the hunk's at most


class _Cutter:
    """Cuts one hunk, reading its rows once."""

    def __init__(self, hunk: Hunk, room: int, lead: tuple[str, ...] = ()) -> None:
        self._hunk = hunk
        self._width = _place_width(hunk)
        self._room = room - size(hunk.header) - _LONGER_HEADER
        self._old = hunk.old_start if hunk.old_count else hunk.old_start + 1
        self._new = _next_new(hunk)
        self._lead = lead
        self._lead_cost = self._cost(lead)

    def pieces(self) -> Iterator[Piece]:
        """All pieces, in order."""
        waiting: list[_Row] = []
        used = 0
        for row in self._rows():
            while waiting and used + row.cost > self._room - self._lead_cost:
                cut = _best_cut(waiting)
                yield self._piece(waiting[:cut])
                waiting = waiting[cut:]
                used = sum(each.cost for each in waiting)
            waiting.append(row)
            used += row.cost
        if waiting:
            yield self._piece(waiting)

    def halves(self) -> tuple[Piece, Piece] | None:
        """Two pieces that both hold changed lines, or None if there are not so many; nothing is trimmed."""
        rows = list(self._rows())
        cut = _middle_cut(rows)
        return None if cut is None else (self._piece(rows[:cut]), self._piece(rows[cut:]))

    def _cost(self, texts: Iterable[str]) -> int:
        return sum(size(text) + self._width + 2 for text in texts)

    def _rows(self) -> Iterator[_Row]:
        more = self._width + 1
        for text in self._hunk.rows():
            cost = size(text) + more
            if text.startswith("\\"):  # git's remark on a missing newline; no reviewer is shown it
                continue
            if cost <= self._room:
                yield _Row(text, cost, trimmed=False)
                continue
            short = _trimmed(text, self._room - more)
            yield _Row(short, size(short) + more, trimmed=text[0] in "+-")

    def _piece(self, taken: list[_Row]) -> Piece:
        texts = [row.text for row in taken]
        added = sum(text[:1] == "+" for text in texts)
        removed = sum(text[:1] == "-" for text in texts)
        context = len(texts) - added - removed
        hunk = Hunk(
            old_start=self._old if removed + context else self._old - 1,
            old_count=removed + context,
            new_start=self._new if added + context else self._new - 1,
            new_count=added + context,
            section=self._hunk.section,
            added=added,
            removed=removed,
            blocks=("".join(f"{text}\n" for text in texts),),
        )
        fits = self._lead_cost + sum(row.cost for row in taken) <= self._room
        piece = Piece(hunk, self._lead if fits else (), sum(row.trimmed for row in taken))
        self._old += hunk.old_count
        self._new += hunk.new_count
        self._leave(texts)
        return piece

    def _leave(self, texts: list[str]) -> None:
        """Keep the last new-side lines before a cut, unless they would take much of the room behind it."""
        found = islice((text[1:] for text in reversed(texts) if text[:1] != "-"), OVERLAP_LINES)
        last = [*self._lead, *reversed(list(found))][-OVERLAP_LINES:]
        cost = self._cost(last)
        fits = cost <= self._room // 4
        self._lead, self._lead_cost = (tuple(last), cost) if fits else ((), 0)


def _best_cut(waiting: list[_Row]) -> int:
    """Where to cut: before the best row of the last third, else behind all of them."""
    best, where = 3, len(waiting)
    for at in range(len(waiting) - 1, len(waiting) * 2 // 3, -1):
        rank = _rank(waiting[at - 1].text, waiting[at].text)
        if rank < best:
            best, where = rank, at
    return where


def _middle_cut(rows: list[_Row]) -> int | None:
    """Where to cut rows in two that both hold changed ones: before the best of the middle third, if any may
    be cut there, else as near to the middle as can be.
    """
    changed = [at for at, row in enumerate(rows) if row.text[:1] in {"+", "-"}]
    if len(changed) < 2:
        return None
    whole = sum(row.cost for row in rows)
    ends = list(accumulate(row.cost for row in rows))
    cuts = range(changed[0] + 1, changed[-1] + 1)
    near = [at for at in cuts if whole <= 3 * ends[at - 1] <= 2 * whole]
    ranked = [(_rank(rows[at - 1].text, rows[at].text), at) for at in near] or [(0, at) for at in cuts]
    return min((rank, abs(2 * ends[at - 1] - whole), at) for rank, at in ranked)[2]


def _rank(before: str, after: str) -> int:
    """How well a cut between two rows reads: 0 best, 3 badly."""
    if before[:1] == "-" and after[:1] == "+":  # what replaced a line is read beside it
        return 3
    if not before[1:].strip():
        return 0 if _indent(after) == 0 else 1
    return 2 if _indent(after) < _indent(before) else 3


def _indent(row: str) -> int:
    return len(row) - 1 - len(row[1:].lstrip())


def _trimmed(row: str, room: int) -> str:
    """A row that loses its middle to fit into `room` bytes."""
    keep = max(room // 2 - len(TRIM_MARK), 1)
    while True:
        short = row[:keep] + TRIM_MARK.format(f"{len(row) - 2 * keep:,}") + row[-keep:]
        if size(short) <= room or keep == 1:
            return short
        keep = max(keep * room // size(short) - 1, 1)
