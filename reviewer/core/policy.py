"""What a repository wants reviewed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from itertools import islice

from pathspec import GitIgnoreSpec

from reviewer.core.coverage import Reason
from reviewer.core.diff import FileChange, Unread
from reviewer.core.findings import Severity

LOCK_FILES = frozenset((
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb",
    "poetry.lock", "uv.lock", "Pipfile.lock", "pdm.lock", "Cargo.lock", "Gemfile.lock", "composer.lock",
    "go.sum", "flake.lock", "mix.lock", "packages.lock.json", "gradle.lockfile", "pubspec.lock",
    "Podfile.lock",
))  # fmt: skip

GENERATED_FILES = (
    "*.min.js", "*.min.css", "*.map", "*.pb.go", "*_pb2.py", "*_pb2_grpc.py", "*_pb2.pyi", "*.g.dart",
    "*.designer.cs", "*.snap", "node_modules/", "vendor/", "third_party/", "dist/",
)  # fmt: skip

_GENERATED_MARK = re.compile(r"@generated\b|\bCode generated .* DO NOT EDIT\b", re.IGNORECASE)
_MARK_LINES = 10
_MARK_REACH = 4_000  # characters in which those lines are looked for first


@dataclass(frozen=True, slots=True)
class Policy:
    """A repository's own settings, with the defaults for one that has none.

    Attributes:
        ignore: gitignore patterns of files not to review.
        least_severity: findings below it are not kept.
    """

    ignore: tuple[str, ...] = ()
    least_severity: Severity = Severity.LOW

    @property
    def digest(self) -> str:
        """Changes when the policy does: part of every ledger key."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def reason_to_skip(self, file: FileChange) -> Reason | None:
        """Why no engine looks at `file`, or None."""
        if file.unread is Unread.BINARY or _is_large_file_pointer(file):
            return Reason.BINARY
        if file.unread is Unread.NO_HUNK:
            return Reason.UNREADABLE
        if file.path.rpartition("/")[2] in LOCK_FILES or _matches(GENERATED_FILES, file.path):
            return Reason.GENERATED
        if _is_marked_generated(file):
            return Reason.GENERATED
        return Reason.IGNORED if _matches(self.ignore, file.path) else None


@cache
def _spec(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(patterns)


def _matches(patterns: tuple[str, ...], path: str) -> bool:
    return bool(patterns) and _spec(patterns).match_file(path)


def _is_marked_generated(file: FileChange) -> bool:
    """Whether the file's own first lines say so, as far as the diff shows them."""
    first = file.hunks[0] if file.hunks else None
    if (
        first is None
        or first.new_start > _MARK_LINES
        or not _GENERATED_MARK.search(first.blocks[0], 0, _MARK_REACH)
    ):
        return False
    return any(
        line.new is not None and line.new <= _MARK_LINES and _GENERATED_MARK.search(line.text, 0, _MARK_REACH)
        for line in islice(first.lines(), _MARK_LINES)
    )


# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: the content itself lies elsewhere
_LARGE_FILE_POINTER = re.compile(r"^[ +-]version https://git-lfs\.github\.com/spec/", re.MULTILINE)
_LARGEST_POINTER = 1_024


def _is_large_file_pointer(file: FileChange) -> bool:
    """Whether the diff shows what Git LFS keeps in place of a big file."""
    if len(file.hunks) != 1 or len(file.hunks[0].blocks[0]) > _LARGEST_POINTER:
        return False
    return file.hunks[0].new_start <= 1 and _LARGE_FILE_POINTER.match(file.hunks[0].blocks[0]) is not None
