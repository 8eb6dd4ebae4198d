"""Pull requests and their diffs: https://docs.github.com/rest/pulls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate
from webhooks.sandbox.diffs import read_diff
from webhooks.sandbox.refusals import Refusal
from webhooks.sandbox.routes.pages import page
from webhooks.sandbox.shapes import file_shape, listed_pull_shape, pull_shape
from webhooks.sandbox.state import PullRequest, Repository

_DIFF = ("application/vnd.github.diff", "application/vnd.github.v3.diff")
_STATES = frozenset({"open", "closed", "all"})
_ORDERS: Mapping[str, Callable[[PullRequest], datetime | int]] = {
    "created": lambda pull: pull.number,
    "updated": lambda pull: pull.updated_at,
    "popularity": lambda pull: len(pull.remarks),
    "long-running": lambda pull: pull.created_at,
}


def routes(gate: Gate) -> list[Route]:
    """Routes that read pull requests."""
    state = gate.state

    async def listing(request: Request, repository: Repository) -> Response:
        found = _select(list(repository.pulls.values()), repository, request.query_params)
        return page(state, request, [listed_pull_shape(state, repository, pull) for pull in found])

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
        pull = gate.pull(request, repository)
        listed = (await read_diff(repository, pull)).files[: state.listed_file_limit]
        shapes = [file_shape(state, repository, change, pull.head_sha) for change in listed]
        return page(state, request, shapes)

    prefix = "/repos/{owner}/{repo}"
    one = prefix + "/pulls/{number:int}"
    reading = "pull_requests"
    return [
        Route(prefix + "/pulls", gate.for_installation(listing, read=reading)),
        Route(one, gate.for_installation(show, read=reading)),
        Route(one + "/files", gate.for_installation(files, read=reading)),
    ]


def _select(pulls: list[PullRequest], repository: Repository, asked: QueryParams) -> list[PullRequest]:
    """The pull requests that a listing asks for, in its order."""
    wanted, sort = asked.get("state", "open"), asked.get("sort", "created")
    direction = asked.get("direction", "desc" if sort == "created" else "asc")
    if wanted not in _STATES or sort not in _ORDERS or direction not in {"asc", "desc"}:
        raise Refusal(422, "Validation Failed")
    found = [
        pull
        for pull in pulls
        if wanted in {"all", pull.state}
        and asked.get("base", pull.base_ref) == pull.base_ref
        and asked.get("head", _label(repository, pull)) == _label(repository, pull)
    ]
    return sorted(found, key=_ORDERS[sort], reverse=direction == "desc")


def _label(repository: Repository, pull: PullRequest) -> str:
    """The head as `owner:branch`."""
    return f"{(pull.fork or repository.full_name).partition('/')[0]}:{pull.head_ref}"


def _too_large(what: str, limit: int) -> Refusal:
    hint = "Consider using 'List pull requests files' API or locally cloning the repository instead."
    return Refusal(
        406,
        f"Sorry, the diff exceeded the maximum number of {what} ({limit}). {hint}",
        errors=[{"resource": "PullRequest", "field": "diff", "code": "too_large"}],
    )
