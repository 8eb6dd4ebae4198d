"""One HTTP request and its answer, and nothing else: no retry, no limit, no meaning."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import aiohttp

from reviewer.errors import ForgeRefused, ForgeUnavailable
from webhooks.github import wire
from webhooks.github.wire import Answer

Fence = Callable[[], Awaitable[None]]
"""Awaited when a request is about to be sent as a whole; raises to stop it."""

TIMEOUT = aiohttp.ClientTimeout(total=120, connect=10)
MAX_ANSWER_BYTES = 60_000_000

_MOVED = frozenset({301, 302, 307, 308})


@dataclass(frozen=True, slots=True)
class Reading:
    """A GET."""

    path: str
    accept: str = wire.JSON_TYPE
    params: Mapping[str, str] | None = None
    max_bytes: int = MAX_ANSWER_BYTES
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """A request with a body; sent as a whole only if the fence lets it."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    fence: Fence | None = None


class Transport:
    """HTTP to one base URL; use as an async context manager.

    Writes have connections of their own, each used once: one that was kept may be closed by GitHub while a
    request is on its way, which leaves in doubt whether it was heard; and aiohttp would send some again.
    """

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")
        self._reads: aiohttp.ClientSession | None = None
        self._writes: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._reads = aiohttp.ClientSession(timeout=TIMEOUT)
        self._writes = aiohttp.ClientSession(
            timeout=TIMEOUT, connector=aiohttp.TCPConnector(force_close=True)
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        for session in (self._reads, self._writes):
            if session is not None:
                await session.close()

    async def get(self, reading: Reading, token: str) -> Answer:
        """The answer to a GET, whatever it says; one over `max_bytes` is refused as `too_large`.

        Redirects are followed; to another host without the token.

        Raises:
            ForgeUnavailable: there was no answer.
            ForgeRefused: it is too large.
        """
        headers = wire.headers(token, reading.accept)
        if reading.etag is not None:
            headers["If-None-Match"] = reading.etag
        url = self._url(reading.path)
        try:
            async with _open(self._reads).get(url, headers=headers, params=reading.params) as response:
                return await _answer(response, reading.max_bytes)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    async def send(self, writing: Writing, token: str) -> Answer:
        """The answer to a write, whatever it says.

        Where a repository has moved, the same request goes to its new place, once and on the same host only.

        Raises:
            ForgeUnavailable: there was no answer; it may have been done.
            ForgeRefused: it was sent elsewhere.
        """
        url = self._url(writing.path)
        answer = await self._send(writing, url, token)
        if answer.status in _MOVED:
            url = self._url(urljoin(url, answer.headers.get("location", "")))
            answer = await self._send(writing, url, token)
        if 300 <= answer.status < 400:
            raise ForgeRefused(
                f"GitHub sent the request elsewhere ({answer.status}), and elsewhere again",
                status=answer.status,
            )
        return answer

    async def _send(self, writing: Writing, url: str, token: str) -> Answer:
        content = json.dumps(writing.body if writing.body is not None else {}).encode()
        # With a length and no body the request is not whole, so that nothing is done if the fence stops it
        headers = wire.headers(token) | {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
        }
        stopped: list[Exception] = []
        body = _fenced(content, writing.fence, stopped)
        try:
            async with _open(self._writes).request(
                writing.method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                return await _answer(response, MAX_ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError) as error:
            if stopped:
                raise stopped[0] from None
            raise self._unreachable(error) from error

    def _url(self, path: str) -> str:
        """The whole URL of a path, or of a link that GitHub gave.

        Raises:
            ForgeRefused: it leads to another host, which must not get the token.
        """
        if not path.startswith(("http://", "https://")):
            return f"{self._base}{path}"
        if _origin(path) != _origin(self._base):
            raise ForgeRefused(
                f"GitHub at {self._base} refers to another host, {urlsplit(path).netloc}; if that is right, "
                "set GITHUB_API_URL to it",
                status=421,
            )
        return path

    def _unreachable(self, error: Exception) -> ForgeUnavailable:
        return ForgeUnavailable(
            f"GitHub can't be reached at {self._base}: {str(error) or type(error).__name__}"
        )


async def _fenced(content: bytes, fence: Fence | None, stopped: list[Exception]) -> AsyncIterator[bytes]:
    """A body whose first step is the fence."""
    if fence is not None:
        try:
            await fence()
        except Exception as error:
            stopped.append(error)
            raise
    yield content


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _open(session: aiohttp.ClientSession | None) -> aiohttp.ClientSession:
    if session is None:
        raise RuntimeError("GitHub is used outside its `async with`")
    return session


async def _answer(response: aiohttp.ClientResponse, max_bytes: int) -> Answer:
    content = await _read(response.content, max_bytes + 1)
    if len(content) > max_bytes:
        raise ForgeRefused(
            f"GitHub's answer is over {max_bytes:,} bytes", status=response.status, code="too_large"
        )
    return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, content)


async def _read(stream: aiohttp.StreamReader, most: int) -> bytes:
    """A body up to `most` bytes."""
    pieces: list[bytes] = []
    while most > 0 and (piece := await stream.read(most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)
