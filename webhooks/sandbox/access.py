"""Who calls: the app by its JWT, or an installation by its token; and what GitHub says to the others."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from webhooks.sandbox.state import Installation, PullRequest, Repository, State

DOCS = "https://docs.github.com/rest"
_LONGEST_JWT_SECONDS = 600 + 60


class Refusal(Exception):
    """An answer of GitHub's that refuses; `errors` as in its 422s."""

    def __init__(self, status: int, message: str, *, errors: list[Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message, "documentation_url": DOCS, "status": str(status)}
        if errors is not None:
            self.body["errors"] = errors


def unprocessable(*errors: str) -> Refusal:
    """A 422 as the reviews route words it: a list of sentences that do not say which comment."""
    return Refusal(422, "Unprocessable Entity", errors=list(errors))


async def refuse(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette gives it
    """The answer for a Refusal."""
    if not isinstance(error, Refusal):
        raise error
    return JSONResponse(error.body, status_code=error.status)


async def read_object(request: Request) -> dict[str, Any]:
    """The request's JSON object; nothing at all counts as an empty one."""
    try:
        body: Any = await request.json() if await request.body() else {}
    except ValueError as error:
        raise Refusal(400, "Problems parsing JSON") from error
    if not isinstance(body, dict):
        raise Refusal(400, "Body should be a JSON object")
    return body  # pyright: ignore[reportUnknownVariableType]


class Gate:
    """Lets calls through to endpoints."""

    def __init__(self, state: State) -> None:
        self.state = state

    def for_app(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Any:
        """The endpoint for calls that carry the app's JWT."""

        async def check(request: Request) -> Response:
            self._check_jwt(_bearer(request))
            return self._counted(await endpoint(request), 0)

        return check

    def for_installation(
        self, endpoint: Callable[[Request, Repository], Awaitable[Response]], *, write: str | None = None
    ) -> Any:
        """The endpoint for calls that carry a token which reaches the repository of the path.

        `write` names the permission that a writing call needs.
        """

        async def check(request: Request) -> Response:
            installation = self._installation(_bearer(request))
            repository = self._repository(request, installation)
            if write is not None and installation.permissions.get(write) != "write":
                raise Refusal(403, "Resource not accessible by integration")
            return self._counted(await endpoint(request, repository), installation.id)

        return check

    def for_git(self, endpoint: Callable[[Request, Repository], Awaitable[Response]]) -> Any:
        """The endpoint for git, whose password is an installation's token; its calls count in no limit."""

        async def check(request: Request) -> Response:
            try:
                installation = self._installation(_password(request))
            except Refusal as refusal:
                challenge = {"www-authenticate": 'Basic realm="GitHub"'} if refusal.status == 401 else {}
                return PlainTextResponse(str(refusal), status_code=refusal.status, headers=challenge)
            return await endpoint(request, self._repository(request, installation))

        return check

    def pull(self, request: Request, repository: Repository) -> PullRequest:
        """The pull request of the path."""
        pull = repository.pulls.get(request.path_params["number"])
        if pull is None:
            raise Refusal(404, "Not Found")
        return pull

    def _repository(self, request: Request, installation: Installation) -> Repository:
        parts = request.path_params
        repository = self.state.find_repository(parts["owner"], parts["repo"])
        if repository is None or repository.installation_id != installation.id:
            raise Refusal(404, "Not Found")
        return repository

    def _check_jwt(self, token: str) -> None:
        state = self.state
        try:
            claims = jwt.decode(token, state.public_key_pem, algorithms=["RS256"], leeway=60)
        except jwt.ExpiredSignatureError as error:
            raise Refusal(
                401, "'Expiration time' claim ('exp') must be a numeric value representing the future time"
            ) from error
        except jwt.PyJWTError as error:
            raise Refusal(401, "A JSON web token could not be decoded") from error
        if str(claims.get("iss")) not in {str(state.app_id), state.client_id}:
            raise Refusal(401, "Integration not found")
        if float(claims.get("exp", 0)) > state.clock().timestamp() + _LONGEST_JWT_SECONDS:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")

    def _installation(self, token: str) -> Installation:
        known = self.state.tokens.get(token)
        if known is None or known.expires_at <= self.state.clock():
            raise Refusal(401, "Bad credentials")
        installation = self.state.installations.get(known.installation_id)
        if installation is None:
            raise Refusal(401, "Bad credentials")
        if installation.suspended:
            raise Refusal(403, "This installation has been suspended")
        return installation

    def _counted(self, response: Response, key: int) -> Response:
        """The answer with the headers of the primary rate limit."""
        window = self.state.spend_call(key)
        limit = self.state.rate_limit
        response.headers["x-ratelimit-limit"] = str(limit)
        response.headers["x-ratelimit-remaining"] = str(max(limit - window.used, 0))
        response.headers["x-ratelimit-used"] = str(window.used)
        response.headers["x-ratelimit-reset"] = str(int(window.resets_at.timestamp()))
        response.headers["x-ratelimit-resource"] = "core"
        return response


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise Refusal(401, "Requires authentication")
    return token


def _password(request: Request) -> str:
    """The token of Basic authentication, whose user is always `x-access-token`."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        user, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user, token = "", ""
    if scheme.lower() != "basic" or user != "x-access-token" or not token:
        raise Refusal(401, "Requires authentication")
    return token
