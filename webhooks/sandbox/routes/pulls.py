"""Pull requests, their diffs and their conversation: https://docs.github.com/rest/pulls."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate, Refusal, read_object
from webhooks.sandbox.play import read_diff
from webhooks.sandbox.routes.pages import page
from webhooks.sandbox.shapes import file_shape, pull_shape, remark_shape
from webhooks.sandbox.state import IssueComment, Repository

_DIFF = ("application/vnd.github.diff", "application/vnd.github.v3.diff")


def routes(gate: Gate) -> list[Route]:
    """Routes that read pull requests, and their conversation."""
    state = gate.state

    async def listing(request: Request, repository: Repository) -> Response:
        found = [pull_shape(state, repository, pull) for pull in repository.pulls.values()]
        return page(state, request, found)

    async def show(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        if not request.headers.get("accept", "").startswith(_DIFF):
            return JSONResponse(pull_shape(state, repository, pull))
        diff = await read_diff(repository, pull)
        if len(diff.files) > state.diff_file_limit:
            raise _too_large("files", state.diff_file_limit)
        if diff.raw.count(b"\n") > state.diff_line_limit:
            raise _too_large("lines", state.diff_line_limit)
        return Response(diff.raw, media_type="application/vnd.github.diff; charset=utf-8")

    async def files(request: Request, repository: Repository) -> Response:
        diff = await read_diff(repository, gate.pull(request, repository))
        limit = state.patch_line_limit
        listed = diff.files[: state.listed_file_limit]
        shapes = [file_shape(change, patch_line_limit=limit) for change in listed]
        return page(state, request, shapes)

    async def remarks(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        return page(state, request, [remark_shape(state, repository, r) for r in pull.remarks.values()])

    async def remark(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        body = (await read_object(request)).get("body")
        if not isinstance(body, str) or not body:
            raise Refusal(422, "Validation Failed")
        now = state.clock()
        made = IssueComment(state.next_id(), pull.number, body, state.bot, now, now)
        pull.remarks[made.id] = made
        return JSONResponse(remark_shape(state, repository, made), status_code=201)

    prefix = "/repos/{owner}/{repo}"
    one = prefix + "/pulls/{number:int}"
    conversation = prefix + "/issues/{number:int}/comments"
    return [
        Route(prefix + "/pulls", gate.for_installation(listing)),
        Route(one, gate.for_installation(show)),
        Route(one + "/files", gate.for_installation(files)),
        Route(conversation, gate.for_installation(remark, write="pull_requests"), methods=["POST"]),
        Route(conversation, gate.for_installation(remarks)),
    ]


def _too_large(what: str, limit: int) -> Refusal:
    hint = "Consider using 'List pull requests files' API or locally cloning the repository instead."
    return Refusal(
        406,
        f"Sorry, the diff exceeded the maximum number of {what} ({limit}). {hint}",
        errors=[{"resource": "PullRequest", "field": "diff", "code": "too_large"}],
    )
