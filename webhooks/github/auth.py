"""The app's own token, and its installations' tokens."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import jwt

from reviewer.errors import BadSettings

# GitHub refuses tokens from the future and those that live over ten minutes, by its own clock:
# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
_CLOCK_SKEW_SECONDS = 60
_LIFE_SECONDS = 9 * 60
_RENEW_SECONDS = 5 * 60


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
        try:
            return jwt.encode(claims, self.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise BadSettings(
                "GITHUB_PRIVATE_KEY is no RSA private key in PEM form (-----BEGIN RSA PRIVATE KEY-----)"
            ) from error


@dataclass(frozen=True, slots=True)
class InstallationToken:
    """A token and when it ends."""

    token: str
    expires_at: datetime

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

    async def get(self, installation: int) -> str:
        """A token that is good now."""
        async with self._locks[installation]:
            known = self._known.get(installation)
            if known is None or not known.fresh:
                known = self._known[installation] = await self._fetch(installation)
            return known.token

    def forget(self, installation: int) -> None:
        """Drop a token that GitHub refused."""
        self._known.pop(installation, None)
