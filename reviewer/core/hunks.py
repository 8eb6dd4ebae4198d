"""The hunks of one file's diff.

`unidiff` reads each hunk's header and holds its counts against its lines. A hunk keeps its rows as the text
they came in and numbers them when somebody asks: most hunks of a big diff are only counted and sent on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from reviewer.errors import BrokenDiff

BLOCK = 1_000_000
"""Text is held, split and searched in pieces of this size: one call over fifty megabytes would keep every
other thread from running."""


class LineKind(StrEnum):
    """What a line of a hunk is."""

    CONTEXT = " "
    ADDED = "+"
    REMOVED = "-"


class Line(NamedTuple):
    """One line of a hunk, without its newline; `old` and `new` are its numbers, 1-based, or None."""

    kind: LineKind
    text: str
    old: int | None
    new: int | None


@dataclass(frozen=True, slots=True)
class Hunk:
    """A run of lines.

    Attributes:
        section: the text git prints behind the second `@@`.
        added: added lines; `removed` likewise.
        blocks: the rows below the header as they stand in the diff, each with its mark and newline, in texts
            of about `BLOCK` characters; nearly always one.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: str
    added: int
    removed: int
    blocks: tuple[str, ...]

    @property
    def header(self) -> str:
        """The `@@` line."""
        start = f"@@ -{self.old_start},{self.old_count} +{self.new_start},{self.new_count} @@"
        return f"{start} {self.section}".rstrip()

    @property
    def changed_lines(self) -> int:
        """Added and removed lines."""
        return self.added + self.removed

    @property
    def count(self) -> int:
        """All lines, those of both sides once."""
        return self.old_count + self.added

    def rows(self) -> Iterator[str]:
        """The rows without their newlines; a lone carriage return, form feed or U+2028 ends none."""
        for block in self.blocks:
            yield from rows_of(block)

    def lines(self) -> Iterator[Line]:
        """The lines in order, numbered."""
        old, new = self.old_start, self.new_start
        for row in self.rows():
            line = line_of(row, old, new)
            if line is not None:
                yield line
                old += line.old is not None
                new += line.new is not None


def line_of(row: str, old: int, new: int) -> Line | None:
    """A row as a line with the next number of each side; None for git's remark on a missing newline."""
    mark = row[:1]
    if mark == "+":
        return Line(LineKind.ADDED, row[1:], None, new)
    if mark == "-":
        return Line(LineKind.REMOVED, row[1:], old, None)
    if mark == "\\":
        return None
    # Some programs strip the blank that marks an empty context line
    return Line(LineKind.CONTEXT, row[1:] if mark == " " else row, old, new)


def rows_of(block: str) -> list[str]:
    """What stands between the newlines of a text that ends with one."""
    return block.removesuffix("\n").split("\n")


def decode(raw: bytes, start: int, end: int) -> str:
    """Bytes as text; those that are no UTF-8 survive as lone surrogates."""
    return raw[start:end].decode("utf-8", "surrogateescape")


def _decode_rows(raw: bytes, start: int, end: int) -> list[str]:
    """Bytes as blocks of whole rows; the last is ended with a newline if it has none."""
    found: list[str] = []
    while start < end:
        stop = raw.find(b"\n", start + BLOCK, end) + 1 or end
        found.append(decode(raw, start, stop))
        start = stop
    if found and not found[-1].endswith("\n"):
        found[-1] += "\n"
    return found


def read_hunks(raw: bytes, start: int, end: int, *, path: str, plain: bool) -> tuple[tuple[Hunk, ...], int]:
    """Read hunks from `start` on, until something else stands there; gives them and where they end.

    Args:
        raw: the whole diff.
        start: where the first `@@` line begins.
        end: where the file's section ends at the latest.
        path: of the file, for messages.
        plain: the next file may follow with no more than its `---` and `+++` lines.

    Raises:
        BrokenDiff: a hunk is cut off, contradicts its header, or goes back behind the one before.
    """
    hunks: list[Hunk] = []
    position = start
    while raw.startswith(b"@@", position, end):
        hunk, position = _read_hunk(raw, position, end, path=path, plain=plain)
        if hunks and not _follows(hunk, hunks[-1]):
            raise BrokenDiff(f"the diff of {path!r} goes back: {hunk.header!r} behind {hunks[-1].header!r}")
        hunks.append(hunk)
    return tuple(hunks), position


def _follows(hunk: Hunk, last: Hunk) -> bool:
    return (
        _first(hunk.old_start, hunk.old_count) >= _first(last.old_start, last.old_count) + last.old_count
        and _first(hunk.new_start, hunk.new_count) >= _first(last.new_start, last.new_count) + last.new_count
    )


def _first(start: int, count: int) -> int:
    """The first line of a range; one without lines is written as the line before it."""
    return start if count else start + 1


_LONGEST_SECTION = 200  # git prints 80 bytes of it

# Without file lines unidiff takes a hunk for an error
_FILE_LINES = ("--- a/x", "+++ b/x")


def _read_hunk(raw: bytes, start: int, end: int, *, path: str, plain: bool) -> tuple[Hunk, int]:
    header_end = raw.find(b"\n", start, end)
    body_start = end if header_end < 0 else header_end + 1
    header = decode(raw, start, body_start).rstrip("\n")
    run_end = _end_of_run(raw, body_start, end)
    blocks = _decode_rows(raw, body_start, run_end)
    try:
        found = chain.from_iterable(map(rows_of, blocks))
        files = PatchSet(chain(_FILE_LINES, (header,), found), metadata_only=True)
    except (UnidiffParseError, ValueError) as error:  # a number of thousands of digits is none
        said = str(error).rstrip(".").splitlines()[0]
        raise BrokenDiff(f"the diff of {path!r} can't be read at {header!r}: {said}") from error
    if not files[0]:
        raise BrokenDiff(f"the diff of {path!r} can't be read: {header!r} is no hunk header")
    parsed = files[0][0]
    old, new = parsed.source_length, parsed.target_length
    if (old and not parsed.source_start) or (new and not parsed.target_start):
        raise BrokenDiff(f"the diff of {path!r} can't be read: {header!r} begins at a line 0")
    if not old + new:
        raise BrokenDiff(f"the diff of {path!r} can't be read: {header!r} counts no line")
    rest = _take_rest(blocks, old + parsed.added)
    _check_rest(rest, header, path=path, plain=plain)
    hunk = Hunk(
        old_start=parsed.source_start,
        old_count=old,
        new_start=parsed.target_start,
        new_count=new,
        section=parsed.section_header[:_LONGEST_SECTION],
        added=parsed.added,
        removed=parsed.removed,
        blocks=tuple(blocks),
    )
    return hunk, run_end - len(rest.encode("utf-8", "surrogateescape"))


_MARKS = b" +-\\\r\n"
_RUN_END = re.compile(rb"\n(?![ +\-\\\r\n])")


def _end_of_run(raw: bytes, start: int, end: int) -> int:
    """Behind the last row from `start` on that can belong to a hunk."""
    if start < end and raw[start] not in _MARKS:
        return start
    position = start
    while position < end:
        stop = min(position + BLOCK, end)
        found = _RUN_END.search(raw, position, stop)
        if found is None or (found.end() == stop < end and raw[stop] in _MARKS):
            position = stop
            continue
        return found.end()
    return end


def _take_rest(blocks: list[str], lines: int) -> str:
    """Cut off, and give, the rows behind those that the header counts."""
    marks = sum(block.count("\n\\") + block.startswith("\\") for block in blocks)
    extra = sum(block.count("\n") for block in blocks) - lines - marks
    rest = ""
    while extra > 0:
        block = blocks.pop()
        cut = len(block)
        while extra > 0 and cut > 0:
            cut = block.rfind("\n", 0, cut - 1) + 1
            extra -= 1
        rest = block[cut:] + rest
        if cut:
            blocks.append(block[:cut])
    return rest


_SIGNATURE = "-- \n"  # ends a mail that `git format-patch` made


def _check_rest(rest: str, header: str, *, path: str, plain: bool) -> None:
    """Refuse rows that look like the hunk's, but that its header does not count."""
    if not rest.strip("\r\n") or rest.startswith(_SIGNATURE):
        return
    if plain and rest.startswith("--- ") and "\n+++ " in rest:
        return
    row = rest.lstrip("\r\n").split("\n", 1)[0]
    raise BrokenDiff(f"the diff of {path!r} holds more lines than {header!r} counts, from {row[:80]!r} on")
