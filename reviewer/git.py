"""Diffs and files through git: from a repository on disk, from a server, from two versions of one file."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from reviewer.errors import BadRange, DiffTooLarge, GitFailed

_TIMEOUT = 120.0  # seconds: git on a huge repository, not a hung one
# A user's own configuration must not change what a diff looks like: https://git-scm.com/docs/git-config
_PLAIN = (
    "-c", "core.quotePath=true", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false",
    "-c", "color.ui=false", "-c", "diff.external=",
)  # fmt: skip
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "-M")
_FETCH = ("fetch", "--quiet", "--depth=1", "--filter=blob:none", "--no-tags", "--no-recurse-submodules")
MAX_FILE_BYTES = 2_000_000
FETCH_SECONDS = 300.0
"""A shallow fetch of a huge repository takes a minute or two; a server that hangs must end all the same."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PIECE_BYTES = 1 << 16


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
    text = await run(top, *_DIFF, range_ or "HEAD", "--")
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
        # The folders' names stand in for git's prefixes
        arguments = (*_PLAIN, *_DIFF, "--no-index", "--no-prefix", "-U3", "--", "a", "b")
        return await _capture(arguments, folder, limit=_TIMEOUT, good=(0, 1))  # 1: they differ


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
        await _capture(("init", "--quiet", "--bare", "--template=", "."), work, limit=_TIMEOUT)
        fetch = (
            "fetch",
            "--quiet",
            "--depth=1",
            "--filter=blob:none",
            "--no-tags",
            "--no-recurse-submodules",
        )
        await _capture((*fetch, "origin", base, head), work, limit=FETCH_SECONDS, settings=settings)
        # Blobs that differ come now, in one go; from a server that knows no filter they are here already.
        diff = (*_PLAIN, *_DIFF, base, head, "--")
        return await _capture(diff, work, limit=FETCH_SECONDS, settings=settings, max_bytes=max_bytes)


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
    settings: Mapping[str, str] | None = None,
    max_bytes: int | None = None,
    good: Sequence[int] = (0,),
) -> bytes:
    """What `git ARGUMENTS` prints, if it ends with a good status within `limit` seconds."""
    try:
        process = await asyncio.create_subprocess_exec(
            shutil.which("git") or "git",
            *arguments,
            cwd=folder,
            env=_environment(folder, settings or {}),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise GitFailed(f"git can't be started: {error.strerror}") from error
    complaint = asyncio.create_task(_read(process.stderr, None))
    try:
        async with asyncio.timeout(limit):
            out = await _read(process.stdout, max_bytes)
            status = await process.wait()
    except TimeoutError:
        raise GitFailed(f"git did not finish within {limit:g} s") from None
    finally:
        await _end(process)
        said = await complaint
    if status not in good:
        raise GitFailed(_first_words(said))
    return out


async def _end(process: Process) -> None:
    """Kill git and what it started, if it still runs."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _read(stream: asyncio.StreamReader | None, max_bytes: int | None) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while stream is not None and (piece := await stream.read(_PIECE_BYTES)):
        size += len(piece)
        if max_bytes is not None and size > max_bytes:
            raise DiffTooLarge(f"the diff is over the limit of {max_bytes:,} bytes; review a smaller change")
        pieces.append(piece)
    return b"".join(pieces)


def _first_words(complaint: bytes) -> str:
    """Why git gave up, in its own words; what follows the first complaint only follows from it."""
    lines = complaint.decode(errors="replace").strip().splitlines() or ["git failed and gave no reason"]
    fatal = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    return (fatal or lines)[0].removeprefix("fatal: ").removeprefix("error: ")


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
