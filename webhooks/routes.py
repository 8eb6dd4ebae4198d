"""Paths that take more than one method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_Endpoint = Callable[[Request], Awaitable[Response]]


def by_method(path: str, *, get: _Endpoint, post: _Endpoint) -> Route:
    """One route for both: a refusal of any other method then names both in `Allow`."""

    async def endpoint(request: Request) -> Response:
        return await (post if request.method == "POST" else get)(request)

    return Route(path, endpoint, methods=["GET", "POST"])
