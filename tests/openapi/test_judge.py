"""The judge of our own answers finds each way in which they can stray from the description."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Message

from tests.openapi.judge import ApiJudge
from webhooks.openapi.document import document
from webhooks.openapi.schemas import SCHEMAS

REVIEW: dict[str, Any] = SCHEMAS["Review"]["examples"][0]
SARIF = Response(b'{"version": "2.1.0", "runs": []}', media_type="application/sarif+json")
ERROR = {"error": "no such review"}
ABOUT = {
    "review": "r",
    "repository": "octo/calc",
    "pull_request": None,
    "head_sha": None,
    "at": "2026-01-01T00:00:00.000Z",
}
RETRYING = {**ABOUT, "chunk": "c", "attempt": 1, "wait": 0.5, "reason": "busy", "model": None}


def without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


def stream(type_: str, data: Any, *, id_: str = "a") -> Response:
    text = data if isinstance(data, str) else json.dumps(data)
    return Response(f"id: {id_}\r\nevent: {type_}\r\ndata: {text}\r\n\r\n", media_type="text/event-stream")


async def judged(method: str, path: str, answer: Response) -> ApiJudge:
    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        pass

    judge = ApiJudge(document("0", None))
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    await judge.over(answer)(scope, receive, send)
    return judge


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/reviews/r", JSONResponse(REVIEW)),
        ("HEAD", "/reviews/r", Response(media_type="application/json")),
        ("GET", "/reviews/r", JSONResponse({**REVIEW, "pull_request": None, "cost": None})),
        ("GET", "/reviews/r", JSONResponse(ERROR, 404)),
        (
            "GET",
            "/reviews/r.sarif",
            SARIF,
        ),
        ("GET", "/events", stream("chunk.retrying", RETRYING)),
        ("GET", "/events", stream("stream.closing", {"reason": "the server stops"}, id_="")),
        ("GET", "/events", Response("id: a\n\n: ping\n\nevent: cut", media_type="text/event-stream")),
        ("GET", "/", RedirectResponse("/login", 303)),
        ("GET", "/static/sluice.css", Response(media_type="text/css")),
        ("GET", "/nowhere", JSONResponse({"error": "Not Found"}, 404)),
    ],
)
async def test_what_the_description_tells_of_is_no_offence(method, path, answer):
    judge = await judged(method, path, answer)

    assert judge.offences == []


@pytest.mark.parametrize(
    ("method", "path", "answer", "offence"),
    [
        ("GET", "/reviews/r", JSONResponse({**REVIEW, "findings": "3"}), r"\$\.findings: '3' is not of type"),
        ("GET", "/reviews/r", JSONResponse({**REVIEW, "title": None}), r"\$\.title: None is not of type"),
        ("GET", "/reviews/r", JSONResponse({**REVIEW, "status": "ill"}), "'ill' is not one of"),
        (
            "GET",
            "/reviews/r",
            JSONResponse({**REVIEW, "created_at": "today"}),
            "is not a 'date-time'",
        ),
        ("GET", "/reviews/r", JSONResponse(without(REVIEW, "may_act")), "'may_act' is a required property"),
        ("GET", "/reviews/r", JSONResponse({**REVIEW, "secret": 1}), "'secret' was unexpected"),
        ("GET", "/reviews/r", Response(b"{", media_type="application/json"), "no JSON"),
        ("GET", "/reviews/r", PlainTextResponse("no such review", 404), "no answer of type 'text/plain'"),
        ("GET", "/reviews/r", JSONResponse(ERROR, 418), "no such answer"),
        ("GET", "/reviews/r", JSONResponse(ERROR, 500), "no such answer"),
        ("GET", "/reviews/r", JSONResponse(ERROR, 401), "the header WWW-Authenticate is missing"),
        ("GET", "/", Response(status_code=303), "the header Location is missing"),
        ("GET", "/", Response(b"x", 303, {"Location": "/", "Content-Type": "text/x"}), "no answer of type"),
        ("DELETE", "/reviews/r", JSONResponse({}), "no such operation"),
        ("GET", "/nowhere", JSONResponse({}), "no such operation"),
        ("GET", "/events", stream("chunk.exploded", RETRYING), "no event 'chunk.exploded'"),
        ("GET", "/events", stream("chunk.retrying", without(RETRYING, "model")), "'model' is a required"),
        ("GET", "/events", stream("chunk.retrying", without(RETRYING, "at")), "'at' is a required"),
        ("GET", "/events", stream("chunk.retrying", {**RETRYING, "type": "x"}), "'type' was unexpected"),
        ("GET", "/events", stream("chunk.retrying", "{"), "no JSON"),
        ("GET", "/events", stream("chunk.retrying", RETRYING, id_=""), "without an id"),
    ],
)
async def test_what_it_does_not_tell_of_is_an_offence(method, path, answer, offence):
    judge = await judged(method, path, answer)

    with pytest.raises(AssertionError, match=offence):
        judge.demand_none()


async def test_answers_are_counted_by_operation_and_status():
    judge = await judged("GET", "/reviews/r.sarif", JSONResponse(ERROR, 404))

    assert judge.offences == []
    assert judge.judged == {("getReviewSarif", 404): 1}
