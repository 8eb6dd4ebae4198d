r"""A unified diff as files, hunks and lines.

Hunks are read by `unidiff`, one file's section at a time. The lines above the hunks are read here:
git's `rename from`, mode and `index` lines say what happened to a file more truly than its `---`/`+++` pair
(which git leaves out for renames, mode changes and binary files).

Text is decoded with `surrogateescape`, so bytes that are not UTF-8 survive a round trip, and split on "\n"
only: a lone carriage return, form feed or U+2028 is part of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk as ParsedHunk
from unidiff.patch import PatchSet

from reviewer.errors import BrokenDiff, DiffTooLarge, NotADiff, UnsupportedDiff

MAX_DIFF_BYTES = 50_000_000
"""A diff costs about fifteen times its size in memory while it is read."""


class LineKind(StrEnum):
    """What a line of a hunk is."""

    CONTEXT = " "
    ADDED = "+"
    REMOVED = "-"


class FileStatus(StrEnum):
    """What happened to a file."""

    ADDED = "added"
    REMOVED = "removed"
    MODIFIED = "modified"
    RENAMED = "renamed"
    COPIED = "copied"


class Unread(StrEnum):
    """Why a file of the diff has no line to review; the text is for people."""

    BINARY = "binary"
    NO_TEXT_CHANGE = "no text changed"
    NO_HUNK = "changed, but the diff holds none of its lines"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk, without its newline; `old` and `new` are its numbers, 1-based, or None."""

    kind: LineKind
    text: str
    old: int | None
    new: int | None


@dataclass(frozen=True, slots=True)
class Hunk:
    """A run of lines; `section` is the text git prints behind the second `@@`."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: str
    lines: tuple[Line, ...]

    @property
    def header(self) -> str:
        """The `@@` line."""
        start = f"@@ -{self.old_start},{self.old_count} +{self.new_start},{self.new_count} @@"
        return f"{start} {self.section}".rstrip()


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a diff. `old_path` is None unless it differs from `path`."""

    path: str
    old_path: str | None
    status: FileStatus
    hunks: tuple[Hunk, ...]
    unread: Unread | None

    @property
    def binary(self) -> bool:
        """Whether git calls it binary; it then has no line counts."""
        return self.unread is Unread.BINARY

    @property
    def added(self) -> int:
        """Added lines."""
        return sum(line.kind is LineKind.ADDED for line in self.lines())

    @property
    def removed(self) -> int:
        """Removed lines."""
        return sum(line.kind is LineKind.REMOVED for line in self.lines())

    @property
    def changed_lines(self) -> int:
        """Added and removed lines together."""
        return sum(line.kind is not LineKind.CONTEXT for line in self.lines())

    def lines(self) -> Iterator[Line]:
        """The lines of all hunks, in order."""
        for hunk in self.hunks:
            yield from hunk.lines

    def agrees_with(self, text: str) -> bool:
        """Whether every new-side line of the hunks stands at its number in `text`, the new content."""
        content = text.split("\n")
        return all(
            line.new is None or (line.new <= len(content) and content[line.new - 1] == line.text)
            for line in self.lines()
        )


@dataclass(frozen=True, slots=True)
class Diff:
    """A whole diff."""

    files: tuple[FileChange, ...]

    @property
    def changed_lines(self) -> int:
        """Added and removed lines of all files."""
        return sum(file.changed_lines for file in self.files)


def readable(text: str) -> str:
    """Text that can be shown and stored anywhere: what is no Unicode, and NUL, become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")


def parse(raw: bytes | str, *, max_bytes: int = MAX_DIFF_BYTES) -> Diff:
    """Read a unified diff; an empty one gives no files.

    Raises:
        DiffTooLarge: over `max_bytes`.
        UnsupportedDiff: combined (`@@@`) or coloured.
        NotADiff: text that is no diff.
        BrokenDiff: cut off, or a hunk header that lies about its counts.
    """
    if len(raw) > max_bytes:
        raise DiffTooLarge(
            f"the diff is {len(raw):,} bytes, over the limit of {max_bytes:,}; review a smaller range"
        )
    text = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else raw
    if not text.strip():
        return Diff(())
    lines = text.split("\n")
    _refuse_unsupported(lines)
    sections = list(_git_sections(lines))
    if sections:
        return Diff(tuple(_read_git_section(section) for section in sections))
    return Diff(tuple(_read_plain(lines)))


def parse_patch(
    patch: str, *, path: str, old_path: str | None = None, status: FileStatus = FileStatus.MODIFIED
) -> FileChange:
    """One file from its bare hunks, as GitHub lists them: no line above the first `@@`, no last newline.

    Raises:
        BrokenDiff: no hunk, cut off, or a hunk header that lies about its counts.
    """
    hunks = _read_hunks([*patch.removesuffix("\n").split("\n"), ""], path)
    if not hunks:
        raise BrokenDiff(f"the patch of {path!r} has no hunk")
    return FileChange(path=path, old_path=old_path, status=status, hunks=hunks, unread=None)


def _refuse_unsupported(lines: list[str]) -> None:
    for line in lines:
        if line.startswith(("diff --cc ", "diff --combined ", "@@@ ")):
            raise UnsupportedDiff(
                "this is a combined diff of a merge (`@@@` hunks), whose lines have no single old side; "
                "diff against one parent instead, for example `git diff MERGE^1 MERGE`"
            )
        if line.startswith("\x1b["):
            raise UnsupportedDiff("the diff is coloured; make it with `git diff --no-color`")


def _git_sections(lines: list[str]) -> Iterator[list[str]]:
    """Each file's lines, from its `diff --git` line; a line of a hunk never starts that way."""
    starts = [index for index, line in enumerate(lines) if line.startswith("diff --git ")]
    for start, end in pairwise([*starts, len(lines)]):
        yield lines[start:end]


@dataclass(slots=True)
class _Header:
    """What git says above a file's hunks."""

    old: str | None = None
    new: str | None = None
    status: FileStatus = FileStatus.MODIFIED
    binary: bool = False
    blobs_differ: bool = False
    body: int = 0


_INDEX = re.compile(r"^index ([0-9a-f]+)\.\.([0-9a-f]+)")
_EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def _read_git_section(section: list[str]) -> FileChange:
    header = _read_header(section)
    old, new = header.old, header.new
    if old is None and new is None:
        old, new = _paths_of_git_line(section[0])
    path = new or old
    if path is None:
        raise BrokenDiff(f"the diff ends in the middle of a header: {section[0]!r}")
    hunks = () if header.binary else _read_hunks(section[header.body :], path)
    unread = None
    if header.binary:
        unread = Unread.BINARY
    elif not hunks:
        unread = Unread.NO_HUNK if header.blobs_differ else Unread.NO_TEXT_CHANGE
    return FileChange(
        path=path,
        old_path=old if old is not None and old != path else None,
        status=header.status,
        hunks=hunks,
        unread=unread,
    )


def _read_header(section: list[str]) -> _Header:
    header = _Header(body=len(section))
    for index, line in enumerate(section[1:], start=1):
        if line.startswith("@@ "):
            header.body = index
            break
        if line.startswith("--- "):
            header.old = _path_of_file_line(line, header.old)
        elif line.startswith("+++ "):
            header.new = _path_of_file_line(line, header.new)
        elif line.startswith(("Binary files ", "GIT binary patch")):
            header.binary = True
            break
        else:
            _read_extended_header_line(line, header)
    return header


def _read_extended_header_line(line: str, header: _Header) -> None:
    """One of git's own lines; https://git-scm.com/docs/diff-format#generate_patch_text_with_p."""
    if line.startswith("new file mode"):
        header.status = FileStatus.ADDED
    elif line.startswith("deleted file mode"):
        header.status = FileStatus.REMOVED
    elif line.startswith(("rename from ", "copy from ")):
        header.old = _unquoted(line.split(" from ", 1)[1])
        header.status = FileStatus.RENAMED if line.startswith("rename") else FileStatus.COPIED
    elif line.startswith(("rename to ", "copy to ")):
        header.new = _unquoted(line.split(" to ", 1)[1])
    elif match := _INDEX.match(line):
        old, new = match.groups()
        empty = _EMPTY_BLOB.startswith((old, new))
        no_file = set(old) == {"0"} or set(new) == {"0"}
        header.blobs_differ = old != new and not (empty and no_file)


def _path_of_file_line(line: str, known: str | None) -> str | None:
    """The path of a `---` or `+++` line; what `rename` and `copy` lines said stands."""
    path = _unquoted(line[4:].removesuffix("\r").removesuffix("\t"))
    if path == "/dev/null":
        return None
    return known if known is not None else _without_prefix(path)


# git's own prefixes, with diff.mnemonicPrefix too: https://git-scm.com/docs/diff-config
_PREFIXES = ("a/", "b/", "c/", "i/", "w/", "o/")


def _without_prefix(path: str) -> str:
    return path[2:] if path.startswith(_PREFIXES) else path


def _paths_of_git_line(line: str) -> tuple[str | None, str | None]:
    """Both paths of a `diff --git` line that no other line names: git then prints the same path twice."""
    rest = line.removeprefix("diff --git ").removesuffix("\r")
    if rest.startswith('"'):
        end = rest.find('" ', 1)
        name = _without_prefix(_unquoted(rest[: end + 1])) if end > 0 else None
        return name, name
    half = len(rest) // 2
    first, second = _without_prefix(rest[:half]), _without_prefix(rest[half + 1 :])
    if len(rest) % 2 and rest[half] == " " and first == second:
        return first, first
    return None, None


_ESCAPE = re.compile(r'\\([abfnrtv"\\]|[0-7]{3})')
_ESCAPED = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, '"': 34, "\\": 92}


def _unquoted(path: str) -> str:
    """Undo git's C-style quoting (core.quotePath), which works on bytes."""
    if len(path) < 2 or not (path.startswith('"') and path.endswith('"')):
        return path
    out = bytearray()
    position = 0
    inner = path[1:-1]
    for match in _ESCAPE.finditer(inner):
        out += inner[position : match.start()].encode("utf-8", "surrogateescape")
        code = match.group(1)
        out.append(_ESCAPED[code] if code in _ESCAPED else int(code, 8) & 0xFF)
        position = match.end()
    out += inner[position:].encode("utf-8", "surrogateescape")
    return out.decode("utf-8", "surrogateescape")


def _read_hunks(lines: list[str], path: str) -> tuple[Hunk, ...]:
    if not any(line.startswith("@@ ") for line in lines[:1]):
        return ()
    body = "\n".join(["--- a/x", "+++ b/x", *lines])
    try:
        patch = PatchSet(body)
    except UnidiffParseError as error:
        raise BrokenDiff(f"the diff of {path!r} can't be read: {_sentence(error)}") from error
    return tuple(_read_hunk(hunk) for file in patch for hunk in file)


def _read_plain(lines: list[str]) -> Iterator[FileChange]:
    """A diff without git's own header lines: `diff -u`, or a bare patch with its two file lines."""
    if not any(line.startswith("@@ ") for line in lines):
        raise NotADiff(
            "this is no unified diff: no `diff --git` line and no `@@` hunk in it; "
            "expected what `git diff` or `diff -u` prints"
        )
    starts = [
        index
        for index, line in enumerate(lines[:-1])
        if line.startswith("--- ")
        and lines[index + 1].startswith("+++ ")
        and index + 2 < len(lines)
        and lines[index + 2].startswith("@@ ")
    ]
    if not starts:
        raise NotADiff("the text has hunks (`@@`), but no `---` and `+++` lines say of which file")
    for start, end in pairwise([*starts, len(lines)]):
        old, new = (_path_of_file_line(lines[start + step].split("\t")[0], None) for step in (0, 1))
        path = new or old
        if path is None:
            raise BrokenDiff("a file whose old and new names are both /dev/null")
        status = FileStatus.MODIFIED
        if old is None or new is None:
            status = FileStatus.ADDED if old is None else FileStatus.REMOVED
        hunks = _read_hunks(lines[start + 2 : end], path)
        yield FileChange(path, old if old not in (None, path) else None, status, hunks, None)


def _read_hunk(hunk: ParsedHunk) -> Hunk:
    kinds = {" ": LineKind.CONTEXT, "+": LineKind.ADDED, "-": LineKind.REMOVED}
    lines = tuple(
        Line(kinds[line.line_type], line.value.removesuffix("\n"), line.source_line_no, line.target_line_no)
        for line in hunk
        if line.line_type in kinds
    )
    return Hunk(
        old_start=hunk.source_start,
        old_count=hunk.source_length,
        new_start=hunk.target_start,
        new_count=hunk.target_length,
        section=hunk.section_header,
        lines=lines,
    )


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".").splitlines()[0] if str(error) else type(error).__name__
