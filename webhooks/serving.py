"""uvicorn inside an event loop of ours."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from reviewer.errors import BadSettings

GRACE_SECONDS = 3
"""A stop waits for requests that are under way this long."""

_ABORT_SECONDS = 2.5
"""Connections that are still open then are cut: what is in them is lost a moment later anyway."""


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

    def cut(self, *, streams_only: bool) -> None:
        """End connections without regard to what they have still to send; the app hears of it as ever."""
        for connection in list(self.server_state.connections):
            scope: dict[str, Any] | None = getattr(connection, "scope", None)
            if not streams_only or (scope and scope.get("state", {}).get("is_stream")):
                connection.transport.abort()


def _with_own_send(app: ASGIApp) -> ASGIApp:
    """Leaves the server's own `send` in the scope's state, for what needs nothing of what stands round it."""

    async def entered(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["send"] = send
        await app(scope, receive, send)

    return entered


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, bound: socket.socket, *, trusted_proxies: str = "127.0.0.1"
) -> AsyncGenerator[str]:
    """Serve `app` on a bound socket while the block runs; gives its URL.

    An app with answers that never end has in `state.before_stop` what makes them end. It is called before the
    server stops: those that have not ended then are cut, and all other requests have the grace.
    """
    config = uvicorn.Config(
        _with_own_send(app),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        forwarded_allow_ips=trusted_proxies,
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
        await _stop(app, server, task)


async def _stop(app: ASGIApp, server: _Server, task: asyncio.Task[None]) -> None:
    before_stop = getattr(getattr(app, "state", None), "before_stop", None)
    if before_stop is not None and not task.done():
        await before_stop()
        server.cut(streams_only=True)
    server.should_exit = True
    last = asyncio.get_running_loop().call_later(_ABORT_SECONDS, lambda: server.cut(streams_only=False))
    try:
        await task
    finally:
        last.cancel()


async def stop_signal() -> None:
    """Wait until the process is asked to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
