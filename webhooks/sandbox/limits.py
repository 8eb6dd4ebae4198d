"""GitHub's limits, each counted per installation: calls in an hour, writes and content in a shorter while."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from webhooks.sandbox.faults import SECONDARY
from webhooks.sandbox.state import State

_SECOND = 0.95
"""A client that waits a second to the letter may be heard a little sooner than that."""


class LimitReached(Exception):
    """A call that is over a limit; the answer's body and headers."""

    def __init__(self, body: Mapping[str, str], headers: Mapping[str, str]) -> None:
        super().__init__(body["message"])
        self.body = dict(body)
        self.headers = dict(headers)


class Limits:
    """Counts calls."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._writes: defaultdict[int, deque[float]] = defaultdict(deque)
        self._contents: defaultdict[int, deque[float]] = defaultdict(deque)
        self._points: defaultdict[int, deque[float]] = defaultdict(deque)
        self._inside: defaultdict[int, int] = defaultdict(int)

    @contextmanager
    def entered(self, key: int, *, points: int) -> Generator[None]:
        """Let a call of an installation (0: the app) in, and out again.

        Raises:
            LimitReached: its hour is used up, or a secondary limit is reached.
        """
        self._check_hour(key)
        state = self._state
        if state.points_per_minute is not None:
            self._pass(self._points[key], 60.0, state.points_per_minute, weight=points)
        if state.most_concurrent is not None and self._inside[key] >= state.most_concurrent:
            raise self._reached()
        self._inside[key] += 1
        try:
            yield
        finally:
            self._inside[key] -= 1

    def _check_hour(self, key: int) -> None:
        if self._state.rate_window(key).used >= self._state.rate_limit:
            whose = "user" if any(key == each.id for each in self._state.users.values()) else "installation"
            message = f"API rate limit exceeded for {whose} ID {key}."
            docs = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
            raise LimitReached({"message": message, "documentation_url": docs}, {})

    def write(self, key: int, *, content: bool) -> None:
        """Let a writing call in; `content` is what people are told of.

        Raises:
            LimitReached: a secondary limit is.
        """
        state = self._state
        if state.writes_per_second is not None:
            self._pass(self._writes[key], _SECOND, state.writes_per_second)
        if content and state.content_per_minute is not None:
            self._pass(self._contents[key], 60.0, state.content_per_minute)

    def headers(self, key: int, *, spend: bool) -> dict[str, str]:
        """The headers of an answer, which counts or does not."""
        window = self._state.rate_window(key)
        window.used += spend
        limit = self._state.rate_limit
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(limit - window.used, 0)),
            "x-ratelimit-used": str(window.used),
            "x-ratelimit-reset": str(int(window.resets_at.timestamp())),
            "x-ratelimit-resource": "core",
        }

    def _pass(self, seen: deque[float], seconds: float, most: float, *, weight: int = 1) -> None:
        now = self._state.ticks()
        while seen and seen[0] <= now - seconds:
            seen.popleft()
        if len(seen) + weight > most:
            raise self._reached()
        seen.extend([now] * weight)

    def _reached(self) -> LimitReached:
        after = self._state.secondary_retry_after
        return LimitReached(SECONDARY, {} if after is None else {"retry-after": str(after)})
