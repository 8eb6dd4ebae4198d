r"""A unified diff as files and hunks.

It is read in bytes and one file at a time, split on "\n" only: a lone carriage return, form feed or U+2028 is
part of a line, and bytes that are not UTF-8 survive a round trip as lone surrogates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from reviewer.core.headers import FileStatus, Header, bare_path, bare_paths, checked, read_header, unquoted
from reviewer.core.hunks import Hunk, Line, decode, read_hunks
from reviewer.errors import BrokenDiff, DiffTooLarge, NotADiff, UnsupportedDiff

MAX_DIFF_BYTES = 50_000_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some shells write one before what a program prints


class Unread(StrEnum):
    """Why a file of the diff shows no line; the text is for people."""

    BINARY = "binary"
    NO_TEXT_CHANGE = "no text changed"
    NO_HUNK = "changed, but the diff holds none of its lines"


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
        return sum(hunk.added for hunk in self.hunks)

    @property
    def removed(self) -> int:
        """Removed lines."""
        return sum(hunk.removed for hunk in self.hunks)

    @property
    def changed_lines(self) -> int:
        """Added and removed lines together."""
        return self.added + self.removed

    def lines(self) -> Iterator[Line]:
        """The lines of all hunks, in order."""
        for hunk in self.hunks:
            yield from hunk.lines()

    def agrees_with(self, text: str) -> bool:
        """Whether every new-side line of the hunks stands at its number in `text`, the new content."""
        content = text.split("\n")
        return all(
            line.new is None or (line.new <= len(content) and content[line.new - 1] == line.text)
            for line in self.lines()
        )


@dataclass(frozen=True, slots=True)
class Diff:
    """A whole diff. The same path stands twice only where the text itself says so, as in joined diffs."""

    files: tuple[FileChange, ...]

    @property
    def changed_lines(self) -> int:
        """Added and removed lines of all files."""
        return sum(file.changed_lines for file in self.files)


def readable(text: str) -> str:
    """Text that can be shown and stored anywhere: what is no Unicode, and NUL, become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")


def shown_path(path: str) -> str:
    """A path that can't leave the quotes or the line it is printed in."""
    if path.isascii() and path.isprintable() and _UNPRINTED.isdisjoint(path):
        return path
    return "".join(c if c.isprintable() and c not in _UNPRINTED else "\ufffd" for c in readable(path))


_UNPRINTED = frozenset('"<>')


def parse(raw: bytes | str, *, max_bytes: int = MAX_DIFF_BYTES) -> Diff:
    """Read a unified diff; an empty one gives no files. Takes about a second for 50 MB: use a thread.

    Raises:
        DiffTooLarge: over `max_bytes`.
        UnsupportedDiff: combined (`@@@`), coloured, or with submodules as a log.
        NotADiff: text that is no diff.
        BrokenDiff: cut off, a hunk header that lies about its counts, or a path that leaves the repository.
    """
    if isinstance(raw, str):
        raw = raw.encode("utf-8", "surrogateescape")
    if len(raw) > max_bytes:
        raise too_large(len(raw), max_bytes)
    if not raw or raw.isspace():
        return Diff(())
    raw = raw.removeprefix(_BYTE_ORDER_MARK)
    _refuse_unsupported(raw)
    starts = _line_starts(raw, b"diff --git ")
    if not starts:
        return Diff(tuple(_read_plain(raw)))
    if raw[starts[0] : raw.find(b"\n", starts[0])].endswith(b"\r"):
        # A mailer or a checkout made every line end in "\r\n"; git quotes a path that ends in "\r"
        raw = raw.replace(b"\r\n", b"\n")
        starts = _line_starts(raw, b"diff --git ")
    if not raw.startswith(b"From ") and _next_file_lines(raw[: starts[0]], 0) is not None:
        raise BrokenDiff(
            "a diff without `diff --git` lines stands before one with them; give one kind at a time"
        )
    files = (_read_section(raw, start, end) for start, end in pairwise([*starts, len(raw)]))
    return Diff(tuple(_type_changes_joined(files)))


def parse_patch(
    patch: str, *, path: str, old_path: str | None = None, status: FileStatus = FileStatus.MODIFIED
) -> FileChange:
    """One file from hunks without any header, such as `patch` in GitHub's list of files.

    Raises:
        BrokenDiff: it can't be read.
    """
    raw = patch.encode("utf-8", "surrogateescape")
    hunks, end = read_hunks(raw, 0, len(raw), path=path, plain=False)
    if not hunks or raw[end:].strip():
        raise BrokenDiff(f"the patch of {path!r} does not consist of hunks")
    return FileChange(path, old_path if old_path != path else None, status, hunks, None)


def too_large(size: int, limit: int) -> DiffTooLarge:
    """The refusal of a diff of `size` bytes."""
    return DiffTooLarge(
        f"the diff is {size:,} bytes, over the limit of {limit:,}; review a smaller range, or raise "
        "SLUICE_MAX_DIFF_BYTES"
    )


_COMBINED = (
    "this is a combined diff of a merge (`@@@` hunks), whose lines have no single old side; "
    "diff against one parent instead, for example `git diff MERGE^1 MERGE`"
)
_UNSUPPORTED = (
    (b"diff --c", re.compile(rb"diff --(?:cc|combined) "), _COMBINED),
    (b"@@@", re.compile(rb"@@@+ -"), _COMBINED),
    (b"\x1b[", re.compile(rb"\x1b\["), "the diff is coloured; make it with `git diff --no-color`"),
    (
        b"Submodule ",
        re.compile(
            rb"Submodule .+ (?:[0-9a-f]{7,}\.{2,3}[0-9a-f]{7,}|\((?:new submodule|submodule deleted)\))"
        ),
        "the diff shows submodules as a log; make it with `git diff --submodule=short`",
    ),
)


def _refuse_unsupported(raw: bytes) -> None:
    """Refuse kinds of diff by a line that stands outside every hunk."""
    for start, pattern, said in _UNSUPPORTED:
        if any(pattern.match(raw, position) for position in _line_starts(raw, start)):
            raise UnsupportedDiff(said)


def _line_starts(raw: bytes, start: bytes) -> list[int]:
    """Where lines begin with `start`. Lines of hunks begin with their mark, so only others are found."""
    found = [0] if raw.startswith(start) else []
    position = raw.find(b"\n" + start)
    while position >= 0:
        found.append(position + 1)
        position = raw.find(b"\n" + start, position + 1)
    return found


def _read_section(raw: bytes, start: int, end: int) -> FileChange:
    """One file, from its `diff --git` line to the next."""
    header = read_header(raw, start, end)
    hunks, rest = read_hunks(raw, header.body, end, path=header.new, plain=False)
    # Behind the signature of a mail comes the next mail, which may say anything
    if not raw.startswith(b"-- \n", rest) and raw.find(b"\n@@ -", max(rest - 1, start), end) >= 0:
        raise BrokenDiff(f"the diff of {header.new!r} holds hunks behind something that is none of it")
    if header.incomplete is not None and end == len(raw):
        raise BrokenDiff(f"the diff ends in the middle of the header of {header.new!r}: {header.incomplete}")
    return FileChange(
        path=header.new,
        old_path=header.old if header.old != header.new else None,
        status=header.status,
        hunks=hunks,
        unread=None if hunks else _unread(header),
    )


def _unread(header: Header) -> Unread:
    if header.binary:
        return Unread.BINARY
    unsure = header.blobs_differ or header.incomplete is not None
    return Unread.NO_HUNK if unsure else Unread.NO_TEXT_CHANGE


def _type_changes_joined(files: Iterable[FileChange]) -> Iterator[FileChange]:
    """Git prints a change of type, as from link to file, as a removal and an addition of the same path."""
    last: FileChange | None = None
    for file in files:
        if last is None:
            last = file
        elif last.path == file.path and (last.status, file.status) == (FileStatus.REMOVED, FileStatus.ADDED):
            last = _type_change(last, file)
        else:
            yield last
            last = file
    if last is not None:
        yield last


def _type_change(before: FileChange, after: FileChange) -> FileChange:
    """Where one of the two shows no lines, git counts none for the whole."""
    hunks = before.hunks + after.hunks
    for unread in (Unread.BINARY, Unread.NO_HUNK):
        if unread in {before.unread, after.unread}:
            return replace(after, status=FileStatus.CHANGED, hunks=(), unread=unread)
    unread = None if hunks else Unread.NO_TEXT_CHANGE
    return replace(after, status=FileStatus.CHANGED, hunks=hunks, unread=unread)


def _read_plain(raw: bytes) -> Iterator[FileChange]:
    """A diff without git's own header lines: `diff -u`, or a bare patch with its two file lines."""
    if not _line_starts(raw, b"@@ "):
        raise NotADiff(
            "this is no unified diff: no `diff --git` line and no `@@` hunk in it; "
            "expected what `git diff` or `diff -u` prints"
        )
    found = _next_file_lines(raw, 0)
    if found is None:
        raise NotADiff("the text has hunks (`@@`), but no `---` and `+++` lines say of which file")
    while found is not None:
        old, new, start = found
        hunks, end = read_hunks(raw, start, len(raw), path=new or old or "", plain=True)
        yield _plain_file(old, new, hunks)
        found = _next_file_lines(raw, end)


def _next_file_lines(raw: bytes, position: int) -> tuple[str | None, str | None, int] | None:
    """The names on the next `---` and `+++` lines with a hunk behind them, and where that begins.

    Args:
        raw: the whole diff.
        position: the beginning of a line.
    """
    while True:
        if not raw.startswith(b"--- ", position):
            position = raw.find(b"\n--- ", position) + 1
            if position == 0:
                return None
        middle = raw.find(b"\n", position) + 1
        stop = raw.find(b"\n", middle) + 1
        if middle and stop and raw.startswith(b"+++ ", middle) and raw.startswith(b"@@ ", stop):
            return _plain_name(raw, position, middle), _plain_name(raw, middle, stop), stop
        position += 1


def _plain_name(raw: bytes, start: int, end: int) -> str | None:
    name = unquoted(decode(raw, start + len("--- "), end).rstrip("\r\n").split("\t")[0])
    return None if name == "/dev/null" else name


def _plain_file(old: str | None, new: str | None, hunks: tuple[Hunk, ...]) -> FileChange:
    if old is not None and new is not None:
        before, path = bare_paths(old, new)
        status = FileStatus.MODIFIED
    elif old is None and new is None:
        raise BrokenDiff("a file whose old and new names are both /dev/null")
    else:
        before = path = bare_path(new or old or "")
        status = FileStatus.ADDED if old is None else FileStatus.REMOVED
    return FileChange(checked(path), checked(before) if before != path else None, status, hunks, None)
