"""Servers of tests on free ports of loopback."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def listening(
    app: web.Application, *, shutdown_seconds: float = 0.1, cancels: bool = False
) -> AsyncGenerator[str]:
    """Serve while the block runs; gives the base URL.

    Args:
        app: what answers.
        shutdown_seconds: how long a stop waits for answers under way.
        cancels: an answer ends when its caller has gone.
    """
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=shutdown_seconds, handler_cancellation=cancels
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
