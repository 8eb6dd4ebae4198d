"""Counts of what the app does, for Prometheus. No label holds a name or a path of anybody."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webhooks.callers import Caller

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_STREAM = b"text/event-stream"


class OpenStreams(Protocol):
    """How many event streams are open."""

    def inc(self) -> None:
        """One more."""
        ...

    def dec(self) -> None:
        """One less."""
        ...


class EventsSent(Protocol):
    """How many events were sent to streams."""

    def inc(self, amount: float = 1) -> None:
        """So many more."""
        ...


class _Tally(Collector):
    """A counter for one thread, without the lock that takes longer than many a thing it counts."""

    def __init__(self, name: str, documentation: str) -> None:
        self._name = name
        self._documentation = documentation
        self._count = 0.0

    def inc(self, amount: float = 1) -> None:
        """So many more."""
        self._count += amount

    def collect(self) -> Iterable[Metric]:
        """The count, for the registry."""
        return [CounterMetricFamily(self._name, self._documentation, value=self._count)]


class Metrics:
    """The counts of one app.

    Attributes:
        streams: whoever opens an event stream counts it here, and its end.
        events_sent: whoever sends events counts them here.
    """

    streams: OpenStreams
    events_sent: EventsSent

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._registry = registry
        self.streams = Gauge("sluice_streams_open", "Event streams that are open.", registry=registry)
        self.events_sent = _Tally("sluice_events_sent", "Events sent to streams.")
        registry.register(self.events_sent)
        self._requests = Counter(
            "sluice_http_requests",
            "Requests that were answered.",
            ("route", "method", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "sluice_http_request_seconds",
            "Seconds from a request to the end of its answer; streams are not among them.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=registry,
        )

    async def shown(self, request: Request, caller: Caller) -> Response:  # noqa: ARG002 - an endpoint is given it
        """`GET /metrics`, for those who see everything; for others there is no such page."""
        if not caller.sight.everything:
            raise HTTPException(404)
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    def answered(self, route: str, method: str, status: int, seconds: float | None) -> None:
        """Count an answer; a stream has no seconds."""
        self._requests.labels(route, method, str(status)).inc()
        if seconds is not None:
            self._seconds.labels(route, method).observe(seconds)


class Measured:
    """Middleware that counts each request by the template of its route, once it is answered."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it when it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status, streams = 500, False

        async def note(message: Message) -> None:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                streams = any(
                    name.lower() == b"content-type" and value.startswith(_STREAM)
                    for name, value in message.get("headers", ())
                )
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            seconds = None if streams else time.perf_counter() - began
            self._metrics.answered(_route(scope), _method(scope), status, seconds)


def _route(scope: Scope) -> str:
    """The template of the route, which the router has left in the scope; never the path itself."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else _OTHER


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else _OTHER
