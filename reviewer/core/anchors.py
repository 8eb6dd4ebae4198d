"""Where a finding may stand: lines GitHub accepts, and lines that really hold the quoted code.

GitHub refuses a whole review for one comment outside the diff. RIGHT takes every new-side line inside a hunk,
LEFT the removed lines, and a range must run forward within one hunk.
https://docs.github.com/rest/pulls/comments#create-a-review-comment-for-a-pull-request
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from reviewer.core.chunks import TRIMMED
from reviewer.core.diff import FileChange, readable
from reviewer.core.findings import ReportedFinding, Side
from reviewer.core.hunks import Hunk, Line, LineKind, line_of, rows_of


class Dropped(StrEnum):
    """Why a reported finding does not stand; the text is for people."""

    MALFORMED = "off the schema"
    UNKNOWN_FILE = "names a file that is not in the diff"
    NOT_IN_DIFF = "quotes code that is not in the diff"
    DUPLICATE = "said before in this review"


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a finding stands.

    Attributes:
        line: None when only the file as a whole can carry it.
        verified: the quoted code stands at `line`.
        moved: `line` is not the one that was reported.
        neighbourhood: text of the anchored line and its neighbours, for the fingerprint.
        suggestible: the range is one that a suggestion can replace.
    """

    path: str
    side: Side
    line: int | None
    end_line: int | None
    verified: bool
    moved: bool
    neighbourhood: tuple[str, ...]
    suggestible: bool


class _Mark(NamedTuple):
    """A row's place in the blocks of a hunk, and the numbers of the next line on each side."""

    block: int
    offset: int
    old: int
    new: int


_ROWS_PER_MARK = 256


class _Numbered:
    """A hunk whose lines can be had by number or by what they hold, without keeping all of them numbered."""

    def __init__(self, hunk: Hunk) -> None:
        self.hunk = hunk

    @cached_property
    def _marks(self) -> list[_Mark]:
        marks: list[_Mark] = []
        old, new = self.hunk.old_start, self.hunk.new_start
        for number, block in enumerate(self.hunk.blocks):
            offset = 0
            for count, row in enumerate(rows_of(block)):
                if count % _ROWS_PER_MARK == 0:
                    marks.append(_Mark(number, offset, old, new))
                offset += len(row) + 1
                old += not row.startswith(("+", "\\"))
                new += not row.startswith(("-", "\\"))
        return marks

    def _lines_from(self, mark: _Mark) -> Iterator[tuple[int, int, Line]]:
        """Each line from a mark on, behind the block and the offset where its row begins."""
        first, offset, old, new = mark
        for number in range(first, len(self.hunk.blocks)):
            block = self.hunk.blocks[number]
            while offset < len(block):
                stop = block.find("\n", offset)
                line = line_of(block[offset:stop], old, new)
                if line is not None:
                    yield number, offset, line
                    old += line.old is not None
                    new += line.new is not None
                offset = stop + 1
            offset = 0

    def carries(self, side: Side, line: int) -> bool:
        """Whether a comment may stand on that line."""
        return self.shows(side, line) and (side is Side.RIGHT or self.at(side, line).new is None)

    def shows(self, side: Side, line: int) -> bool:
        """Whether the hunk holds that line; its header tells, since its numbers have no gaps."""
        start, count = (
            (self.hunk.new_start, self.hunk.new_count)
            if side is Side.RIGHT
            else (self.hunk.old_start, self.hunk.old_count)
        )
        return start <= line < start + count

    def at(self, side: Side, line: int) -> Line:
        """The line of that number, which the hunk `shows`."""
        right = side is Side.RIGHT
        position = bisect_right(self._marks, line, key=lambda mark: mark.new if right else mark.old) - 1
        # A run without lines on this side may span marks that all name the next one
        while position > 0 and (self._marks[position].new if right else self._marks[position].old) == line:
            position -= 1
        lines = (found for _, _, found in self._lines_from(self._marks[position]))
        return next(found for found in lines if (found.new if right else found.old) == line)

    def around(self, side: Side, line: int) -> tuple[str, ...]:
        """The texts of the line and its neighbours on its side."""
        return tuple(self.at(side, n).text for n in range(line - 1, line + 2) if self.shows(side, n))

    def holding(self, quote: str) -> Iterator[Line]:
        """The lines that hold a quote, found by its longest word."""
        # Where the model saw U+FFFD, the diff holds bytes that are no text
        word = max(_WORD.findall(quote), key=len, default=None)
        if word is None:
            return
        for number, block in enumerate(self.hunk.blocks):
            begin = block.find(word)
            while begin >= 0:
                row = block.rfind("\n", 0, begin) + 1
                stop = block.find("\n", begin)
                # git's remark on a missing newline is no line, whatever a quote says
                if block[row] != "\\" and _holds(block[row + 1 : stop], quote):
                    yield self._line_at(number, row)
                begin = block.find(word, stop)

    def _line_at(self, block: int, offset: int) -> Line:
        """The line whose row begins there."""
        position = bisect_right(self._marks, (block, offset), key=lambda mark: mark[:2]) - 1
        lines = self._lines_from(self._marks[position])
        return next(line for *place, line in lines if place == [block, offset])


HEAVY = 100_000
"""Characters of a file's hunks from which on placing a finding takes long enough to want a thread."""


class Anchors:
    """The lines of one path that can carry a comment.

    Args:
        path: the file's new path.
        files: its entries in the diff; one, but for joined diffs.
    """

    def __init__(self, path: str, files: Sequence[FileChange]) -> None:
        self._path = path
        self._hunks = tuple(_Numbered(hunk) for file in files for hunk in file.hunks)

    @property
    def heavy(self) -> bool:
        """Whether the file is so big that `place` belongs into a thread."""
        return sum(len(block) for numbered in self._hunks for block in numbered.hunk.blocks) > HEAVY

    def accepts(self, side: Side, line: int, end_line: int | None = None) -> bool:
        """Whether GitHub takes a comment on `line`, or on the range `line..end_line`."""
        home = self._home(side, line)
        if home is None or not home.carries(side, line):
            return False
        return end_line is None or (line < end_line and home.carries(side, end_line))

    def place(self, reported: ReportedFinding) -> Placed | Dropped:
        """Put a reported finding where its quote stands, or say why it stands nowhere."""
        home = self._home(reported.side, reported.line)
        readings = _readings(reported.quote)
        if home is not None:
            line = home.at(reported.side, reported.line)  # an unchanged one counts as RIGHT from here on
            if not readings or any(_holds(line.text, quote) for quote in readings):
                return self._placed(reported, home, line, verified=bool(readings))
        for quote in readings:
            found = list(self._search(reported, home, quote))
            if len(found) == 1:
                return self._placed(reported, *found[0], verified=True)
            if found:
                return _file_level(self._path, reported)
        return Dropped.NOT_IN_DIFF

    def _home(self, side: Side, line: int) -> _Numbered | None:
        return next((numbered for numbered in self._hunks if numbered.shows(side, line)), None)

    def _search(
        self, reported: ReportedFinding, home: _Numbered | None, quote: str
    ) -> Iterator[tuple[_Numbered, Line]]:
        """The places that hold the quote, in the reported hunk if it holds any, else in the file.

        The reported side is looked at first; an unchanged line stands on both, and counts as RIGHT.
        """
        wanted = (LineKind.REMOVED,) if reported.side is Side.LEFT else (LineKind.ADDED, LineKind.CONTEXT)
        matching = [(numbered, line) for numbered in self._hunks for line in numbered.holding(quote)]
        for kinds in (wanted, tuple(LineKind)):
            here = [found for found in matching if found[1].kind in kinds]
            near = [found for found in here if found[0] is home]
            if here:
                yield from near or here
                return

    def _placed(self, reported: ReportedFinding, home: _Numbered, line: Line, *, verified: bool) -> Placed:
        side = Side.LEFT if line.new is None else Side.RIGHT
        number = line.old if line.new is None else line.new
        if number is None:
            raise ValueError("a line of a hunk stands on one side at least")
        end = None if reported.end_line is None else reported.end_line - reported.line + number
        whole = end is None or end == number or self.accepts(side, number, end)
        return Placed(
            path=self._path,
            side=side,
            line=number,
            end_line=end if whole and end != number else None,
            verified=verified,
            moved=(side, number) != (reported.side, reported.line),
            neighbourhood=home.around(side, number),
            suggestible=whole and verified and side is Side.RIGHT,
        )


def meant(path: str, known: Container[str]) -> str | None:
    """The path in the diff that a reported one means, which may have kept git's prefix."""
    return next((each for each in (path, path.removeprefix("./"), path[2:]) if each in known), None)


def _file_level(path: str, reported: ReportedFinding) -> Placed:
    return Placed(
        path=path,
        side=Side.RIGHT,
        line=None,
        end_line=None,
        verified=False,
        moved=True,
        neighbourhood=(reported.quote,),
        suggestible=False,
    )


_WORD = re.compile(r"[^\s\ufffd]+")
_SPACES = re.compile(r"\s+")
_SHORTEST_PART = 20
_PRINTED = re.compile(r"^(?:[RLC]\d+\s+)?[-+|]?\s*")


def _readings(quote: str) -> tuple[str, ...]:
    """What a quote may mean: its first line that is not blank, as it stands, or without the place and mark
    printed before it. Of a line that was shown without its middle, the beginning is looked for.
    """
    first = next((normal for line in quote.split("\n") if (normal := _normal(line))), "")
    first = TRIMMED.split(first)[0].strip() or first
    bare = _PRINTED.sub("", first)
    return tuple(dict.fromkeys(reading for reading in (first, bare) if reading))


def _normal(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _holds(text: str, quote: str) -> bool:
    """Whether a line is what was quoted, or a part long enough to tell was quoted."""
    normal = _normal(text if text.isascii() else readable(text))
    return normal == quote or (len(quote) >= _SHORTEST_PART and quote in normal)
