"""The two servers that deliveries are sent to."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from tests.benchmarks.deliveries import github, material, service
from tests.benchmarks.deliveries.service import Postgres, Server

SERVER = Path(__file__).with_name("serve_pr_agent.py")
COMMAND_SECONDS = 60.0
"""A review takes longer than the burst: none has ended when the server is killed."""

PEER_PATIENCE = 20.0
OUR_PATIENCE = 180.0
"""Seconds after a restart in which reviews may begin: ours takes a dead worker's jobs over by the minute."""


class Candidate(Protocol):
    """A server to measure, whose reviews stand still at first."""

    path: str
    ready: str
    patience: float

    def started(self) -> AbstractAsyncContextManager[Server]:
        """Start it on what it has kept; it is killed in the end."""
        ...

    def go_on(self) -> None:
        """It was killed; from now on reviews get on."""

    def worked_on(self) -> set[tuple[str, int]]:
        """Pull requests that are worked on, as (repository, number)."""
        ...


class Sluice:
    """Ours."""

    path = "/webhooks/github"
    ready = "/livez"
    patience = OUR_PATIENCE

    def __init__(self, postgres: Postgres, stand_in: github.GitHub) -> None:
        self._folder = postgres.folder
        self._database = postgres.create_database()
        self._github = stand_in

    def started(self) -> AbstractAsyncContextManager[Server]:
        """With no pause between writes: GitHub's limits are not what is measured."""
        return service.sluice(
            self._database,
            self._github.url,
            self._folder,
            GITHUB_WRITE_SECONDS="0",
            SLUICE_STALLED_SECONDS="5",
        )

    def go_on(self) -> None:
        """GitHub speaks."""
        self._github.speak()

    def worked_on(self) -> set[tuple[str, int]]:
        """Those that GitHub was asked for."""
        return set(self._github.asked)


class PrAgent:
    """PR-Agent, in an environment of its own."""

    path = "/api/v1/github_webhooks"
    ready = "/"
    patience = PEER_PATIENCE

    def __init__(self, python: Path, folder: Path) -> None:
        self._python = python
        self._folder = folder
        self._journal = folder / "journal"

    @asynccontextmanager
    async def started(self) -> AsyncGenerator[Server]:
        """Under gunicorn, as its image starts it."""
        port = service.free_port()
        packages = next(self._python.parents[1].glob("lib/*/site-packages"))
        environment = {
            "HOME": str(self._folder),
            "PATH": os.defpath,
            "GITHUB__WEBHOOK_SECRET": material.SECRET,
            "GITHUB_APP__HANDLE_PUSH_TRIGGER": "true",
            "PEER_COMMAND_SECONDS": str(COMMAND_SECONDS),
            "PEER_JOURNAL": str(self._journal),
            # What it would otherwise fetch: prices, and tables that one of its dependencies ships
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "TIKTOKEN_CACHE_DIR": str(packages / "litellm" / "litellm_core_utils" / "tokenizers"),
        }
        command = [
            *(str(self._python), "-I", "-m", "gunicorn", "-k", "uvicorn.workers.UvicornWorker"),
            *("-c", str(packages / "pr_agent" / "servers" / "gunicorn_config.py")),
            *("-b", f"127.0.0.1:{port}", "--pythonpath", str(SERVER.parent), f"{SERVER.stem}:app"),
        ]
        log = self._folder / "pr_agent.log"
        async with service.started(
            command, environment, port=port, ready=self.ready, log=log, folder=self._folder
        ) as server:
            yield server

    def go_on(self) -> None:
        """What has begun by now and not ended was lost with its process."""
        ended = self._noted("ended")
        self._journal.write_text("".join(f"ended {pull}\n" for pull in sorted(ended)))

    def worked_on(self) -> set[tuple[str, int]]:
        """Those whose commands ended, or began anew."""
        return {_parts(url) for url in self._noted("ended") | self._noted("begun")}

    def _noted(self, word: str) -> set[str]:
        if not self._journal.exists():
            return set()
        lines = (line.split(" ", 1) for line in self._journal.read_text().splitlines())
        return {url for noted, url in lines if noted == word}


def _parts(url: str) -> tuple[str, int]:
    owner, name, _, number = url.rsplit("/", 4)[1:]
    return f"{owner}/{name}", int(number)
