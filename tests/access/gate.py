"""A small app behind the gate, as the real one stands behind it, and browsers and tools before it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reviewer.errors import StoreUnavailable
from reviewer.store.database import Database
from webhooks.access.credentials import Credentials
from webhooks.access.guard import Access
from webhooks.access.keys import Keys
from webhooks.access.login import GitHubLogin, Login
from webhooks.access.sessions import Sessions
from webhooks.access.sights import Sights, Users
from webhooks.access.throttle import Throttle
from webhooks.access.tokens import Tokens, Wanted
from webhooks.callers import Caller
from webhooks.middleware import middleware, refusal_as_json

OPERATOR = "a made-up operator's token"
OURS = {"Sec-Fetch-Site": "same-origin"}
"""What a browser says of a form on a page of ours."""


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(frozen=True)
class Gate:
    """The gate's parts, and where the app behind it is reached."""

    app: Starlette
    access: Access
    tokens: Tokens
    sessions: Sessions
    credentials: Credentials
    watch: Watch
    url: str = "http://sluice.example"

    def browser(self, address: str = "192.0.2.1", **more: Any) -> httpx.AsyncClient:
        """Somebody with an address and a jar for cookies of their own."""
        transport = httpx.ASGITransport(self.app, client=(address, 4711))
        return httpx.AsyncClient(transport=transport, base_url=more.pop("url", self.url), **more)

    async def token(self, **wanted: Any) -> tuple[str, dict[str, str]]:
        """A new token's id, and the header that shows it."""
        made, text = await self.tokens.create(Wanted(name="ci", **wanted))
        return made, bearer(text)


def bearer(text: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {text}"}


async def _who(request: Request, caller: Caller) -> Response:  # noqa: ARG001 - as endpoints are
    told = asdict(caller)
    sights = {name: _sight(told[name]) for name in ("sight", "acts")}
    return JSONResponse({**told, "credential": caller.credential.hex(), **sights})


def _sight(sight: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, bool) else sorted(value) for name, value in sight.items()}


async def _store_unavailable(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return JSONResponse({"error": str(error)}, status_code=503)


def gate(
    database: Database,
    *,
    users: Users | None = None,
    per_minute: int = 0,
    every: float = 300,
    public_url: str | None = None,
    cors: tuple[str, ...] = (),
    operator: str = OPERATOR,
    tokens: Tokens | None = None,
) -> Gate:
    """A gate over a database."""
    tokens = tokens or Tokens(database)
    sessions, keys, watch = Sessions(database), Keys(database), Watch()
    sights = Sights(sessions, keys, users, every=every) if users else None
    credentials = Credentials(operator=operator, tokens=tokens, sessions=sessions, sights=sights, now=watch)
    throttle = Throttle(per_minute)
    access = Access(credentials, throttle)
    login = Login(
        access=access,
        credentials=credentials,
        sessions=sessions,
        throttle=throttle,
        keys=keys,
        public_url=public_url,
        github=GitHubLogin(users, sights) if users and sights else None,
    )
    app = Starlette(
        routes=[
            Route("/who", access.guarded(_who), methods=["GET", "POST"]),
            *login.routes(),
        ],
        middleware=middleware(cors),
        exception_handlers={StoreUnavailable: _store_unavailable, HTTPException: refusal_as_json},
    )
    return Gate(app, access, tokens, sessions, credentials, watch)


@asynccontextmanager
async def logged_in(found: Gate, token: str = OPERATOR, **more: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser in which somebody has logged in with a token."""
    async with found.browser(**more) as browser:
        answer = await browser.post("/login", data={"token": token}, headers=OURS)
        assert answer.status_code == 303, answer.text
        yield browser
