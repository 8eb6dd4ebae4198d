"""The gate of the HTTP surface: who calls, how often, and whether a change comes from a page of ours."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reviewer.errors import ForgeUnavailable
from reviewer.settings import Settings
from webhooks.access.credentials import Credentials
from webhooks.access.throttle import Throttle, address_of
from webhooks.callers import Caller

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Browsers read \\ as /, leave out tabs and line breaks, and take what begins with two for another site
_OWN_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_MOST_FIELDS, _MOST_BYTES = 8, 4096


def operator_token(settings: Settings) -> str:
    """The token from the settings, else the one made at the first start and kept in the data folder."""
    given = settings.sluice_token
    if given is not None and (token := given.get_secret_value().strip()):
        return token
    kept = settings.sluice_data_dir / "token"
    # Empty when a full disk or a crash left it so: an empty token would be anybody's
    if not kept.exists() or not kept.read_text().strip():
        _write_private(kept, secrets.token_urlsafe(24))
    return kept.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    """Write a file that others find whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, made = tempfile.mkstemp(dir=path.parent, prefix=".token")
    try:
        with os.fdopen(number, "w") as file:
            file.write(text)
        Path(made).replace(path)
    except OSError:
        Path(made).unlink(missing_ok=True)
        raise


def login_link(url: str, token: str) -> str:
    """The link that logs in; what is behind # reaches neither server nor log."""
    return f"{url}/login#token={quote(token, safe='')}"


def cookie_name(request: Request, name: str = "sluice") -> str:
    """What a cookie is called: over https the browser lets nobody else set it."""
    return f"__Host-{name}" if request.url.scheme == "https" else name


def bearer_of(request: Request) -> str | None:
    """The token that a request shows, or None."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def own_path(wanted: str | None) -> str:
    """The path to go to after a login: one of ours, whatever was asked for."""
    return wanted if wanted and _OWN_PATH.fullmatch(wanted) else "/"


class Access:
    """Who may come in. What they may see is for each endpoint to hold to."""

    def __init__(self, credentials: Credentials, throttle: Throttle) -> None:
        self._credentials = credentials
        self._throttle = throttle

    async def caller(self, request: Request) -> Caller | None:
        """Who calls; None for whoever has shown nothing that holds. A bearer token goes before a cookie.

        Raises:
            HTTPException: 429 after too many wrong tokens; 503 when nobody knows what the caller may see.
            StoreUnavailable: the database is away; the operator's token holds all the same.
        """
        bearer = bearer_of(request)
        if bearer is not None:
            return await self._by_bearer(bearer, address_of(request))
        cookie = request.cookies.get(cookie_name(request))
        if not cookie:
            return None
        try:
            return await self._credentials.by_cookie(cookie)
        except ForgeUnavailable as error:
            raise HTTPException(503, str(error), headers={"Retry-After": "30"}) from error

    async def visitor(self, request: Request) -> Caller | None:
        """The same, and counted: of a caller, or of an address where nothing holds.

        Raises:
            HTTPException: 429 after too many requests, too.
        """
        caller = await self.caller(request)
        if caller is None:
            await self._throttle.request_from(address_of(request))
        else:
            await self._throttle.request_by(caller.id)
        return caller

    async def _by_bearer(self, bearer: str, address: str) -> Caller | None:
        if not self._credentials.known(bearer):
            await self._throttle.require_few_wrong(address)
        caller = await self._credentials.by_bearer(bearer)
        if caller is None:
            await self._throttle.wrong_token(address)
        return caller

    async def again(self, caller: Caller) -> Caller | None:
        """The same caller with what they may do by now; None if they may nothing any more, or nobody knows.

        Raises:
            StoreUnavailable: the database is away.
        """
        try:
            return await self._credentials.again(caller)
        except ForgeUnavailable:
            return None

    def guarded(
        self, endpoint: Callable[[Request, Caller], Awaitable[Response]], *, forms: bool = True
    ) -> Callable[..., Awaitable[Response]]:
        """The endpoint for those who have shown who they are, not too often, and from pages of ours.

        Without `forms` it is left the body to read: what proves a change is in the header.
        """

        async def guard(request: Request) -> Response:
            caller = await self.visitor(request)
            if caller is None:
                raise HTTPException(
                    401,
                    "show an access token as `Authorization: Bearer …`, or log in at /login",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            if request.method not in _SAFE:
                await require_own_page(request, caller, forms=forms)
            return await endpoint(request, caller)

        return guard


async def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form; ours are few and small.

    Raises:
        HTTPException: 400, it is none of ours.
    """
    try:
        form = await request.form(max_files=0, max_fields=_MOST_FIELDS, max_part_size=_MOST_BYTES)
        # A client may name an encoding, and then send half characters or what can't be read at all
        return {name: str(value).encode().decode() for name, value in form.items()}
    except UnicodeError as error:
        raise HTTPException(400, "a field of the form is no text") from error


async def require_own_page(request: Request, caller: Caller, *, forms: bool = True) -> None:
    """Refuse a change that comes with a cookie and without what only pages of ours know.

    Raises:
        HTTPException: 400.
    """
    if caller.csrf is None:
        return
    shown = request.headers.get("x-csrf-token")
    if shown is None and forms and request.headers.get("content-type", "").startswith(_FORMS):
        shown = (await fields_of(request)).get("csrf", "")
    if shown is None or not hmac.compare_digest(shown.encode(), caller.csrf.encode()):
        raise HTTPException(
            400,
            "a change that comes with a cookie must carry the page's csrf value, as the header X-CSRF-Token"
            " or the form field csrf; load the page anew, or use an access token",
        )
