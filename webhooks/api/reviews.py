"""Reviews as JSON, for people's tools."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Protocol

from psycopg import AsyncConnection
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reviewer.core.audience import Sight
from reviewer.store.database import Database
from webhooks.api.sarif import sarif_of
from webhooks.api.summaries import STATUSES, Listed, Seen, Wanted, newest, seen, summaries
from webhooks.callers import Caller
from webhooks.diffs_shown import ShownFile, cut, one_file

MOST_LISTED = 200
MOST_LOOKED_AT = 2_000
"""Reviews that are looked through for one page of a status; it may be short then, and have a next one."""

_LARGEST = 2**31 - 1  # PostgreSQL's integer


class Diffs(Protocol):
    """The diffs that are kept."""

    async def read(self, review: str) -> list[ShownFile] | None:
        """The files of a review's diff, with their hunks; None if it is not kept."""
        ...


class Reviews:
    """Reviews as the feed tells them."""

    def __init__(self, database: Database, diffs: Diffs) -> None:
        self._database = database
        self._diffs = diffs

    async def listing(self, request: Request, caller: Caller) -> Response:
        """`GET /reviews?limit=50&before=…&repository=…&pull_request=…&status=…`: newest first."""
        params = request.query_params
        limit = whole(params, "limit", most=MOST_LISTED) or 50
        wanted, before = _wanted(params), _before(params.get("before"))
        async with self._database.connection() as connection:
            page, following = await _page(connection, caller.sight, wanted, before, limit)
            found = await summaries(connection, [each.id for each in page])
        listed = [summary.as_json(caller.acts) for summary in found]
        return JSONResponse({"reviews": listed, "next": following})

    async def one(self, request: Request, caller: Caller) -> Response:
        """`GET /reviews/{id}`."""
        async with self._database.connection() as connection:
            review = await readable(connection, caller.sight, request.path_params["id"])
            found = await summaries(connection, [review.id])
        if not found:  # forgotten between the two looks
            raise no_such_review()
        return JSONResponse(found[0].as_json(caller.acts))

    async def sees(self, caller: Caller, review: str) -> bool:
        """Whether there is such a review, and the caller may see it."""
        async with self._database.connection() as connection:
            return await seen(connection, caller.sight, storable(review)) is not None

    async def diff(self, request: Request, caller: Caller) -> Response:
        """`GET /reviews/{id}/diff?path=…`: its files with their hunks, up to so many lines."""
        async with self._database.connection() as connection:
            review = await readable(connection, caller.sight, request.path_params["id"])
        files = await self._diffs.read(review.id)
        if files is None:
            raise HTTPException(404, "the diff of this review is not kept")
        path = request.query_params.get("path")
        body = await asyncio.to_thread(lambda: cut(files) if path is None else one_file(files, path))
        if body is None:
            raise HTTPException(404, "the diff of this review has no such file")
        return Response(body, media_type="application/json")

    async def sarif(self, request: Request, caller: Caller) -> Response:
        """`GET /reviews/{id}.sarif`: the findings that stand, as SARIF 2.1.0."""
        async with self._database.connection() as connection:
            review = await readable(connection, caller.sight, request.path_params["id"])
            log = await sarif_of(connection, review.id)
        body = await asyncio.to_thread(lambda: json.dumps(log).encode())
        return Response(body, media_type="application/sarif+json")


async def me(request: Request, caller: Caller) -> Response:  # noqa: ARG001 - an endpoint is given it
    """`GET /me`: who calls."""
    return JSONResponse(
        {
            "id": caller.id,
            "name": caller.name,
            "may_post": caller.api_key is not None,
            "sees_everything": caller.sight.everything,
        }
    )


def no_such_review() -> HTTPException:
    """What is said of a review that is not there, and of one that the caller may not see."""
    return HTTPException(404, "no such review")


def whole(params: QueryParams, name: str, *, most: int = _LARGEST) -> int | None:
    """A whole number from 1 on that a query may hold.

    Raises:
        HTTPException: 400, it is none, or too large.
    """
    text = params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and 1 <= int(text) <= most):
        raise HTTPException(400, f"{name} is a whole number from 1 to {most}")
    return int(text)


async def readable(connection: AsyncConnection, sight: Sight, review: str) -> Seen:
    """A review that may be read.

    Raises:
        HTTPException: 404, it is not there or not to be seen; 410, its events have expired.
    """
    found = await seen(connection, sight, storable(review))
    if found is None:
        raise no_such_review()
    if found.expired:
        raise HTTPException(410, "the events of this review have expired; nothing is kept of it any more")
    return found


def storable(text: str) -> str:
    """The text as the database can compare it: it holds no NUL and no half characters."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


async def _page(
    connection: AsyncConnection,
    sight: Sight,
    wanted: Wanted,
    before: tuple[datetime, str] | None,
    limit: int,
) -> tuple[list[Listed], str | None]:
    """One page, and where the next one begins. What is passed over costs a look, and looks are bounded."""
    page: list[Listed] = []
    looked, batch = 0, limit + 1
    while True:
        found = await newest(connection, sight, wanted, before=before, limit=batch)
        for each in found:
            if not _listed(each, wanted):
                continue
            if len(page) == limit:
                return page, _next(page[-1])
            page.append(each)
        looked += batch
        if len(found) < batch:
            return page, None
        before = (found[-1].created_at, found[-1].id)
        if looked >= MOST_LOOKED_AT:
            return page, _next(found[-1])
        batch = min(batch * 4, MOST_LOOKED_AT)


def _listed(review: Listed, wanted: Wanted) -> bool:
    return review.status is not None and (not wanted.statuses or review.status in wanted.statuses)


def _wanted(params: QueryParams) -> Wanted:
    statuses = frozenset(params.getlist("status"))
    if unknown := statuses - STATUSES:
        known = ", ".join(sorted(STATUSES))
        raise HTTPException(400, f"{min(unknown)!r} is no status; there are {known}")
    repository = params.get("repository")
    return Wanted(
        repository=None if repository is None else storable(repository),
        pull_request=whole(params, "pull_request"),
        statuses=statuses,
    )


def _next(last: Listed) -> str:
    """Where the following page begins; it holds only what the caller has just been told."""
    text = f"{last.created_at.astimezone(UTC).isoformat()} {last.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _before(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        at, _, id_ = plain.partition(" ")
        moment = datetime.fromisoformat(at)
    except (ValueError, binascii.Error):
        moment = id_ = None
    if moment is None or moment.tzinfo is None or not id_ or "\0" in id_:
        raise HTTPException(400, "before is the `next` of an earlier answer, and nothing else")
    return moment, id_
