"""What GitHub says of people who log in: who they are, and which of our repositories they see.

https://docs.github.com/en/rest/users and https://docs.github.com/en/rest/apps/installations
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar, cast

import backoff
import structlog

from reviewer.errors import ForgeRefused, ForgeUnavailable
from webhooks.github import wire
from webhooks.github.oauth import Grant, LoginRefused, WebFlow, refusal, web_url_of
from webhooks.github.transport import Reading, Transport
from webhooks.github.wire import Answer

__all__ = ["Grant", "LoginRefused", "Person", "SeenRepository", "Users", "refusal", "web_url_of"]

MOST_REPOSITORIES = 10_000
"""Of one person; what is beyond is as if they could not see it."""
MOST_INSTALLATIONS = 1_000
MOST_BYTES = 8_000_000
"""A page of a hundred repositories, each with its owner and permissions, has about one."""
LONGEST_SECONDS = 60.0
"""For all that is asked in one call of ours."""
READ_TRIES = 2

_T = TypeVar("_T")
_log = structlog.get_logger("sluice.users")


@dataclass(frozen=True, slots=True)
class Person:
    """An account: its number never changes, its login may."""

    id: int
    login: str


@dataclass(frozen=True, slots=True)
class SeenRepository:
    """A repository that the app is installed on and a person may see; `may_push` if they may change it."""

    id: int
    name: str
    may_push: bool


class Users:
    """People on GitHub; use as an async context manager."""

    def __init__(
        self,
        *,
        api_url: str,
        web_url: str,
        client_id: str,
        client_secret: str,
        most_repositories: int = MOST_REPOSITORIES,
    ) -> None:
        self._api = Transport(api_url)
        self._flow = WebFlow(web_url, client_id=client_id, client_secret=client_secret)
        self._most = most_repositories

    async def __aenter__(self) -> Self:
        await self._api.__aenter__()
        await self._flow.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._flow.__aexit__(*error)
        await self._api.__aexit__(*error)

    def authorize_url(self, *, state: str, challenge: str, redirect_uri: str) -> str:
        """See `WebFlow.authorize_url`."""
        return self._flow.authorize_url(state=state, challenge=challenge, redirect_uri=redirect_uri)

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> Grant:
        """See `WebFlow.redeem`."""
        return await self._flow.redeem(code, verifier, redirect_uri)

    async def refresh(self, grant: Grant) -> Grant:
        """See `WebFlow.refresh`."""
        return await self._flow.refresh(grant)

    async def person(self, grant: Grant) -> Person:
        """Who gave it.

        Raises:
            LoginRefused: the grant is revoked or too old.
            ForgeError: see `wire.check`.
        """
        item = (await _timely(self._read(grant, "/user"))).json()
        return _shaped(lambda: Person(int(item["id"]), str(item["login"])))

    async def repositories(self, grant: Grant) -> list[SeenRepository]:
        """All that the app is installed on and who gave the grant can see, up to a bound.

        Only what they have a permission of their own for: a public repository is not theirs to see here.
        Suspended installations are left out, and those that GitHub closes to them.

        Raises:
            LoginRefused: the grant is revoked or too old.
            ForgeError: see `wire.check`.
        """
        return await _timely(self._repositories(grant))

    async def _repositories(self, grant: Grant) -> list[SeenRepository]:
        found: dict[int, SeenRepository] = {}
        for installation in await self._installations(grant):
            async for page in self._of_installation(grant, installation):
                found |= {each.id: each for each in page}
                if len(found) > self._most:
                    _log.warning("somebody sees too many repositories", shown=self._most)
                    return list(found.values())[: self._most]
        return list(found.values())

    async def _installations(self, grant: Grant) -> list[int]:
        """The numbers of those that work."""
        found: list[int] = []
        async for page in self._pages(grant, "/user/installations", "installations"):
            found += _shaped(lambda page=page: [int(item["id"]) for item in page if not item["suspended_at"]])
            if len(found) > MOST_INSTALLATIONS:
                _log.warning("somebody sees too many installations", shown=MOST_INSTALLATIONS)
                return found[:MOST_INSTALLATIONS]
        return found

    async def _of_installation(self, grant: Grant, installation: int) -> AsyncIterator[list[SeenRepository]]:
        """Pages of one; none where GitHub lets the person in no more, or only after single sign-on."""
        path = f"/user/installations/{installation}/repositories"
        try:
            async for page in self._pages(grant, path, "repositories"):
                yield _shaped(lambda page=page: [_seen(item) for item in page])
        except ForgeRefused as error:
            if error.status not in {403, 404}:
                raise
            _log.info("an installation is closed to somebody", installation=installation, reason=str(error))

    async def _pages(self, grant: Grant, path: str, field: str) -> AsyncIterator[list[Mapping[str, Any]]]:
        url: str | None = path
        params: Mapping[str, str] | None = {"per_page": "100"}
        seen: set[str] = set()
        while url is not None:
            if url in seen:
                raise ForgeUnavailable(f"GitHub's listing {path} goes round in a circle")
            seen.add(url)
            answer = await self._read(grant, url, params)
            body: Any = answer.json()
            items = cast("dict[str, Any]", body).get(field) if isinstance(body, dict) else None
            if not isinstance(items, list):
                raise ForgeUnavailable("GitHub's answer is no listing", status=answer.status)
            yield cast("list[Mapping[str, Any]]", items)
            url, params = answer.next_page, None

    @backoff.on_exception(backoff.expo, ForgeUnavailable, max_tries=READ_TRIES)
    async def _read(self, grant: Grant, path: str, params: Mapping[str, str] | None = None) -> Answer:
        answer = await self._api.get(Reading(path, params=params, max_bytes=MOST_BYTES), grant.access_token)
        if answer.status == 401:
            raise LoginRefused("GitHub no longer takes the login; log in again", status=401)
        return wire.check(answer, now=time.time())


async def _timely(asking: Awaitable[_T]) -> _T:
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            return await asking
    except TimeoutError as error:
        raise ForgeUnavailable(f"GitHub did not answer within {LONGEST_SECONDS:.0f} s") from error


def _seen(item: Mapping[str, Any]) -> SeenRepository:
    may: Mapping[str, Any] = item.get("permissions") or {}
    return SeenRepository(int(item["id"]), str(item["full_name"]), may_push=may.get("push") is True)


def _shaped(read: Callable[[], _T]) -> _T:
    """What is read from GitHub's JSON, which a proxy in between may have replaced by its own."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ForgeUnavailable("GitHub's answer has another shape than GitHub's") from error
