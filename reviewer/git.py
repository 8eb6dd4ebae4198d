"""Diffs and files through git: from a repository on disk, from a server, from two versions of one file."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from reviewer.core.diff import MAX_DIFF_BYTES, too_large
from reviewer.errors import BadRange, GitFailed

_TIMEOUT = 120.0  # seconds: git on a huge repository, not a hung one
# A user's own configuration must not change what a diff looks like: https://git-scm.com/docs/git-config
_PINNED = (
    "core.quotePath=true", "color.ui=false", "diff.noprefix=false", "diff.mnemonicPrefix=false",
    "diff.external=", "diff.submodule=short", "diff.context=3", "diff.interHunkContext=0",
    "diff.relative=false", "diff.ignoreSubmodules=none", "diff.suppressBlankEmpty=false",
    "diff.orderFile=/dev/null",
)  # fmt: skip
_PLAIN = tuple(part for setting in _PINNED for part in ("-c", setting))
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "-M")
_FETCH = ("fetch", "--quiet", "--depth=1", "--filter=blob:none", "--no-tags", "--no-recurse-submodules")
MAX_FILE_BYTES = 2_000_000
FETCH_SECONDS = 300.0
"""A shallow fetch of a huge repository takes a minute or two; a server that hangs must end all the same."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PIECE_BYTES = 1 << 16


async def run(folder: Path, *arguments: str, max_bytes: int | None = None) -> bytes:
    """What `git ARGUMENTS` prints, with the configuration of whoever calls, but for what shapes a diff.

    Raises:
        BadRange: git can't be started, fails, with its own words, or takes too long.
        DiffTooLarge: it prints more than `max_bytes`.
    """
    try:
        return await _capture((*_PLAIN, *arguments), folder, limit=_TIMEOUT, max_bytes=max_bytes)
    except GitFailed as error:
        raise BadRange(str(error)) from error


async def root(folder: Path) -> Path:
    """The top folder of the work tree that holds `folder`."""
    return Path((await run(folder, "rev-parse", "--show-toplevel")).decode().rstrip("\n"))


async def diff(
    folder: Path, range_: str | None, *, max_bytes: int = MAX_DIFF_BYTES
) -> tuple[bytes, str | None]:
    """The diff of a range, and the commit on its new side; None stands for the working tree.

    Args:
        folder: anywhere in the repository.
        range_: `A...B` (since the merge base), `A..B`, `A` (to the working tree), or None for what is
            not committed yet.
        max_bytes: a larger diff is refused.
    """
    parts = range_.split("..") if range_ else ["HEAD"]
    if any(part.startswith("-") for part in parts):
        raise BadRange(f"{range_!r} is no range of commits")
    head = None
    if range_ and ".." in range_:
        tip = range_.rsplit("..", 1)[1].lstrip(".") or "HEAD"
        head = (await run(folder, "rev-parse", "--verify", f"{tip}^{{commit}}")).decode().strip()
    top = await root(folder)
    text = await run(top, *_DIFF, range_ or "HEAD", "--", max_bytes=max_bytes)
    return text, head


async def diff_blobs(old: bytes | None, new: bytes | None) -> bytes:
    """The diff of two versions of one file, which it calls `content`; nothing when they are the same.

    Args:
        old: the content before, or None when the file is new.
        new: the content after, or None when the file is gone.

    Raises:
        GitFailed: git can't be started, fails or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="sluice-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        await asyncio.to_thread(_lay_out, folder, {"a": old, "b": new})
        # The folders' names stand in for git's prefixes, which git itself puts before a file beside /dev/null
        sides = ("--no-prefix", "--", "a", "b")
        if old is None or new is None:
            folder = folder / ("b" if old is None else "a")
            sides = ("--", "/dev/null", "content") if old is None else ("--", "content", "/dev/null")
        arguments = (*_PLAIN, *_DIFF, "--no-index", "-U3", *sides)
        clean = _environment(folder, {})
        # Status 1: they differ
        return await _capture(arguments, folder, limit=_TIMEOUT, environment=clean, good=(0, 1))


async def fetch_diff(
    url: str, base: str, head: str, *, authorization: str | None, folder: Path, max_bytes: int
) -> bytes:
    """The diff of two commits of a repository on a server, of which no more is fetched than that needs.

    Args:
        url: where git clones from, over HTTP.
        base: hash of the commit on the old side.
        head: hash of the commit on the new side.
        authorization: the `Authorization` header for that server; it is on no command line and no disk.
        folder: where a temporary repository is made, and removed again.
        max_bytes: size of the diff at most.

    Raises:
        BadRange: base or head is no full hash.
        DiffTooLarge: over `max_bytes`.
        GitFailed: git can't be started, the server refuses or is out of reach, or it takes too long.
    """
    if not (_COMMIT.fullmatch(base) and _COMMIT.fullmatch(head)):
        raise BadRange(f"{base!r} and {head!r} are not both the hash of a commit")
    settings = _fetch_settings(url, authorization)
    with tempfile.TemporaryDirectory(prefix="sluice-", dir=folder, ignore_cleanup_errors=True) as temporary:
        work = Path(temporary)
        clean = _environment(work, settings)
        init = ("init", "--quiet", "--bare", "--template=", ".")
        await _capture(init, work, limit=_TIMEOUT, environment=clean)
        await _capture((*_FETCH, "origin", base, head), work, limit=FETCH_SECONDS, environment=clean)
        # Blobs that differ come now, in one go; from a server that knows no filter they are here already.
        diff = (*_PLAIN, *_DIFF, base, head, "--")
        return await _capture(diff, work, limit=FETCH_SECONDS, environment=clean, max_bytes=max_bytes)


def _fetch_settings(url: str, authorization: str | None) -> dict[str, str]:
    """What git is told about the server. The header goes to no other host, whoever redirects to it."""
    settings = {"remote.origin.url": url, "gc.auto": "0", "maintenance.auto": "false"}
    if authorization is not None:
        parts = urlsplit(url)
        settings[f"http.{parts.scheme}://{parts.netloc}/.extraHeader"] = f"Authorization: {authorization}"
    return settings


def _lay_out(folder: Path, versions: Mapping[str, bytes | None]) -> None:
    """Write each version there is into a folder of its own."""
    for name, content in versions.items():
        (folder / name).mkdir()
        if content is not None:
            (folder / name / "content").write_bytes(content)


def _environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """For a git that knows no configuration but `settings`, and asks nobody anything.

    Settings in the environment, unlike arguments, are shown to no other user of the machine.
    """
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:http",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


async def _capture(
    arguments: Sequence[str],
    folder: Path,
    *,
    limit: float,
    environment: Mapping[str, str] | None = None,
    max_bytes: int | None = None,
    good: Sequence[int] = (0,),
) -> bytes:
    """What `git ARGUMENTS` prints, if it ends with a good status within `limit` seconds.

    Args:
        arguments: of git.
        folder: where it runs.
        limit: seconds.
        environment: all that it knows of; None for that of this process.
        max_bytes: of what it prints; more is counted, but not held in memory.
        good: the statuses that are no failure.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            shutil.which("git") or "git",
            *arguments,
            cwd=folder,
            env=environment,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
    except OSError as error:
        if str(error.filename) == str(folder):  # git is there, where it is to run is not
            raise GitFailed(f"{folder} is no folder") from error
        raise GitFailed(f"git can't be started: {error.strerror}") from error
    complaint = asyncio.create_task(_read(process.stderr, None))
    try:
        async with asyncio.timeout(limit):
            out, size = await _read(process.stdout, max_bytes)
            status = await process.wait()
    except TimeoutError:
        raise GitFailed(f"git did not finish within {limit:g} s") from None
    finally:
        await _end(process)
        said, _ = await complaint
    if status not in good:
        raise GitFailed(_first_words(said))
    if max_bytes is not None and size > max_bytes:
        raise too_large(size, max_bytes)
    return out


async def _end(process: Process) -> None:
    """Kill git and what it started, if it still runs."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _read(stream: asyncio.StreamReader | None, most: int | None) -> tuple[bytes, int]:
    """The beginning of a stream, up to about `most` bytes, and the size of all of it."""
    kept: list[bytes] = []
    size = 0
    while stream is not None and (piece := await stream.read(_PIECE_BYTES)):
        if most is None or size <= most:
            kept.append(piece)
        size += len(piece)
    return b"".join(kept), size


def _first_words(complaint: bytes) -> str:
    """Why git gave up, in its own words; what follows the first complaint only follows from it."""
    lines = complaint.decode(errors="replace").strip().splitlines() or ["git failed and gave no reason"]
    fatal = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    return (fatal or lines)[0].removeprefix("fatal: ").removeprefix("error: ")


class CommitFiles:
    """Files of one commit."""

    cheap_reads = 500  # each starts a process

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

    cheap_reads = 10_000

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
