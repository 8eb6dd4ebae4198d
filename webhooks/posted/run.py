"""One run of a posted review: read its diff, review it, say how it ended."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import replace

import structlog

from reviewer import pipeline
from reviewer.core.diff import Diff, parse
from reviewer.core.events import Event, ReviewFailed
from reviewer.errors import BadInput, EngineError, SluiceError, StoreUnavailable
from reviewer.job import Job, Outcome
from reviewer.local import NoFiles
from reviewer.store.database import Database
from webhooks.attempts import Again, Attempt
from webhooks.boundary import bounded
from webhooks.draws import Draws
from webhooks.lease import LeasedFeed, LeaseLost, PostedLease
from webhooks.posted.reviews import PostedReview, end_posted, open_posted, posted_diff
from webhooks.records import begin_run, put_off
from webhooks.review_run import Means

_log = structlog.get_logger("sluice.posted_review")


class PostedReviews:
    """Brings posted reviews on."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def run(self, review: str) -> None:
        """Bring a review as far as it gets; what has to wait is noted."""
        async with self._means.database.connection() as connection:
            found = await open_posted(connection, review)
            if found is None:
                return
            run = await begin_run(connection, review)
        try:
            await bounded(
                PostedRun(self._means, found, PostedLease(review, run)),
                review=review,
                number=run,
                next_="Post the diff again when that is mended.",
            )
        except LeaseLost as lost:
            _log.info("a run ends", review=review, reason=str(lost))
        except Again as again:
            async with self._means.database.connection() as connection:
                await put_off(connection, review, again.wait)


class PostedRun:
    """A run; `perform` it once."""

    def __init__(self, means: Means, review: PostedReview, lease: PostedLease) -> None:
        self._means = means
        self._review = review
        self._lease = lease
        self._feed = LeasedFeed(means.database, means.feed, lease, lambda _: None)

    async def perform(self) -> None:
        """Review the diff to the event that ends it.

        Raises:
            Again: it failed in a way that may pass, and this was not the last attempt.
            LeaseLost: it has ended meanwhile, or another run has taken over.
            StoreUnavailable: nothing can be noted.
        """
        attempt = Attempt(self._review.attempts)
        try:
            await self._perform(attempt)
        except StoreUnavailable:
            raise
        except SluiceError as error:
            await self._give_up(error, attempt)

    async def fail(self, reason: str, next_: str) -> None:
        """End the review without a result.

        Raises:
            LeaseLost: as above.
        """
        await self._end(ReviewFailed(reason=reason, next=next_))

    async def _perform(self, attempt: Attempt) -> None:
        job = await self._job(await read_posted(self._means.database, self._review.id))
        outcome = await pipeline.review(job, replace(self._means.ports, feed=self._feed))
        if outcome.unfinished is not None and not attempt.last:
            await self._postpone(outcome, outcome.unfinished, attempt)
        if outcome.unreviewed is not None:
            raise outcome.unreviewed
        await self._end(await asyncio.to_thread(outcome.completed))

    async def _job(self, diff: Diff) -> Job:
        review, means = self._review, self._means
        drawn = await Draws(means.database, means.reviewer, means.ports.rates).settled(review.id)
        return Job(
            subject=review.subject,
            diff=diff,
            sources=NoFiles(),
            limits=drawn.limits,
            models=drawn.models,
            payer=review.payer,
            policy=means.reviewer.policy,
            notice=means.reviewer.notice,
            concurrency=means.reviewer.concurrency,
        )

    async def _postpone(self, outcome: Outcome, error: EngineError, attempt: Attempt) -> None:
        """Put the review off; what is finished is kept."""
        event = attempt.postponement(outcome, error, first_for_model=self._means.postpone_seconds)
        _log.warning("review postponed", review=self._review.id, seconds=event.wait, reason=event.reason)
        await self._feed.append(self._review.subject, [event])
        raise Again(event.reason, event.wait) from error

    async def _give_up(self, error: SluiceError, attempt: Attempt) -> None:
        if error.retryable and not attempt.last:
            _log.warning("review will be tried again", review=self._review.id, reason=str(error))
            wait = attempt.wait(error, first_for_model=self._means.postpone_seconds)
            raise Again(str(error), wait) from error
        next_ = "Post the diff again when that is mended."
        if isinstance(error, BadInput):
            next_ = "Sluice can't read this diff; nothing of it was reviewed."
        _log.error("review failed", review=self._review.id, reason=str(error))
        await self.fail(str(error), next_)

    async def _end(self, event: Event) -> None:
        async with self._means.database.connection() as connection, connection.pipeline():
            await self._lease.hold(connection)
            await end_posted(connection, self._review.id, self._lease.run)
            await self._means.feed.append_on(connection, self._review.subject, [event])
            await connection.commit()


async def read_posted(database: Database, review: str) -> Diff:
    """The diff of a posted review.

    Raises:
        BadInput: it is no longer kept.
    """
    async with database.connection() as connection:
        packed = await posted_diff(connection, review)
    if packed is None:
        raise BadInput("the diff is no longer kept")
    return await asyncio.to_thread(lambda: parse(zlib.decompress(packed)))
