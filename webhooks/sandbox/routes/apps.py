"""The app itself: https://docs.github.com/rest/apps."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate, Refusal, read_object
from webhooks.sandbox.deliveries import redeliver
from webhooks.sandbox.shapes import delivery_shape, time_shape, user_shape


def routes(gate: Gate) -> list[Route]:
    """Routes that the app calls as itself."""
    state = gate.state

    async def app(request: Request) -> Response:  # noqa: ARG001
        return JSONResponse(
            {"id": state.app_id, "client_id": state.client_id, "slug": state.slug, "name": "Sluice"}
        )

    async def installations(request: Request) -> Response:  # noqa: ARG001
        return JSONResponse(
            [
                {"id": each.id, "account": user_shape(state, each.account), "permissions": each.permissions}
                for each in state.installations.values()
            ]
        )

    async def make_token(request: Request) -> Response:
        installation = state.installations.get(request.path_params["id"])
        if installation is None:
            raise Refusal(404, "Not Found")
        body = await read_object(request)
        permissions = dict(installation.permissions)
        if isinstance(body.get("permissions"), dict):
            asked: dict[str, str] = body["permissions"]
            if any(permissions.get(name) not in {level, "write"} for name, level in asked.items()):
                raise Refusal(422, "The permissions requested are not granted to this installation.")
            permissions = asked
        token = state.issue_token(installation, permissions, None)
        return JSONResponse(
            {
                "token": token.text,
                "expires_at": time_shape(token.expires_at),
                "permissions": dict(token.permissions),
                "repository_selection": "all",
            },
            status_code=201,
        )

    async def deliveries(request: Request) -> Response:  # noqa: ARG001
        return JSONResponse([delivery_shape(record) for record in reversed(state.deliveries)])

    async def again(request: Request) -> Response:
        record = next((each for each in state.deliveries if each.id == request.path_params["id"]), None)
        if record is None:
            raise Refusal(404, "Not Found")
        await redeliver(state, record)
        return JSONResponse({}, status_code=202)

    return [
        Route("/app", gate.for_app(app)),
        Route("/app/installations", gate.for_app(installations)),
        Route("/app/installations/{id:int}/access_tokens", gate.for_app(make_token), methods=["POST"]),
        Route("/app/hook/deliveries", gate.for_app(deliveries)),
        Route("/app/hook/deliveries/{id:int}/attempts", gate.for_app(again), methods=["POST"]),
    ]
