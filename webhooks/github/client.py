"""The shell round `wire`: sends requests over one aiohttp session."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Self

import aiohttp
import backoff

from reviewer.errors import ForgeRefused, ForgeUnavailable
from webhooks.github import wire
from webhooks.github.auth import AppAuth, InstallationToken, InstallationTokens
from webhooks.github.wire import Answer

TIMEOUT = aiohttp.ClientTimeout(total=120, connect=10)
READ_TRIES = 3
MAX_ANSWER_BYTES = 60_000_000


class GitHub:
    """GitHub's REST API for one app; use as an async context manager."""

    def __init__(self, base_url: str, auth: AppAuth) -> None:
        self._base = base_url.rstrip("/")
        self._auth = auth
        self._tokens = InstallationTokens(self._fetch_token)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._auth.token()  # a bad key is told at start, not at the first pull request
        self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def read(
        self,
        installation: int,
        path: str,
        *,
        accept: str = wire.JSON_TYPE,
        params: Mapping[str, str] | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """GET; tried again on passing trouble. An answer over `max_bytes` is refused as `too_large`.

        Raises:
            ForgeError: see `wire.check`.
        """

        @backoff.on_exception(backoff.expo, ForgeUnavailable, max_tries=READ_TRIES)
        async def attempt() -> Answer:
            return await self._as_installation(
                installation, "GET", path, accept=accept, params=params, max_bytes=max_bytes
            )

        return await attempt()

    async def pages(self, installation: int, path: str, *, per_page: int = 100) -> AsyncIterator[list[Any]]:
        """Every page of a listing."""
        url: str | None = path
        params: Mapping[str, str] | None = {"per_page": str(per_page)}
        while url is not None:
            answer = await self.read(installation, url, params=params)
            yield answer.json()
            url, params = answer.next_page, None

    async def write(self, installation: int, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """POST or PATCH, sent once: whoever sends again must look first. Gives the answer's JSON.

        Raises:
            ForgeError: see `wire.check`.
        """
        return (await self._as_installation(installation, method, path, body=body)).json()

    async def token(self, installation: int) -> str:
        """A token of the installation that is good now, for what does not speak REST."""
        return await self._tokens.get(installation)

    async def _as_installation(
        self,
        installation: int,
        method: str,
        path: str,
        *,
        accept: str = wire.JSON_TYPE,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        token = await self.token(installation)
        try:
            return await self._send(
                method, path, token, accept=accept, params=params, body=body, max_bytes=max_bytes
            )
        except ForgeRefused as error:
            if error.status == 401:
                self._tokens.forget(installation)
            raise

    async def _send(
        self,
        method: str,
        path: str,
        token: str,
        *,
        accept: str = wire.JSON_TYPE,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("GitHub is used outside its `async with`")
        url = path if path.startswith(("http://", "https://")) else f"{self._base}{path}"
        try:
            async with self._session.request(
                method, url, headers=wire.headers(token, accept), params=params, json=body
            ) as response:
                content = await _read(response.content, max_bytes + 1)
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise ForgeUnavailable(f"GitHub can't be reached at {self._base}: {reason}") from error
        if len(content) > max_bytes:
            raise ForgeRefused(
                f"GitHub's answer is over {max_bytes:,} bytes", status=response.status, code="too_large"
            )
        found = {name.lower(): value for name, value in response.headers.items()}
        return wire.check(Answer(response.status, found, content), now=time.time())

    async def _fetch_token(self, installation: int) -> InstallationToken:
        path = f"/app/installations/{installation}/access_tokens"
        made = (await self._send("POST", path, self._auth.token())).json()
        return InstallationToken(made["token"], datetime.fromisoformat(made["expires_at"]))


async def _read(stream: aiohttp.StreamReader, most: int) -> bytes:
    """A body up to `most` bytes."""
    pieces: list[bytes] = []
    while most > 0 and (piece := await stream.read(most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)
