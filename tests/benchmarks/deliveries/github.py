"""A stand-in GitHub that takes no time to speak of: silent while a burst is measured, willing afterwards."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from aiohttp import web

from tests.loopback import listening

_PULL = re.compile(r"/repos/([^/]+/[^/]+)/pulls/(\d+)$")
_LISTS = ("/app/hook/deliveries", "/app/installations")


class GitHub:
    """Holds every request until `speak`; then gives tokens and takes writes, but has no pull request.

    Attributes:
        asked: pull requests that were asked for once it spoke, as (repository, number): a review of each has
            begun. It then ends at once, as of one that was deleted meanwhile.
        held: requests that wait.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: set[tuple[str, int]] = set()
        self.held = 0
        self._ids = count(1)
        self._speaks = asyncio.Event()

    def speak(self) -> None:
        """Answer from now on, what is held too."""
        self._speaks.set()

    async def answer(self, request: web.Request) -> web.Response:
        """Any request."""
        if request.path.endswith(_LISTS):
            return web.json_response([])
        self.held += 1
        try:
            await self._speaks.wait()
        finally:
            self.held -= 1
        if request.path.endswith("/access_tokens"):
            expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
            return web.json_response({"token": "ghs_made_up", "expires_at": expires}, status=201)
        if pull := _PULL.search(request.path):
            self.asked.add((pull[1], int(pull[2])))
        if request.method == "GET":
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response({"id": next(self._ids)}, status=201 if request.method == "POST" else 200)


@asynccontextmanager
async def running() -> AsyncGenerator[GitHub]:
    """Serve it on a free port of loopback."""
    github = GitHub()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", github.answer)
    async with listening(app, cancels=True) as github.url:
        yield github
