"""uvicorn inside an event loop of ours."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Generator

import uvicorn
from starlette.types import ASGIApp

from reviewer.errors import BadSettings

GRACE_SECONDS = 3
"""Streams never end by themselves; a stop waits for them this long."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one.

    Raises:
        BadSettings: the address can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named: else a kept connection's answers wait 40 ms
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise BadSettings(f"can't listen on {host}:{port}: {error.strerror}; set SLUICE_PORT") from error
    return bound


def url_of(bound: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Leaves signals to the command that serves."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, bound: socket.socket) -> AsyncGenerator[str]:
    """Serve `app` on a bound socket while the block runs; gives its URL."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_SECONDS
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="uvicorn")
    try:
        while not server.started:
            if task.done():
                await task
                raise BadSettings("the server did not start; its log says why")
            await asyncio.sleep(0.01)
        yield url_of(bound)
    finally:
        server.should_exit = True
        await task


async def stop_signal() -> None:
    """Wait until the process is asked to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
