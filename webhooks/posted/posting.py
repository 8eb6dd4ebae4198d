"""The door for diffs that are posted: check, store, and answer with the review as it goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from reviewer.core.budget import Payer
from reviewer.core.diff import parse
from reviewer.errors import BadInput
from reviewer.store.database import Database
from webhooks.callers import Caller
from webhooks.jobs import Jobs
from webhooks.posted.attendance import Attendance
from webhooks.posted.bodies import read_body
from webhooks.posted.quotes import Quotes
from webhooks.posted.refusals import Refusal
from webhooks.posted.reviews import Earlier, Post, Posted
from webhooks.streams.endpoints import Stream

MOST_AT_ONCE = 2
"""Diffs parsed and planned at the same time; a large one takes a processor for a second."""

MAY_NOT_POST = "nothing can be posted with this access; `sluice token create --post` makes a token that may"
"""Says nothing but what its hearer may not do."""

_LONGEST_LABEL = 200
_LONGEST_TITLE = 300
_LONGEST_KEY = 255
_HEX = re.compile(r"[0-9a-fA-F]{4,64}")
_LEVEL = 6

_Taken = tuple[str, UUID | None]
"""A review's id, and the listener to it; None where nobody waits for the answer."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for besides its diff.

    Attributes:
        alone: the review goes on though nobody listens.
        later: the answer is where the review will be, not the review.
    """

    repository: str
    title: str
    head_sha: str | None
    alone: bool
    later: bool
    idempotency_key: str | None

    @classmethod
    def of(cls, request: Request) -> Wanted:
        """Read the query and the headers.

        Raises:
            Refusal: 400: something of it is wrong.
        """
        later = _prefers_later(request)
        return cls(
            repository=_label(request, "repository", "posted", _LONGEST_LABEL),
            title=_label(request, "title", "Posted diff", _LONGEST_TITLE),
            head_sha=_head_sha(request),
            alone=_goes_on(request) or later,
            later=later,
            idempotency_key=_idempotency_key(request),
        )

    def digest(self, body: bytes) -> bytes:
        """What tells a diff and all that bears on its review from any other."""
        about = json.dumps([self.repository, self.title, self.head_sha]).encode()
        return hashlib.sha256(hashlib.sha256(about).digest() + hashlib.sha256(body).digest()).digest()


class Posting:
    """`POST /reviews`, and the way back to what was posted."""

    def __init__(
        self,
        database: Database,
        posted: Posted,
        jobs: Jobs,
        *,
        attendance: Attendance,
        quotes: Quotes,
        stream: Stream,
        max_diff_bytes: int,
    ) -> None:
        self._database = database
        self._posted = posted
        self._jobs = jobs
        self._attendance = attendance
        self._quotes = quotes
        self._stream = stream
        self._max_diff_bytes = max_diff_bytes
        self._heavy = asyncio.Semaphore(MOST_AT_ONCE)

    async def post(self, request: Request, caller: Caller) -> Response:
        """The posted review's events as they come, or 202 and where they will be."""
        if caller.api_key is None:
            raise HTTPException(404, MAY_NOT_POST)
        headers = (await self._quotes.account(caller.api_key)).headers
        try:
            wanted = Wanted.of(request)
            if not wanted.later:
                self._stream.require_room(caller)  # before anything is stored, or bought
            review, listener = await self._take(request, caller, caller.api_key, wanted)
        except Refusal as refusal:
            return refusal.answer(headers)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody
        headers["Location"] = f"/reviews/{review}"
        if listener is None:
            headers["Preference-Applied"] = "respond-async"
            return JSONResponse({"review": review}, status_code=202, headers=headers)
        answering = partial(self._stream.of_review, caller, review, headers=headers)
        return await self._heard(listener, answering)

    async def events(self, request: Request, caller: Caller) -> Response:
        """`GET /reviews/{id}/events`: who resumes what they have posted listens to it again; others watch."""
        review, query = request.path_params["id"], request.query_params
        resumes = request.headers.get("last-event-id") or query.get("last_event_id")
        if caller.api_key is None or not resumes or "\0" in review or query.get("follow") == "false":
            return await self._stream.one_review(request, caller)
        async with self._database.connection() as connection:
            listener = await self._attendance.enter(connection, review, caller.api_key)
        return await self._heard(listener, partial(self._stream.one_review, request, caller))

    async def _heard(self, listener: UUID, answering: Callable[..., Awaitable[Response]]) -> Response:
        """The answer to somebody who listens while it lasts."""
        self._attendance.stay(listener)
        leave = partial(self._attendance.leave, listener)
        try:
            return await answering(on_leave=leave)
        except BaseException:  # no answer begins: whoever asked hears nothing of it
            await leave()
            raise

    async def _take(self, request: Request, caller: Caller, api_key: str, wanted: Wanted) -> _Taken:
        """The review that the request is answered with, and who listens to it."""
        body = await read_body(request, self._max_diff_bytes)
        digest = await asyncio.to_thread(wanted.digest, body)
        if wanted.idempotency_key is not None:
            # Before the budgets are asked: what was granted is not refused when the answer was lost
            async with self._database.connection() as connection:
                earlier = await self._posted.earlier(connection, api_key, wanted.idempotency_key)
                if earlier is not None:
                    return await self._same(connection, api_key, earlier, digest, wanted)
        async with self._heavy:
            post = await self._prepare(body, digest, caller, api_key, wanted)
        async with self._database.connection() as connection:
            earlier = await self._posted.store(connection, post)
            if earlier is not None:
                return await self._same(connection, api_key, earlier, digest, wanted)
            taken = await self._attended(connection, api_key, post.review, wanted)
            await self._posted.announce(connection, post)
        self._jobs.wake()
        return taken

    async def _prepare(
        self, body: bytes, digest: bytes, caller: Caller, api_key: str, wanted: Wanted
    ) -> Post:
        """What is to be stored, if it is a diff and the budgets allow it."""
        review = uuid4().hex
        try:
            diff = await asyncio.to_thread(parse, body, max_bytes=self._max_diff_bytes)
        except BadInput as error:
            raise Refusal(400, str(error)) from error
        drawn = await self._quotes.require(diff, Payer(review, caller.pays, api_key))
        return Post(
            review=review,
            api_key=api_key,
            pays=caller.pays,
            repository=wanted.repository,
            title=wanted.title,
            head_sha=wanted.head_sha,
            attended=not wanted.alone,
            idempotency_key=wanted.idempotency_key,
            digest=digest,
            diff=await asyncio.to_thread(zlib.compress, body, _LEVEL),
            model=drawn.models.main,
            bytes_per_token=drawn.limits.estimator.bytes_per_token,
        )

    async def _same(
        self, connection: AsyncConnection, api_key: str, earlier: Earlier, digest: bytes, wanted: Wanted
    ) -> _Taken:
        """The review that was posted before with the same key."""
        if earlier.digest != digest:
            raise Refusal(
                422, "this Idempotency-Key was used with another diff or other parameters; take a new one"
            )
        if wanted.alone:
            await self._posted.leave_alone(connection, earlier.review)
        return await self._attended(connection, api_key, earlier.review, wanted)

    async def _attended(
        self, connection: AsyncConnection, api_key: str, review: str, wanted: Wanted
    ) -> _Taken:
        return review, None if wanted.later else await self._attendance.enter(connection, review, api_key)


def _label(request: Request, name: str, default: str, longest: int) -> str:
    text = request.query_params.get(name, default)
    if not text or len(text) > longest or not text.isprintable():
        raise Refusal(400, f"{name} is a printable text of 1 to {longest} characters")
    return text


def _head_sha(request: Request) -> str | None:
    text = request.query_params.get("head_sha")
    if text is not None and not _HEX.fullmatch(text):
        raise Refusal(400, "head_sha is the name of a commit: 4 to 64 hexadecimal digits")
    return text


def _goes_on(request: Request) -> bool:
    text = request.query_params.get("on_disconnect", "cancel")
    if text not in {"cancel", "continue"}:
        raise Refusal(400, "on_disconnect is `cancel` or `continue`")
    return text == "continue"


def _prefers_later(request: Request) -> bool:
    preferred = [
        each.partition(";")[0].strip().lower()
        for line in request.headers.getlist("prefer")
        for each in line.split(",")
    ]
    return "respond-async" in preferred


def _idempotency_key(request: Request) -> str | None:
    text = request.headers.get("idempotency-key")
    if text is not None and not (0 < len(text) <= _LONGEST_KEY and text.isascii() and text.isprintable()):
        raise Refusal(400, f"Idempotency-Key is a printable text of 1 to {_LONGEST_KEY} ASCII characters")
    return text
