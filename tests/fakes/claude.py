"""A scripted Claude: the Messages API's wire format over real HTTP on loopback.

Each request is answered by the next `Answer` of the script (the last one again when it runs out), or by what
a callable chooses for the request. Tokens are counted by `count`; without it there is no such route.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

CHARS_PER_TOKEN = 4


@dataclass
class Answer:
    """How one request is answered.

    `text` is streamed as the tool's input, or as plain text when `as_text`, one token every `delay` seconds.
    `status` other than 200 refuses instead, with an error of type `error`. `fail_after` characters the stream
    does `failure`: an `error` event, a dropped connection (`cut`), a stall, or a clean end (`eof`).
    """

    text: str = '{"findings": []}'
    as_text: bool = False
    chars: int = CHARS_PER_TOKEN
    delay: float = 0.0
    status: int = 200
    error: str = "overloaded_error"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    fail_after: int | None = None
    failure: str = "error"
    stop_reason: str = "tool_use"
    input_tokens: int = 1000
    ended_at: float | None = None

    @classmethod
    def findings(cls, *findings: dict[str, Any], **options: Any) -> Answer:
        """An answer that reports these findings."""
        return cls(text=json.dumps({"findings": list(findings)}), **options)


@dataclass
class Request:
    """A request as it came."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float


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
        self.requests: list[Request] = []
        self.counted: list[Request] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64_000_000)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/messages/count_tokens", self._count_tokens)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    def _answer(self, body: dict[str, Any]) -> Answer:
        if callable(self._script):
            return self._script(body)
        return self._script[min(len(self.requests), len(self._script)) - 1]

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.counted.append(Request(body, dict(request.headers), time.monotonic()))
        if self._count is None:  # as a server of one's own that lacks the route
            raise web.HTTPNotFound
        return web.json_response({"input_tokens": self._count(body)})

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(Request(body, dict(request.headers), time.monotonic()))
        answer = self._answer(body)
        if answer.status != 200:
            error = {"type": "error", "error": {"type": answer.error, "message": f"scripted {answer.error}"}}
            return web.json_response(error, status=answer.status, headers=answer.headers)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "request-id": "req_made_up"}
        )
        await response.prepare(request)
        await _Telling(request, response, answer).tell(body["model"])
        return response


class _Telling:
    """One streamed message."""

    def __init__(self, request: web.Request, response: web.StreamResponse, answer: Answer) -> None:
        self._request = request
        self._response = response
        self._answer = answer

    async def tell(self, model: str) -> None:
        answer = self._answer
        usage = {"input_tokens": answer.input_tokens, "output_tokens": 1}
        message = {
            "id": "msg_made_up",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        await self._send("message_start", message=message)
        await self._send("ping")
        tool = {"type": "tool_use", "id": "toolu_made_up", "name": "report_findings", "input": {}}
        block = {"type": "text", "text": ""} if answer.as_text else tool
        await self._send("content_block_start", index=0, content_block=block)
        if not await self._deltas():
            return
        await self._send("content_block_stop", index=0)
        output = max(len(answer.text) // CHARS_PER_TOKEN, 1)
        delta = {"stop_reason": answer.stop_reason, "stop_sequence": None}
        await self._send("message_delta", delta=delta, usage={"output_tokens": output})
        answer.ended_at = time.monotonic()
        await self._send("message_stop")

    async def _deltas(self) -> bool:
        """Stream the text; False when the message ends here, in whatever way."""
        answer = self._answer
        for start in range(0, len(answer.text), answer.chars):
            if answer.fail_after is not None and start >= answer.fail_after:
                await self._fail()
                return False
            piece = answer.text[start : start + answer.chars]
            delta = (
                {"type": "text_delta", "text": piece}
                if answer.as_text
                else {"type": "input_json_delta", "partial_json": piece}
            )
            await self._send("content_block_delta", index=0, delta=delta)
            if answer.delay:
                await asyncio.sleep(answer.delay)
        return True

    async def _fail(self) -> None:
        match self._answer.failure:
            case "error":
                error = {"type": self._answer.error, "message": "scripted, in mid-stream"}
                await self._send("error", error=error)
            case "cut":
                if self._request.transport is not None:
                    self._request.transport.abort()
            case "stall":
                await asyncio.sleep(30)
            case _:
                pass

    async def _send(self, event: str, **data: Any) -> None:
        text = f"event: {event}\ndata: {json.dumps({'type': event, **data})}\n\n"
        await self._response.write(text.encode())
