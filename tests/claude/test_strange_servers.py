"""Servers that answer what no Messages API would."""

from __future__ import annotations

import pytest
from aiohttp import web

from reviewer.claude.client import Client
from reviewer.claude.engine import ClaudeEngine
from reviewer.claude.models import Catalogue
from reviewer.claude.watchdog import Patience
from tests.claude.stories import BATCH, Told
from tests.fakes.work import task
from tests.loopback import listening

STOPPED_ODDLY = (
    b'event: message_delta\ndata: {"type": "message_delta", "delta": {"stop_reason": ["a"]}}\n\n'
    b'event: message_stop\ndata: {"type": "message_stop"}\n\n'
)


@pytest.mark.parametrize(
    "body",
    [
        b"event: message_start\ndata: null\n\n",
        b'event: content_block_delta\ndata: "x"\n\n',
        b"event: message_start\ndata: \xff\xfe\n\n",
        b"event: message_start\ndata: " + b"[" * 100_000 + b"\n\n",
        STOPPED_ODDLY,
        b'event: error\ndata: {"type": "error", "error": {"type": {"a": 1}, "message": {"b": 2}}}\n\n',
    ],
)
async def test_a_server_that_answers_anything_gets_an_error_and_no_more(body):
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/v1/messages", answer)
    async with listening(app) as url:
        client = Client(api_key="sk-ant-made-up", base_url=url, read_seconds=5)
        reviewer = ClaudeEngine(client, Catalogue(), max_tokens=1_000, patience=Patience(longest_wait=0))
        try:
            done = await reviewer.review(task(BATCH), Told())
        finally:
            await client.aclose()

    assert list(done.failed) == [BATCH.chunks[0].id]
