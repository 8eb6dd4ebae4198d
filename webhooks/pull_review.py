"""What a pull request needs, in plain order: end what nobody wants any more, and review what is wanted."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from reviewer.core.events import Event, ReviewCancelled, ReviewSuperseded
from reviewer.errors import ForgeError, ForgeRefused, StoreUnavailable
from reviewer.grace import beside
from webhooks.attempts import Again, Attempt
from webhooks.boundary import bounded
from webhooks.check_run import verdict_json, verdict_of
from webhooks.lease import Lease, LeaseLost
from webhooks.news import PullRequestChanged
from webhooks.publish import checks
from webhooks.publish.values import CheckOutput
from webhooks.records import (
    PullRequestRow,
    Review,
    begin_run,
    end_review,
    end_unshown,
    pull_request,
    put_off,
)
from webhooks.review_run import Means, ReviewRun
from webhooks.wishes import give_up_looking, postpone

LOOK_SECONDS = 30.0
WATCH_SECONDS = 0.5

_log = structlog.get_logger("sluice.pull_request")


class PullReviews:
    """Gives pull requests what they need."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def run(self, repository_id: int, number: int) -> None:
        """Do all that a pull request needs now; what has to wait is noted."""
        async with self._means.database.connection() as connection:
            row, reviews = await pull_request(connection, repository_id, number)
        if row is None:
            return
        unshown = await self._end_unshown(row, reviews)
        due = [each for each in reviews if each.id not in unshown and _is_due(row, each)]
        work = [self._bring_on(row, each) for each in due]
        if row.unseen or row.unclear:
            work.append(self._look(row))
        watching = self._watch(repository_id, number)
        async with beside(watching, f"watch {repository_id}#{number}"):
            done = await asyncio.gather(*work, return_exceptions=True)
        faults = [fault for fault in done if isinstance(fault, BaseException)]
        if any(not isinstance(fault, StoreUnavailable) for fault in faults):
            await self._rest(row)  # the next job would meet it at once, and so for ever
        for fault in faults:
            raise fault

    async def _watch(self, repository_id: int, number: int) -> None:
        """Ask GitHub while the work goes on, should news come of which only GitHub knows what they mean."""
        # No other job of this pull request can begin before this one has ended, perhaps in ten minutes
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            with suppress(StoreUnavailable):
                async with self._means.database.connection() as connection:
                    row, _ = await pull_request(connection, repository_id, number)
                if row is not None and row.unclear and not await self._look(row):
                    await asyncio.sleep(LOOK_SECONDS)

    async def _bring_on(self, row: PullRequestRow, review: Review) -> bool:
        """Bring a review as far as it gets; whether nobody has to come again."""
        async with self._means.database.connection() as connection:
            run = await begin_run(connection, review.id)
        lease = self._lease(review, run)
        try:
            if not review.ended:
                if review.generation == row.generation:
                    await bounded(
                        ReviewRun(self._means, review, lease),
                        review=review.id,
                        number=lease.run,
                        next_="Push again when that is mended, or choose `Review again`.",
                    )
                else:
                    await self._retire(row, lease, review)
            await self._close(lease, review)
        except LeaseLost as lost:
            _log.info("a run ends", review=review.id, reason=str(lost))
        except (Again, ForgeError) as error:
            await self._put_off(review, error)
            return False
        return True

    async def _end_unshown(self, row: PullRequestRow, reviews: list[Review]) -> set[str]:
        """End what nobody wants any more and GitHub shows nothing of, as a burst of pushes leaves it."""
        over = {each.id: each for each in reviews if _is_over(row, each) and not each.check_begun}
        if not over:
            return set()
        event, _ = _farewell(row)
        async with self._means.database.connection() as connection, connection.pipeline():
            ended = await end_unshown(connection, list(over))
            told = [(over[review].subject, event) for review in over if review in ended]
            await self._means.feed.append_all(connection, told)
            await connection.commit()
        return ended

    async def _retire(self, row: PullRequestRow, lease: Lease, review: Review) -> None:
        """End a review that nobody wants any more."""
        event, verdict = _farewell(row)
        async with self._means.database.connection() as connection, connection.pipeline():
            if await end_review(connection, review.id, lease.run, verdict_json(verdict)):
                await self._means.feed.append_on(connection, review.subject, [event])
                await connection.commit()

    async def _close(self, lease: Lease, before: Review) -> None:
        """Bring the check run of an ended review to its end."""
        async with self._means.database.connection() as connection:
            _, reviews = await pull_request(connection, before.repository_id, before.pull_request)
            review = next((each for each in reviews if each.id == before.id), None)
            if review is None or review.verdict is None:
                return
            verdict, remarks = verdict_of(review.verdict)
        await self._means.check_runs.close(lease.after_end(), review, verdict, remarks)

    async def _put_off(self, review: Review, error: Again | ForgeError) -> None:
        if isinstance(error, Again):
            wait = error.wait
        else:
            _log.warning("a check run could not be closed", review=review.id, reason=str(error))
            wait = Attempt(review.attempts).wait(error, first_for_model=0.0)
        async with self._means.database.connection() as connection:
            await put_off(connection, review.id, wait)

    async def _rest(self, row: PullRequestRow) -> None:
        async with self._means.database.connection() as connection:
            await postpone(connection, row.repository_id, row.number, row.generation, LOOK_SECONDS)

    async def _look(self, row: PullRequestRow) -> bool:
        """Ask GitHub how a pull request stands where deliveries do not tell; whether it answered."""
        means = self._means
        try:
            found = await means.pulls.pull_request(row.installation, row.repository, row.number)
        except ForgeRefused as error:
            _log.warning("nothing is known of a pull request", number=row.number, reason=str(error))
            async with means.database.connection() as connection:
                await give_up_looking(connection, row.repository_id, row.number)
            return True
        except ForgeError as error:
            _log.warning("a pull request can't be looked at", number=row.number, reason=str(error))
            await self._rest(row)
            return False
        async with means.database.connection() as connection:
            await means.wishes.take(connection, [PullRequestChanged("read", found.facts, read=True)])
        return True

    def _lease(self, review: Review, run: int) -> Lease:
        return Lease(
            review=review.id,
            repository_id=review.repository_id,
            number=review.pull_request,
            generation=review.generation,
            run=run,
        )


def _is_due(row: PullRequestRow, review: Review) -> bool:
    """Whether it can be brought on now; what nobody wants any more can be ended at any time."""
    return not review.waits or _is_over(row, review)


def _is_over(row: PullRequestRow, review: Review) -> bool:
    """Whether it goes on though nobody wants it any more."""
    return not review.ended and review.generation != row.generation


def _farewell(row: PullRequestRow) -> tuple[Event, CheckOutput]:
    """How such a review ends."""
    if row.reason is None:
        return ReviewSuperseded(by=row.head_sha), checks.superseded_check(row.head_sha)
    return ReviewCancelled(reason=row.reason), checks.cancelled_check(row.reason)
