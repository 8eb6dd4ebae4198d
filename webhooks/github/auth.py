"""The app's own token, its installations' tokens, and what their refusals mean."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from reviewer.errors import BadSettings, ForgeRefused, InstallationLost
from webhooks.github.wire import Answer

# GitHub refuses tokens from the future and those that live over ten minutes, by its own clock:
# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
_CLOCK_SKEW_SECONDS = 60
_LIFE_SECONDS = 9 * 60
_RENEW_SECONDS = 5 * 60

_CLOCK_WORDS = ("'exp'", "'iat'", "issued at", "expiration time", "too far in the future")
_KEY_WORDS = ("integration not found", "integration must", "could not be decoded")
_NO_KEY = "GITHUB_PRIVATE_KEY is no RSA private key in PEM form (-----BEGIN RSA PRIVATE KEY-----)"
_SUSPENDED_WORDS = "suspended"


@dataclass(frozen=True, slots=True)
class AppAuth:
    """Signs as the app; `issuer` is its client id or app id, `private_key` PEM text."""

    issuer: str
    private_key: str

    def token(self) -> str:
        """A token for the app's own routes.

        Raises:
            BadSettings: the key is no RSA private key.
        """
        now = int(time.time())
        claims = {"iat": now - _CLOCK_SKEW_SECONDS, "exp": now + _LIFE_SECONDS, "iss": self.issuer}
        return jwt.encode(claims, _read_key(self.private_key), algorithm="RS256")


@cache
def _read_key(pem: str) -> RSAPrivateKey:
    # Reading it checks it for tens of milliseconds, in which nothing else goes on
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        if isinstance(key, RSAPrivateKey):
            return key
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadSettings(_NO_KEY) from error
    raise BadSettings(_NO_KEY)


@dataclass(frozen=True, slots=True)
class InstallationToken:
    """A token of any form and length, when it ends and what it permits (a permission's name to its level)."""

    token: str
    expires_at: datetime
    permissions: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def fresh(self) -> bool:
        """Whether it lives long enough to be used."""
        return self.expires_at.timestamp() - time.time() > _RENEW_SECONDS


class InstallationTokens:
    """Installation tokens, kept until shortly before they end; one fetch at a time for each."""

    def __init__(self, fetch: Callable[[int], Awaitable[InstallationToken]]) -> None:
        self._fetch = fetch
        self._known: dict[int, InstallationToken] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, installation: int) -> InstallationToken:
        """A token that is good now."""
        async with self._locks[installation]:
            known = self._known.get(installation)
            if known is None or not known.fresh:
                known = self._known[installation] = await self._fetch(installation)
            return known

    def forget(self, installation: int, refused: InstallationToken) -> None:
        """Drop a token that GitHub refused, unless another has taken its place."""
        if self._known.get(installation) is refused:
            del self._known[installation]


def explain_app(error: ForgeRefused, answer: Answer, *, now: float) -> ForgeRefused:
    """A refusal of a call by the app itself, with the remedy where it is known."""
    words = str(error).lower()
    if error.status != 401:
        return error
    if any(sign in words for sign in _CLOCK_WORDS):
        return _told(error, _clock_remedy(answer.date, now))
    if any(sign in words for sign in _KEY_WORDS):
        return _told(
            error,
            "GITHUB_CLIENT_ID (or GITHUB_APP_ID) and GITHUB_PRIVATE_KEY do not belong together: take both "
            "from the settings page of the same app",
        )
    return error


def explain_token(error: ForgeRefused, answer: Answer, installation: int, *, now: float) -> ForgeRefused:
    """A refusal to give an installation's token, with the remedy where it is known."""
    if error.status == 404:
        return InstallationLost(
            f"the app is not installed there any more (installation {installation}); install it again to "
            "have pull requests reviewed",
            status=error.status,
        )
    return explain_app(explain_suspension(error, installation), answer, now=now)


def explain_suspension(error: ForgeRefused, installation: int) -> ForgeRefused:
    """A refusal with an installation's token, which may mean that the installation is suspended."""
    if error.status != 403 or _SUSPENDED_WORDS not in str(error).lower():
        return error
    return InstallationLost(
        f"the app is suspended there (installation {installation}); an owner of the account can unsuspend it "
        "under Settings, Applications, or GitHub if it was GitHub that did it",
        status=error.status,
        details=error.details,
    )


def _clock_remedy(theirs: float | None, ours: float) -> str:
    if theirs is None:
        return "this machine's clock differs from GitHub's; set it (NTP)"
    ahead = round(ours - theirs)
    direction = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {abs(ahead)} s {direction} GitHub's; set it (NTP)"


def _told(error: ForgeRefused, remedy: str) -> ForgeRefused:
    return ForgeRefused(
        f"{error}; {remedy}", status=error.status or 401, code=error.code, details=error.details
    )
