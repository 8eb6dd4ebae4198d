"""The judge finds what is wrong: in requests, in answers, and what the description itself lets pass."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message

from tests.contracts.judge import Judge
from tests.corpus import needs_corpus

pytestmark = needs_corpus

PULL = "/repos/octo/calc/pulls/1"
REVIEWS = "/repos/octo/calc/pulls/1/reviews"
COMMENTS = "/repos/octo/calc/pulls/1/comments"
CHECK_RUNS = "/repos/octo/calc/check-runs"
TOKENS = "/app/installations/5/access_tokens"
REFUSAL = JSONResponse({"message": "m", "documentation_url": "u"}, 422)
TOKEN = {"token": "made up", "expires_at": "2026-01-01T00:00:00Z"}


def review(**changes: Any) -> dict[str, Any]:
    comment = {"path": "calc.py", "body": "b", "line": 5, "side": "RIGHT", **changes}
    return {"commit_id": "0" * 40, "body": "b", "event": "COMMENT", "comments": [comment]}


def output(annotations: int) -> dict[str, Any]:
    place = {"path": "calc.py", "start_line": 1, "end_line": 1}
    annotation = {**place, "annotation_level": "notice", "message": "m"}
    return {"title": "t", "summary": "s", "annotations": [annotation] * annotations}


async def judged(
    method: str, target: str, sent: Any = None, *, answer: Response = REFUSAL, pieces: int = 1
) -> Judge:
    """The judge after one exchange; the request's body comes in so many pieces."""
    body = b"" if sent is None else json.dumps(sent).encode()
    size = len(body) // pieces + 1
    left = [body[start : start + size] for start in range(0, len(body), size)] or [b""]

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Message) -> None:
        pass

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert await Request(scope, receive).body() == body
        await answer(scope, receive, send)

    path, _, query = target.partition("?")
    headers = [(b"content-type", b"application/json; charset=utf-8")]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": headers,
    }
    judge = Judge()
    await judge.over(app)(scope, receive, send)
    return judge


@pytest.mark.parametrize(
    ("method", "target", "sent"),
    [
        ("POST", REVIEWS, review()),
        ("POST", REVIEWS, review(start_line=4, start_side="RIGHT")),
        ("POST", REVIEWS, review(start_line=9, start_side="LEFT")),
        ("POST", COMMENTS, {"commit_id": "0", "path": "a", "body": "b", "subject_type": "file"}),
        ("POST", CHECK_RUNS, {"name": "n", "head_sha": "0", "status": "completed", "conclusion": "success"}),
        ("PATCH", f"{CHECK_RUNS}/7", {"status": "in_progress", "output": output(50)}),
        ("GET", f"{REVIEWS}?per_page=50&page=2", None),
        ("GET", "/repos/octo/calc/contents/src/deep/file name.py?ref=main", None),
        ("GET", "/repos/octo/calc/compare/main...feature/x", None),
    ],
)
async def test_what_github_takes_is_no_violation(method, target, sent):
    judge = await judged(method, target, sent, pieces=3)

    judge.demand_none()
    assert not judge.unjudged


@pytest.mark.parametrize(
    ("method", "target", "sent", "reason"),
    [
        ("POST", REVIEWS, review() | {"event": "SHOUT"}, r"\$\.event: 'SHOUT' is not one of"),
        (
            "POST",
            REVIEWS,
            review() | {"comments": [{"body": "b", "line": 5}]},
            "'path' is a required property",
        ),
        ("POST", REVIEWS, review(line="5"), "'5' is not of type 'integer'"),
        ("POST", REVIEWS, review(start_side=None), r"comments\[0\]\.start_side: None"),
        ("POST", CHECK_RUNS, {"name": "n"}, "'head_sha' is a required property"),
        ("POST", COMMENTS, None, "Missing required request body"),
        ("POST", REVIEWS, review() | {"draft": True}, "'draft' was unexpected"),
        ("GET", f"{REVIEWS}?per_page=many", None, "per_page"),
        ("GET", "/repos/octo/calc/pulls/one", None, "pull_number"),
        ("PUT", REVIEWS, None, "not found"),
        ("GET", "/repos/octo/calc/pull/1", None, "not found"),
    ],
)
async def test_a_request_of_another_shape_is_caught(method, target, sent, reason):
    judge = await judged(method, target, sent, pieces=2)

    with pytest.raises(AssertionError, match=f"request: .*{reason}"):
        judge.demand_none()


@pytest.mark.parametrize(
    ("method", "target", "sent", "reason"),
    [
        ("POST", REVIEWS, review(side="MIDDLE"), "side 'MIDDLE' is neither"),
        ("POST", REVIEWS, review(start_line=4, start_side="MIDDLE"), "start_side 'MIDDLE' is neither"),
        ("POST", REVIEWS, review(start_line=5, start_side="RIGHT"), "start_line 5 does not precede line 5"),
        ("POST", REVIEWS, review(start_line=6), "start_line 6 does not precede line 5"),
        ("POST", REVIEWS, review(subject_type="line"), "subject_type is not permitted"),
        ("POST", COMMENTS, {"commit_id": "0", "path": "a", "body": "b", "start_line": 4}, "does not precede"),
        ("PATCH", f"{CHECK_RUNS}/7", {"status": "completed"}, "completed without a conclusion"),
        ("POST", CHECK_RUNS, {"name": "n", "head_sha": "0", "output": output(51)}, "51 "),
        ("PATCH", f"{CHECK_RUNS}/7", {"output": output(51)}, "51 "),
    ],
)
async def test_what_only_the_prose_forbids_is_caught(method, target, sent, reason):
    judge = await judged(method, target, sent)

    with pytest.raises(AssertionError, match=f"request: .*{reason}"):
        judge.demand_none()


async def test_a_right_answer_is_no_violation():
    judge = await judged("POST", TOKENS, answer=JSONResponse(TOKEN, 201))

    judge.demand_none()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (JSONResponse({"token": "made up"}, 201), "'expires_at' is a required property"),
        (JSONResponse(TOKEN | {"token": 7}, 201), r"\$\.token: 7 is not of type 'string'"),
        (JSONResponse(TOKEN | {"secret": "made up"}, 201), "'secret' was unexpected"),
        (JSONResponse(TOKEN, 200), "200"),
        (Response(status_code=201), "data"),
        (JSONResponse({"documentation_url": "u"}, 404), "a refusal without a message"),
        (JSONResponse({"message": "m"}, 422), "'documentation_url' is a required property"),
        (JSONResponse({}, 409), "a refusal without a message"),
    ],
)
async def test_an_answer_of_another_shape_is_caught(answer, reason):
    judge = await judged("POST", TOKENS, answer=answer)

    with pytest.raises(AssertionError, match=f"answer: .*{reason}"):
        judge.demand_none()


async def test_a_refusal_that_the_description_does_not_list_is_none():
    judge = await judged("POST", TOKENS, answer=JSONResponse({"message": "Validation Failed"}, 409))

    judge.demand_none()


@pytest.mark.parametrize(
    ("method", "target", "answer", "told"),
    [
        ("POST", "/graphql", JSONResponse({}), "POST /graphql"),
        ("GET", f"{CHECK_RUNS}/7/annotations", JSONResponse([]), f"GET {CHECK_RUNS}/7/annotations"),
        (
            "GET",
            "/repos/o/r/pulls/1",
            Response("d", media_type="text/plain"),
            "answer of GET /repos/o/r/pulls/1",
        ),
        ("GET", "/repos/o/r/pulls/1", Response(status_code=502), "answer of GET /repos/o/r/pulls/1"),
    ],
)
async def test_what_the_description_does_not_know_is_counted(method, target, answer, told):
    judge = await judged(method, target, answer=answer)

    judge.demand_none()
    assert judge.unjudged == {told: 1}
