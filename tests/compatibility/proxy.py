"""LiteLLM's proxy as a process of its own on loopback, and a stand-in for the servers behind it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.loopback import listening

START_SECONDS = 120.0
"""The proxy imports for 7 s on a quiet machine."""


class NotRunning(Exception):
    """The proxy did not start."""


@dataclass(frozen=True)
class Proxy:
    """A running proxy; `log` is what it has written."""

    url: str
    key: str
    log: Path


@asynccontextmanager
async def running(program: Path, models: list[dict[str, Any]], folder: Path) -> AsyncGenerator[Proxy]:
    """The proxy with these models, until the block is left, however it is left.

    Raises:
        NotRunning: it ended, or took too long, and what it said last.
    """
    config = folder / "proxy.json"  # JSON is YAML
    settings = {"num_retries": 0, "disable_cooldowns": True}
    config.write_text(json.dumps({"model_list": models, "router_settings": settings}))
    port = _free_port()
    proxy = Proxy(f"http://127.0.0.1:{port}", f"sk-{secrets.token_hex(32)}", folder / "proxy.log")
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "LITELLM_MASTER_KEY": proxy.key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would fetch its table of prices
        "PYTHONUNBUFFERED": "1",
    }
    where = ("--host", "127.0.0.1", "--port", str(port), "--telemetry", "False")
    with proxy.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(program), "--config", str(config), *where),
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            await _wait_for(proxy, process)
            yield proxy
        finally:
            await _end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def _wait_for(proxy: Proxy, process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as http:
            while process.returncode is None:
                try:
                    async with http.get(f"{proxy.url}/health/liveliness") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.2)
    except TimeoutError as error:
        raise NotRunning(f"the proxy is not up after {START_SECONDS:.0f} s") from error
    said = proxy.log.read_text(errors="replace").strip()
    raise NotRunning(f"the proxy ended with {process.returncode}: {said[-1000:]}")


async def _end(process: asyncio.subprocess.Process) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        os.killpg(process.pid, how)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            continue


@asynccontextmanager
async def chat_completions(tool: str, arguments: str) -> AsyncGenerator[str]:
    """A server that speaks Chat Completions only, and streams a call of this tool; its base URL."""

    async def complete(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        call = {"index": 0, "id": "call_made_up", "type": "function", "function": {"name": tool}}
        first = {"role": "assistant", "content": None, "tool_calls": [call]}
        pieces = [arguments[start : start + 8] for start in range(0, len(arguments), 8)]
        told = [({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, None) for piece in pieces]
        for delta, reason in [(first, None), *told, ({}, "tool_calls")]:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            await _send(response, {"choices": [choice]})
        usage = {"prompt_tokens": 900, "completion_tokens": len(pieces), "total_tokens": 900 + len(pieces)}
        await _send(response, {"choices": [], "usage": usage})
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application(client_max_size=64_000_000)
    app.router.add_post("/v1/chat/completions", complete)
    async with listening(app) as url:
        yield f"{url}/v1"


async def _send(response: web.StreamResponse, part: dict[str, Any]) -> None:
    whole = {"id": "chatcmpl-made-up", "object": "chat.completion.chunk", "created": 1, "model": "made-up"}
    await response.write(f"data: {json.dumps(whole | part)}\n\n".encode())
