"""The door for GitHub's deliveries: check, store, answer; the work is done elsewhere.

The delivery, the head it wants reviewed and the job commit together. What fails before that commit answers
5xx, so that a redelivery, which carries the same id, is taken as new.
"""

from __future__ import annotations

import structlog
from psycopg import AsyncConnection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reviewer.core.events import ReviewQueued, Subject
from reviewer.errors import BadPayload, BodyTooLarge
from reviewer.store.database import Database
from reviewer.store.feed import PostgresFeed
from webhooks.jobs import Jobs
from webhooks.payloads import Ignored, WantedHead, parse
from webhooks.records import open_review, store_delivery, want_head
from webhooks.signature import verify

MAX_BODY_BYTES = 25_000_000
"""GitHub does not deliver larger payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads"""

_log = structlog.get_logger("sluice.receiver")


class Receiver:
    """`POST /webhooks/github`."""

    def __init__(self, *, secret: str, database: Database, feed: PostgresFeed, jobs: Jobs) -> None:
        self._secret = secret
        self._database = database
        self._feed = feed
        self._jobs = jobs

    async def receive(self, request: Request) -> Response:
        """202 with what was done; 4xx for what is not GitHub's or not well formed."""
        raw = await _read(request)
        body = verify(raw, request.headers.get("x-hub-signature-256"), self._secret)
        guid = request.headers.get("x-github-delivery")
        event = request.headers.get("x-github-event")
        if not guid or not event:
            raise BadPayload("the headers X-GitHub-Delivery and X-GitHub-Event are needed")
        news = parse(body, event=event, content_type=request.headers.get("content-type", ""))
        if isinstance(news, Ignored):
            _log.info("delivery ignored", delivery=guid, github_event=event, reason=news.reason)
            return JSONResponse({"ignored": news.reason}, status_code=202)
        async with self._database.connection() as connection:
            new = await store_delivery(
                connection,
                guid=guid,
                event=event,
                action=news.action,
                installation=news.head.installation,
                body=raw,
            )
            if not new:
                return JSONResponse({"ignored": "this delivery was taken before"}, status_code=202)
            review = await self._want(connection, news.head)
        _log.info(
            "delivery taken", delivery=guid, repository=news.head.repository, pull_request=news.head.number
        )
        return JSONResponse({"review": review}, status_code=202)

    async def _want(self, connection: AsyncConnection, head: WantedHead) -> str:
        await want_head(connection, head)
        review = await open_review(connection, head)
        subject = Subject(
            review=review.id, repository=head.repository, pull_request=head.number, head_sha=head.head_sha
        )
        await self._feed.append_on(connection, subject, [ReviewQueued()])
        await self._jobs.want_review(connection, head.repository, head.number)
        return review.id


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"the body is over {MAX_BODY_BYTES:,} bytes")
    return bytes(body)
