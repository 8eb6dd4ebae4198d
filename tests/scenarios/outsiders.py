"""Callers of one tenant, and all that they are ever sent."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.scenarios.app import PATIENCE, World
from webhooks.sandbox import Repository

OF_THE_MOMENT = frozenset({"date"})
"""Headers that differ between answers that say the same."""


@dataclass(frozen=True)
class Heard:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def ids(self) -> list[str]:
        """Of a stream's events, with that of the bookmark at its start."""
        return re.findall(r"(?m)^id: (\S+)\r?$", self.text)

    @property
    def whole(self) -> str:
        return f"{self.status} {self.headers} {self.text}"

    def same(self) -> tuple[int, dict[str, str], str]:
        """What is to be the same for two things that nobody may tell apart."""
        told = {name: value for name, value in self.headers.items() if name not in OF_THE_MOMENT}
        return self.status, told, self.text


@dataclass
class Outsider:
    """Somebody who calls.

    Attributes:
        heard: all that they were sent, streams included.
    """

    name: str
    url: str
    http: aiohttp.ClientSession
    csrf: dict[str, str] = field(default_factory=dict[str, str])
    heard: list[str] = field(default_factory=list[str])

    async def get(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> Heard:
        """Ask for something."""
        return await self._ask("GET", path, headers=headers, params=query)

    async def post(
        self, path: str, body: str = "", headers: Mapping[str, str] | None = None, **query: Any
    ) -> Heard:
        """Change something, from a page of ours where it is a browser."""
        return await self._ask(
            "POST", path, headers={**self.csrf, **(headers or {})}, params=query, data=body.encode()
        )

    async def _ask(self, method: str, path: str, **options: Any) -> Heard:
        async with (
            asyncio.timeout(PATIENCE),
            self.http.request(method, self.url + path, allow_redirects=False, **options) as answer,
        ):
            told = {name.lower(): value for name, value in answer.headers.items()}
            heard = Heard(answer.status, told, await answer.text())
        self.heard.append(heard.whole)
        return heard

    @asynccontextmanager
    async def listening(self, path: str) -> AsyncIterator[list[str]]:
        """The lines of a stream, as they come."""
        lines: list[str] = []

        async def listen() -> None:
            async for raw in answer.content:
                lines.append(raw.decode())
                self.heard.append(lines[-1])

        async with self.http.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            self.heard.append(str(dict(answer.headers)))
            task = asyncio.create_task(listen())
            try:
                yield lines
            finally:
                assert not task.done(), f"the stream of {self.name} has ended"
                task.cancel()


@asynccontextmanager
async def with_token(app: World, name: str, token: str | None) -> AsyncIterator[Outsider]:
    """A tool that shows an access token, or nothing."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        yield Outsider(name, app.url, http)


@asynccontextmanager
async def logged_in(app: World, login: str, *repositories: Repository) -> AsyncIterator[Outsider]:
    """The browser of a person on GitHub, who may push to some repositories."""
    for repository in repositories:
        app.sandbox.let_in(repository, login, "write")
    app.sandbox.sign_in(login)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        async with http.get(f"{app.url}/login/github") as answer:
            page = await answer.text()
        found = re.search(r'<meta name="csrf" content="([^"]+)">', page)
        assert found, page
        yield Outsider(login, app.url, http, {"X-CSRF-Token": found[1]})
