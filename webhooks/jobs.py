"""The queue: one job a pull request runs, at most one waits, and the waiting one reads the newest head."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import procrastinate
import structlog
from procrastinate.exceptions import AlreadyEnqueued
from psycopg import AsyncConnection

from webhooks.pull_review import Attempt, PullReviews

if TYPE_CHECKING:
    from procrastinate.job_context import JobContext

MAX_ATTEMPTS = 5
_FIRST_WAIT = 5  # seconds before the second attempt; each further wait is five times as long
_POLL_SECONDS = 0.5  # a job that waits for its pull request's lock is not notified when the lock is freed
_STALLED_SECONDS = 30.0  # without a heartbeat a worker is taken for dead

_log = structlog.get_logger("sluice.jobs")


class Jobs:
    """The procrastinate app and its tasks, which are thin: the work is in `PullReviews`."""

    def __init__(self, database_url: str, reviews: PullReviews) -> None:
        connector = procrastinate.PsycopgConnector(conninfo=database_url)
        self.app = procrastinate.App(connector=connector)
        retry = procrastinate.RetryStrategy(
            max_attempts=MAX_ATTEMPTS, exponential_wait=_FIRST_WAIT, retry_exceptions=[Attempt.Again]
        )

        @self.app.task(name="review", retry=retry, pass_context=True)
        async def review(context: JobContext, *, repository: str, number: int) -> None:
            last = context.job.attempts + 1 >= MAX_ATTEMPTS
            await reviews.run(repository, number, Attempt(last=last))

        @self.app.periodic(cron="* * * * *")
        @self.app.task(name="take_over", queueing_lock="take_over", pass_context=True)
        async def take_over(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - procrastinate gives it
            manager = context.app.job_manager
            for job in await manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_SECONDS):
                _log.warning("taking over the job of a dead worker", job=job.id)
                await manager.retry_job(job)

        self._review = review

    async def want_review(self, connection: AsyncConnection, repository: str, number: int) -> None:
        """Defer a review on the caller's transaction; one that waits already is enough."""
        key = f"{repository}#{number}"
        deferrer = self._review.configure(lock=key, queueing_lock=key, connection=connection)
        with suppress(AlreadyEnqueued):
            async with connection.transaction():  # the refusal must not undo what the caller has done
                await deferrer.defer_async(repository=repository, number=number)

    async def work(self, concurrency: int) -> None:
        """Run jobs until cancelled."""
        await self.app.run_worker_async(
            concurrency=concurrency,
            install_signal_handlers=False,
            fetch_job_polling_interval=_POLL_SECONDS,
            delete_jobs="successful",
        )
