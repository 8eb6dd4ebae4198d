"""Repositories and their files: https://docs.github.com/rest/repos/contents."""

from __future__ import annotations

import base64
import posixpath

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox import git
from webhooks.sandbox.access import Gate, Refusal
from webhooks.sandbox.git import TreeEntry
from webhooks.sandbox.shapes import repository_shape
from webhooks.sandbox.state import Repository

_SYMLINK = "120000"
_RAW = ("application/vnd.github.raw", "application/vnd.github.v3.raw")


def routes(gate: Gate) -> list[Route]:
    """Routes that read a repository."""

    async def repository_(request: Request, repository: Repository) -> Response:  # noqa: ARG001
        return JSONResponse(repository_shape(gate.state, repository))

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
        return JSONResponse(
            {
                "type": "file",
                "name": entry.name,
                "path": path,
                "sha": entry.sha,
                "size": len(data),
                "encoding": "base64",
                "content": base64.encodebytes(data).decode(),
            }
        )

    async def blob(request: Request, repository: Repository) -> Response:
        data = await git.read_blob(repository.git_dir, request.path_params["sha"])
        if data is None:
            raise Refusal(404, "Not Found")
        if request.headers.get("accept", "").startswith(_RAW):
            return Response(data, media_type="application/octet-stream")
        return JSONResponse(
            {
                "sha": request.path_params["sha"],
                "size": len(data),
                "encoding": "base64",
                "content": base64.encodebytes(data).decode(),
            }
        )

    prefix = "/repos/{owner}/{repo}"
    return [
        Route(prefix, gate.for_installation(repository_)),
        Route(prefix + "/contents/{path:path}", gate.for_installation(contents)),
        Route(prefix + "/git/blobs/{sha}", gate.for_installation(blob)),
    ]


async def _find(repository: Repository, commit: str, path: str) -> TreeEntry | None:
    """What stands at a path; where a symlink leads to a file, that file, as GitHub answers."""
    entry = await git.read_entry(repository.git_dir, commit, path)
    if entry is None or entry.mode != _SYMLINK:
        return entry
    leads_to = (await git.read_blob(repository.git_dir, entry.sha) or b"").decode(errors="replace")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), leads_to))
    found = await git.read_entry(repository.git_dir, commit, target)
    return found if found is not None and found.kind == "blob" and found.mode != _SYMLINK else entry
