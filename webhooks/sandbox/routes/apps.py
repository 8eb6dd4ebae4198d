"""The app itself, its installations and tokens: https://docs.github.com/rest/apps."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate
from webhooks.sandbox.refusals import Refusal, read_object
from webhooks.sandbox.routes.pages import cut, page
from webhooks.sandbox.shapes import app_shape, installed_shape, repository_shape, token_shape
from webhooks.sandbox.state import Installation, State, Token


def routes(gate: Gate) -> list[Route]:
    """Routes that the app calls as itself, and those on an installation as a whole."""
    state = gate.state

    async def app(request: Request) -> Response:  # noqa: ARG001
        return JSONResponse(app_shape(state))

    async def installations(request: Request) -> Response:
        found = [installed_shape(state, each) for each in state.installations.values()]
        return page(state, request, found)

    async def installation(request: Request) -> Response:
        return JSONResponse(installed_shape(state, _find(state, request)))

    async def make_token(request: Request) -> Response:
        token = _token(state, _find(state, request), await read_object(request))
        return JSONResponse(token_shape(token), status_code=201)

    async def of_repository(request: Request) -> Response:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        repository = state.find_repository(owner, name)
        moved = None if repository else state.find_moved(owner, name)
        if moved is not None:
            raise gate.redirection(request, moved)
        if repository is None:
            raise Refusal(404, "Not Found")
        return JSONResponse(installed_shape(state, state.installations[repository.installation_id]))

    async def repositories(request: Request, installation: Installation) -> Response:
        found = state.reached(installation)
        shown, links = cut(state, request, [repository_shape(state, each) for each in found])
        body = {"total_count": len(found), "repository_selection": "all", "repositories": shown}
        return JSONResponse(body, headers=links)

    async def rate_limit(request: Request, installation: Installation) -> Response:  # noqa: ARG001
        window = state.rate_window(installation.id)
        core = {
            "limit": state.rate_limit,
            "used": window.used,
            "remaining": max(state.rate_limit - window.used, 0),
            "reset": int(window.resets_at.timestamp()),
        }
        return JSONResponse({"resources": {"core": core, "search": core, "graphql": core}, "rate": core})

    return [
        Route("/app", gate.for_app(app)),
        Route("/app/installations", gate.for_app(installations)),
        Route("/app/installations/{id:int}", gate.for_app(installation)),
        Route("/app/installations/{id:int}/access_tokens", gate.for_app(make_token), methods=["POST"]),
        Route("/repos/{owner}/{repo}/installation", gate.for_app(of_repository)),
        Route("/installation/repositories", gate.for_token(repositories)),
        Route("/rate_limit", gate.for_token(rate_limit, free=True)),
    ]


def _find(state: State, request: Request) -> Installation:
    installation = state.installations.get(request.path_params["id"])
    if installation is None:
        raise Refusal(404, "Not Found")
    return installation


def _token(state: State, installation: Installation, body: dict[str, Any]) -> Token:
    """A token as it was asked for: with all that the installation may do, or less."""
    if installation.suspended:
        raise Refusal(403, "This installation has been suspended")
    permissions = installation.permissions
    if isinstance(body.get("permissions"), dict):
        asked: dict[str, str] = body["permissions"]
        if any(permissions.get(name) not in {level, "write"} for name, level in asked.items()):
            raise Refusal(422, "The permissions requested are not granted to this installation.")
        permissions = asked
    reached = state.reached(installation)
    ids = {each.id for each in reached if each.name in set(body.get("repositories") or [])}
    ids |= set(body.get("repository_ids") or [])
    if ids - {each.id for each in reached}:
        raise Refusal(422, "There is at least one repository that does not exist or is not accessible.")
    return state.issue_token(installation, permissions, frozenset(ids) if ids else None)
