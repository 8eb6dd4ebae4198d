"""The sandbox over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from webhooks.sandbox.access import Gate
from webhooks.sandbox.ledger import Ledger
from webhooks.sandbox.play import Sandbox
from webhooks.sandbox.refusals import DOCS, Refusal, refuse
from webhooks.sandbox.routes import (
    apps,
    checks,
    comments,
    comparisons,
    contents,
    graphql,
    hooks,
    oauth,
    packs,
    people,
    pulls,
    reviews,
    shown,
    users,
)
from webhooks.sandbox.state import State
from webhooks.serving import listen, serving


def create_app(state: State, *, wrap: Callable[[ASGIApp], ASGIApp] | None = None) -> ASGIApp:
    """The API over a state; `wrap` sees what is asked and answered, and none of the faults."""
    gate = Gate(state)
    parts = (
        apps, hooks, contents, comparisons, pulls, reviews, comments, checks, graphql, people, packs,
        oauth, users, shown,
    )  # fmt: skip
    app = Starlette(
        routes=[route for part in parts for route in part.routes(gate)],
        exception_handlers={Refusal: refuse, 404: _not_found, 405: _not_found},
    )
    return Ledger(wrap(app) if wrap else app, state)


@asynccontextmanager
async def running(
    sandbox: Sandbox, *, wrap: Callable[[ASGIApp], ASGIApp] | None = None
) -> AsyncGenerator[str]:
    """Serve the sandbox on a free port of loopback; gives its base URL. `wrap` is as for `create_app`."""
    async with serving(create_app(sandbox.state, wrap=wrap), listen("127.0.0.1", 0)) as url:
        sandbox.state.url = url
        yield url
        await asyncio.gather(*sandbox.state.tasks)


async def _not_found(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette gives them
    body = {"message": "Not Found", "documentation_url": DOCS, "status": "404"}
    return JSONResponse(body, status_code=404)
