"""What a pull request changes, had in one of three ways: GitHub's own diff, its list of files, or git."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog

from reviewer import git
from reviewer.core import diff
from reviewer.core.diff import Diff, FileChange, Unread
from reviewer.core.headers import FileStatus
from reviewer.errors import (
    BadInput,
    BrokenDiff,
    DiffTooLarge,
    ForgeError,
    ForgeRateLimited,
    ForgeRefused,
    ForgeUnavailable,
    GitFailed,
    SluiceError,
)
from webhooks.github import wire
from webhooks.github.client import GitHub
from webhooks.github.pulls import PullRequest

MOST_FILES = 3_000
"""GitHub lists no more: https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files."""
MOST_BLOBS = 200
"""Files whose content is asked for one by one; for more, one fetch by git spares the hour's requests."""
MAX_BLOB_BYTES = 2_000_000
"""Over this, a file that GitHub shows no lines of is listed as not reviewed."""

_BLOBS_AT_ONCE = 4
_TOO_SLOW = "taking too long to generate"
_REMEDY = (
    "Check that the app may read the repository's contents and that git, on the machine that reviews, "
    "reaches {host}; or split the pull request"
)

_log = structlog.get_logger("sluice.diffs")


class PullDiffs:
    """Diffs of pull requests.

    Over its limits GitHub refuses to print a diff; its list of files may leave out the lines of some, whose
    content is then diffed here; and it lists so many files only, past which git fetches both sides.
    """

    def __init__(
        self,
        github: GitHub,
        *,
        folder: Path,
        max_bytes: int = diff.MAX_DIFF_BYTES,
        most_files: int = MOST_FILES,
    ) -> None:
        self._github = github
        self._folder = folder
        self._max_bytes = max_bytes
        self._most_files = most_files

    async def read(self, installation: int, repository: str, pull: PullRequest) -> Diff:
        """What the pull request changes since its merge base; empty only where GitHub counts no changed file.

        Raises:
            DiffTooLarge: it is over the size that can be read at all.
            ForgeRateLimited: with the seconds to wait.
            ForgeError: no way led to it; the message names each, and what a person can do.
        """
        change = _Change(self._github, installation, repository, pull, self._max_bytes)
        missed: list[_Missed] = []
        for way in (self._printed, self._listed, self._fetched):
            try:
                return await way(change)
            except _Missed as error:
                _log.info("diff not had this way", pull_request=change.path, reason=str(error))
                missed.append(error)
        raise _failure(change, missed)

    async def _printed(self, change: _Change) -> Diff:
        """GitHub's own diff."""
        try:
            raw = (await change.read(change.path, accept=wire.DIFF_TYPE)).body
            return change.whole(await asyncio.to_thread(diff.parse, raw, max_bytes=self._max_bytes))
        except (DiffTooLarge, ForgeRateLimited):
            raise
        except (ForgeError, BadInput) as error:
            if isinstance(error, ForgeError) and not _prints_nothing(error):
                raise
            raise _Missed("GitHub's diff", error) from error

    async def _listed(self, change: _Change) -> Diff:
        """The files as GitHub lists them."""
        name = "its list of files"
        if change.pull.changed_files > self._most_files:
            raise _Missed(name, f"it ends at {self._most_files:,} of {change.pull.changed_files:,} files")
        try:
            return change.whole(Diff(tuple(await _ListedFiles(change).read())))
        except (DiffTooLarge, ForgeRateLimited):
            raise
        except (ForgeError, GitFailed, BadInput) as error:
            raise _Missed(name, error) from error

    async def _fetched(self, change: _Change) -> Diff:
        """Both sides fetched and diffed by git, which has the last word on how many files there are."""
        try:
            raw = await git.fetch_diff(
                change.pull.clone_url,
                await change.merge_base(),
                change.pull.head_sha,
                authorization=_basic(await self._github.token(change.installation)),
                folder=self._folder,
                max_bytes=self._max_bytes,
            )
            found = await asyncio.to_thread(diff.parse, raw, max_bytes=self._max_bytes)
        except (DiffTooLarge, ForgeRateLimited):
            raise
        except GitFailed as error:
            raise _Missed("git fetch", _as_forge_error(error)) from error
        except (ForgeError, BadInput) as error:
            raise _Missed("git fetch", error) from error
        if change.pull.changed_files and not found.files:
            raise _Missed("git fetch", f"no file differs, where GitHub counts {change.pull.changed_files:,}")
        return found


class _Missed(Exception):
    """A way that did not lead to the diff."""

    def __init__(self, way: str, reason: SluiceError | str) -> None:
        super().__init__(f"{way}: {str(reason).rstrip('.')}")
        self.retryable = isinstance(reason, SluiceError) and reason.retryable
        self.status = reason.status if isinstance(reason, ForgeError) else None


class _Change:
    """A pull request whose diff is wanted; the merge base is asked for once, when it is first needed."""

    def __init__(
        self, github: GitHub, installation: int, repository: str, pull: PullRequest, max_bytes: int
    ) -> None:
        self._github = github
        self._max_bytes = max_bytes
        self._size = 0
        self.installation = installation
        self.pull = pull
        self.repository = repository
        self.path = f"/repos/{repository}/pulls/{pull.number}"
        self._merge_base: asyncio.Task[str] | None = None

    async def read(self, path: str, *, accept: str = wire.JSON_TYPE, **params: str) -> wire.Answer:
        """GET; see `GitHub.read`."""
        return await self._github.read(self.installation, path, accept=accept, params=params)

    async def entries(self) -> list[_Entry]:
        """Every file that GitHub lists.

        Raises:
            DiffTooLarge: their patches are over the size of a diff.
        """
        found: list[_Entry] = []
        async for page in self._github.pages(self.installation, f"{self.path}/files"):
            listed = [_Entry.of(item) for item in page]
            self.take(sum(len(entry.patch or "") for entry in listed))
            found += listed
        return found

    def take(self, size: int) -> None:
        """Count in a part of the diff.

        Raises:
            DiffTooLarge: all parts together are over the limit.
        """
        self._size += size
        if self._size > self._max_bytes:
            raise diff.too_large(self._size, self._max_bytes)

    async def merge_base(self) -> str:
        """Hash of the commit that the pull request's changes count from. Raises as `GitHub.read`."""
        if self._merge_base is None:
            self._merge_base = asyncio.create_task(self._ask_merge_base())
        return await asyncio.shield(self._merge_base)

    async def _ask_merge_base(self) -> str:
        span = f"{self.pull.base_sha}...{self.pull.head_sha}"
        answer = await self.read(f"/repos/{self.repository}/compare/{span}", per_page="1")
        return str(answer.json()["merge_base_commit"]["sha"])

    async def blob(self, sha: str) -> bytes:
        """A blob's content. Raises as `GitHub.read`."""
        return await self._content(f"/repos/{self.repository}/git/blobs/{sha}")

    async def before(self, path: str) -> bytes:
        """A file's content at the merge base. Raises as `GitHub.read`."""
        url = f"/repos/{self.repository}/contents/{quote(path, errors='surrogateescape')}"
        return await self._content(url, ref=await self.merge_base())

    async def _content(self, path: str, **params: str) -> bytes:
        answer = await self._github.read(
            self.installation, path, accept=wire.RAW_TYPE, params=params, max_bytes=MAX_BLOB_BYTES
        )
        return answer.body

    def whole(self, found: Diff) -> Diff:
        """The diff, if it has as many files as GitHub counts.

        Raises:
            BrokenDiff: it has fewer.
        """
        # By path: a file that became a symlink is printed twice, as removed and as added
        number = len({file.path for file in found.files})
        if number < self.pull.changed_files:
            raise BrokenDiff(f"{number:,} files came, where GitHub counts {self.pull.changed_files:,}")
        return found


@dataclass(frozen=True, slots=True)
class _Entry:
    """A changed file as GitHub lists it."""

    path: str
    old_path: str | None
    listed_as: str
    sha: str | None
    additions: int
    deletions: int
    patch: str | None

    @classmethod
    def of(cls, item: dict[str, Any]) -> _Entry:
        """The file in GitHub's JSON."""
        path, old_path = str(item["filename"]), item.get("previous_filename")
        return cls(
            path=path,
            old_path=old_path if old_path != path else None,
            listed_as=item["status"],
            sha=item.get("sha"),
            additions=item["additions"],
            deletions=item["deletions"],
            patch=item.get("patch"),
        )

    @property
    def status(self) -> FileStatus:
        """What happened to the file."""
        known = {status.value: status for status in FileStatus}
        return known.get(self.listed_as, FileStatus.MODIFIED)

    @property
    def touches_lines(self) -> bool:
        """Whether GitHub counts changed lines."""
        return self.additions + self.deletions > 0

    def shown(self) -> FileChange | None:
        """The file from the list alone, or None when its content must be looked at."""
        if self.patch is None:
            moved = self.listed_as not in {"added", "removed", "modified"} and not self.touches_lines
            return _without_lines(self, Unread.NO_TEXT_CHANGE) if moved else None
        try:
            found = diff.parse_patch(self.patch, path=self.path, old_path=self.old_path, status=self.status)
        except BrokenDiff:
            return None
        # GitHub was seen to cut patches short; and JSON holds no bytes that are not UTF-8, only U+FFFD
        cut = (found.added, found.removed) != (self.additions, self.deletions)
        return None if cut or "\ufffd" in self.patch else found

    def counts(self, found: FileChange) -> bool:
        """Whether the lines can be those that GitHub counted.

        Two diffs of the same contents may differ, but not in how many lines the file grew.
        """
        grown = found.added - found.removed
        return not self.touches_lines or grown == self.additions - self.deletions


class _ListedFiles:
    """The diff put together from the list of files."""

    def __init__(self, change: _Change) -> None:
        self._change = change
        self._slots = asyncio.Semaphore(_BLOBS_AT_ONCE)

    async def read(self) -> list[FileChange]:
        """Each file once, in GitHub's order.

        Raises:
            DiffTooLarge: it is over the size of a diff.
            ForgeError: too many files come without their lines; or see `wire.check`.
            GitFailed: git could not compare two versions of a file.
        """
        entries = await self._change.entries()
        shown = await asyncio.to_thread(lambda: [entry.shown() for entry in entries])
        hidden = [entry for entry, file in zip(entries, shown, strict=True) if file is None]
        if len(hidden) > MOST_BLOBS:
            raise ForgeError(f"{len(hidden):,} files come without their lines")
        found = iter(await self._diff_all(hidden))
        return [file or next(found) for file in shown]

    async def _diff_all(self, entries: Sequence[_Entry]) -> list[FileChange]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._diff(entry)) for entry in entries]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [task.result() for task in tasks]

    async def _diff(self, entry: _Entry) -> FileChange:
        """The file from both versions of its content; without lines where one can't be had or fits not."""
        if entry.sha is None:
            return _without_lines(entry, Unread.NO_HUNK)
        async with self._slots:
            try:
                old, new = await self._versions(entry, entry.sha)
            except ForgeRefused as error:
                if error.status not in {404, 422} and error.code != "too_large":
                    raise
                return _without_lines(entry, Unread.NO_HUNK)
            raw = await git.diff_blobs(old, new)
        self._change.take(len(raw))
        files = (await asyncio.to_thread(diff.parse, raw)).files
        if not files:
            return _without_lines(entry, Unread.NO_HUNK if entry.touches_lines else Unread.NO_TEXT_CHANGE)
        # The contents route follows symlinks, so what came may be another file
        if not entry.counts(files[0]):
            return _without_lines(entry, Unread.NO_HUNK)
        return replace(files[0], path=entry.path, old_path=entry.old_path, status=entry.status)

    async def _versions(self, entry: _Entry, sha: str) -> tuple[bytes | None, bytes | None]:
        """Old and new content; None is a side without the file."""
        blob = await self._change.blob(sha)
        match entry.status:
            case FileStatus.ADDED:
                return None, blob
            case FileStatus.REMOVED:
                return blob, None
            case _:
                return await self._change.before(entry.old_path or entry.path), blob


def _without_lines(entry: _Entry, unread: Unread) -> FileChange:
    """A file that changed, but has no line to review."""
    return FileChange(path=entry.path, old_path=entry.old_path, status=entry.status, hunks=(), unread=unread)


def _prints_nothing(error: ForgeError) -> bool:
    """Whether GitHub can't print this diff, which says nothing about other ways to it."""
    if isinstance(error, ForgeRefused):
        return error.code == "too_large" or (error.status == 422 and _TOO_SLOW in str(error))
    return isinstance(error, ForgeUnavailable) and error.status is not None


def _basic(token: str) -> str:
    """The `Authorization` header that git sends for an installation."""
    return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()


_HTTP_STATUS = re.compile(r"returned error: ([45]\d\d)")


def _as_forge_error(error: GitFailed) -> ForgeError:
    """What git says of GitHub, as if GitHub had said it."""
    match = _HTTP_STATUS.search(str(error))
    status = int(match[1]) if match else None
    if "could not read Username" in str(error):  # git asks for a password where it gets a 401
        status = 401
    if status is not None and status < 500:
        return ForgeRefused(str(error), status=status)
    return ForgeUnavailable(str(error), status=status)


def _failure(change: _Change, missed: Sequence[_Missed]) -> ForgeError:
    host = change.pull.clone_url.split("://", 1)[-1].split("/", 1)[0]
    tried = "; ".join(str(each) for each in missed)
    message = (
        f"the diff of {change.repository}#{change.pull.number} can't be had. Tried {tried}. "
        f"{_REMEDY.format(host=host)}"
    )
    if any(each.retryable for each in missed):
        return ForgeUnavailable(message, status=missed[-1].status)
    return ForgeError(message, status=missed[-1].status)
