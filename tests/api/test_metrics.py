from __future__ import annotations

import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from reviewer.core.audience import Sight
from tests.api.watchers import OPERATOR, caller
from webhooks.api.metrics import Measured, Metrics

TENANTS = {
    "first": caller(Sight(installations=frozenset({1}))),
    "second": caller(Sight(api_keys=frozenset({"k"}))),
}


async def found(request: Request) -> Response:
    return JSONResponse({"id": request.path_params["id"]})


async def stream(_: Request) -> Response:
    return Response("data: x\n\n", media_type="text/event-stream")


async def broken(_: Request) -> Response:
    raise RuntimeError("octo/secret is broken")


class Server:
    """An app that is measured."""

    def __init__(self) -> None:
        self.metrics = Metrics()

        async def shown(request: Request) -> Response:
            who = TENANTS.get(request.headers.get("x-who", ""), OPERATOR)
            return await self.metrics.shown(request, who)

        app = Starlette(
            routes=[
                Route("/reviews/{id}", found),
                Route("/reviews/{id}/events", stream),
                Route("/broken/{id}", broken),
                Route("/metrics", shown),
                Mount("/static", Starlette()),
            ],
            middleware=[Middleware(Measured, metrics=self.metrics)],
        )
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://sluice.example")

    async def counts(self, name: str) -> dict[str, float]:
        answer = await self.http.get("/metrics")
        assert answer.status_code == 200
        lines = [line.rpartition(" ") for line in answer.text.splitlines() if line.startswith(name)]
        return {labels.removeprefix(name): float(value) for labels, _, value in lines}


@pytest.fixture
async def server():
    server = Server()
    async with server.http:
        yield server


async def test_requests_are_counted_by_route_method_and_status(server):
    for path in ("/reviews/a", "/reviews/b", "/broken/c", "/nowhere"):
        await server.http.get(path)
    await server.http.post("/reviews/a")

    counts = await server.counts("sluice_http_requests_total")

    assert counts == {
        '{method="GET",route="/reviews/{id}",status="200"}': 2,
        '{method="GET",route="/broken/{id}",status="500"}': 1,
        '{method="GET",route="other",status="404"}': 1,
        '{method="POST",route="/reviews/{id}",status="405"}': 1,
    }


async def test_seconds_are_those_of_answers_and_not_of_streams(server):
    await server.http.get("/reviews/a")
    await server.http.get("/reviews/a/events")

    assert await server.counts("sluice_http_request_seconds_count") == {
        '{method="GET",route="/reviews/{id}"}': 1
    }
    counts = await server.counts("sluice_http_requests_total")
    assert counts['{method="GET",route="/reviews/{id}/events",status="200"}'] == 1


async def test_streams_and_events_are_counted_by_whoever_sends_them(server):
    server.metrics.streams.inc()
    server.metrics.streams.inc()
    server.metrics.streams.dec()
    server.metrics.events_sent.inc(20)

    assert await server.counts("sluice_streams_open") == {"": 1}
    assert await server.counts("sluice_events_sent_total") == {"": 20}


@pytest.mark.parametrize("who", ["first", "second"])
async def test_for_whoever_does_not_see_everything_there_is_no_such_page(server, who):
    refused = await server.http.get("/metrics", headers={"X-Who": who})
    nowhere = await server.http.get("/nowhere")

    assert (refused.status_code, refused.content) == (404, nowhere.content)


async def test_no_label_holds_a_word_of_a_request(server):
    for path in ("/reviews/octo-secret", "/broken/octo-secret", "/octo-secret", "/static/octo-secret"):
        await server.http.get(path, params={"repository": "octo-secret"}, headers={"X-Who": "octo-secret"})
        await server.http.request("OCTO-SECRET", path)

    told = (await server.http.get("/metrics")).text

    assert "secret" not in told.lower()
    assert 'method="other"' in told
    assert set(re.findall(r'route="([^"]*)"', told)) == {"/reviews/{id}", "/broken/{id}", "/static", "other"}


async def test_two_apps_count_for_themselves(server):
    other = Server()
    async with other.http:
        await other.http.get("/reviews/a")

    assert await server.counts("sluice_http_requests_total") == {}
