"""A server that gives scripted answers over HTTP on loopback, and a client that talks to it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests import loopback
from webhooks.github.auth import AppAuth
from webhooks.github.client import GitHub
from webhooks.github.limits import Pacing

TOKENS = "/access_tokens$"


@dataclass(frozen=True)
class Reply:
    """An answer; `seconds` is how long it takes."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Call:
    """A request that came as a whole."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    at: float

    @property
    def token(self) -> str | None:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") or None


class Server:
    """Answers as scripted; the last reply to a request stays."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.most_at_once = 0
        self._at_once = 0
        self._script: list[tuple[str, str, list[Reply]]] = []
        self._tokens = 0

    def on(self, method: str, pattern: str, *replies: Reply) -> None:
        """Later scripts go before earlier ones."""
        self._script.insert(0, (method, pattern, list(replies)))

    def called(self, pattern: str = "") -> list[Call]:
        """Calls other than for tokens, or those that match."""
        if pattern:
            return [call for call in self.calls if re.search(pattern, call.path)]
        return [call for call in self.calls if not re.search(TOKENS, call.path)]

    async def answer(self, request: web.Request) -> web.Response:
        raw = await request.read()
        body = json.loads(raw) if raw else None
        call = Call(
            request.method, request.path_qs, request.headers.copy(), body, asyncio.get_running_loop().time()
        )
        self.calls.append(call)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            reply = self._reply(call)
            await asyncio.sleep(reply.seconds)
        finally:
            self._at_once -= 1
        if isinstance(reply.body, bytes):
            return web.Response(status=reply.status, headers=reply.headers, body=reply.body)
        text = "" if reply.status == 304 else json.dumps(reply.body)
        return web.Response(
            status=reply.status, headers=reply.headers, text=text, content_type="application/json"
        )

    def _reply(self, call: Call) -> Reply:
        for method, pattern, replies in self._script:
            meant = ("access_tokens" in pattern) == bool(re.search(TOKENS, call.path))
            if meant and method == call.method and re.search(pattern, call.path):
                return replies.pop(0) if len(replies) > 1 else replies[0]
        if re.search(TOKENS, call.path):
            self._tokens += 1
            return Reply(201, token_shape(f"ghs_made_up_{self._tokens}"))
        return Reply(404, {"message": "Not Found"})


def token_shape(token: str, *, hours: float = 1.0) -> dict[str, Any]:
    ends = datetime.now(UTC) + timedelta(hours=hours)
    permissions = {"contents": "read", "pull_requests": "write"}
    return {"token": token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ"), "permissions": permissions}


@cache
def private_key() -> str:
    """A key made up for this run."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@asynccontextmanager
async def listening() -> AsyncIterator[Server]:
    """A server while the block runs."""
    server = Server()
    app = web.Application(client_max_size=100_000_000)
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with loopback.listening(app) as server.url:
        yield server


@asynccontextmanager
async def talking(pacing: Pacing | None = None) -> AsyncIterator[tuple[Server, GitHub]]:
    """A server, and a client of it."""
    async with (
        listening() as server,
        GitHub(server.url, AppAuth("Iv23made.up", private_key()), pacing=pacing) as github,
    ):
        yield server, github
