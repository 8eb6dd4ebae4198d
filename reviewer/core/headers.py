"""What git says above a file's hunks: https://git-scm.com/docs/diff-format#generate_patch_text_with_p.

git's own lines say what happened to a file more truly than the `---` and `+++` lines, which it leaves out for
renames, mode changes and binary files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from reviewer.core.hunks import decode
from reviewer.errors import BrokenDiff


class FileStatus(StrEnum):
    """What happened to a file, in GitHub's words; `changed` is a change of type, as from link to file."""

    ADDED = "added"
    REMOVED = "removed"
    MODIFIED = "modified"
    RENAMED = "renamed"
    COPIED = "copied"
    CHANGED = "changed"


@dataclass(slots=True)
class Header:
    """One file's header.

    Attributes:
        old: path before; `new` after. Equal, unless the file was renamed or copied.
        blobs_differ: its content changed, whether or not lines show it.
        body: where in the diff the first hunk begins, or what else follows.
        incomplete: what is missing from it, for people; a diff cut off in its middle leaves such a header.
    """

    old: str
    new: str
    status: FileStatus
    binary: bool
    blobs_differ: bool
    body: int
    incomplete: str | None


@dataclass(slots=True)
class _Lines:
    """The lines of a header.

    Attributes:
        git: the first one, `diff --git`.
        said: the rest of each other line by what it begins with.
        body: where they end.
        cut_line: the section's last line, if no newline ends it; git's own always does.
    """

    git: str
    said: dict[str, str]
    body: int
    cut_line: str | None


_KNOWN = (
    "old mode ", "new mode ", "deleted file mode ", "new file mode ", "copy from ", "copy to ",
    "rename from ", "rename to ", "similarity index ", "dissimilarity index ", "index ", "--- ", "+++ ",
    "Binary files ", "GIT binary patch",
)  # fmt: skip
_BINARY = ("Binary files ", "GIT binary patch")


def read_header(raw: bytes, start: int, end: int) -> Header:
    """The header of the section `raw[start:end]`, which begins with `diff --git`.

    Raises:
        BrokenDiff: it names no path.
    """
    lines = _gather(raw, start, end)
    said = lines.said
    old, new = _paths(lines, at_end=end == len(raw))
    binary = any(mark in said for mark in _BINARY)
    return Header(
        old=old,
        new=new,
        status=_status(said),
        binary=binary,
        blobs_differ=_blobs_differ(said.get("index ")),
        body=lines.body,
        incomplete=_incomplete(lines) if lines.body == end and not binary else None,
    )


def _gather(raw: bytes, start: int, end: int) -> _Lines:
    position = _line_end(raw, start, end)
    lines = _Lines(_text(raw, start, position), {}, end, cut_line=None)
    if not raw.endswith(b"\n", start, end):
        last = raw.rfind(b"\n", start, end) + 1
        lines.cut_line = _text(raw, max(last, start), end)
    while position < end:
        stop = _line_end(raw, position, end)
        text = _text(raw, position, stop)
        word = next((word for word in _KNOWN if text.startswith(word)), None)
        if word is None:
            # Hunks, or something else; a line that ends without a newline may have become a known one
            cut = stop == end and lines.cut_line is not None and not text.startswith("@@")
            lines.body = end if cut else position
            return lines
        lines.said[word] = text[len(word) :]
        if word in _BINARY:
            lines.body = position
            return lines
        position = stop
    return lines


def _line_end(raw: bytes, start: int, end: int) -> int:
    found = raw.find(b"\n", start, end)
    return end if found < 0 else found + 1


def _text(raw: bytes, start: int, end: int) -> str:
    return decode(raw, start, end).removesuffix("\n")


def _status(said: dict[str, str]) -> FileStatus:
    table = {
        "new file mode ": FileStatus.ADDED,
        "deleted file mode ": FileStatus.REMOVED,
        "rename from ": FileStatus.RENAMED,
        "copy from ": FileStatus.COPIED,
    }
    return next((status for word, status in table.items() if word in said), FileStatus.MODIFIED)


_INDEX = re.compile(r"([0-9a-f]+)\.\.([0-9a-f]+)")
# Of SHA-1 and SHA-256: https://git-scm.com/docs/hash-function-transition
_EMPTY_BLOBS = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)


def _blobs_differ(index: str | None) -> bool:
    match = _INDEX.match(index) if index else None
    if match is None:
        return False
    old, new = match.groups()
    empty = any(blob.startswith((old, new)) for blob in _EMPTY_BLOBS)
    no_file = set(old) == {"0"} or set(new) == {"0"}
    return old != new and not (empty and no_file)


_PAIRS = (
    ("old mode ", "new mode "),
    ("rename from ", "rename to "),
    ("copy from ", "copy to "),
    ("similarity index ", "rename to |copy to "),
    ("new file mode ", "index "),
    ("deleted file mode ", "index "),
    ("--- ", "+++ "),
)


def _incomplete(lines: _Lines) -> str | None:
    """What is missing from a header behind which nothing stands."""
    if lines.cut_line is not None:
        return f"it ends with {lines.cut_line!r} and no newline"
    if not lines.said:
        return "nothing follows its first line"
    for first, second in _PAIRS:
        if first in lines.said and not any(word in lines.said for word in second.split("|")):
            return f"`{first.strip()}` without `{second.split('|')[0].strip()}`"
    if lines.said.get("similarity index ", "100%") != "100%" and "index " not in lines.said:
        return "a rename or copy with changes, but none of them"
    return "no hunk follows `+++`" if "+++ " in lines.said else None


def _paths(lines: _Lines, *, at_end: bool) -> tuple[str, str]:
    """Old and new path; git leaves them out where they are the same as in the first line, or `/dev/null`."""
    said = lines.said
    for word in ("rename", "copy"):
        if f"{word} from " in said and f"{word} to " in said:
            return checked(unquoted(said[f"{word} from "])), checked(unquoted(said[f"{word} to "]))
    first, second = (_file_line(said.get(word)) for word in ("--- ", "+++ "))
    if first is not None and second is not None:
        old, new = bare_paths(first, second)
        return checked(old), checked(new)
    pair = _pair_of_git_line(lines.git)
    if pair is None and (first or second) is not None:
        bare = bare_path(first or second or "")
        return checked(bare), checked(bare)
    if pair is None:
        if at_end and not said:
            raise BrokenDiff(f"the diff ends in the middle of a header: {lines.git!r}")
        raise BrokenDiff(f"the header {lines.git!r} does not tell which file it is of")
    return checked(pair[0]), checked(pair[1])


def _file_line(rest: str | None) -> str | None:
    """The name in a `---` or `+++` line; None for `/dev/null`."""
    if rest is None:
        return None
    name = unquoted(rest.removesuffix("\t"))
    return None if name == "/dev/null" else name


# git's prefixes, with diff.mnemonicPrefix too, and those of `git diff --no-index` under it. Without prefixes
# both sides are the same: https://git-scm.com/docs/git-config#Documentation/git-config.txt-diffmnemonicPrefix
_PREFIXES = {"a/", "b/", "c/", "i/", "o/", "w/", "1/", "2/"}


def bare_paths(old: str, new: str) -> tuple[str, str]:
    """Two names without git's prefixes, which differ; where they don't, there are none."""
    if old[:2] != new[:2] and old[:2] in _PREFIXES and new[:2] in _PREFIXES:
        return old[2:], new[2:]
    return old, new


def bare_path(name: str) -> str:
    """A single name without the prefix it is taken to have."""
    return name[2:] if name[:2] in _PREFIXES else name


def _pair_of_git_line(line: str) -> tuple[str, str] | None:
    """Both names of a `diff --git` line that no other line tells: but for the prefixes they are the same."""
    rest = line.removeprefix("diff --git ")
    if rest.startswith('"'):
        end = _closing_quote(rest)
        if end is None:
            return None
        old, new = unquoted(rest[: end + 1]), unquoted(rest[end + 2 :])
        return bare_paths(old, new)
    half = len(rest) // 2
    if len(rest) % 2 == 0 or rest[half : half + 1] != " ":
        return None
    old, new = bare_paths(rest[:half], rest[half + 1 :])
    return (old, new) if old == new else None


def _closing_quote(text: str) -> int | None:
    match = re.match(r'"(?:[^"\\]|\\.)*"', text)
    return match.end() - 1 if match else None


_ESCAPE = re.compile(r'\\([abfnrtv"\\]|[0-7]{3})')
_ESCAPED = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, '"': 34, "\\": 92}


def unquoted(path: str) -> str:
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


def checked(path: str) -> str:
    """The path, if it is one that git can hold.

    Raises:
        BrokenDiff: it is absolute, leaves the repository or holds NUL.
    """
    if not path or path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise BrokenDiff(
            f"the diff names {path!r}, which is no path inside a repository; make it with `git diff`"
        )
    return path
