"""Logging in through GitHub: its web flow with PKCE, and tokens that are renewed.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast
from urllib.parse import urlencode, urlsplit

import aiohttp

from reviewer.errors import ForgeRefused, ForgeUnavailable
from webhooks.github import wire
from webhooks.github.wire import Answer

TIMEOUT = aiohttp.ClientTimeout(total=20, connect=10)
"""A person waits for it, in front of a browser."""
MOST_BYTES = 65_536

# GitHub's names for what only another login helps against
_LOG_IN_AGAIN: Mapping[str, str] = {
    "access_denied": "GitHub was told not to let Sluice know who you are",
    "bad_verification_code": "GitHub's code is used or too old",
    "bad_refresh_token": "the login was revoked, or is too old",
    "expired_token": "the login is too old",
    "unauthorized_client": "the login was revoked",
    "unverified_user_email": "GitHub wants the primary e-mail address of the account verified first",
}
# And for what the operator has to set right
_REMEDIES: Mapping[str, str] = {
    "incorrect_client_credentials": "GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET do not belong together: take "
    "both from the settings page of the same app",
    "redirect_uri_mismatch": "add the address to the callback URLs on the app's settings page",
    "application_suspended": "GitHub has suspended the app; its settings page says why",
}


class LoginRefused(ForgeRefused):
    """The person said no, the code is used or old, or the grant is revoked: only another login helps."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person gave us; without ends, and without a refresh token, where the app opted out of them."""

    access_token: str = field(repr=False)
    expires_at: datetime | None
    refresh_token: str | None = field(repr=False)
    refresh_expires_at: datetime | None


def web_url_of(api_url: str, github_url: str | None = None) -> str:
    """Where people meet the GitHub whose API that is; `github_url` goes before what can be told from it."""
    if github_url:
        return github_url.rstrip("/")
    parts = urlsplit(api_url)
    if parts.netloc.lower() == "api.github.com":
        return "https://github.com"
    host = parts.netloc
    # https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency
    if host.lower().startswith("api.") and host.lower().endswith(".ghe.com"):
        host = host[len("api.") :]
    return f"{parts.scheme}://{host}"


class WebFlow:
    """Sends people to GitHub, and takes what they bring back; use as an async context manager.

    Nothing is sent twice: a code is good once, and so is a refresh token.
    """

    def __init__(self, web_url: str, *, client_id: str, client_secret: str) -> None:
        self._web = web_url.rstrip("/")
        self._id = client_id
        self._secret = client_secret
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # A kept connection may be closed while a code is on its way, which leaves in doubt whether it is used
        connector = aiohttp.TCPConnector(force_close=True)
        self._session = aiohttp.ClientSession(timeout=TIMEOUT, connector=connector)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()

    def authorize_url(self, *, state: str, challenge: str, redirect_uri: str) -> str:
        """Where to send a person; `challenge` is the S256 one of the verifier for `redeem`."""
        asked = {
            "client_id": self._id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._web}/login/oauth/authorize?{urlencode(asked)}"

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> Grant:
        """The grant for the code that a person brought back.

        Raises:
            LoginRefused: the code is none, used or old.
            ForgeError: see `wire.check`; or the app's settings do not fit.
        """
        return await self._ask({"code": code, "code_verifier": verifier, "redirect_uri": redirect_uri})

    async def refresh(self, grant: Grant) -> Grant:
        """A new grant for an old one, both of whose tokens are worth nothing from then on.

        Raises:
            LoginRefused: it is revoked or too old, or has no refresh token.
            ForgeError: as for `redeem`; after a ForgeUnavailable the old grant may be worth nothing.
        """
        if grant.refresh_token is None:
            raise LoginRefused("the login has ended; log in again", status=401)
        return await self._ask({"grant_type": "refresh_token", "refresh_token": grant.refresh_token})

    async def _ask(self, form: Mapping[str, str]) -> Grant:
        answer = await self._post({"client_id": self._id, "client_secret": self._secret, **form})
        if answer.status == 404:
            raise ForgeRefused(
                f"GitHub at {self._web} knows no such app; check GITHUB_CLIENT_ID and GITHUB_URL", status=404
            )
        if 300 <= answer.status < 400:
            raise ForgeRefused(
                f"GitHub at {self._web} refers to another address; if that is right, set GITHUB_URL to it",
                status=answer.status,
            )
        return read_grant(answer, now=datetime.now(UTC))

    async def _post(self, form: Mapping[str, str]) -> Answer:
        if self._session is None:
            raise RuntimeError("GitHub's login is used outside its `async with`")
        headers = {"Accept": "application/json", "User-Agent": "sluice"}
        url = f"{self._web}/login/oauth/access_token"
        try:
            async with self._session.post(url, data=form, headers=headers, allow_redirects=False) as response:
                return await _answer(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            said = str(error) or type(error).__name__
            raise ForgeUnavailable(f"GitHub can't be reached at {self._web}: {said}") from error


def read_grant(answer: Answer, *, now: datetime) -> Grant:
    """The grant in an answer of GitHub's, which refuses with 200 too.

    Raises:
        LoginRefused: it is a refusal that another login helps against.
        ForgeError: any other, see `wire.check`; or it is neither grant nor refusal.
    """
    told = _object(answer)
    if answer.status < 500 and isinstance(told.get("error"), str):
        raise refusal(told["error"], str(told.get("error_description") or ""), status=answer.status)
    wire.check(answer, now=now.timestamp())
    token, refresh = told.get("access_token"), told.get("refresh_token")
    if not isinstance(token, str) or not token:
        raise ForgeUnavailable("GitHub's answer to a login has no token", status=answer.status)
    return Grant(
        access_token=token,
        expires_at=_end(told.get("expires_in"), now),
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        refresh_expires_at=_end(told.get("refresh_token_expires_in"), now),
    )


def refusal(code: str, words: str = "", *, status: int = 403) -> ForgeRefused:
    """What GitHub's name for a refused login means, as it comes in an answer or with the person."""
    if code in _LOG_IN_AGAIN:
        return LoginRefused(f"{_LOG_IN_AGAIN[code]}; log in again", status=401, code=code)
    said = f"GitHub refuses logins: {code}" + (f" ({words})" if words else "")
    if code in _REMEDIES:
        said += f"; {_REMEDIES[code]}"
    return ForgeRefused(said, status=status, code=code)


def _object(answer: Answer) -> dict[str, Any]:
    try:
        found: Any = json.loads(answer.body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _end(seconds: object, now: datetime) -> datetime | None:
    """When something ends; GitHub has said the seconds as a number, and as text."""
    try:
        return now + timedelta(seconds=int(str(seconds)))
    except (ValueError, OverflowError):
        return None


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    pieces: list[bytes] = []
    left = MOST_BYTES + 1
    while left > 0 and (piece := await response.content.read(left)):
        pieces.append(piece)
        left -= len(piece)
    if left <= 0:
        raise ForgeUnavailable(
            f"GitHub's answer to a login is over {MOST_BYTES:,} bytes", status=response.status
        )
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, b"".join(pieces))
