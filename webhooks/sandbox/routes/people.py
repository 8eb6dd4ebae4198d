"""Who may do what in a repository, and reactions to what people say: https://docs.github.com/rest."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate
from webhooks.sandbox.refusals import Refusal, read_object
from webhooks.sandbox.shapes import permission_shape, time_shape, user_shape
from webhooks.sandbox.state import Repository

_REACTIONS = frozenset({"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"})


def routes(gate: Gate) -> list[Route]:
    """Routes on people."""
    state = gate.state

    async def permission(request: Request, repository: Repository) -> Response:
        login = request.path_params["login"]
        user = state.users.get(login)
        if user is None:
            raise Refusal(404, f"{login} is not a user")
        level = state.level(repository, login) or ("none" if repository.private else "read")
        return JSONResponse(permission_shape(state, user, level))

    async def react(request: Request, repository: Repository) -> Response:
        number = request.path_params["id"]
        if not any(number in (pull.remarks | pull.comments) for pull in repository.pulls.values()):
            raise Refusal(404, "Not Found")
        content = (await read_object(request)).get("content")
        if content not in _REACTIONS:
            raise Refusal(422, "Validation Failed")
        known = (number, content) in state.reactions
        if not known:
            state.reactions.append((number, content))
        made = {
            "id": state.next_id(),
            "node_id": f"REA_{number}",
            "user": user_shape(state, state.bot),
            "content": content,
            "created_at": time_shape(state.clock()),
        }
        return JSONResponse(made, status_code=200 if known else 201)

    prefix = "/repos/{owner}/{repo}"
    reacting = gate.for_installation(react, write="pull_requests")
    return [
        Route(prefix + "/collaborators/{login}/permission", gate.for_installation(permission)),
        Route(prefix + "/issues/comments/{id:int}/reactions", reacting, methods=["POST"]),
        Route(prefix + "/pulls/comments/{id:int}/reactions", reacting, methods=["POST"]),
    ]
