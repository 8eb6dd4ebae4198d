"""Check runs: https://docs.github.com/rest/checks/runs."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox import git
from webhooks.sandbox.access import Gate
from webhooks.sandbox.echoes import tell_check
from webhooks.sandbox.outputs import read_actions, read_annotations, read_texts
from webhooks.sandbox.refusals import Refusal, read_object
from webhooks.sandbox.routes.pages import cut, page
from webhooks.sandbox.shapes import check_shape, time_shape
from webhooks.sandbox.state import CheckRun, Repository, State

STATUSES = frozenset({"queued", "in_progress", "completed"})
CONCLUSIONS = frozenset(
    {"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}
)


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
        _apply(state, check, body)
        repository.check_runs[check.id] = check
        tell_check(state, repository, check, "created")
        return JSONResponse(check_shape(state, repository, check), status_code=201)

    async def update(request: Request, repository: Repository) -> Response:
        check = _find(request, repository)
        before = check.status
        _apply(state, check, await read_object(request))
        if check.status == "completed" != before:
            tell_check(state, repository, check, "completed")
        return JSONResponse(check_shape(state, repository, check))

    async def show(request: Request, repository: Repository) -> Response:
        return JSONResponse(check_shape(state, repository, _find(request, repository)))

    async def annotations(request: Request, repository: Repository) -> Response:
        return page(state, request, _find(request, repository).annotations)

    async def of_commit(request: Request, repository: Repository) -> Response:
        ref = request.path_params["ref"]
        sha = await git.find_commit(repository.git_dir, ref) or ref
        found = _select(request, [each for each in repository.check_runs.values() if each.head_sha == sha])
        shown, links = cut(state, request, [check_shape(state, repository, each) for each in found])
        return JSONResponse({"total_count": len(found), "check_runs": shown}, headers=links)

    prefix = "/repos/{owner}/{repo}"
    one = prefix + "/check-runs/{id:int}"
    reading = "checks"
    return [
        Route(prefix + "/check-runs", gate.for_installation(create, write="checks"), methods=["POST"]),
        Route(one, gate.for_installation(update, write="checks"), methods=["PATCH"]),
        Route(one, gate.for_installation(show, read=reading)),
        Route(one + "/annotations", gate.for_installation(annotations, read=reading)),
        Route(prefix + "/commits/{ref:path}/check-runs", gate.for_installation(of_commit, read=reading)),
    ]


def _find(request: Request, repository: Repository) -> CheckRun:
    check = repository.check_runs.get(request.path_params["id"])
    if check is None:
        raise Refusal(404, "Not Found")
    return check


def _select(request: Request, checks: list[CheckRun]) -> list[CheckRun]:
    """The runs that a listing asks for, newest first; of each name the latest, unless it asks for all."""
    asked = request.query_params
    newest: dict[str | int, CheckRun] = {}
    for check in sorted(checks, key=lambda each: each.id, reverse=True):
        newest.setdefault(check.id if asked.get("filter") == "all" else check.name, check)
    return [
        check
        for check in newest.values()
        if asked.get("check_name", check.name) == check.name
        and asked.get("status", check.status) == check.status
    ]


def _apply(state: State, check: CheckRun, body: dict[str, Any]) -> None:
    """Take over what a request says, if all of it may be said."""
    status, conclusion = body.get("status", check.status), body.get("conclusion")
    if conclusion is not None:
        status = "completed"
    if status not in STATUSES or (conclusion is not None and conclusion not in CONCLUSIONS):
        raise Refusal(422, 'Invalid request.\n\nNo subschema in "anyOf" matched.')
    if status == "completed" and conclusion is None and check.conclusion is None:
        raise Refusal(422, "Invalid request.\n\nconclusion wasn't supplied.")
    output = body.get("output")
    texts = check.output if output is None else read_texts(output)
    added = [] if output is None else read_annotations(output)
    actions = check.actions if body.get("actions") is None else read_actions(body["actions"])
    check.output, check.actions = texts, actions
    check.annotations += added
    for name in ("external_id", "details_url", "started_at", "completed_at"):
        if body.get(name) is not None:
            setattr(check, name, str(body[name]))
    check.status = status
    check.conclusion = (conclusion or check.conclusion) if status == "completed" else None
    check.started_at = check.started_at or time_shape(state.clock())
    check.completed_at = (check.completed_at or time_shape(state.clock())) if status == "completed" else None
