"""Who calls: the app by its JWT, an installation or a person by a token; and what GitHub says to others."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from webhooks.sandbox.credentials import bearer, password
from webhooks.sandbox.limits import LimitReached, Limits
from webhooks.sandbox.refusals import Refusal, answer
from webhooks.sandbox.state import Installation, PullRequest, Repository, State, Token, User

_READING = frozenset({"GET", "HEAD"})
_LONGEST_JWT_SECONDS = 600 + 60


class Gate:
    """Lets calls through to endpoints."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._limits = Limits(state)

    def for_app(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Any:
        """The endpoint for calls that carry the app's JWT."""

        async def check(request: Request) -> Response:
            self._check_jwt(bearer(request))
            return await self._answer(request, 0, lambda: endpoint(request))

        return check

    def for_token(
        self, endpoint: Callable[[Request, Installation], Awaitable[Response]], *, free: bool = False
    ) -> Any:
        """The endpoint for calls that carry an installation's token and name no repository.

        What they write is their own affair (`write`); `free` ones count in no limit.
        """

        async def check(request: Request) -> Response:
            token = self._token(bearer(request))
            installation = self._installation(token)
            if free:
                return await endpoint(request, installation)
            return await self._answer(request, installation.id, lambda: endpoint(request, installation))

        return check

    def for_installation(
        self,
        endpoint: Callable[[Request, Repository], Awaitable[Response]],
        *,
        read: str = "metadata",
        write: str | None = None,
        content: bool = False,
    ) -> Any:
        """The endpoint for calls that carry a token which reaches the repository of the path.

        `read` or `write` names the permission that the call needs; `content` says that it makes what people
        are told of.
        """

        async def check(request: Request) -> Response:
            token = self._token(bearer(request))
            installation = self._installation(token)

            async def act() -> Response:
                repository = self._repository(request, token)
                need = {write: "write"} if write is not None else {read: "read"}
                for name, level in need.items():
                    self.need(installation, token, name, level)
                if write is not None and repository.archived:
                    raise Refusal(403, "Repository was archived so is read-only.")
                if write is not None:
                    self.write(installation, content=content)
                return await endpoint(request, repository)

            return await self._answer(request, installation.id, act)

        return check

    def for_user(self, endpoint: Callable[[Request, User], Awaitable[Response]]) -> Any:
        """The endpoint for calls that carry a person's token."""

        async def check(request: Request) -> Response:
            user = self._user(bearer(request))
            return await self._answer(request, user.id, lambda: endpoint(request, user))

        return check

    def need(self, installation: Installation, token: Token | None, name: str, level: str) -> None:
        """Refuse a call that lacks a permission."""
        if name == "metadata":  # every app has it
            return
        for granted in (installation.permissions, token.permissions if token else installation.permissions):
            if granted.get(name) not in {level, "write"}:
                headers = {"x-accepted-github-permissions": f"{name}={level}"}
                raise Refusal(403, "Resource not accessible by integration", headers=headers)

    def write(self, installation: Installation, *, content: bool) -> None:
        """Refuse a writing call that is over a secondary limit."""
        try:
            self._limits.write(installation.id, content=content)
        except LimitReached as limit:
            raise _limited(limit) from limit

    def for_git(self, endpoint: Callable[[Request, Repository], Awaitable[Response]]) -> Any:
        """The endpoint for git, whose password is an installation's token; its calls count in no limit."""

        async def check(request: Request) -> Response:
            try:
                token = self._token(password(request))
                installation = self._installation(token)
            except Refusal as refusal:
                challenge = {"www-authenticate": 'Basic realm="GitHub"'} if refusal.status == 401 else {}
                return PlainTextResponse(str(refusal), status_code=refusal.status, headers=challenge)
            try:
                repository = self._repository(request, token)
                self.need(installation, token, "contents", "read")
            except Refusal as refusal:
                return answer(refusal)
            return await endpoint(request, repository)

        return check

    def pull(self, request: Request, repository: Repository) -> PullRequest:
        """The pull request of the path."""
        pull = repository.pulls.get(request.path_params["number"])
        if pull is None:
            raise Refusal(404, "Not Found")
        return pull

    def _repository(self, request: Request, token: Token) -> Repository:
        parts = request.path_params
        repository = self.state.find_repository(parts["owner"], parts["repo"])
        moved = None if repository else self.state.find_moved(parts["owner"], parts["repo"])
        found = repository or moved
        if found is None or found.installation_id != token.installation_id:
            raise Refusal(404, "Not Found")
        if token.repository_ids is not None and found.id not in token.repository_ids:
            raise Refusal(404, "Not Found")
        if moved is not None:
            raise self.redirection(request, moved)
        return found

    def redirection(self, request: Request, repository: Repository) -> Refusal:
        """The way to a repository that has another name now: by its number, or for git by its name."""
        url = request.url
        rest = url.path.split("/", 4)[4:] if url.path.startswith("/repos/") else []
        way = "/".join([f"/repositories/{repository.id}", *rest])
        if not url.path.startswith("/repos/"):
            way = f"/{repository.full_name}.git" + url.path.partition(".git")[2]
        target = f"{self.state.url}{way}" + (f"?{url.query}" if url.query else "")
        reading = request.method in _READING
        refusal = Refusal(
            301 if reading else 307,
            "Moved Permanently" if reading else "Temporary Redirect",
            headers={"location": target},
        )
        refusal.body["url"] = target
        return refusal

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

    def _user(self, text: str) -> User:
        if text in self.state.tokens:
            raise Refusal(403, "Resource not accessible by integration")
        known = self.state.logins.find(text)
        if known is None:
            raise Refusal(401, "Bad credentials")
        return known

    def _token(self, text: str) -> Token:
        if self.state.logins.find(text) is not None:
            raise Refusal(403, "You must authenticate with an installation access token")
        known = self.state.tokens.get(text)
        if known is None or known.expires_at <= self.state.clock():
            raise Refusal(401, "Bad credentials")
        return known

    def _installation(self, token: Token) -> Installation:
        installation = self.state.installations.get(token.installation_id)
        if installation is None:
            raise Refusal(401, "Bad credentials")
        if installation.suspended:
            raise Refusal(403, "This installation has been suspended")
        return installation

    async def _answer(self, request: Request, key: int, act: Callable[[], Awaitable[Response]]) -> Response:
        """What a call is answered, within the primary limit; unchanged content costs nothing."""
        try:
            with self._limits.entered(key, points=1 if request.method in _READING else 5):
                response = await act()
        except LimitReached as limit:
            return self._with_headers(answer(_limited(limit)), key, spend=False)
        except Refusal as refusal:
            response = answer(refusal)
        if request.method == "GET" and response.status_code == 200:
            tag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
            if tag in _asked_tags(request):
                return self._with_headers(Response(status_code=304, headers={"etag": tag}), key, spend=False)
            response.headers["etag"] = tag
        return self._with_headers(response, key, spend=True)

    def _with_headers(self, response: Response, key: int, *, spend: bool) -> Response:
        """The answer with the headers of the primary rate limit."""
        response.headers.update(self._limits.headers(key, spend=spend))
        return response


def _limited(limit: LimitReached) -> Refusal:
    refusal = Refusal(403, str(limit), headers=limit.headers)
    refusal.body.update(limit.body)
    return refusal


def _asked_tags(request: Request) -> set[str]:
    """The tags of If-None-Match; weak ones count as strong."""
    asked = request.headers.get("if-none-match", "").split(",")
    return {tag.strip().removeprefix("W/") for tag in asked}
