"""Check runs: https://docs.github.com/rest/checks/runs."""

from __future__ import annotations

from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox import git
from webhooks.sandbox.access import Gate, Refusal, read_object
from webhooks.sandbox.shapes import check_shape
from webhooks.sandbox.state import CheckRun, Repository

STATUSES = frozenset({"queued", "in_progress", "completed"})
CONCLUSIONS = frozenset(
    {"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}
)
MOST_ANNOTATIONS = 50
LONGEST_TEXT = 65535


def routes(gate: Gate) -> list[Route]:
    """Routes on check runs."""
    state = gate.state

    async def create(request: Request, repository: Repository) -> Response:
        body = await read_object(request)
        for name in ("name", "head_sha"):
            if not isinstance(body.get(name), str):
                raise Refusal(422, f"Invalid request.\n\n{name!r} wasn't supplied.")
        if await git.find_commit(repository.git_dir, body["head_sha"]) is None:
            raise Refusal(422, f"No commit found for SHA: {body['head_sha']}")
        check = CheckRun(id=state.next_id(), name=body["name"], head_sha=body["head_sha"])
        _apply(check, body)
        repository.check_runs[check.id] = check
        return JSONResponse(check_shape(state, repository, check), status_code=201)

    async def update(request: Request, repository: Repository) -> Response:
        check = _find(request, repository)
        _apply(check, await read_object(request))
        return JSONResponse(check_shape(state, repository, check))

    async def show(request: Request, repository: Repository) -> Response:
        return JSONResponse(check_shape(state, repository, _find(request, repository)))

    async def of_commit(request: Request, repository: Repository) -> Response:
        sha = request.path_params["sha"]
        found = [
            check_shape(state, repository, check)
            for check in repository.check_runs.values()
            if check.head_sha == sha
        ]
        return JSONResponse({"total_count": len(found), "check_runs": found})

    prefix = "/repos/{owner}/{repo}"
    return [
        Route(prefix + "/check-runs", gate.for_installation(create, write="checks"), methods=["POST"]),
        Route(
            prefix + "/check-runs/{id:int}", gate.for_installation(update, write="checks"), methods=["PATCH"]
        ),
        Route(prefix + "/check-runs/{id:int}", gate.for_installation(show)),
        Route(prefix + "/commits/{sha}/check-runs", gate.for_installation(of_commit)),
    ]


def _find(request: Request, repository: Repository) -> CheckRun:
    check = repository.check_runs.get(request.path_params["id"])
    if check is None:
        raise Refusal(404, "Not Found")
    return check


def _apply(check: CheckRun, body: dict[str, Any]) -> None:
    """Take over what a request says, if all of it may be said."""
    status, conclusion = body.get("status", check.status), body.get("conclusion")
    if conclusion is not None:
        status = "completed"
    if status not in STATUSES or (conclusion is not None and conclusion not in CONCLUSIONS):
        raise Refusal(422, 'Invalid request.\n\nNo subschema in "anyOf" matched.')
    if status == "completed" and conclusion is None and check.conclusion is None:
        raise Refusal(422, "Invalid request.\n\nconclusion wasn't supplied.")
    _apply_output(check, body.get("output"))
    check.status = status
    check.conclusion = conclusion or check.conclusion
    for name in ("external_id", "details_url", "started_at", "completed_at"):
        if body.get(name) is not None:
            setattr(check, name, str(body[name]))


def _apply_output(check: CheckRun, output: Any) -> None:
    if output is None:
        return
    if not isinstance(output, dict):
        raise Refusal(422, "Invalid request.\n\nFor 'properties/output', expected an object.")
    given = cast("dict[str, Any]", output)
    texts = {name: given.get(name) for name in ("title", "summary", "text")}
    for name in ("title", "summary"):
        if not isinstance(texts[name], str):
            raise Refusal(422, f"Invalid request.\n\n{name!r} wasn't supplied.")
    for name in ("summary", "text"):
        length = len(texts[name] or "")
        if length > LONGEST_TEXT:
            raise Refusal(422, f"Only {LONGEST_TEXT} characters are allowed; {length} were supplied.")
    annotations = cast("list[dict[str, object]]", given.get("annotations") or [])
    if len(annotations) > MOST_ANNOTATIONS:
        raise Refusal(422, f"Invalid request.\n\nNo more than {MOST_ANNOTATIONS} annotations are allowed.")
    check.output = texts
    check.annotations += annotations
