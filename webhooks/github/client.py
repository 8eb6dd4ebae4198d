"""GitHub's REST and GraphQL APIs for one app: tokens, pages and retries round `exchange`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Self, TypeVar, cast

import backoff

from reviewer.errors import ForgeRateLimited, ForgeRefused, ForgeUnavailable
from webhooks.github import auth as tokens
from webhooks.github import graphql, limits, wire
from webhooks.github.auth import AppAuth, InstallationToken, InstallationTokens
from webhooks.github.exchange import Exchange
from webhooks.github.limits import Gates, Pacing, Unpaced
from webhooks.github.transport import MAX_ANSWER_BYTES, Fence, Reading, Transport, Writing
from webhooks.github.wire import Answer

READ_TRIES = 3
APP = 0
"""The place under which the app's own calls are counted and paced; no installation has this number."""

_T = TypeVar("_T")


class GitHub:
    """GitHub for one app; use as an async context manager.

    Without `pacing`, writes are not spaced: that is for a sandbox.
    """

    def __init__(self, base_url: str, auth: AppAuth, *, pacing: Pacing | None = None) -> None:
        self._transport = Transport(base_url)
        self._exchange = Exchange(self._transport, Gates(pacing or Unpaced()))
        self._graphql = graphql.url(base_url)
        self._auth = auth
        self._tokens = InstallationTokens(self._fetch_token)

    async def __aenter__(self) -> Self:
        self._auth.token()  # a bad key is told at start, not at the first pull request
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._transport.__aexit__(*error)

    async def read(
        self,
        installation: int,
        path: str,
        *,
        accept: str = wire.JSON_TYPE,
        params: Mapping[str, str] | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """GET; tried again on passing trouble, and after a limit that ends soon.

        An answer over `max_bytes` is refused as `too_large`.

        Raises:
            ForgeError: see `wire.check`.
        """
        reading = Reading(path, accept, params, max_bytes)

        async def send(token: str) -> Answer:
            return await self._exchange.get(installation, token, reading, _explained(installation))

        return await _patiently(lambda: self._with_token(installation, send))

    async def pages(
        self,
        installation: int,
        path: str,
        *,
        per_page: int = 100,
        params: Mapping[str, str] | None = None,
        field: str | None = None,
    ) -> AsyncIterator[list[Any]]:
        """Every page of a listing; `field` names it where it is inside an object.

        Raises:
            ForgeError: see `wire.check`; whoever got some pages has no part of a listing then, but none.
        """

        async def read(url: str, asked: Mapping[str, str] | None) -> Answer:
            return await self.read(installation, url, params=asked)

        async for page in _pages(read, path, {"per_page": str(per_page), **(params or {})}, field):
            yield page

    async def write(
        self,
        installation: int,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        fence: Fence | None = None,
    ) -> Any:
        """POST, PATCH, PUT or DELETE, sent once: whoever sends again must look first. Gives the JSON.

        Args:
            installation: whose token is used.
            method: of HTTP.
            path: below the base URL.
            body: as JSON.
            fence: called when the request is about to be sent as a whole; what it raises is raised here, and
                nothing was done. It is called again where GitHub refused the token or named another place.

        Raises:
            ForgeError: see `wire.check`; after a ForgeUnavailable it may have been done.
        """
        writing = Writing(method, path, body, fence)

        async def send(token: str) -> Answer:
            return await self._exchange.send(installation, token, writing, _explained(installation))

        answer = await self._with_token(installation, send)
        return answer.json() if answer.body else None

    async def query(
        self,
        installation: int,
        document: str,
        variables: Mapping[str, Any],
        *,
        fence: Fence | None = None,
    ) -> Mapping[str, Any]:
        """GraphQL; a query is tried again as by `read`, a mutation sent once as by `write`. Gives the data.

        Raises:
            ForgeError: see `graphql.check`.
        """
        writing = Writing("POST", self._graphql, {"query": document, "variables": variables}, fence)
        mutation = graphql.is_mutation(document)
        points = limits.WRITE_POINTS if mutation else limits.READ_POINTS

        async def send(token: str) -> Answer:
            return await self._exchange.send(
                installation,
                token,
                writing,
                _explained(installation),
                points=points,
                paced=mutation,
                check=graphql.check,
            )

        async def attempt() -> Answer:
            return await self._with_token(installation, send)

        answer = await (attempt() if mutation else _patiently(attempt))
        return cast("Mapping[str, Any]", answer.json()["data"])

    async def app_read(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """GET as the app itself; see `read`."""
        reading = Reading(path, params=params)

        async def attempt() -> Answer:
            return await self._exchange.get(APP, self._auth.token(), reading, _explain_app)

        return await _patiently(attempt)

    async def app_pages(
        self, path: str, *, per_page: int = 100, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[Any]]:
        """Every page of a listing for the app itself; see `pages`."""
        async for page in _pages(self.app_read, path, {"per_page": str(per_page), **(params or {})}, None):
            yield page

    async def app_write(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A write as the app itself; see `write`."""
        writing = Writing(method, path, body)
        answer = await self._exchange.send(APP, self._auth.token(), writing, _explain_app)
        return answer.json() if answer.body else None

    async def token(self, installation: int) -> str:
        """A token of the installation that is good now, for what does not speak REST."""
        return (await self._tokens.get(installation)).token

    async def permissions(self, installation: int) -> Mapping[str, str]:
        """What the installation permits: a permission's name to its level, such as `read` or `write`."""
        return (await self._tokens.get(installation)).permissions

    async def _with_token(self, installation: int, send: Callable[[str], Awaitable[Answer]]) -> Answer:
        """One request; once more where GitHub refuses the token, which means that nothing was done."""
        token = await self._tokens.get(installation)
        try:
            return await send(token.token)
        except ForgeRefused as error:
            if error.status != 401:
                raise
        self._tokens.forget(installation, token)
        token = await self._tokens.get(installation)
        return await send(token.token)

    async def _fetch_token(self, installation: int) -> InstallationToken:
        """https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app."""

        def explain(error: ForgeRefused, answer: Answer) -> ForgeRefused:
            return tokens.explain_token(error, answer, installation, now=time.time())

        # Under the installation's own limits: one that GitHub keeps waiting keeps no other from its token
        writing = Writing("POST", f"/app/installations/{installation}/access_tokens")
        answer = await self._exchange.send(installation, self._auth.token(), writing, explain, paced=False)
        made = answer.json()
        ends = datetime.fromisoformat(made["expires_at"])
        return InstallationToken(made["token"], ends, made.get("permissions") or {})


def _explained(installation: int) -> Callable[[ForgeRefused, Answer], ForgeRefused]:
    def explain(error: ForgeRefused, answer: Answer) -> ForgeRefused:  # noqa: ARG001 - as for the app's calls
        return tokens.explain_suspension(error, installation)

    return explain


def _explain_app(error: ForgeRefused, answer: Answer) -> ForgeRefused:
    return tokens.explain_app(error, answer, now=time.time())


async def _patiently(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Try again on passing trouble; after a limit that ends soon once more, for which the gate waits."""

    @backoff.on_exception(backoff.expo, ForgeUnavailable, max_tries=READ_TRIES)
    async def persistent() -> _T:
        return await attempt()

    try:
        return await persistent()
    except ForgeRateLimited as error:
        if error.retry_after > limits.LONGEST_WAIT_SECONDS:
            raise
    return await persistent()


async def _pages(
    read: Callable[[str, Mapping[str, str] | None], Awaitable[Answer]],
    path: str,
    params: Mapping[str, str],
    field: str | None,
) -> AsyncIterator[list[Any]]:
    url: str | None = path
    asked: Mapping[str, str] | None = params
    seen: set[str] = set()
    while url is not None:
        if url in seen:
            raise ForgeUnavailable(f"GitHub's listing {path} goes round in a circle")
        seen.add(url)
        answer = await read(url, asked)
        yield _items(answer.json(), field)
        url, asked = answer.next_page, None


def _items(found: Any, field: str | None) -> list[Any]:
    if field is not None and isinstance(found, dict):
        found = cast("dict[str, Any]", found).get(field)
    if not isinstance(found, list):
        raise ForgeUnavailable("GitHub's answer is no listing")
    return cast("list[Any]", found)
