"""What a person's token reads: https://docs.github.com/rest/users and https://docs.github.com/rest/apps."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate
from webhooks.sandbox.refusals import Refusal
from webhooks.sandbox.routes.pages import cut
from webhooks.sandbox.shapes import installed_shape, may_shape, person_shape, repository_shape
from webhooks.sandbox.state import Installation, Repository, State, User


def routes(gate: Gate) -> list[Route]:
    """Routes that a person calls through the app.

    Listed is only where somebody has a permission of their own: that everybody may read a public repository
    does not count.
    """
    state = gate.state

    async def person(request: Request, user: User) -> Response:  # noqa: ARG001
        return JSONResponse(person_shape(state, user))

    async def installations(request: Request, user: User) -> Response:
        found = [each for each in state.installations.values() if _may_see(state, each, user)]
        shown, links = cut(state, request, [installed_shape(state, each) for each in found])
        return JSONResponse({"total_count": len(found), "installations": shown}, headers=links)

    async def repositories(request: Request, user: User) -> Response:
        installation = state.installations.get(request.path_params["id"])
        if installation is None or not _may_see(state, installation, user):
            raise Refusal(404, "Not Found")
        if installation.suspended:
            raise Refusal(403, "This installation has been suspended")
        found = _seen(state, installation, user)
        items = [{**repository_shape(state, each), "permissions": may_shape(level)} for each, level in found]
        shown, links = cut(state, request, items)
        body = {"total_count": len(found), "repository_selection": "all", "repositories": shown}
        return JSONResponse(body, headers=links)

    return [
        Route("/user", gate.for_user(person)),
        Route("/user/installations", gate.for_user(installations)),
        Route("/user/installations/{id:int}/repositories", gate.for_user(repositories)),
    ]


def _may_see(state: State, installation: Installation, user: User) -> bool:
    return installation.account == user or bool(_seen(state, installation, user))


def _seen(state: State, installation: Installation, user: User) -> list[tuple[Repository, str]]:
    levels = [(each, state.level(each, user.login)) for each in state.reached(installation)]
    return [(each, level) for each, level in levels if level and level != "none"]
