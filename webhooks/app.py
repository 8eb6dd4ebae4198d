"""The HTTP surface: routes, middleware, error boundary and the worker's lifetime."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from reviewer.errors import BadDelivery, StoreUnavailable
from webhooks import dashboard, health
from webhooks.api.metrics import Measured
from webhooks.api.reviews import me
from webhooks.background import running
from webhooks.middleware import middleware, refusal_as_json
from webhooks.openapi.document import openapi
from webhooks.routes import by_method
from webhooks.surface import Surface
from webhooks.wiring import Services


def create_app(services: Services) -> Starlette:
    """The app over services that are open; while it is up, it also works on jobs."""
    surface = services.surface

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:  # noqa: ARG001 - Starlette gives it
        async with running({**services.works, **surface.works}):
            yield

    app = Starlette(
        routes=[
            Route("/webhooks/github", services.receiver.receive, methods=["POST"]),
            *_review_routes(surface),
            *_operation_routes(surface),
            *surface.login.routes(),
            *dashboard.routes(caller=surface.access.visitor, sees=surface.reviews.sees),
        ],
        middleware=[Middleware(Measured, metrics=surface.metrics), *middleware(surface.cors_origins)],
        exception_handlers={
            BadDelivery: _refuse_delivery,
            StoreUnavailable: _store_unavailable,
            HTTPException: refusal_as_json,
        },
        lifespan=lifespan,
    )
    app.state.before_stop = surface.stream.close
    return app


def _review_routes(surface: Surface) -> list[BaseRoute]:
    guarded, reviews, stream, actions = (
        surface.access.guarded,
        surface.reviews,
        surface.stream,
        surface.actions,
    )
    return [
        Route("/events", guarded(stream.everything)),
        by_method("/reviews", get=guarded(reviews.listing), post=guarded(surface.posting.post, forms=False)),
        Route("/reviews/{id}.sarif", guarded(reviews.sarif)),
        Route("/reviews/{id}", guarded(reviews.one)),
        Route("/reviews/{id}/events", guarded(surface.posting.events)),
        Route("/reviews/{id}/diff", guarded(reviews.diff)),
        Route("/reviews/{id}/cancel", guarded(actions.cancel), methods=["POST"]),
        Route("/reviews/{id}/again", guarded(actions.again), methods=["POST"]),
    ]


def _operation_routes(surface: Surface) -> list[BaseRoute]:
    guarded = surface.access.guarded
    return [
        Route("/me", guarded(me)),
        Route("/usage", guarded(surface.usage.by_day)),
        Route("/status", guarded(surface.status.now)),
        Route("/metrics", guarded(surface.metrics.shown)),
        Route("/openapi.json", openapi),
        Route("/livez", health.live),
        Route("/readyz", surface.readiness.ready),
    ]


async def _refuse_delivery(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette gives it
    status = error.status if isinstance(error, BadDelivery) else 400
    return JSONResponse({"error": str(error)}, status_code=status)


async def _store_unavailable(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette gives it
    return JSONResponse({"error": str(error)}, status_code=503, headers={"Retry-After": "5"})
