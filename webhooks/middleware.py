"""What every answer carries, and how refusals look."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS: Final = tuple(
    (name.lower().encode(), value.encode())
    for name, value in {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": (
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=(), "
            "browsing-topics=()"
        ),
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }.items()
)
_OVER_HTTPS: Final = (*_HEADERS, (b"strict-transport-security", b"max-age=31536000"))
_NOT_KEPT: Final = (b"cache-control", b"no-store")
_PUBLIC: Final = "/static/"
_DELIVERIES: Final = "/webhooks/"


class SecurityHeaders:
    """Plain ASGI, so that streams pass through unbuffered; a piece of a stream costs one comparison."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to the start of an HTTP answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_added(scope, message)]
            return send(message)

        await self._app(scope, receive, send_with_headers)


def _added(scope: Scope, message: Message) -> Sequence[tuple[bytes, bytes]]:
    headers = _OVER_HTTPS if scope["scheme"] == "https" else _HEADERS
    if scope["path"].startswith(_PUBLIC) or any(
        name.lower() == _NOT_KEPT[0] for name, _ in message.get("headers", ())
    ):
        return headers
    return (*headers, _NOT_KEPT)


class OtherSites:
    """Lets pages of some other sites call the API, without cookies; deliveries are none of their business."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Last-Event-ID", "Idempotency-Key", "Prefer"),
            expose_headers=("X-Tokens-Used", "X-Tokens-Remaining", "Location", "Retry-After"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Through CORS, except for deliveries."""
        deliveries = scope["type"] != "http" or scope["path"].startswith(_DELIVERIES)
        await (self._app if deliveries else self._open)(scope, receive, send)


class Faults:
    """Answers where the app fails of itself: further out the answer would lack what every other carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; 500 if that raises before an answer has begun. The server logs why."""
        began = False

        def note(message: Message) -> Awaitable[None]:
            nonlocal began
            began = True
            return send(message)

        try:
            await self._app(scope, receive, note)
        except Exception:
            if scope["type"] == "http" and not began:
                answer = JSONResponse({"error": "this is a fault of Sluice's; its log says more"}, 500)
                await answer(scope, receive, send)
            raise


def middleware(cors_origins: Sequence[str]) -> list[Middleware]:
    """What stands round the app, outermost first."""
    others = [Middleware(OtherSites, tuple(cors_origins))] if cors_origins else []
    return [Middleware(SecurityHeaders), *others, Middleware(Faults)]


async def refusal_as_json(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette gives it
    """An HTTP error as `{"error": …}`, with its headers."""
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)
