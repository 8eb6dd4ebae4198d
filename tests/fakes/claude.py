"""A scripted Claude: the Messages API's wire format over real HTTP on loopback.

Each request is answered by the next `Answer` of the script (the last one again when it runs out), or by what
a callable chooses for the request. Tokens are counted by `count`; without it there is no such route.
All times are the running loop's, so a test may let it jump over them (`tests.fakes.clock`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from tests.fakes.answers import CHARS_PER_TOKEN, Act, Answer, Step, Wait, event

__all__ = ["CHARS_PER_TOKEN", "Answer", "Request", "ScriptedClaude"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_READ_SECONDS = 0.001
"""Until the other end has read what was said before a connection is torn down."""


@dataclass
class Request:
    """A request as it came.

    Attributes:
        at: when it came.
        ended_at: when the script had nothing more to say.
        cut_at: when the client went away before that.
    """

    body: dict[str, Any]
    headers: dict[str, str]
    at: float
    ended_at: float | None = None
    cut_at: float | None = None


class ScriptedClaude:
    """The server; an async context manager. `url` is the base URL for the SDK."""

    def __init__(
        self,
        script: Sequence[Answer] | Callable[[dict[str, Any]], Answer],
        *,
        count: Callable[[dict[str, Any]], int] | None = None,
    ) -> None:
        self._script = script
        self._count = count
        self._open = True
        self.requests: list[Request] = []
        self.counted: list[Request] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64_000_000)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/messages/count_tokens", self._count_tokens)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._open = False
        await self._runner.cleanup()

    def _answer(self, body: dict[str, Any]) -> Answer:
        if callable(self._script):
            return self._script(body)
        return self._script[min(len(self.requests), len(self._script)) - 1]

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.counted.append(Request(body, dict(request.headers), _now()))
        if self._count is None:  # as a server of one's own that lacks the route
            raise web.HTTPNotFound
        return web.json_response({"input_tokens": self._count(body)})

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked = Request(body, dict(request.headers), _now())
        self.requests.append(asked)
        try:
            response = await _Telling(request, self._answer(body)).tell(body)
        except (asyncio.CancelledError, ConnectionError):
            if self._open:
                asked.cut_at = _now()
            raise
        asked.ended_at = _now()
        return response


class _Telling:
    """One answer on its way."""

    def __init__(self, request: web.Request, answer: Answer) -> None:
        self._request = request
        self._answer = answer
        headers = {"Content-Type": "text/event-stream", "request-id": "req_made_up", **answer.headers}
        self._response = web.StreamResponse(headers=headers)

    async def tell(self, body: dict[str, Any]) -> web.StreamResponse:
        """Answer the request, in time and to the end that the script wants."""
        answer = self._answer
        await asyncio.sleep(answer.hang)
        if answer.drop:
            self._close()
        elif answer.status != 200:
            headers = {"Content-Type": "application/json", "request-id": "req_made_up", **answer.headers}
            return web.Response(body=answer.refusal(), status=answer.status, headers=headers)
        elif answer.whole:
            answer.ended_at = _now()
            return web.json_response(answer.message_of(body))
        else:
            await self._response.prepare(self._request)
            for step in answer.steps(body):
                await self._take(step)
        return self._response

    async def _take(self, step: Step) -> None:
        match step:
            case bytes():
                await self._response.write(step)
            case Wait():
                await self._wait(step)
            case Act.ENDED:
                self._answer.ended_at = _now()
            case Act.RESET:
                await asyncio.sleep(_READ_SECONDS)
                self._reset()
            case Act.CLOSE:
                self._close()

    async def _wait(self, wait: Wait) -> None:
        left = wait.seconds
        while wait.ping_every is not None and left > wait.ping_every:
            await asyncio.sleep(wait.ping_every)
            await self._response.write(event("ping"))
            left -= wait.ping_every
        await asyncio.sleep(left)

    def _close(self) -> None:
        if self._request.transport is not None:
            self._request.transport.close()

    def _reset(self) -> None:
        if self._request.transport is not None:
            ours: socket.socket = self._request.transport.get_extra_info("socket")
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._request.transport.abort()


def _now() -> float:
    return asyncio.get_running_loop().time()
