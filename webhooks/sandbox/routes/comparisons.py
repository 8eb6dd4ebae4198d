"""Two commits compared: https://docs.github.com/rest/commits/commits#compare-two-commits."""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox import git
from webhooks.sandbox.access import Gate
from webhooks.sandbox.diffs import read_range
from webhooks.sandbox.refusals import Refusal
from webhooks.sandbox.routes.pages import cut
from webhooks.sandbox.shapes import commit_shape, file_shape
from webhooks.sandbox.state import Repository, State

_MOST_COMMITS = 250
_MOST_FILES = 300


class _Span(NamedTuple):
    base: str
    head: str
    merge_base: str


def routes(gate: Gate) -> list[Route]:
    """Routes that compare commits."""
    state = gate.state

    async def compare(request: Request, repository: Repository) -> Response:
        span = await _span(repository, request.path_params["basehead"])
        ahead = await git.list_commits(repository.git_dir, span.base, span.head)
        behind = await git.list_commits(repository.git_dir, span.head, span.base)
        oldest_first = list(reversed(ahead))
        paged = {"page", "per_page"} & request.query_params.keys()
        shown, links = cut(state, request, oldest_first) if paged else (oldest_first[-_MOST_COMMITS:], {})
        body = await _shape(state, repository, span, shown, counts=(len(ahead), len(behind)))
        if request.query_params.get("page", "1") == "1":
            body["files"] = await _files(state, repository, span)
        return JSONResponse(body, headers=links)

    return [
        Route(
            "/repos/{owner}/{repo}/compare/{basehead:path}", gate.for_installation(compare, read="contents")
        )
    ]


async def _span(repository: Repository, basehead: str) -> _Span:
    """What `base...head` names; two dots are no comparison to this route."""
    names = basehead.split("...")
    found = [await git.find_commit(repository.git_dir, name) for name in names]
    if len(found) != 2 or found[0] is None or found[1] is None:
        raise Refusal(404, "Not Found")
    merge_base = await git.find_merge_base(repository.git_dir, found[0], found[1])
    if merge_base is None:
        raise Refusal(404, f"No common ancestor between {names[0]} and {names[1]}.")
    return _Span(found[0], found[1], merge_base)


async def _shape(
    state: State, repository: Repository, span: _Span, shown: list[str], *, counts: tuple[int, int]
) -> dict[str, Any]:
    ahead, behind = counts
    wanted = [span.base, span.merge_base, *shown]
    commits = [
        commit_shape(state, repository, commit)
        for commit in await git.read_commits(repository.git_dir, wanted)
    ]
    page = f"{state.url}/{repository.full_name}/compare/{span.base}...{span.head}"
    return {
        "url": f"{state.url}/repos/{repository.full_name}/compare/{span.base}...{span.head}",
        "html_url": page,
        "permalink_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "base_commit": commits[0],
        "merge_base_commit": commits[1],
        "status": _status(ahead, behind),
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": commits[2:],
    }


async def _files(state: State, repository: Repository, span: _Span) -> list[dict[str, Any]]:
    diff = await read_range(repository, span.base, span.head)
    return [file_shape(state, repository, each, span.head) for each in diff.files[:_MOST_FILES]]


def _status(ahead: int, behind: int) -> str:
    if ahead and behind:
        return "diverged"
    if behind:
        return "behind"
    return "ahead" if ahead else "identical"
