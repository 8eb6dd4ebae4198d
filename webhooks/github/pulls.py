"""Pull requests: what they are, and what stands on them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from reviewer.errors import ForgeRefused
from webhooks.github import wire
from webhooks.github.client import GitHub

_COMMENTS_PER_PAGE = 50  # larger pages of comments were seen to end in 502
_FILES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as it stands now.

    Attributes:
        changed_files: how many files GitHub counts in its diff.
        clone_url: where git fetches from; a fork's commits are there too.
    """

    number: int
    title: str
    head_sha: str
    base_ref: str
    base_sha: str
    changed_files: int
    clone_url: str
    draft: bool
    state: str
    html_url: str


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """A comment of a review; a range runs from `start_line` to `line`."""

    path: str
    body: str
    line: int
    side: str
    start_line: int | None = None
    start_side: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As GitHub wants it: what is absent must not be null."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class PostedReview:
    """A review that stands on a pull request."""

    id: int
    html_url: str
    body: str


@dataclass(frozen=True, slots=True)
class PostedComment:
    """A comment on a line that stands on a pull request; `review` is the id of its review."""

    id: int
    review: int | None
    path: str
    line: int | None
    body: str


class Pulls:
    """What Sluice does with pull requests."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def pull_request(self, installation: int, repository: str, number: int) -> PullRequest:
        """The pull request as it stands."""
        answer = await self._github.read(installation, f"/repos/{repository}/pulls/{number}")
        found = answer.json()
        return PullRequest(
            number=found["number"],
            title=found["title"],
            head_sha=found["head"]["sha"],
            base_ref=found["base"]["ref"],
            base_sha=found["base"]["sha"],
            changed_files=int(found["changed_files"]),
            clone_url=found["base"]["repo"]["clone_url"],
            draft=bool(found.get("draft")),
            state=found["state"],
            html_url=found["html_url"],
        )

    async def file(self, installation: int, repository: str, path: str, ref: str) -> bytes | None:
        """A file's content at a commit, or None where there is none."""
        url = f"/repos/{repository}/contents/{quote(path, errors='surrogateescape')}"
        try:
            answer = await self._github.read(installation, url, accept=wire.RAW_TYPE, params={"ref": ref})
        except ForgeRefused:
            return None
        return answer.body

    async def reviews(self, installation: int, repository: str, number: int) -> list[PostedReview]:
        """All reviews."""
        path = f"/repos/{repository}/pulls/{number}/reviews"
        return [
            PostedReview(item["id"], item["html_url"], item.get("body") or "")
            async for page in self._github.pages(installation, path)
            for item in page
        ]

    async def review_comments(self, installation: int, repository: str, number: int) -> list[PostedComment]:
        """All comments on lines."""
        path = f"/repos/{repository}/pulls/{number}/comments"
        return [
            PostedComment(
                id=item["id"],
                review=item.get("pull_request_review_id"),
                path=item["path"],
                line=item.get("line"),
                body=item.get("body") or "",
            )
            async for page in self._github.pages(installation, path, per_page=_COMMENTS_PER_PAGE)
            for item in page
        ]

    async def create_review(
        self,
        installation: int,
        repository: str,
        number: int,
        *,
        commit_id: str,
        body: str,
        comments: Sequence[ReviewComment],
    ) -> PostedReview:
        """Post a review that neither approves nor blocks; GitHub takes all of it or nothing."""
        made = await self._github.write(
            installation,
            "POST",
            f"/repos/{repository}/pulls/{number}/reviews",
            {
                "commit_id": commit_id,
                "body": body,
                "event": "COMMENT",
                "comments": [comment.as_json() for comment in comments],
            },
        )
        return PostedReview(made["id"], made["html_url"], body)

    async def create_check_run(
        self,
        installation: int,
        repository: str,
        *,
        name: str,
        head_sha: str,
        details_url: str | None,
        external_id: str,
    ) -> int:
        """Open a check run in progress; gives its id."""
        body = {"name": name, "head_sha": head_sha, "status": "in_progress", "external_id": external_id}
        if details_url is not None:
            body["details_url"] = details_url
        made = await self._github.write(installation, "POST", f"/repos/{repository}/check-runs", body)
        return int(made["id"])

    async def describe_check_run(
        self, installation: int, repository: str, check_run: int, *, title: str, summary: str
    ) -> None:
        """Say how a check run that has not ended stands."""
        body = {"status": "in_progress", "output": {"title": title, "summary": summary}}
        path = f"/repos/{repository}/check-runs/{check_run}"
        await self._github.write(installation, "PATCH", path, body)

    async def complete_check_run(
        self,
        installation: int,
        repository: str,
        check_run: int,
        *,
        conclusion: str,
        title: str,
        summary: str,
    ) -> None:
        """Bring a check run to its end."""
        body = {
            "status": "completed",
            "conclusion": conclusion,
            "output": {"title": title, "summary": summary},
        }
        path = f"/repos/{repository}/check-runs/{check_run}"
        await self._github.write(installation, "PATCH", path, body)


class HeadFiles:
    """Files of one commit through the contents API, each fetched once."""

    cheap_reads = 30  # each is a request, and counts against the installation's hourly limit

    def __init__(self, pulls: Pulls, installation: int, repository: str, sha: str) -> None:
        self._pulls = pulls
        self._where = (installation, repository)
        self._sha = sha
        self._slots = asyncio.Semaphore(_FILES_AT_ONCE)
        self._known: dict[str, asyncio.Task[bytes | None]] = {}

    async def read(self, path: str) -> bytes | None:
        """The file at the commit, or None."""
        if path not in self._known:
            self._known[path] = asyncio.create_task(self._fetch(path))
        return await asyncio.shield(self._known[path])

    async def _fetch(self, path: str) -> bytes | None:
        async with self._slots:
            return await self._pulls.file(*self._where, path, self._sha)
