"""How long a review takes from its delivery's answer to the model's first call, and what fills that time."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from psycopg import AsyncConnection

from reviewer import git
from tests.benchmarks.deliveries import material, service
from tests.benchmarks.deliveries.service import Postgres
from tests.fakes.claude import Answer, ScriptedClaude
from webhooks.sandbox import PullRequest, Repository, Sandbox
from webhooks.sandbox.server import create_app
from webhooks.serving import listen, serving

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

REVIEWS = 20
WARM_UP_REVIEWS = 3
REVIEW_SECONDS = 60.0
IDLE_SECONDS = 0.5  # the job ends
_TERMINAL = ["review.completed", "review.failed", "review.superseded"]
_VARIABLE = re.compile(r"\b[0-9a-f]{40}\b|(?<=/)\d+\b")


@dataclass
class Timing:
    """One review, in milliseconds since the delivery was answered.

    Attributes:
        answer: how long that took.
        model: when the scripted Claude had the request.
        steps: what the app did before, by name: calls of GitHub (when they came, and were answered), jobs and
            events of the review (when they were written).
    """

    answer: float
    model: float = 0.0
    steps: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    at: float
    answered: float


class _Timed:
    """The sandbox, and when it was asked what."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.calls: list[_Call] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.time()
        await self._app(scope, receive, send)
        if scope["type"] == "http":
            path = _VARIABLE.sub("…", scope["path"])
            accept = dict(scope["headers"]).get(b"accept", b"").decode()
            kind = " as diff" if "diff" in accept else ""
            self.calls.append(_Call(f"{scope['method']} {path}{kind}", began, time.time()))


async def _make_repository(folder: Path, pulls: int) -> None:
    """A repository with `main` and a branch of one small change for each pull request."""
    await asyncio.to_thread(folder.mkdir)
    await git.run(folder, "init", "-q", "-b", "main")
    settings = (("user.name", "Test"), ("user.email", "test@example.com"), ("commit.gpgsign", "false"))
    for name, value in settings:
        await git.run(folder, "config", name, value)
    for number in range(pulls + 1):
        if number:
            await git.run(folder, "checkout", "-q", "-b", f"change-{number}", "main")
        text = f"def total(orders):\n    return sum(order.price for order in orders[{number}:])\n"
        await asyncio.to_thread((folder / "orders.py").write_text, text)
        await git.run(folder, "add", "-A")
        await git.run(folder, "commit", "-q", "-m", f"change {number}")


class Stage:
    """A running app with its GitHub and its Claude, both in this process."""

    def __init__(
        self, app: str, database: str, sandbox: Sandbox, timed: _Timed, claude: ScriptedClaude
    ) -> None:
        self._hook = f"{app}/webhooks/github"
        self._database = database
        self._sandbox = sandbox
        self._timed = timed
        self._claude = claude

    async def time(self, repository: Repository, number: int) -> Timing:
        """Open a pull request, deliver it, and wait for the end of its review."""
        pull = await self._sandbox.open_pull_request(
            repository, base="main", head=f"change-{number}", title=f"Change {number}"
        )
        record = self._sandbox.state.deliveries[-1]  # made, but sent to nobody
        before = len(self._claude.requests), len(self._timed.calls)
        async with aiohttp.ClientSession() as session:
            sent = time.time()
            async with session.post(
                self._hook, data=record.request_body, headers=record.request_headers
            ) as answer:
                answered = time.time()
                if answer.status != 202:
                    raise AssertionError(f"the delivery was answered with {answer.status}")
        events = await self._until_end(pull)
        await self._until_closed(repository, number)
        if len(self._claude.requests) == before[0]:
            raise AssertionError(f"the model was not asked; the review said {sorted(events)}")
        # Its clock is the loop's; the database has only that of the day
        asked = self._claude.requests[before[0]].at + time.time() - time.monotonic()
        timing = Timing((answered - sent) * 1e3, (asked - answered) * 1e3)
        moments = {name: at for name, at in events.items() if at <= asked}
        for call in self._timed.calls[before[1] :]:
            if call.at <= asked:
                moments[f"{call.name} comes"] = call.at
            if call.answered <= asked:
                moments[f"{call.name} is answered"] = call.answered
        timing.steps = {name: (at - answered) * 1e3 for name, at in moments.items()}
        return timing

    async def _until_closed(self, repository: Repository, reviews: int) -> None:
        """Wait until nothing is left to do for the reviews so far: check runs end at GitHub's pace."""
        runs = repository.check_runs
        async with asyncio.timeout(REVIEW_SECONDS):
            while [run.status for run in runs.values()] != ["completed"] * reviews:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
            await asyncio.sleep(IDLE_SECONDS)

    async def _until_end(self, pull: PullRequest) -> dict[str, float]:
        """When each kind of event of the pull request's review first came, and its job began."""
        query = (
            "SELECT type, extract(epoch FROM min(at))::float8 FROM events WHERE head_sha = %s GROUP BY type"
        )
        job = (
            "SELECT extract(epoch FROM max(at))::float8 FROM procrastinate_events WHERE type = 'started' "
            "AND job_id = (SELECT max(id) FROM procrastinate_jobs WHERE task_name = 'review')"
        )
        async with (
            asyncio.timeout(REVIEW_SECONDS),
            await AsyncConnection.connect(self._database, autocommit=True) as connection,
        ):
            began: float | None = None
            while True:
                row = await (await connection.execute(job)).fetchone()
                began = row[0] if row and row[0] else began
                rows = await (await connection.execute(query, (pull.head_sha,))).fetchall()
                events = {f"event {name}": at for name, at in rows}
                if any(f"event {name}" in events for name in _TERMINAL):
                    return events | ({"the job is fetched": began} if began else {})
                await asyncio.sleep(0.1)


async def measure(postgres: Postgres, *, write_seconds: float) -> list[Timing]:
    """Reviews one after the other, all of one installation."""
    folder = postgres.folder / f"calls-{write_seconds}"
    await _make_repository(folder, WARM_UP_REVIEWS + REVIEWS)
    database = await asyncio.to_thread(postgres.create_database)
    sandbox = Sandbox.create(webhook_secret=material.SECRET, webhook_url=None)
    timed = _Timed(create_app(sandbox.state))
    async with serving(timed, listen("127.0.0.1", 0)) as api, ScriptedClaude([Answer()]) as claude:
        sandbox.state.url = api
        repository = sandbox.add_repository("octo/orders", git_dir=folder, default_branch="main")
        async with service.sluice(
            database,
            api,
            postgres.folder,
            GITHUB_CLIENT_ID=sandbox.state.client_id,
            GITHUB_PRIVATE_KEY=sandbox.state.private_key_pem,
            GITHUB_WRITE_SECONDS=str(write_seconds),
            ANTHROPIC_BASE_URL=claude.url,
        ) as server:
            stage = Stage(server.url, database, sandbox, timed, claude)
            numbers = range(1, WARM_UP_REVIEWS + REVIEWS + 1)
            return [await stage.time(repository, number) for number in numbers][WARM_UP_REVIEWS:]
