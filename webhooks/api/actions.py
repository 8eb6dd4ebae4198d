"""What people can do about a review: cancel it, or have one more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reviewer.core.audience import Sight
from reviewer.store.database import Database
from reviewer.store.queries import query
from webhooks.api.reviews import no_such_review, storable
from webhooks.callers import Caller
from webhooks.jobs import Jobs
from webhooks.news import Place, ReviewAgain, StopReview
from webhooks.records import lock_repository
from webhooks.wishes import Wishes

CancelPosted = Callable[[AsyncConnection, str, str], Awaitable[str | None]]
"""Ends a posted review by its id for somebody, by name; gives the reason, or None if it had ended."""

_SQL = ("webhooks.sql", "actions.sql")
_ENDED = "the review has ended"


@dataclass(frozen=True, slots=True)
class _Review:
    """A review that the caller may act on; `newest`: nothing newer is wanted of its pull request."""

    id: str
    installation: int | None
    repository_id: int | None
    repository: str
    pull_request: int | None
    ended: bool
    newest: bool

    @property
    def place(self) -> Place | None:
        """Where its pull request is; None for a diff that was posted."""
        if self.installation is None or self.repository_id is None or self.pull_request is None:
            return None
        return Place(self.installation, self.repository_id, self.repository)


class Actions:
    """Changes to reviews, as a comment on the pull request would make them."""

    def __init__(self, database: Database, wishes: Wishes, jobs: Jobs, cancel_posted: CancelPosted) -> None:
        self._database = database
        self._wishes = wishes
        self._jobs = jobs
        self._cancel_posted = cancel_posted

    async def cancel(self, request: Request, caller: Caller) -> Response:
        """`POST /reviews/{id}/cancel`: stop it; its head is reviewed again only when somebody asks."""
        async with self._database.connection() as connection:
            review = await _find(connection, caller.acts, request)
            if review.ended:
                raise HTTPException(409, _ENDED)
            if review.place is None:
                reason = await self._cancel_posted(connection, review.id, caller.name)
            else:
                reason = await self._stop(connection, review, review.place, caller.name)
        if reason is None:
            raise HTTPException(409, _ENDED)
        self._jobs.wake()
        return JSONResponse({"review": review.id, "reason": reason}, status_code=202)

    async def again(self, request: Request, caller: Caller) -> Response:
        """`POST /reviews/{id}/again`: one more review of its pull request, as it is now."""
        async with self._database.connection() as connection:
            review = await _find(connection, caller.acts, request)
            if review.place is None:
                raise HTTPException(409, "post the diff again")
            news = ReviewAgain(review.place, review.pull_request, None, None, caller.name)
            (answer,) = await self._wishes.take(connection, [news])
        self._jobs.wake()
        return JSONResponse({"review": answer.review, "reason": answer.reason}, status_code=202)

    async def _stop(self, connection: AsyncConnection, review: _Review, place: Place, by: str) -> str | None:
        if not review.newest:
            raise HTTPException(
                409, "something newer is wanted of its pull request: this review ends by itself"
            )
        await self._wishes.take(connection, [StopReview(place, review.pull_request, None, None, by)])
        return f"stopped by {by}"


async def _find(connection: AsyncConnection, acts: Sight, request: Request) -> _Review:
    """The review, as it stands until the caller's commit.

    Raises:
        HTTPException: 404, it is not there or not for this caller.
    """
    review = await _read(connection, acts, request)
    if review.repository_id is None:
        return review
    # What is newest must still be so when it is stopped
    await lock_repository(connection, review.repository_id)
    return await _read(connection, acts, request)


async def _read(connection: AsyncConnection, acts: Sight, request: Request) -> _Review:
    values = {**acts.values(), "id": storable(request.path_params["id"])}
    async with connection.cursor(row_factory=class_row(_Review)) as cursor:
        await cursor.execute(query(*_SQL, "actable"), values)
        found = await cursor.fetchone()
    if found is None:
        raise no_such_review()
    return found
