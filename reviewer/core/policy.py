"""What a repository wants reviewed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from reviewer.core.diff import FileChange, LineKind
from reviewer.core.findings import Severity

LOCK_FILES = (
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb",
    "poetry.lock", "uv.lock", "Pipfile.lock", "pdm.lock", "Cargo.lock", "Gemfile.lock", "composer.lock",
    "go.sum", "flake.lock", "mix.lock", "packages.lock.json", "gradle.lockfile", "pubspec.lock",
    "Podfile.lock",
)  # fmt: skip

GENERATED_FILES = (
    "*.min.js", "*.min.css", "*.map", "*.pb.go", "*_pb2.py", "*_pb2_grpc.py", "*_pb2.pyi", "*.g.dart",
    "*.designer.cs", "*.snap", "node_modules/", "vendor/", "third_party/", "dist/",
)  # fmt: skip

_GENERATED_MARK = re.compile(r"@generated\b|\bCode generated .* DO NOT EDIT\b", re.IGNORECASE)
_MARK_LINES = 10


@dataclass(frozen=True, slots=True)
class Policy:
    """A repository's own settings, with the defaults for one that has none.

    Attributes:
        ignore: gitignore patterns of files not to review.
        least_severity: findings below it are not kept.
        max_comments: comments that may stand on lines in one review; the rest go into its summary.
    """

    ignore: tuple[str, ...] = ()
    least_severity: Severity = Severity.LOW
    max_comments: int = 25

    @property
    def digest(self) -> str:
        """Changes when the policy does: part of every ledger key."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def reason_to_skip(self, file: FileChange) -> str | None:
        """Why no engine looks at `file`, in words for people, or None."""
        if file.unread is not None:
            return str(file.unread)
        if _matches(LOCK_FILES, file.path):
            return "lock file"
        if _matches(GENERATED_FILES, file.path) or _is_marked_generated(file):
            return "generated"
        if _matches(self.ignore, file.path):
            return "ignored by policy"
        return None


def _matches(patterns: tuple[str, ...], path: str) -> bool:
    return bool(patterns) and GitIgnoreSpec.from_lines(patterns).match_file(path)


def _is_marked_generated(file: FileChange) -> bool:
    """Whether the file's own first lines say so, as far as the diff shows them."""
    return any(
        line.new is not None
        and line.new <= _MARK_LINES
        and line.kind is not LineKind.REMOVED
        and _GENERATED_MARK.search(line.text)
        for hunk in file.hunks[:1]
        for line in hunk.lines[:_MARK_LINES]
    )
