"""Diffs and files from a git repository on disk."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from reviewer.errors import BadRange

_TIMEOUT = 120.0  # seconds: git on a huge repository, not a hung one
# A user's own configuration must not change what a diff looks like: https://git-scm.com/docs/git-config
_PLAIN = (
    "-c", "core.quotePath=true", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false",
    "-c", "color.ui=false", "-c", "diff.external=",
)  # fmt: skip
MAX_FILE_BYTES = 2_000_000


async def run(folder: Path, *arguments: str) -> bytes:
    """What `git ARGUMENTS` prints.

    Raises:
        BadRange: git fails, with its own last line.
    """
    process = await asyncio.create_subprocess_exec(
        "git", *_PLAIN, *arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(_TIMEOUT):
        out, error = await process.communicate()
    if process.returncode:
        lines = error.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise BadRange(lines[0].removeprefix("fatal: "))
    return out


async def root(folder: Path) -> Path:
    """The top folder of the work tree that holds `folder`."""
    return Path((await run(folder, "rev-parse", "--show-toplevel")).decode().rstrip("\n"))


async def diff(folder: Path, range_: str | None) -> tuple[bytes, str | None]:
    """The diff of a range, and the commit on its new side; None stands for the working tree.

    Args:
        folder: anywhere in the repository.
        range_: `A...B` (since the merge base), `A..B`, `A` (to the working tree), or None for what is
            not committed yet.
    """
    parts = range_.split("..") if range_ else ["HEAD"]
    if any(part.startswith("-") for part in parts):
        raise BadRange(f"{range_!r} is no range of commits")
    head = None
    if range_ and ".." in range_:
        tip = range_.rsplit("..", 1)[1].lstrip(".") or "HEAD"
        head = (await run(folder, "rev-parse", "--verify", f"{tip}^{{commit}}")).decode().strip()
    top = await root(folder)
    text = await run(top, "diff", "--no-ext-diff", "--no-textconv", "-M", range_ or "HEAD", "--")
    return text, head


class CommitFiles:
    """Files of one commit."""

    def __init__(self, folder: Path, commit: str) -> None:
        self._folder = folder
        self._commit = commit

    async def read(self, path: str) -> bytes | None:
        """The file at the commit, or None when there is none."""
        try:
            return await run(self._folder, "cat-file", "blob", f"{self._commit}:{path}")
        except BadRange:
            return None


class WorkingTree:
    """Files of a folder as they stand; nothing outside it is read, through a link neither."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    async def read(self, path: str) -> bytes | None:
        """The file's content, or None when it can't be had."""
        return await asyncio.to_thread(self._read, path)

    def _read(self, path: str) -> bytes | None:
        try:
            target = (self._folder / path).resolve()
            if not target.is_relative_to(self._folder) or target.stat().st_size > MAX_FILE_BYTES:
                return None
            return target.read_bytes()
        except (OSError, ValueError):
            return None
