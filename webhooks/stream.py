"""The feed as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reviewer.store.feed import Filter, PostgresFeed

_PING_SECONDS = 15


class Stream:
    """SSE endpoints over the feed; any process can serve any stream."""

    def __init__(self, feed: PostgresFeed) -> None:
        self._feed = feed

    async def everything(self, request: Request) -> Response:
        """`GET /events`: from now on, or from `Last-Event-ID`."""
        after = _last_event_id(request)
        start = await self._feed.newest() if after is None else after
        return self._answer(start, _filter(request))

    async def one_review(self, request: Request) -> Response:
        """`GET /reviews/{id}/events`: from the review's start, or from `Last-Event-ID`."""
        return self._answer(_last_event_id(request) or 0, Filter(review=request.path_params["id"]))

    def _answer(self, after: int, wanted: Filter) -> Response:
        return EventSourceResponse(self._events(after, wanted), ping=_PING_SECONDS)

    async def _events(self, after: int, wanted: Filter) -> AsyncIterator[ServerSentEvent]:
        async for entry in self._feed.tail(after, wanted):
            yield ServerSentEvent(json.dumps(entry.data), event=entry.type, id=str(entry.position))


def _last_event_id(request: Request) -> int | None:
    text = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
    if text is None:
        return None
    if not text.isdecimal():
        raise HTTPException(400, f"Last-Event-ID is the position of an event, a number; not {text!r}")
    return int(text)


def _filter(request: Request) -> Filter:
    query = request.query_params
    number = query.get("pull_request")
    if number is not None and not number.isdecimal():
        raise HTTPException(400, f"pull_request is a number, not {number!r}")
    return Filter(
        review=query.get("review"),
        repository=query.get("repository"),
        pull_request=int(number) if number else None,
        types=frozenset(query.getlist("type")),
        severities=frozenset(query.getlist("severity")),
    )
