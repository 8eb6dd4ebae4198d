"""Real git repositories for tests: two versions of a tree, committed, and what git prints between them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
    "LC_ALL": "C",
    "PATH": os.defpath,
}


@dataclass(frozen=True)
class Entry:
    """What stands at a path: a file's content, a link's target, or the commit of a submodule."""

    content: bytes
    mode: str = "100644"


_OPTIONS_THAT_COUNT = {"-C", "--find-copies-harder", "-R"}
"""Of the options of a diff, those that change its counts; some others make git print the patch as well."""

Tree = Mapping[bytes, Entry | bytes]


@dataclass(frozen=True)
class Numstat:
    """One row of git's own count; None for binary."""

    added: int | None
    removed: int | None
    old: bytes
    new: bytes


class Repository:
    """A bare repository with one commit a tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._commits = 0
        subprocess.run(["git", "init", "-q", "--bare", folder], check=True, env=_ENVIRONMENT)

    def git(self, *arguments: str, text: bytes = b"") -> bytes:
        """What git prints."""
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, input=text, check=True, capture_output=True, env=_ENVIRONMENT).stdout

    def commit(self, tree: Tree) -> str:
        """Commit a tree as it is, on the one before; gives its branch."""
        last, self._commits = self._commits, self._commits + 1
        head = "commit refs/heads/c{}\ncommitter T <t@example.com> 0 +0000\ndata 0\n"
        rows = [head.format(self._commits).encode()]
        rows.append(b"from refs/heads/c%d^0\n" % last if last else b"")
        rows.append(b"deleteall\n")
        for path, each in tree.items():
            entry = each if isinstance(each, Entry) else Entry(each)
            name = _quoted(path)
            if entry.mode == "160000":
                rows.append(b"M 160000 %s %s\n" % (entry.content, name))
            else:
                rows.append(b"M %s inline %s\n" % (entry.mode.encode(), name))
                rows.append(b"data %d\n%s\n" % (len(entry.content), entry.content))
        self.git("fast-import", "--quiet", "--force", text=b"".join(rows))
        return f"c{self._commits}"

    def diff(self, old: str, new: str, *options: str) -> bytes:
        """`git diff` between two commits."""
        return self.git("diff", "-M", *options, old, new)

    def numstat(self, old: str, new: str, *options: str) -> list[Numstat]:
        """git's own count between two commits."""
        counted = [option for option in options if option in _OPTIONS_THAT_COUNT]
        fields = iter(self.git("diff", "-M", *counted, "--numstat", "-z", old, new).split(b"\0")[:-1])
        rows: list[Numstat] = []
        for field in fields:
            added, removed, path = field.split(b"\t", 2)
            before, after = (path, path) if path else (next(fields), next(fields))
            counts = [None if count == b"-" else int(count) for count in (added, removed)]
            rows.append(Numstat(counts[0], counts[1], before, after))
        return rows


def _quoted(path: bytes) -> bytes:
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'
