"""The sandbox over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webhooks.sandbox.access import DOCS, Gate, Refusal, refuse
from webhooks.sandbox.play import Sandbox
from webhooks.sandbox.routes import apps, checks, comparisons, contents, packs, pulls, reviews
from webhooks.sandbox.state import Fault, RequestRecord, State
from webhooks.serving import listen, serving


def create_app(state: State) -> Starlette:
    """The API over a state."""
    gate = Gate(state)
    parts = (apps, contents, comparisons, pulls, reviews, checks, packs)
    return Starlette(
        routes=[route for part in parts for route in part.routes(gate)],
        exception_handlers={Refusal: refuse, 404: _not_found, 405: _not_found},
        middleware=[Middleware(_Ledger, state=state)],
    )


@asynccontextmanager
async def running(sandbox: Sandbox) -> AsyncGenerator[str]:
    """Serve the sandbox on a free port of loopback; gives its base URL."""
    async with serving(create_app(sandbox.state), listen("127.0.0.1", 0)) as url:
        sandbox.state.url = url
        yield url


async def _not_found(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette gives them
    body = {"message": "Not Found", "documentation_url": DOCS, "status": "404"}
    return JSONResponse(body, status_code=404)


class _Ledger:
    """Writes down every call, and lets faults happen."""

    def __init__(self, app: ASGIApp, *, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        fault = next((each for each in self._state.faults if each.matches(method, path)), None)
        if fault is None:
            await self._app(scope, receive, self._noting(method, path, send))
            return
        fault.times -= 1
        if fault.after:
            await self._app(scope, receive, _swallow)
        await _faulty(fault)(scope, receive, self._noting(method, path, send))

    def _noting(self, method: str, path: str, send: Send) -> Send:
        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._state.requests.append(RequestRecord(method, path, message["status"]))
            await send(message)

        return note


def _faulty(fault: Fault) -> Response:
    body = fault.body if fault.body is not None else {"message": "a fault of the sandbox"}
    return JSONResponse(body, status_code=fault.status, headers=fault.headers)


async def _swallow(message: Message) -> None:
    """An answer that is lost on its way."""
