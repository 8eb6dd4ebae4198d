"""Pull requests and their files: https://docs.github.com/en/rest/pulls/pulls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from reviewer.errors import ForgeRefused
from webhooks.github import people, wire
from webhooks.github.client import GitHub
from webhooks.news import Place, PullFacts

_FILES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as it stands now.

    Attributes:
        changed_files: how many files GitHub counts in its diff.
        clone_url: where git fetches from; a fork's commits are there too.
    """

    facts: PullFacts
    base_sha: str
    changed_files: int
    clone_url: str

    @property
    def number(self) -> int:
        """Within its repository."""
        return self.facts.number

    @property
    def head_sha(self) -> str:
        """The commit under review."""
        return self.facts.head_sha


def facts(installation: int, item: Mapping[str, Any]) -> PullFacts:
    """What GitHub's JSON of a pull request tells, alone or in a listing."""
    base = item["base"]["repo"]
    head: Mapping[str, Any] = item["head"].get("repo") or {}
    author, by_bot = people.read(item.get("user"))
    return PullFacts(
        place=Place(installation, int(base["id"]), base["full_name"]),
        number=int(item["number"]),
        head_sha=item["head"]["sha"],
        base_ref=item["base"]["ref"],
        title=item["title"],
        url=item["html_url"],
        state="open" if item["state"] == "open" else "closed",
        draft=bool(item.get("draft")),
        author=author,
        author_is_bot=by_bot,
        fork=head.get("id") != base["id"],
        updated_at=datetime.fromisoformat(item["updated_at"]),
        labels=frozenset(str(label["name"]) for label in item.get("labels") or ()),
    )


class Pulls:
    """What Sluice does with pull requests."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def pull_request(self, installation: int, repository: str, number: int) -> PullRequest:
        """The pull request as it stands.

        https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request
        """
        found = (await self._github.read(installation, f"/repos/{repository}/pulls/{number}")).json()
        return PullRequest(
            facts=facts(installation, found),
            base_sha=found["base"]["sha"],
            changed_files=int(found["changed_files"]),
            clone_url=found["base"]["repo"]["clone_url"],
        )

    async def open_since(self, installation: int, repository: str, since: datetime) -> list[PullFacts]:
        """All open pull requests that have changed since, newest change first; or an error: never a part.

        https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
        """
        found: dict[int, PullFacts] = {}
        asked = {"state": "open", "sort": "updated", "direction": "desc"}
        async for page in self._github.pages(installation, f"/repos/{repository}/pulls", params=asked):
            for item in page:
                pull = facts(installation, item)
                if pull.updated_at < since:
                    return list(found.values())
                found.setdefault(pull.number, pull)
        return list(found.values())

    async def file(self, installation: int, repository: str, path: str, ref: str) -> bytes | None:
        """A file's content at a commit, or None where there is none.

        https://docs.github.com/en/rest/repos/contents#get-repository-content
        """
        url = f"/repos/{repository}/contents/{quote(path, errors='surrogateescape')}"
        try:
            answer = await self._github.read(installation, url, accept=wire.RAW_TYPE, params={"ref": ref})
        except ForgeRefused as error:
            if error.status != 404:
                raise
            return None
        return answer.body


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
            try:
                return await self._pulls.file(*self._where, path, self._sha)
            except ForgeRefused as error:
                if error.code != "too_large":
                    raise
                return None
