"""What every answer carries, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from webhooks.middleware import middleware, refusal_as_json
from webhooks.serving import listen, serving

OTHER = "https://tools.example"


async def page(request: Request) -> Response:  # noqa: ARG001 - Starlette gives it
    return HTMLResponse("<p>hello")


async def data(request: Request) -> Response:  # noqa: ARG001
    return JSONResponse({}, headers={"X-Tokens-Used": "1"})


async def static(request: Request) -> Response:  # noqa: ARG001
    return PlainTextResponse("body {}")


async def kept(request: Request) -> Response:  # noqa: ARG001
    return JSONResponse({}, headers={"Cache-Control": "max-age=60"})


async def refused(request: Request) -> Response:  # noqa: ARG001
    raise HTTPException(429, "later", headers={"Retry-After": "7"})


async def broken(request: Request) -> Response:  # noqa: ARG001
    raise RuntimeError("made up")


class Steps:
    """A stream that goes on when it is told to."""

    def __init__(self) -> None:
        self.more = asyncio.Event()

    async def stream(self, request: Request) -> Response:
        async def parts() -> AsyncIterator[str]:
            yield "one\n"
            await self.more.wait()
            yield "two\n"

        return StreamingResponse(parts(), media_type="text/event-stream")


@pytest.fixture(name="steps")
def steps_() -> Steps:
    return Steps()


@pytest.fixture(name="http")
async def http_(steps) -> AsyncGenerator[httpx.AsyncClient]:
    app = Starlette(
        routes=[
            Route("/", page),
            Route("/data", data, methods=["GET", "POST"]),
            Route("/static/a.css", static),
            Route("/kept", kept),
            Route("/refused", refused),
            Route("/broken", broken),
            Route("/stream", steps.stream),
            Route("/webhooks/github", data, methods=["POST"]),
        ],
        middleware=middleware((OTHER,)),
        exception_handlers={HTTPException: refusal_as_json},
    )
    async with serving(app, listen("127.0.0.1", 0)) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/data", "/static/a.css", "/refused", "/broken", "/nowhere"])
async def test_every_answer_tells_browsers_to_run_nothing_that_is_not_ours(http, path):
    headers = (await http.get(path)).headers

    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "strict-transport-security" not in headers


async def test_over_https_browsers_are_to_stay_with_it(http):
    headers = (await http.get("/", headers={"X-Forwarded-Proto": "https"})).headers

    assert headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("path", "control"),
    [("/", "no-store"), ("/data", "no-store"), ("/kept", "max-age=60"), ("/static/a.css", None)],
)
async def test_what_is_somebodys_is_kept_in_no_cache(http, path, control):
    assert (await http.get(path)).headers.get("cache-control") == control


async def test_a_stream_comes_piece_by_piece(http, steps):
    async with asyncio.timeout(10), http.stream("GET", "/stream") as answer:
        assert "content-security-policy" in answer.headers
        lines = answer.aiter_lines()
        assert await anext(lines) == "one"
        steps.more.set()
        assert await anext(lines) == "two"


async def test_a_refusal_is_json_with_its_headers(http):
    answer = await http.get("/refused")

    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (
        429,
        {"error": "later"},
        "7",
    )


async def test_pages_of_a_site_that_is_named_may_call_the_api_without_cookies(http):
    answer = await http.get("/data", headers={"Origin": OTHER})

    assert answer.headers["access-control-allow-origin"] == OTHER
    assert "access-control-allow-credentials" not in answer.headers
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"X-Tokens-Used", "X-Tokens-Remaining", "Location", "Retry-After"} <= set(exposed)
    assert (
        "access-control-allow-origin"
        not in (await http.get("/data", headers={"Origin": "https://x.example"})).headers
    )


@pytest.mark.parametrize(
    "header", ["Authorization", "Last-Event-ID", "Idempotency-Key", "Prefer", "Content-Type"]
)
async def test_they_may_send_what_the_api_takes(http, header):
    asked = {
        "Origin": OTHER,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": header,
    }
    assert (await http.options("/data", headers=asked)).status_code == 200
    assert (await http.options("/data", headers={**asked, "Origin": "https://x.example"})).status_code == 400
    other = {**asked, "Access-Control-Request-Headers": "X-CSRF-Token"}
    assert (await http.options("/data", headers=other)).status_code == 400


async def test_deliveries_know_nothing_of_other_sites(http):
    answer = await http.post("/webhooks/github", headers={"Origin": OTHER})

    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_fault_is_told_without_its_reason_and_to_other_sites_too(http, caplog):
    answer = await http.get("/broken", headers={"Origin": OTHER})

    assert (answer.status_code, list(answer.json())) == (500, ["error"])
    assert "made up" not in answer.text
    assert answer.headers["access-control-allow-origin"] == OTHER
    assert answer.headers["cache-control"] == "no-store"
    assert "made up" in caplog.text


def test_without_other_sites_nothing_looks_for_them():
    assert len(middleware(())) == len(middleware((OTHER,))) - 1
