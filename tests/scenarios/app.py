"""The whole app for a story: real HTTP and database, a sandbox GitHub, a scripted Claude or analyzers."""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr
from starlette.routing import BaseRoute

from reviewer import git
from reviewer.core.events import TERMINAL_TYPES
from reviewer.settings import Settings
from tests.contracts.judge import Judge
from tests.corpus import DATA
from tests.openapi.judge import ApiJudge
from webhooks.access.login import CALLBACK
from webhooks.app import create_app
from webhooks.openapi.document import document
from webhooks.sandbox import PullRequest, Repository, Sandbox, running
from webhooks.serving import listen, serving, url_of
from webhooks.wiring import open_services

SECRET = "a made-up webhook secret"
TOKEN = "a made-up access token"
PATIENCE = 30.0
"""Seconds after which a story that hangs is a failure; a review takes one or two."""


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    id: str
    type: str
    data: dict[str, Any]


@dataclass(frozen=True)
class World:
    """A running app and its GitHub."""

    url: str
    sandbox: Sandbox
    http: aiohttp.ClientSession
    routes: list[BaseRoute]
    judge: ApiJudge

    async def events(self, path: str, last: str | None = None) -> AsyncIterator[Event]:
        """The stream at `path`, as a browser reads it."""
        headers = {} if last is None else {"Last-Event-ID": last}
        async with self.http.get(self.url + path, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            fields: dict[str, str] = {}
            async for raw in answer.content:
                line = raw.decode().rstrip("\r\n")
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    yield Event(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
                    fields = {}
                else:
                    fields = {}

    async def until_end(self, review: str, last: str | None = None) -> list[Event]:
        """All events of a review up to the one that ends it."""
        seen: list[Event] = []
        async with asyncio.timeout(PATIENCE):
            async for event in self.events(f"/reviews/{review}/events", last):
                seen.append(event)
                if event.type in TERMINAL_TYPES:
                    break
        return seen

    async def closed(self, repository: Repository) -> None:
        """Wait until every check run of a repository has ended, and there is one."""
        async with asyncio.timeout(PATIENCE):
            while not self._all_ended(repository):  # noqa: ASYNC110 - the sandbox tells nobody
                await asyncio.sleep(0.02)

    def _all_ended(self, repository: Repository) -> bool:
        runs = repository.check_runs.values()
        return bool(runs) and all(run.status == "completed" for run in runs)

    async def newest_review(self) -> str:
        """The id of the review that was asked for last."""
        async with self.http.get(f"{self.url}/reviews?limit=1") as answer:
            return (await answer.json())["reviews"][0]["id"]


@asynccontextmanager
async def world(
    database_url: str, data_dir: Path, *, claude: str | None = None, **settings_: Any
) -> AsyncGenerator[World]:
    """Start everything; `claude` is the base URL of a model, and other settings are as given.

    Ends with a failure if the app or the sandbox sent what GitHub's description does not allow, or the app
    answered what its own does not tell.
    """
    bound = listen("127.0.0.1", 0)
    url = url_of(bound)
    sandbox = Sandbox.create(webhook_secret=SECRET, webhook_url=f"{url}/webhooks/github")
    sandbox.state.callback_urls = [url + CALLBACK]
    judge, own = Judge(), ApiJudge(document("0.0.0", None))
    async with running(sandbox, wrap=judge.over) as api:
        settings = Settings.model_validate(
            {
                "anthropic_api_key": None,
                "anthropic_base_url": claude,
                "github_client_id": sandbox.state.client_id,
                "github_client_secret": SecretStr(sandbox.state.client_secret),
                "github_private_key": SecretStr(sandbox.state.private_key_pem),
                "github_webhook_secret": SecretStr(SECRET),
                "github_api_url": api,
                "database_url": SecretStr(database_url),
                "sluice_data_dir": data_dir,
                "sluice_token": SecretStr(TOKEN),
                "github_write_seconds": 0.0,
                **settings_,
            }
        )
        async with open_services(settings, public_url=url) as services:
            app = create_app(services)
            async with serving(own.over(app), bound), _session() as http:
                yield World(url, sandbox, http, app.routes, own)
    own.demand_none()
    if DATA.is_dir():
        judge.demand_none()


def _session() -> aiohttp.ClientSession:
    # By default aiohttp keeps no cookies for addresses, only for names
    jar = aiohttp.CookieJar(unsafe=True)
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}, cookie_jar=jar)


BASE = {"calc.py": "def add(a, b):\n    return a + b\n", "old.py": "x = 1\n"}
HEAD = {
    "calc.py": "import subprocess\n\n\ndef add(a, b):\n    return a - b\n\n\ndef run(command):\n"
    "    subprocess.run(command, shell=True)\n",
    "old.py": "x = 1\n",
    "notes.md": "# Notes\n",
}


async def make_repository(folder: Path) -> Path:
    """A repository with the branches `main` and `change`."""
    await asyncio.to_thread(lambda: shutil.copytree(_repository(), folder))
    return folder


@functools.cache
def _repository() -> Path:
    """What all of them are copies of: git takes ten processes to make one."""
    folder = Path(tempfile.mkdtemp(prefix="sl"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    def run(*arguments: str) -> None:
        subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True)

    run("init", "-q", "-b", "main", "--template=")
    for name, value in (
        ("user.name", "Test"),
        ("user.email", "test@example.com"),
        ("commit.gpgsign", "false"),
    ):
        run("config", name, value)
    for branch, files in (("main", BASE), ("change", HEAD)):
        if branch != "main":
            run("checkout", "-q", "-b", branch)
        _write(folder, files)
        run("add", "-A")
        run("commit", "-q", "-m", "change")
    return folder


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


async def commit(folder: Path, files: dict[str, str]) -> str:
    """Write files and commit them; gives the commit."""
    await asyncio.to_thread(_write, folder, files)
    await git.run(folder, "add", "-A")
    await git.run(folder, "commit", "-q", "-m", "change")
    return (await git.run(folder, "rev-parse", "HEAD")).decode().strip()


async def open_change(world: World, folder: Path) -> tuple[Repository, PullRequest]:
    """Open a pull request from `change` to `main`."""
    repository = world.sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
    pull = await world.sandbox.open_pull_request(repository, base="main", head="change", title="Subtract")
    return repository, pull
