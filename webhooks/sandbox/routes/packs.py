"""What `git fetch` talks to: https://git-scm.com/docs/http-protocol, its smart half, reading only."""

from __future__ import annotations

import gzip

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhooks.sandbox import git
from webhooks.sandbox.access import Gate
from webhooks.sandbox.state import Repository

_SERVICE = "git-upload-pack"
# The banner is of protocols 0 and 1; a packet begins with its own length in hex, and 0000 ends the list
_BANNER = b"001e# service=git-upload-pack\n0000"
_FRESH = {"cache-control": "no-cache, max-age=0, must-revalidate"}


def routes(gate: Gate) -> list[Route]:
    """Routes that git itself calls."""

    async def advertise(request: Request, repository: Repository) -> Response:
        if request.query_params.get("service") != _SERVICE:
            return Response("Please upgrade your git client.\n", status_code=403)
        protocol = request.headers.get("git-protocol", "")
        said = await git.upload_pack(repository.git_dir, None, protocol=protocol)
        banner = b"" if "version=2" in protocol else _BANNER
        return _answer(banner + said, "advertisement")

    async def serve(request: Request, repository: Repository) -> Response:
        asked = await request.body()
        if request.headers.get("content-encoding") == "gzip":  # git packs requests over a kilobyte
            asked = gzip.decompress(asked)
        protocol = request.headers.get("git-protocol", "")
        return _answer(await git.upload_pack(repository.git_dir, asked, protocol=protocol), "result")

    one = "/{owner}/{repo}.git"
    return [
        Route(one + "/info/refs", gate.for_git(advertise)),
        Route(one + "/git-upload-pack", gate.for_git(serve), methods=["POST"]),
    ]


def _answer(body: bytes, kind: str) -> Response:
    return Response(body, media_type=f"application/x-{_SERVICE}-{kind}", headers=_FRESH)
