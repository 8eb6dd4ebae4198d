"""A sandbox with a receiver of its deliveries and a plain HTTP client that has a token."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.scenarios.app import make_repository
from webhooks.github.auth import AppAuth
from webhooks.sandbox import PullRequest, Repository, Sandbox, running
from webhooks.sandbox.state import ReviewComment, State

SECRET = "a made-up webhook secret"


@dataclass(frozen=True)
class Delivered:
    """A delivery as the receiver had it."""

    event: str
    guid: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Takes deliveries, answering `status`."""

    url: str = ""
    status: int = 202
    got: list[Delivered] = field(default_factory=list[Delivered])

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        names = headers["x-github-event"], headers["x-github-delivery"]
        self.got.append(Delivered(*names, headers, await request.read()))
        return web.Response(status=self.status)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Hub:
    """A sandbox, one repository on it, and who talks to them."""

    sandbox: Sandbox
    repository: Repository
    folder: Path
    receiver: Receiver
    http: aiohttp.ClientSession

    @property
    def state(self) -> State:
        return self.sandbox.state

    @property
    def api(self) -> str:
        return f"/repos/{self.repository.full_name}"

    def token(self) -> str:
        installation = self.state.installations[self.repository.installation_id]
        return self.state.issue_token(installation, installation.permissions, None).text

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Call as the installation; a path that starts with neither slash nor scheme is the repository's."""
        token = options.pop("token", None) or self.token()
        full = path if path.startswith(("/", "http")) else f"{self.api}/{path}"
        url = full if full.startswith("http") else self.state.url + full
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        async with self.http.request(method, url, json=body, headers=headers, **options) as answer:
            is_json = answer.content_type == "application/json"
            said = await answer.json() if is_json else await answer.read()
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, said)

    async def as_app(self, method: str, path: str, body: Any = None) -> Answer:
        """Call as the app."""
        return await self.call(method, path, body, token=AppAuth("1", self.state.private_key_pem).token())

    async def open(self, **options: Any) -> PullRequest:
        """Open a pull request from `change` to `main`."""
        options = {"base": "main", "head": "change", "title": "Subtract", **options}
        return await self.sandbox.open_pull_request(self.repository, **options)

    async def review(self, pull: PullRequest, *lines: int, **changes: Any) -> Answer:
        """Post a review with a comment on each of these lines of calc.py."""
        comments = [{"path": "calc.py", "body": f"on {line}", "line": line} for line in lines]
        body = {"commit_id": pull.head_sha, "body": "a review", "event": "COMMENT", "comments": comments}
        return await self.call("POST", f"pulls/{pull.number}/reviews", {**body, **changes})

    async def comment_on(self, pull: PullRequest, line: int) -> ReviewComment:
        """A comment of the app's on a line of calc.py."""
        assert (await self.review(pull, line)).status == 200
        return pull.comments[max(pull.comments)]

    def told(self) -> tuple[str, dict[str, Any]]:
        """Event and payload of the newest delivery."""
        record = self.state.deliveries[-1]
        assert record.status == "OK", record.status
        return record.event, dict(record.payload)


@asynccontextmanager
async def hub(tmp_path: Path) -> AsyncGenerator[Hub]:
    """Everything, running."""
    folder = await make_repository(tmp_path / "repo")
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        receiver.url = str(server.make_url("/hook"))
        sandbox = Sandbox.create(webhook_secret=SECRET, webhook_url=receiver.url)
        async with running(sandbox), aiohttp.ClientSession() as http:
            repository = sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
            yield Hub(sandbox, repository, folder, receiver, http)
