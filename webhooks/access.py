"""Who may read: whoever holds the operator's token, as a bearer or in the cookie that /login sets."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from reviewer.settings import Settings

COOKIE = "sluice"
_TWO_WEEKS = 14 * 24 * 3600


def operator_token(settings: Settings) -> str:
    """The token from the settings, else the one made at the first start and kept in the data folder."""
    if settings.sluice_token is not None:
        return settings.sluice_token.get_secret_value()
    kept = settings.sluice_data_dir / "token"
    if not kept.exists():
        _write_private(kept, secrets.token_urlsafe(24))
    return kept.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


class Access:
    """Decides by one token; keeps its hash only."""

    def __init__(self, token: str) -> None:
        self._hash = _hash(token)

    def is_allowed(self, request: Request) -> bool:
        """Whether the caller has shown the token."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return hmac.compare_digest(_hash(bearer.strip()), self._hash)
        return hmac.compare_digest(request.cookies.get(COOKIE, ""), self._hash)

    def guarded(
        self, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> Callable[..., Awaitable[Response]]:
        """The endpoint for those who may; 401 for the others."""

        async def guard(request: Request) -> Response:
            if not self.is_allowed(request):
                return Response(
                    "Show the access token as `Authorization: Bearer …`, or log in at /login.\n",
                    status_code=401,
                    headers={"WWW-Authenticate": "Bearer"},
                    media_type="text/plain",
                )
            return await endpoint(request)

        return guard

    def log_in(self, request: Request, token: str) -> Response | None:
        """The answer that sets the cookie, or None for a wrong token."""
        if not hmac.compare_digest(_hash(token), self._hash):
            return None
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            COOKIE,
            self._hash,
            max_age=_TWO_WEEKS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer


def _hash(token: str) -> str:
    return hashlib.sha256(b"sluice access token\0" + token.encode()).hexdigest()
