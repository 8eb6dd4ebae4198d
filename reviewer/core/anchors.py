"""Where a finding may stand: lines GitHub accepts, and lines that really hold the quoted code.

GitHub refuses a whole review for one comment outside the diff. RIGHT takes every new-side line inside a hunk,
LEFT the removed lines, and a range must stay within one hunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reviewer.core.diff import FileChange, Hunk, LineKind
from reviewer.core.findings import ReportedFinding, Side


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


@dataclass(frozen=True, slots=True)
class _Spot:
    """One line that can carry a comment; `index` counts within its hunk and side."""

    hunk: int
    index: int
    line: int
    text: str


class Anchors:
    """The lines of one file's diff that can carry a comment."""

    def __init__(self, file: FileChange) -> None:
        self._spots = {side: tuple(_spots(file, side)) for side in Side}
        self._by_line = {side: {spot.line: spot for spot in spots} for side, spots in self._spots.items()}

    def accepts(self, side: Side, line: int, end_line: int | None = None) -> bool:
        """Whether GitHub takes a comment on `line`, or on the range `line..end_line`."""
        first = self._by_line[side].get(line)
        last = first if end_line is None else self._by_line[side].get(end_line)
        if first is None or last is None:
            return False
        return first.hunk == last.hunk and first.line <= last.line

    def place(self, path: str, reported: ReportedFinding) -> Placed | Dropped:
        """Put a reported finding where its quote stands, or say why it stands nowhere."""
        spot = self._by_line[reported.side].get(reported.line)
        quote = _normal(reported.quote)
        if spot is not None and (not quote or _holds(spot.text, quote)):
            return self._placed(path, reported, reported.side, spot, verified=bool(quote))
        if not quote:
            return Dropped.NOT_IN_DIFF
        found = list(self._search(reported, quote))
        if len(found) == 1:
            return self._placed(path, reported, *found[0], verified=True)
        if found:
            return _file_level(path, reported)
        return Dropped.NOT_IN_DIFF

    def _search(self, reported: ReportedFinding, quote: str) -> Iterator[tuple[Side, _Spot]]:
        """The places that hold the quote, in the reported hunk if it holds any, else in the file."""
        other = Side.LEFT if reported.side is Side.RIGHT else Side.RIGHT
        home = self._by_line[reported.side].get(reported.line)
        for side in (reported.side, other):
            matching = [spot for spot in self._spots[side] if _holds(spot.text, quote)]
            near = [spot for spot in matching if home is not None and spot.hunk == home.hunk]
            if matching:
                yield from ((side, spot) for spot in near or matching)
                return

    def _placed(
        self, path: str, reported: ReportedFinding, side: Side, spot: _Spot, *, verified: bool
    ) -> Placed:
        end = None if reported.end_line is None else reported.end_line - reported.line + spot.line
        whole = end is None or self.accepts(side, spot.line, end)
        if end == spot.line or not whole:
            end = None
        return Placed(
            path=path,
            side=side,
            line=spot.line,
            end_line=end,
            verified=verified,
            moved=(side, spot.line) != (reported.side, reported.line),
            neighbourhood=self._around(side, spot),
            suggestible=whole and verified and side is Side.RIGHT,
        )

    def _around(self, side: Side, spot: _Spot) -> tuple[str, ...]:
        return tuple(
            other.text
            for other in self._spots[side]
            if other.hunk == spot.hunk and abs(other.index - spot.index) <= 1
        )


def place(reported: ReportedFinding, files: Mapping[str, tuple[FileChange, Anchors]]) -> Placed | Dropped:
    """Place a reported finding in a diff, given its files and their anchors by new path."""
    for path in (reported.path, reported.path.removeprefix("./"), reported.path[2:]):
        if path in files:
            return files[path][1].place(path, reported)
    return Dropped.UNKNOWN_FILE


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


def _spots(file: FileChange, side: Side) -> Iterator[_Spot]:
    for number, hunk in enumerate(file.hunks):
        for index, (line, text) in enumerate(_side_of(hunk, side)):
            yield _Spot(number, index, line, text)


def _side_of(hunk: Hunk, side: Side) -> Iterator[tuple[int, str]]:
    for line in hunk.lines:
        if side is Side.RIGHT and line.new is not None:
            yield line.new, line.text
        elif side is Side.LEFT and line.kind is LineKind.REMOVED and line.old is not None:
            yield line.old, line.text


_SPACES = re.compile(r"\s+")
_SHORTEST_PART = 20


def _normal(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _holds(text: str, quote: str) -> bool:
    """Whether a line is what was quoted, or a part long enough to tell was quoted."""
    normal = _normal(text)
    return normal == quote or (len(quote) >= _SHORTEST_PART and quote in normal)
