"""The feed as server-sent events; any process can serve any stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import get_args

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reviewer.core.audience import Audience
from reviewer.core.events import Event
from reviewer.core.findings import Severity
from reviewer.store.database import Database
from reviewer.store.feed import Filter, PostgresFeed
from webhooks.api.reviews import readable, whole
from webhooks.callers import Caller
from webhooks.streams.answers import Streams
from webhooks.streams.courses import Course
from webhooks.streams.cursors import Cursors
from webhooks.streams.events import bookmark, expired

TYPES = frozenset(each.model_fields["type"].default for each in get_args(Event))
"""Every type of event that a review may tell."""

_SEVERITIES = frozenset(severity.value for severity in Severity)


class Stream:
    """SSE endpoints over the feed."""

    def __init__(
        self, feed: PostgresFeed, database: Database, cursors: Cursors, streams: Streams, *, event_days: int
    ) -> None:
        self._feed = feed
        self._database = database
        self._cursors = cursors
        self._streams = streams
        self._event_days = event_days

    async def everything(self, request: Request, caller: Caller) -> Response:
        """`GET /events`: from now on, from `Last-Event-ID`, or from the start."""
        wanted, after = _filter(request, caller), self._after(request)
        opening = b""
        if after is not None:
            if after < await self._feed.floor():
                opening = expired(self._event_days)
        elif _choice(request, "from", "start", "now") == "start":
            after = 0
        else:
            # Not before the floor: who has seen nothing yet would come back and be told that they missed it
            after = max(await self._feed.newest(caller.sight), await self._feed.floor())
            opening = bookmark(self._cursors.write(after))
        return self._streams.answer(Course(caller, wanted, after, opening, follow=_follow(request)))

    async def one_review(
        self, request: Request, caller: Caller, *, on_leave: Callable[[], Awaitable[None]] | None = None
    ) -> Response:
        """`GET /reviews/{id}/events`: from the review's start, or from `Last-Event-ID`, to its end."""
        after, follow = self._after(request), _follow(request)
        review = request.path_params["id"]
        audience = await self._require(review, caller)
        course = _of_review(caller, review, audience, after or 0, follow=follow)
        return self._streams.answer(course, on_leave=on_leave)

    async def of_review(
        self,
        caller: Caller,
        review_id: str,
        *,
        after: int = 0,
        headers: Mapping[str, str] | None = None,
        on_leave: Callable[[], Awaitable[None]] | None = None,
    ) -> Response:
        """The stream of a review that the caller has asked for.

        `on_leave` is called if they are gone before its end; not if the server stops, as they will come back.
        """
        audience = await self._require(review_id, caller)
        course = _of_review(caller, review_id, audience, after, follow=True)
        return self._streams.answer(course, headers=headers, on_leave=on_leave)

    def require_room(self, caller: Caller) -> None:
        """Raises 429 where the caller has as many streams open as may be."""
        self._streams.require_room(caller)

    async def close(self) -> None:
        """Let all streams take leave before the process stops."""
        await self._streams.close()

    async def _require(self, review: str, caller: Caller) -> Audience:
        """Whose the review is; refused as if it were not there to who may not see it."""
        async with self._database.connection() as connection:
            return (await readable(connection, caller.sight, review)).audience

    def _after(self, request: Request) -> int | None:
        text = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
        return self._cursors.read(text) if text else None


def _of_review(caller: Caller, review: str, audience: Audience, after: int, *, follow: bool) -> Course:
    wanted = Filter(review=review, sight=caller.sight)
    return Course(caller, wanted, after, follow=follow, audience=audience)


def _follow(request: Request) -> bool:
    return _choice(request, "follow", "true", "false") == "true"


def _choice(request: Request, name: str, *choices: str) -> str:
    """A parameter that is one of two words; the default is the first, but for `from`."""
    default = "now" if name == "from" else choices[0]
    text = request.query_params.get(name, default)
    if text not in choices:
        raise HTTPException(400, f"{name} is {' or '.join(choices)}, not {text!r}")
    return text


def _filter(request: Request, caller: Caller) -> Filter:
    parameters = request.query_params
    for name in ("review", "repository"):
        if "\0" in parameters.get(name, ""):
            raise HTTPException(400, f"{name} holds a zero byte, and no name of ours does")
    return Filter(
        review=parameters.get("review"),
        repository=parameters.get("repository"),
        pull_request=whole(parameters, "pull_request"),
        types=_known(request, "type", TYPES),
        severities=_known(request, "severity", _SEVERITIES),
        sight=caller.sight,
    )


def _known(request: Request, name: str, known: frozenset[str]) -> frozenset[str]:
    found = frozenset(request.query_params.getlist(name))
    if unknown := sorted(found - known):
        raise HTTPException(400, f"no {name} is called {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    return found
