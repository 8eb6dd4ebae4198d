"""Repositories and their files: https://docs.github.com/rest/repos/contents."""

from __future__ import annotations

import posixpath

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox import git
from webhooks.sandbox.access import Gate
from webhooks.sandbox.git import TreeEntry
from webhooks.sandbox.refusals import Refusal
from webhooks.sandbox.shapes import blob_shape, content_shape, full_repository_shape
from webhooks.sandbox.shapes.contents import SYMLINK
from webhooks.sandbox.state import Repository

_RAW = ("application/vnd.github.raw", "application/vnd.github.v3.raw")


def routes(gate: Gate) -> list[Route]:
    """Routes that read a repository."""

    async def repository_(request: Request, repository: Repository) -> Response:  # noqa: ARG001
        return JSONResponse(full_repository_shape(gate.state, repository))

    async def contents(request: Request, repository: Repository) -> Response:
        path = request.path_params["path"]
        ref = request.query_params.get("ref", repository.default_branch)
        commit = await git.find_commit(repository.git_dir, ref)
        entry = await _find(repository, commit, path) if commit else None
        data = await git.read_blob(repository.git_dir, entry.sha) if entry and entry.kind == "blob" else None
        if entry is None or data is None:
            raise Refusal(404, "Not Found")
        if request.headers.get("accept", "").startswith(_RAW):
            return Response(data, media_type="application/octet-stream")
        return JSONResponse(content_shape(gate.state, repository, entry, data, path=path, ref=ref))

    async def blob(request: Request, repository: Repository) -> Response:
        sha = request.path_params["sha"]
        data = await git.read_blob(repository.git_dir, sha)
        if data is None:
            raise Refusal(404, "Not Found")
        if request.headers.get("accept", "").startswith(_RAW):
            return Response(data, media_type="application/octet-stream")
        return JSONResponse(blob_shape(gate.state, repository, sha, data))

    prefix = "/repos/{owner}/{repo}"
    return [
        Route(prefix, gate.for_installation(repository_)),
        Route(prefix + "/contents/{path:path}", gate.for_installation(contents, read="contents")),
        Route(prefix + "/git/blobs/{sha}", gate.for_installation(blob, read="contents")),
    ]


async def _find(repository: Repository, commit: str, path: str) -> TreeEntry | None:
    """What stands at a path; where a symlink leads to a file, that file, as GitHub answers."""
    entry = await git.read_entry(repository.git_dir, commit, path)
    if entry is None or entry.mode != SYMLINK:
        return entry
    leads_to = (await git.read_blob(repository.git_dir, entry.sha) or b"").decode(errors="replace")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), leads_to))
    found = await git.read_entry(repository.git_dir, commit, target)
    return found if found is not None and found.kind == "blob" and found.mode != SYMLINK else entry
