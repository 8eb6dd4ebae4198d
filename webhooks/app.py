"""The HTTP surface: routes, middleware, error boundary and the worker's lifetime."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from reviewer.errors import BadDelivery, StoreUnavailable
from webhooks import dashboard, health
from webhooks.access import Access
from webhooks.api import Reviews
from webhooks.background import running
from webhooks.middleware import SecurityHeaders
from webhooks.stream import Stream
from webhooks.wiring import Services


def create_app(services: Services) -> Starlette:
    """The app over services that are open; while it is up, it also works on jobs."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:  # noqa: ARG001 - Starlette gives it
        async with running(services.works):
            yield

    access, stream, reviews = services.access, Stream(services.feed), Reviews(services.database)
    return Starlette(
        routes=[
            Route("/webhooks/github", services.receiver.receive, methods=["POST"]),
            Route("/events", access.guarded(stream.everything)),
            Route("/reviews", access.guarded(reviews.listing)),
            Route("/reviews/{id}", access.guarded(reviews.one)),
            Route("/reviews/{id}/events", access.guarded(stream.one_review)),
            Route("/livez", health.live),
            Route("/readyz", health.Readiness(services.database).ready),
            *_login_routes(access),
            *dashboard.routes(is_allowed=access.is_allowed),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={BadDelivery: _refuse_delivery, StoreUnavailable: _store_unavailable},
        lifespan=lifespan,
    )


def _login_routes(access: Access) -> list[Route]:
    async def log_in(request: Request) -> Response:
        if request.method == "POST":
            form = await request.form(max_files=0, max_fields=4)
            token = str(form.get("token", ""))
        else:
            token = request.query_params.get("token", "")
            if not token:
                return dashboard.login_page(failed="failed" in request.query_params)
        return access.log_in(request, token) or RedirectResponse("/login?failed=1", status_code=303)

    return [Route("/login", log_in, methods=["GET", "POST"])]


async def _refuse_delivery(request: Request, error: Exception) -> Response:  # noqa: ARG001
    status = error.status if isinstance(error, BadDelivery) else 400
    return JSONResponse({"error": str(error)}, status_code=status)


async def _store_unavailable(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return JSONResponse({"error": str(error)}, status_code=503, headers={"Retry-After": "5"})
