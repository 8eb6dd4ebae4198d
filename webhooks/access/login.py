"""Logging in and out: by token, or through GitHub."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from urllib.parse import quote, urlsplit

from cryptography.fernet import InvalidToken
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from reviewer.errors import ForgeError
from webhooks.access.credentials import Credentials
from webhooks.access.guard import Access, cookie_name, fields_of, own_path, require_own_page
from webhooks.access.keys import Keys
from webhooks.access.sessions import SESSION_SECONDS, Sessions
from webhooks.access.sights import Sights, Users
from webhooks.access.throttle import Throttle, address_of
from webhooks.access.tokens import digest
from webhooks.dashboard import login_page
from webhooks.github.users import LoginRefused
from webhooks.routes import by_method

CALLBACK = "/login/github/callback"
ROUND_SECONDS = 600
"""The way to GitHub and back may take so long."""

_PROBLEMS = {
    "token": "That is not the access token, or it holds no more.",
    "denied": "You did not let Sluice know who you are on GitHub.",
    "state": "This browser did not begin that login, or it took too long. Begin again.",
    "refused": "GitHub did not accept the login. Begin again.",
    "away": "GitHub can't be asked who you are right now. Try again in a moment.",
}


@dataclass(frozen=True, slots=True)
class _Round:
    """What the browser keeps, sealed, while the person is at GitHub."""

    state: str
    verifier: str
    wanted: str


@dataclass(frozen=True, slots=True)
class GitHubLogin:
    """How people log in through GitHub."""

    users: Users
    sights: Sights


class Login:
    """The routes; without `github` nobody logs in through it.

    `public_url` is where browsers reach the app, and GitHub sends people back to; absent: where they came.
    """

    def __init__(
        self,
        *,
        access: Access,
        credentials: Credentials,
        sessions: Sessions,
        throttle: Throttle,
        keys: Keys,
        public_url: str | None,
        github: GitHubLogin | None,
    ) -> None:
        self._access = access
        self._credentials = credentials
        self._sessions = sessions
        self._throttle = throttle
        self._keys = keys
        self._public_url = public_url
        self._github = github

    def routes(self) -> list[Route]:
        """`/login` and what is under it, and `/logout`."""
        through_github = [Route("/login/github", self.to_github), Route(CALLBACK, self.from_github)]
        return [
            by_method("/login", get=self.page, post=self.by_token),
            Route("/logout", self.out, methods=["POST"]),
            *(through_github if self._github else ()),
        ]

    async def page(self, request: Request) -> Response:
        """`GET /login`: the form. A link's `#token=…` is put into it by the page and reaches no server."""
        problem = _PROBLEMS.get(request.query_params.get("failed", ""))
        return self._page(request.query_params.get("next"), problem)

    def _page(self, wanted: str | None, problem: str | None) -> Response:
        return login_page(failed=problem or "", github=self._github is not None, next_=own_path(wanted))

    async def by_token(self, request: Request) -> Response:
        """`POST /login`: begins a session that ends with the token."""
        _require_own_form(request, self._public_url)
        if refusal := await self._too_often(request):
            return refusal
        fields = await fields_of(request)
        token, wanted = fields.get("token", "").strip(), fields.get("next", "")
        caller = await self._credentials.by_bearer(token)
        if caller is None:
            await self._throttle.wrong_token(address_of(request))
            return _back("token", wanted)
        if caller.id == "operator":
            secret = await self._sessions.of_operator(caller.credential)
        else:
            secret = await self._sessions.of_token(caller.id.removeprefix("token "))
        return await self._welcome(request, secret, wanted)

    async def out(self, request: Request) -> Response:
        """`POST /logout`: ends the session."""
        caller = await self._access.caller(request)
        if caller is not None:
            await require_own_page(request, caller)
            if caller.csrf is not None:
                await self._end(caller.credential)
        answer = RedirectResponse("/login", status_code=303)
        _set_cookie(request, answer, "sluice", "", 0)
        return answer

    async def to_github(self, request: Request) -> Response:
        """`GET /login/github`: to GitHub, with what the way back is known by."""
        github = self._required()
        verifier = secrets.token_urlsafe(48)
        began = _Round(secrets.token_urlsafe(32), verifier, own_path(request.query_params.get("next")))
        url = github.users.authorize_url(
            state=began.state, challenge=_challenge(verifier), redirect_uri=self._redirect_uri(request)
        )
        sealed = (await self._keys.seal("login")).encrypt(json.dumps(asdict(began)).encode())
        answer = RedirectResponse(url, status_code=303)
        _set_cookie(request, answer, "sluice-login", sealed.decode(), ROUND_SECONDS)
        return answer

    async def from_github(self, request: Request) -> Response:
        """`GET /login/github/callback`: begins a session of whoever comes back."""
        github = self._required()
        if refusal := await self._too_often(request):
            return refusal
        began = await self._began(request)
        if began is None or not _same(request.query_params.get("state", ""), began.state):
            return self._returned(request, _back("state", ""))
        if "error" in request.query_params or not request.query_params.get("code"):
            denied = request.query_params.get("error") == "access_denied"
            return self._returned(request, _back("denied" if denied else "refused", began.wanted))
        try:
            grant = await github.users.redeem(
                request.query_params["code"], began.verifier, self._redirect_uri(request)
            )
            secret = await github.sights.begin(grant)
        except LoginRefused:
            return self._returned(request, _back("refused", began.wanted))
        except ForgeError:
            return self._returned(request, _back("away", began.wanted))
        return self._returned(request, await self._welcome(request, secret, began.wanted))

    def _redirect_uri(self, request: Request) -> str:
        return (self._public_url or _origin(str(request.url))).rstrip("/") + CALLBACK

    def _required(self) -> GitHubLogin:
        if self._github is None:
            raise HTTPException(404)
        return self._github

    async def _began(self, request: Request) -> _Round | None:
        """What this browser set out with, if it did lately."""
        cookie = request.cookies.get(cookie_name(request, "sluice-login"), "")
        try:
            opened = (await self._keys.seal("login")).decrypt(cookie.encode(), ttl=ROUND_SECONDS)
        except InvalidToken:
            return None
        return _Round(**json.loads(opened))

    async def _too_often(self, request: Request) -> Response | None:
        """The refusal for an address that tries too often: a page for browsers."""
        try:
            await self._throttle.login(address_of(request))
        except HTTPException as refusal:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            answer = self._page(None, f"{refusal.detail[0].upper()}{refusal.detail[1:]}.")
            answer.status_code = refusal.status_code
            answer.headers.update(refusal.headers or {})
            return answer
        return None

    async def _welcome(self, request: Request, secret: str, wanted: str) -> Response:
        """Give the browser a session of its own, and end the one it came with."""
        if before := request.cookies.get(cookie_name(request)):
            await self._end(digest(before))
        answer = RedirectResponse(own_path(wanted), status_code=303)
        _set_cookie(request, answer, "sluice", secret, SESSION_SECONDS)
        return answer

    async def _end(self, shown: bytes) -> None:
        await self._sessions.end(shown)
        self._credentials.drop(shown)

    def _returned(self, request: Request, answer: Response) -> Response:
        """The way is gone once."""
        _set_cookie(request, answer, "sluice-login", "", 0)
        return answer


def _require_own_form(request: Request, public_url: str | None) -> None:
    """Refuse a form of another site: it would log somebody in as somebody else.

    Raises:
        HTTPException: 403.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = {_origin(str(request.url)), _origin(public_url or "")}
    if site in {"same-origin", "none"} or (site is None and origin is not None and origin in own):
        return
    raise HTTPException(
        403, "this form is not from a page of Sluice's; open /login here, and log in on that page"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _back(problem: str, wanted: str) -> Response:
    path = own_path(wanted)
    after = "" if path == "/" else f"&next={quote(path, safe='/')}"
    return RedirectResponse(f"/login?failed={problem}{after}", status_code=303)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _set_cookie(request: Request, answer: Response, name: str, value: str, seconds: int) -> None:
    """Set a cookie that scripts can't read; with 0 seconds, delete it."""
    answer.set_cookie(
        cookie_name(request, name),
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
