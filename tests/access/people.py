"""A GitHub that people log in through: it lets in who has its code and the verifier, and can be away."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from reviewer.errors import ForgeError
from webhooks.github.users import Grant, LoginRefused, Person, SeenRepository

AUTHORIZE = "https://github.example/login/oauth/authorize"
EIGHT_HOURS = timedelta(hours=8)


def repository(number: int, *, may_push: bool = False) -> SeenRepository:
    """A repository somebody sees."""
    return SeenRepository(number, f"octo/r{number}", may_push)


@dataclass
class People:
    """One person, who sees some repositories; `trouble` is what GitHub answers instead."""

    sees: list[SeenRepository] = field(
        default_factory=lambda: [repository(70, may_push=True), repository(71)]
    )
    lasts: timedelta | None = EIGHT_HOURS
    trouble: ForgeError | None = None
    asked: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _challenge: str = ""
    _valid: str = ""
    _count: int = 0

    def __post_init__(self) -> None:
        self.open.set()

    def authorize_url(self, *, state: str, challenge: str, redirect_uri: str) -> str:
        self._challenge = challenge
        query = {"state": state, "code_challenge": challenge, "redirect_uri": redirect_uri}
        return f"{AUTHORIZE}?{urlencode(query)}"

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> Grant:
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        await self._meet(f"redeem {redirect_uri}")
        if code != "a made-up code" or made != self._challenge:
            raise LoginRefused("the code is not good", status=400)
        return self._grant()

    async def refresh(self, grant: Grant) -> Grant:
        await self._meet("refresh")
        if grant.refresh_token != f"made-up refresh {self._count}":
            raise LoginRefused("the refresh token has been used", status=400)
        return self._grant()

    async def person(self, grant: Grant) -> Person:
        await self._meet("person", grant)
        return Person(583231, "octocat")

    async def repositories(self, grant: Grant) -> list[SeenRepository]:
        await self._meet("repositories", grant)
        return self.sees

    async def _meet(self, what: str, grant: Grant | None = None) -> None:
        self.asked.append(what)
        await self.open.wait()
        if self.trouble is not None:
            raise self.trouble
        if grant is not None and grant.access_token != self._valid:
            raise LoginRefused("the token holds no more", status=401)

    def _grant(self) -> Grant:
        self._count += 1
        self._valid = f"made-up access {self._count}"
        ends = None if self.lasts is None else datetime.now(UTC) + self.lasts
        return Grant(self._valid, ends, f"made-up refresh {self._count}", None)
