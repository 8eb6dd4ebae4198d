"""The way from the workers to the sandbox GitHub: trouble happens here, and every call is written down.

It stands before any sandbox, whatever faults that can play by itself; GitHub's own answers pass unchanged.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
from aiohttp import web

from tests.chaos.weather import Trouble, Weather
from tests.loopback import listening

STALE_SECONDS = 1.0
"""A stale listing lacks what is younger."""

_LISTED = re.compile(r"/(?:reviews|comments|check-runs)$")
_CREATED = re.compile(r"/(?:reviews|comments|replies|check-runs)$")
_NOT_PASSED = {
    "connection",
    "content-encoding",
    "content-length",
    "host",
    "keep-alive",
    "transfer-encoding",
    "date",
    "server",
}
_UNHEARD = {Trouble.UNHEARD, Trouble.CUT}
_UNREACHED = {Trouble.REFUSED, Trouble.LIMITED, Trouble.DISGUISED, Trouble.DROPPED}
_CLOSED = {Trouble.DROPPED, Trouble.CUT}


@dataclass
class Call:
    """A call to GitHub.

    Attributes:
        body: the request's JSON, if it is an object.
        at: when it came, as time of day.
        status: what the sandbox answered; None if it never heard of it.
        acted_at: when it had answered.
        trouble: what happened on the way.
    """

    method: str
    path: str
    body: Mapping[str, Any]
    at: float
    status: int | None = None
    acted_at: float | None = None
    trouble: Trouble | None = None


@dataclass
class Gate:
    """Passes calls on to `target`; served by `open_gate`."""

    target: str
    weather: Weather
    calls: list[Call] = field(default_factory=list[Call])
    url: str = ""

    def __post_init__(self) -> None:
        self._born: dict[int, float] = {}
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Serve on a free port of loopback."""
        app = web.Application(client_max_size=64_000_000)
        app.router.add_route("*", "/{path:.*}", self._take)
        timeout = aiohttp.ClientTimeout(total=60)
        async with (
            aiohttp.ClientSession(timeout=timeout) as self._session,
            listening(app, shutdown_seconds=0.5) as self.url,
        ):
            yield

    async def _take(self, request: web.Request) -> web.StreamResponse:
        text = await request.read()
        call = Call(request.method, request.path, _object(text), time.time())
        listing = request.method == "GET" and bool(_LISTED.search(request.path))
        call.trouble = self.weather.github(listing=listing)
        self.calls.append(call)
        if call.trouble is Trouble.SLOW:
            await asyncio.sleep(self.weather.between(0.3, 2.0))
        if call.trouble in _UNREACHED:
            answer = _unreached(call.trouble)
        else:
            # What GitHub has begun it ends, whether or not the caller is still there
            answer = await asyncio.shield(asyncio.ensure_future(self._pass(request, text, call)))
        if call.trouble in _CLOSED and request.transport is not None:
            request.transport.abort()
        return answer

    async def _pass(self, request: web.Request, text: bytes, call: Call) -> web.Response:
        assert self._session is not None
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _NOT_PASSED}
        async with self._session.request(
            request.method,
            self.target + request.raw_path,
            data=text or None,
            headers=headers,
            allow_redirects=False,
        ) as answer:
            said = await answer.read()
            call.status, call.acted_at = answer.status, time.time()
        self._note_birth(call, said)
        if call.trouble in _UNHEARD:
            return web.json_response({"message": "Server Error"}, status=502)
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in _NOT_PASSED}
        if call.trouble is Trouble.STALE:
            said = self._without_young(said)
            kept = {k: v for k, v in kept.items() if k.lower() != "etag"}
        return web.Response(body=said, status=answer.status, headers=kept)

    def _note_birth(self, call: Call, said: bytes) -> None:
        if call.method == "POST" and _CREATED.search(call.path):
            made = _object(said)
            for name in ("id", "pull_request_review_id"):
                if isinstance(made.get(name), int):
                    self._born.setdefault(made[name], time.time())

    def _without_young(self, said: bytes) -> bytes:
        """A listing as it stood a moment ago."""
        try:
            listing: Any = json.loads(said)
        except ValueError:
            return said
        if isinstance(listing, dict) and "check_runs" in listing:
            listing["check_runs"] = [each for each in listing["check_runs"] if not self._is_young(each)]
            listing["total_count"] = len(listing["check_runs"])
        elif isinstance(listing, list):
            listing = [each for each in listing if not self._is_young(each)]
        return json.dumps(listing).encode()

    def _is_young(self, each: Mapping[str, Any]) -> bool:
        since = time.time() - STALE_SECONDS
        ids = (each.get("id"), each.get("pull_request_review_id"))
        return any(self._born.get(id_, 0.0) > since for id_ in ids if isinstance(id_, int))


def _unreached(trouble: Trouble | None) -> web.Response:
    match trouble:
        case Trouble.LIMITED:
            message = "You have exceeded a secondary rate limit. Please wait a few minutes."
            return web.json_response({"message": message}, status=403, headers={"retry-after": "1"})
        case Trouble.DISGUISED:  # octokit/plugin-throttling.js#775
            error = {"resource": "PullRequestReview", "code": "abuse", "field": "base"}
            return web.json_response({"message": "Validation Failed", "errors": [error]}, status=422)
        case _:
            return web.json_response({"message": "Server Error"}, status=502)


def _object(text: bytes) -> dict[str, Any]:
    try:
        value: Any = json.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
