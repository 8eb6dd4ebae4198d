"""A plain client of the sandbox, with the judge between the two."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.contracts.judge import Judge
from webhooks.github import wire
from webhooks.github.auth import AppAuth
from webhooks.sandbox import PullRequest, Repository, Sandbox, running


@dataclass
class Caller:
    """A plain client of the sandbox."""

    url: str
    folder: Path
    sandbox: Sandbox
    repository: Repository
    pull: PullRequest
    http: aiohttp.ClientSession
    token: str = ""

    @property
    def jwt(self) -> str:
        return AppAuth(self.sandbox.state.client_id, self.sandbox.state.private_key_pem).token()

    @property
    def repo(self) -> str:
        return f"/repos/{self.repository.full_name}"

    @property
    def one(self) -> str:
        return f"{self.repo}/pulls/{self.pull.number}"

    async def call(
        self,
        status: int,
        method: str,
        path: str,
        body: Any = None,
        *,
        accept: str = wire.JSON_TYPE,
        token=None,
    ) -> Any:
        """The answer's JSON; None where it is something else. The status must be the expected one."""
        headers = wire.headers(token or self.token, accept)
        url = self.url + path
        async with self.http.request(
            method, url, json=body, headers=headers, allow_redirects=False
        ) as answer:
            assert answer.status == status, (method, path, answer.status, await answer.text())
            return await answer.json() if answer.content_type == "application/json" else await answer.read()

    async def review(self, status: int = 200, **changes: Any) -> Any:
        comment = {"path": "calc.py", "body": "b", "line": 5, "side": "RIGHT"}
        body = {"commit_id": self.pull.head_sha, "body": "b", "event": "COMMENT", "comments": [comment]}
        return await self.call(status, "POST", f"{self.one}/reviews", body | changes)


@asynccontextmanager
async def calling(folder: Path, judge: Judge) -> AsyncGenerator[Caller]:
    """A caller with a token, and the judge between it and the sandbox."""
    sandbox = Sandbox.create(webhook_secret="made up", webhook_url=None)
    async with running(sandbox, wrap=judge.over) as url, aiohttp.ClientSession() as http:
        repository = sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
        pull = await sandbox.open_pull_request(repository, base="main", head="change", title="t")
        caller = Caller(url, folder, sandbox, repository, pull, http)
        path = f"/app/installations/{repository.installation_id}/access_tokens"
        caller.token = (await caller.call(201, "POST", path, token=caller.jwt))["token"]
        yield caller
