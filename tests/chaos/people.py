"""The people of a storm: they open pull requests and push to them, as the plan says."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.history import History
from tests.chaos.plan import Pull
from webhooks.sandbox import PullRequest, Repository, Sandbox

_LOOK_SECONDS = 0.005


@dataclass
class People:
    """Acts on the sandbox.

    Attributes:
        pushed: time of day at which each commit became a head.
    """

    sandbox: Sandbox
    history: History
    pushed: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        self._repositories: dict[str, Repository] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def act(self, pulls: Iterable[Pull]) -> None:
        """Do all of it; ends when the last delivery was answered or given up."""
        for name, folder in self.history.folders.items():
            self._repositories[name] = self.sandbox.add_repository(
                name, git_dir=folder, default_branch="main"
            )
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for pull in pulls:
                tasks.create_task(self._play(pull, began))

    async def _play(self, pull: Pull, began: float) -> None:
        repository = self._repositories[pull.repository]
        commits = self.history.commits[pull.repository, pull.number]
        await _until(began + pull.heads[0].at)
        deliveries = [await self._open(repository, pull, commits[0])]
        made = repository.pulls[pull.number]
        for head, commit in zip(pull.heads[1:], commits[1:], strict=True):
            await _until(began + head.at)
            pushing = self.sandbox.push(repository, made, commit, force=head.forced)
            deliveries.append(await self._announced(pushing, commit))
        await asyncio.gather(*deliveries)

    async def _open(self, repository: Repository, pull: Pull, commit: str) -> asyncio.Task[Any]:
        # The sandbox numbers them in the order of their opening
        async with self._turns[pull.repository]:
            title = f"Change {pull.number}"
            opening: Coroutine[Any, Any, PullRequest] = self.sandbox.open_pull_request(
                repository, base="main", head=commit, title=title
            )
            return await self._announced(opening, commit)

    async def _announced(self, acting: Coroutine[Any, Any, Any], commit: str) -> asyncio.Task[Any]:
        """Begin something, and go on as soon as its delivery is on its way; two may be so at once."""
        task = asyncio.create_task(acting)
        before, wanted = len(self.sandbox.state.deliveries), commit.encode()
        while not task.done():
            records = self.sandbox.state.deliveries[before:]
            if any(wanted in record.request_body for record in records):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        self.pushed[commit] = time.time()
        return task


async def _until(moment: float) -> None:
    await asyncio.sleep(max(moment - time.monotonic(), 0))
